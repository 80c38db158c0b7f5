import type { ClaimedWorkflow, ClaimRequest, DefinitionRef, Run } from "@wfe/core/providers";
import { recordFormat } from "@wfe/core/providers";
import { numbersOf } from "./definitions.ts";
import { readRows } from "./rows.ts";
import { jsonOf, type Session } from "./session.ts";

/** A workflow that may be claimed. */
interface Candidate {
  readonly run: Run;
  readonly namespace: string;
  readonly priority: number;
  readonly dueAt: number;
  readonly orphaned: number;
}

/** What one point of priority is worth, in waiting. */
const pointMs = 60_000;
/** Lanes looked at by one claim, for each workflow it may take, and at least and at most. With more of them, claims take turns. */
const lanesPerWorkflow = 4;
const minLanes = 200;
const maxLanes = 2_000;

const columns = "run, namespace, priority, due_at AS dueAt, orphaned";
const isFree = "owner IS NULL AND due_at IS NOT NULL";
// Named, so that statistics of an application's ANALYZE cannot talk SQLite into another one.
const byDue = "wfe_workflows INDEXED BY wfe_workflows_due";
const byLane = "wfe_workflows INDEXED BY wfe_workflows_lane";

/** Per definition, the namespace at which the next claim goes on, where there are more lanes than one may look at. */
export type LaneCursor = Map<number, string>;

/** Whether a claim may find something: asked before a transaction is begun for it. */
export function mayClaim(session: Session, request: ClaimRequest): boolean {
  const definitions = numbersOf(session, request.definitions, request.format);
  if (request.runs !== undefined) return findAmong(session, definitions, request.runs).length > 0;
  const due = `SELECT 1 FROM ${byDue} WHERE definition = ? AND due_at <= ? AND ${isFree} LIMIT 1`;
  const now = session.now();
  return definitions.some((definition) => session.value(due, definition, now) !== undefined);
}

/** Takes workflows for the lease; see the contract. */
export function claimWorkflows(session: Session, request: ClaimRequest, cursor: LaneCursor): ClaimedWorkflow[] {
  const definitions = numbersOf(session, request.definitions, request.format);
  if (definitions.length === 0 || request.limit <= 0) return [];
  const found =
    request.runs === undefined
      ? findDue(session, definitions, request.limit, cursor)
      : findAmong(session, definitions, request.runs);
  const chosen = shareOut(found, request.limit);
  if (chosen.length === 0) return [];

  const runs = chosen.map(({ run }) => run);
  session.run(
    `UPDATE wfe_workflows SET owner = ?, claim = claim + 1, due_at = NULL, orphaned = 0
     FROM json_each(?) j WHERE wfe_workflows.run = j.value`,
    request.lease,
    jsonOf(runs),
  );
  const rows = readRows(session, runs);
  return chosen.flatMap(({ run, orphaned }) => {
    const read = rows.get(run);
    return read === undefined ? [] : [{ row: read.row, headSeq: read.headSeq, orphaned: orphaned === 1 }];
  });
}

/** When one of these definitions is due next, of what has no owner. */
export function nextDueWorkflow(session: Session, definitions: readonly DefinitionRef[]): number | null {
  const first = `SELECT min(due_at) FROM ${byDue} WHERE definition = ? AND ${isFree}`;
  let next: number | null = null;
  for (const definition of numbersOf(session, definitions, recordFormat)) {
    const dueAt = session.value<number | null>(first, definition) ?? null;
    if (dueAt !== null && (next === null || dueAt < next)) next = dueAt;
  }
  return next;
}

/** All that are due, where they are few; else the first ones of every lane. */
function findDue(session: Session, definitions: readonly number[], limit: number, cursor: LaneCursor): Candidate[] {
  const now = session.now();
  const sql = `SELECT ${columns} FROM ${byDue} WHERE definition = ? AND due_at <= ? AND ${isFree} ORDER BY due_at LIMIT ?`;
  const oldest: Candidate[] = [];
  for (const definition of definitions) {
    oldest.push(...session.all<Candidate>(sql, definition, now, limit + 1 - oldest.length));
    if (oldest.length <= limit) continue;

    const firsts = findInLanes(session, definitions, limit, cursor);
    if (firsts.length >= limit) return firsts;
    // In the lanes that were looked at this time too little is due.
    const found = new Set(firsts.map(({ run }) => run));
    return [...firsts, ...oldest.filter(({ run }) => !found.has(run))];
  }
  return oldest;
}

interface Lane {
  readonly definition: number;
  readonly namespace: string;
  readonly priority: number;
}

/**
 * In a lane (one definition, namespace and priority) the order of claiming is that of the due times, so the first rows of each
 * lane are all that a claim can take, however many wait behind them.
 */
