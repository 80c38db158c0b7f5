import { decode, encode } from "../../codec/index.ts";
import type { WorkflowIdentity } from "../../engine/state.ts";
import { CorruptedRecordError } from "../../errors.ts";
import type { WorkflowRow } from "../../providers/records.ts";

/**
 * What `startText` of a row holds: everything that a workflow's first turn needs and its row has no column for.
 *
 * Written by `startWorkflow` and by the start of a child; read once, by the host that runs the first turn.
 */
export interface StartRecord {
  readonly data: unknown;
  /** Children: the cursors of their parent's line. */
  readonly cursors?: Readonly<Record<string, number>>;
  /** How many parents are above it. */
  readonly depth: number;
  /** Children: the parent's id. Its run and pointer are in the row. */
  readonly parentId?: string;
  /** When it was to begin, where that was not at once. */
  readonly startAt?: number;
  /** The W3C `traceparent` of who started it; a child has its parent's. */
  readonly trace?: string;
  /** Imported ones: when their turns were stored first, by seq. */
  readonly importedTimes?: readonly number[];
}

export function encodeStartRecord(record: StartRecord): string {
  return encode(record);
}

export function decodeStartRecord(text: string): StartRecord {
  const value = decode(text) as StartRecord | null;
  if (typeof value !== "object" || value === null || typeof value.depth !== "number") {
    throw new CorruptedRecordError("the record that a workflow starts from cannot be read");
  }
  return value;
}

/** Who the workflow of a row is. */
export function identityOf(row: WorkflowRow, start: StartRecord): WorkflowIdentity {
  return {
    id: row.id,
    namespace: row.namespace,
    uid: row.uid,
    definitionId: row.definitionId,
    version: row.version,
    definitionHash: row.definitionHash,
    createdAt: row.createdAt,
    tags: row.tags,
    priority: row.priority,
    depth: start.depth,
    ...(start.trace === undefined ? {} : { trace: start.trace }),
    parent:
      row.parent === null
        ? null
        : { run: row.parent.run, pointer: row.parent.pointer, workflowId: start.parentId ?? "" },
  };
}
