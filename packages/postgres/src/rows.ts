import type { Run, WaitingFor, WorkflowRow, WorkflowStatus } from "@wfe/core/providers";

/** An instance as the queries here give it, all its tables together. */
export interface StoredRow {
  readonly run: Run;
  readonly namespace: string;
  readonly id: string;
  readonly uid: string;
  readonly definitionId: string;
  readonly version: number;
  readonly definitionHash: string;
  readonly status: WorkflowStatus;
  readonly priority: number;
  readonly tags: readonly string[] | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly completedAt: number | null;
  readonly dueAt: number | null;
  readonly owner: string | null;
  readonly claim: number;
  readonly signals: number;
  readonly parentRun: Run | null;
  readonly parentPointer: number | null;
  readonly startText: string;
  readonly resultText: string | null;
  readonly errorText: string | null;
  readonly waitingFor: readonly WaitingFor[] | null;
}

/** A row as a claim gives it. */
export interface ClaimedRow extends StoredRow {
  readonly headSeq: number;
  readonly orphaned: boolean;
}

/** What a `StoredRow` is made of, out of `w` and these joins. */
export const rowJoins: string = `JOIN $s.wfe_definitions d ON d.definition = w.definition
  JOIN $s.wfe_starts s ON s.run = w.run
  LEFT JOIN $s.wfe_ends e ON e.run = w.run`;

export const selectRow: string = `w.run, w.namespace, w.id, w.uid, d.id AS "definitionId", d.version, d.hash AS "definitionHash",
  w.status, w.priority, w.tags::json AS tags, w.created_at AS "createdAt", w.updated_at AS "updatedAt",
  w.completed_at AS "completedAt", w.due_at AS "dueAt", w.owner, w.claim, w.signals,
  w.parent_run AS "parentRun", w.parent_pointer AS "parentPointer", s.text AS "startText",
  e.result AS "resultText", e.error AS "errorText", w.waiting_for::json AS "waitingFor"`;

/** `orphaned` remembers the claim that `orphan` raised it to: so it is over as soon as another has claimed. */
export const selectClaimed: string = `${selectRow},
  coalesce((SELECT t.seq FROM $s.wfe_turns t WHERE t.run = w.run ORDER BY t.seq DESC LIMIT 1), -1) AS "headSeq",
  w.orphaned > 0 AND w.orphaned = w.claim - 1 AS orphaned`;

export function rowOf(stored: StoredRow): WorkflowRow {
  const { parentRun, parentPointer, tags, waitingFor, ...row } = stored;
  return {
    ...row,
    tags: tags ?? [],
    waitingFor: waitingFor ?? [],
    parent: parentRun === null ? null : { run: parentRun, pointer: parentPointer ?? 0 },
  };
}
