import type { Run, WaitingFor, WorkflowRow, WorkflowStatus } from "@wfe/core/providers";
import { jsonOf, type Session } from "./session.ts";

/** An instance as it is stored, all its tables together. */
interface StoredRow {
  readonly run: Run;
  readonly namespace: string;
  readonly id: string;
  readonly uid: string;
  readonly definitionId: string;
  readonly version: number;
  readonly definitionHash: string;
  readonly status: WorkflowStatus;
  readonly priority: number;
  readonly tags: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly completedAt: number | null;
  readonly dueAt: number | null;
  readonly owner: string | null;
  readonly claim: number;
  readonly signals: number;
  readonly headSeq: number;
  readonly last: number | null;
  readonly parentRun: Run | null;
  readonly parentPointer: number | null;
  readonly startText: string;
  readonly resultText: string | null;
  readonly errorText: string | null;
  readonly waitingFor: string | null;
}

/** A row, and where its journal ends. */
export interface ReadRow {
  readonly row: WorkflowRow;
  readonly headSeq: number;
  /** The place of its last turn; null where it has none. */
  readonly last: number | null;
}

const select = `SELECT w.run, w.namespace, w.id, w.uid, d.id AS definitionId, d.version, d.hash AS definitionHash,
  w.status, w.priority, w.tags, w.created_at AS createdAt, w.updated_at AS updatedAt, w.completed_at AS completedAt,
  w.due_at AS dueAt, w.owner, w.claim, h.signals, h.seq AS headSeq, h.last,
  w.parent_run AS parentRun, w.parent_pointer AS parentPointer, s.text AS startText,
  e.result AS resultText, e.error AS errorText, w.waiting_for AS waitingFor`;
const joins = `JOIN wfe_heads h ON h.run = w.run
  JOIN wfe_definitions d ON d.definition = w.definition
  JOIN wfe_starts s ON s.run = w.run
  LEFT JOIN wfe_ends e ON e.run = w.run`;

/** The rows of these workflows, by run; those that are not there are left out. */
export function readRows(session: Session, runs: readonly Run[]): Map<Run, ReadRow> {
  const rows = new Map<Run, ReadRow>();
  const sql = `${select} FROM json_each(?) j CROSS JOIN wfe_workflows w ON w.run = j.value ${joins}`;
  for (const stored of session.all<StoredRow>(sql, jsonOf(runs))) rows.set(stored.run, readRow(stored));
  return rows;
}

/** The rows of these ids, in their order. */
export function findRows(session: Session, namespace: string, ids: readonly string[]): (WorkflowRow | undefined)[] {
  const found = new Map<string, WorkflowRow>();
  const sql = `${select} FROM json_each(?) j CROSS JOIN wfe_workflows w ON w.namespace = ? AND w.id = j.value ${joins}`;
  for (const stored of session.all<StoredRow>(sql, JSON.stringify(ids), namespace))
    found.set(stored.id, readRow(stored).row);
  return ids.map((id) => found.get(id));
}

function readRow(stored: StoredRow): ReadRow {
  const { tags, waitingFor, parentRun, parentPointer } = stored;
  // Field by field: to take the others over with `...rest` costs more than all of this.
  const row: WorkflowRow = {
    run: stored.run,
    namespace: stored.namespace,
    id: stored.id,
    uid: stored.uid,
    definitionId: stored.definitionId,
    version: stored.version,
    definitionHash: stored.definitionHash,
    status: stored.status,
    priority: stored.priority,
    tags: listOf<string>(tags),
    createdAt: stored.createdAt,
    updatedAt: stored.updatedAt,
    completedAt: stored.completedAt,
    dueAt: stored.dueAt,
    owner: stored.owner,
    claim: stored.claim,
    signals: stored.signals,
    parent: parentRun === null ? null : { run: parentRun, pointer: parentPointer ?? 0 },
    startText: stored.startText,
    resultText: stored.resultText,
    errorText: stored.errorText,
    waitingFor: listOf<WaitingFor>(waitingFor),
  };
  return { row, headSeq: stored.headSeq, last: stored.last };
}

/**
 * A list that a row shows. One that is damaged shows nothing: the journal has what counts, and to throw here would keep everyone
 * from all rows that are read together.
 */
export function listOf<Item>(text: string | null): Item[] {
  if (text === null) return [];
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? (list as Item[]) : [];
  } catch {
    return [];
  }
}