function findInLanes(session: Session, definitions: readonly number[], limit: number, cursor: LaneCursor): Candidate[] {
  const many = Math.min(maxLanes, Math.max(minLanes, lanesPerWorkflow * limit));
  const share = Math.ceil(many / definitions.length);
  const lanes = definitions.flatMap((definition) => dueLanes(session, definition, share, cursor));
  const namespaces = new Set(lanes.map(({ namespace }) => namespace)).size;
  const now = session.now();
  const sql = `SELECT ${columns} FROM ${byLane}
    WHERE definition = ? AND namespace = ? AND priority = ? AND due_at <= ? AND ${isFree} ORDER BY due_at LIMIT ?`;

  // First as many of each as is its namespace's share; more where some namespaces have less than that.
  for (let depth = Math.ceil(limit / Math.max(1, namespaces)); ; depth *= 4) {
    let cut = false;
    const candidates = lanes.flatMap(({ definition, namespace, priority }) => {
      const first = session.all<Candidate>(sql, definition, namespace, priority, now, depth);
      if (first.length === depth) cut = true;
      return first;
    });
    if (!cut || candidates.length >= limit) return candidates;
  }
}

/** The lanes of a definition that have something due: a look-up or two each, past all that is in them. */
function dueLanes(session: Session, definition: number, limit: number, cursor: LaneCursor): Lane[] {
  const now = session.now();
  const start = cursor.get(definition) ?? "";
  const lanes: Lane[] = [];
  let left = limit;

  // Gives where it stopped; null at the end.
  const walk = (from: string, before: string | null): string | null => {
    let lane = session.get<LaneHead>(firstLane, definition, from, before, before);
    for (; left > 0 && lane !== undefined; left -= 1) {
      const { namespace, priority, dueAt } = lane;
      if (dueAt <= now) lanes.push({ definition, namespace, priority });
      lane =
        session.get<LaneHead>(nextPriority, definition, namespace, priority) ??
        session.get<LaneHead>(nextNamespace, definition, namespace, before, before);
    }
    return lane?.namespace ?? null;
  };
  const stopped = walk(start, null) ?? (start === "" ? null : walk("", start));
  cursor.set(definition, stopped ?? "");
  return lanes;
}

interface LaneHead {
  readonly namespace: string;
  readonly priority: number;
  /** Of its first. */
  readonly dueAt: number;
}

// Not one comparison of (namespace, priority): SQLite begins at what is equal to it, and reads through all of that lane.
const laneHead = `SELECT namespace, priority, due_at AS dueAt FROM ${byLane} WHERE definition = ? AND ${isFree}`;
const inOrder = "ORDER BY namespace, priority, due_at LIMIT 1";
const firstLane = `${laneHead} AND namespace >= ? AND (? IS NULL OR namespace < ?) ${inOrder}`;
const nextNamespace = `${laneHead} AND namespace > ? AND (? IS NULL OR namespace < ?) ${inOrder}`;
const nextPriority = `${laneHead} AND namespace = ? AND priority > ? ${inOrder}`;

/** Which of these can be claimed. */
function findAmong(session: Session, definitions: readonly number[], runs: readonly Run[]): Candidate[] {
  return session.all<Candidate>(
    `SELECT ${columns} FROM wfe_workflows WHERE run IN (SELECT value FROM json_each(?)) AND due_at <= ? AND ${isFree}
     AND definition IN (SELECT value FROM json_each(?))`,
    jsonOf(runs),
    session.now(),
    jsonOf(definitions),
  );
}

/** Round after round each namespace gives its first; the rest of a last round goes by the order of claiming. */
export function shareOut<Item extends Pick<Candidate, "run" | "namespace" | "priority" | "dueAt">>(
  candidates: readonly Item[],
  limit: number,
): Item[] {
  const ordered = candidates.toSorted(byClaiming);
  if (ordered.length <= limit) return ordered;
  const namespaces = Map.groupBy(ordered, ({ namespace }) => namespace);
  if (namespaces.size === 1) return ordered.slice(0, limit);
  const chosen: Item[] = [];
  for (let round = 0; chosen.length < limit; round += 1) {
    const firsts = [...namespaces.values()].map((items) => items[round]).filter((item) => item !== undefined);
    chosen.push(...firsts.toSorted(byClaiming).slice(0, limit - chosen.length));
  }
  return chosen.toSorted(byClaiming);
}

/** Priority plus one point for each minute of waiting, without what is the same for all; of equals, the older one first. */
function byClaiming(
  a: Pick<Candidate, "run" | "priority" | "dueAt">,
  b: Pick<Candidate, "run" | "priority" | "dueAt">,
): number {
  return a.dueAt - a.priority * pointMs - (b.dueAt - b.priority * pointMs) || a.run - b.run;
}
