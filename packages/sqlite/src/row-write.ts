import type { Run, RowWrite } from "@wfe/core/providers";
import { finalStatuses, recordFormat } from "@wfe/core/providers";
import { definitionOf, numberOf } from "./definitions.ts";
import { jsonOf, type Session } from "./session.ts";

/** What a row becomes, where the claim is still the writer's. */
export interface RowToWrite {
  readonly run: Run;
  readonly claim: number;
  readonly row: RowWrite;
  /** The row's own. */
  readonly signals: number;
  /**
   * Events that came before a subscription are there to be read. Were the workflow let go asleep, only its host would know, and
   * might die before it acts.
   */
  readonly behind: boolean;
}

/** Whether the row was written: false where the claim is lost. `dueAt` is the due time that it has now. */
export type RowWritten = { readonly written: false } | { readonly written: true; readonly dueAt: number | null };

type Current = readonly [run: Run, claim: number, ended: number, completedAt: number | null, definition: number];

/** Rows that become the same: workflows that end together mostly do. */
interface Alike {
  readonly runs: Run[];
  readonly status: string;
  readonly dueAt: number | null;
  readonly release: boolean;
  readonly waitingFor: string | null;
  /** Undefined: as it is. */
  readonly rest:
    | { readonly ended: number; readonly completedAt: number | null; readonly definition: number }
    | undefined;
}

/** Writes rows of different workflows: a statement for those that become the same, however many. */
export function writeRows(session: Session, writes: readonly RowToWrite[]): RowWritten[] {
  const current = readCurrent(session, writes);
  const now = session.now();
  const groups = new Map<string, Alike>();
  const written: RowToWrite[] = [];
  const results = writes.map((write): RowWritten => {
    const before = current.get(write.run);
    if (before === undefined || before[1] !== write.claim) return { written: false };
    const alike = become(session, write, before, now);
    const key = JSON.stringify(alike);
    const group = groups.get(key) ?? alike;
    groups.set(key, group);
    group.runs.push(write.run);
    written.push(write);
    session.touched.add(write.run);
    const { dueAt, release, rest } = alike;
    if (release && dueAt !== null && dueAt <= now) session.woken.add(write.run);
    else if (release && (dueAt !== null || rest?.ended === 1)) session.changed = true;
    return { written: true, dueAt };
  });
  for (const alike of groups.values()) update(session, alike, now);
  writeEnds(session, written);
  return results;
}

function readCurrent(session: Session, writes: readonly RowToWrite[]): ReadonlyMap<Run, Current> {
  const columns = "w.run, w.claim, w.ended, w.completed_at, w.definition";
  const [first] = writes;
  const rows =
    first !== undefined && writes.length === 1
      ? session.rows<Current>(`SELECT ${columns} FROM wfe_workflows w WHERE run = ?`, first.run)
      : session.rows<Current>(
          `SELECT ${columns} FROM json_each(?) j CROSS JOIN wfe_workflows w ON w.run = j.value`,
          jsonOf(writes.map(({ run }) => run)),
        );
  return new Map(rows.map((row) => [row[0], row]));
}

function become(session: Session, { row, signals, behind }: RowToWrite, before: Current, now: number): Alike {
  const [, , endedBefore, completedAtBefore, numberBefore] = before;
  const ended = finalStatuses.includes(row.status) ? 1 : 0;
  const { id, version, hash, format } = definitionOf(session, numberBefore);
  const sameDefinition = version === row.version && hash === row.definitionHash && format === recordFormat;
  const stillLive = ended === 0 && endedBefore === 0 && completedAtBefore === row.completedAt;
  const definition = sameDefinition
    ? numberBefore
    : numberOf(session, { id, version: row.version, hash: row.definitionHash, format: recordFormat });
  return {
    runs: [],
    status: row.status,
    dueAt: row.release && (behind || signals > row.notedSignals) ? now : row.dueAt,
    release: row.release,
    waitingFor: row.waitingFor.length === 0 ? null : JSON.stringify(row.waitingFor),
    rest: sameDefinition && stillLive ? undefined : { ended, completedAt: row.completedAt, definition },
  };
}

function update(session: Session, { runs, status, dueAt, release, waitingFor, rest }: Alike, now: number): void {
  const sets = `status = ?, due_at = ?, owner = CASE WHEN ? THEN NULL ELSE owner END, updated_at = ?, waiting_for = ?`;
  // Does not always name what the indexes for lists hold: naming it alone would rewrite their entries.
  const more = rest === undefined ? "" : ", ended = ?, completed_at = ?, definition = ?";
  const values = [status, dueAt, release ? 1 : 0, now, waitingFor];
  if (rest !== undefined) values.push(rest.ended, rest.completedAt, rest.definition);
  const sql = `UPDATE wfe_workflows SET ${sets}${more}`;
  if (runs.length === 1) session.run(`${sql} WHERE run = ?`, ...values, runs[0]);
  else session.run(`${sql} FROM json_each(?) j WHERE wfe_workflows.run = j.value`, ...values, jsonOf(runs));
}

function writeEnds(session: Session, writes: readonly RowToWrite[]): void {
  const rows: unknown[][] = [];
  const without: Run[] = [];
  for (const { run, row } of writes) {
    if (row.resultText === null && row.errorText === null) without.push(run);
    else rows.push([run, row.resultText, row.errorText]);
  }
  if (without.length === 1) session.run("DELETE FROM wfe_ends WHERE run = ?", without[0]);
  else if (without.length > 1)
    session.run("DELETE FROM wfe_ends WHERE run IN (SELECT value FROM json_each(?))", jsonOf(without));
  session.insertAll("wfe_ends (run, result, error)", rows, "INSERT OR REPLACE");
}
