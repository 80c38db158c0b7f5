import { decode, encode } from "../codec/index.ts";
import { CorruptedRecordError, NewerFormatError } from "../errors.ts";
import { recordFormat } from "../providers/records.ts";
import type { Entry } from "./entries.ts";
import type { WorkflowState } from "./state.ts";
import { copySummary, emptySummary, type StepSummary } from "./step-summary.ts";

/**
 * Turns and checkpoints as text. A turn is the JSON array of its entries (format 1); a later format will be an object with a
 * `format`, so that readers can tell.
 */
export function encodeEntries(entries: readonly Entry[]): string {
  return encode(entries);
}

/** Throws `CorruptedRecordError` for what is no turn, `NewerFormatError` for one of a later version. */
export function decodeEntries(text: string): readonly Entry[] {
  const value = decode(text);
  if (!Array.isArray(value)) throw unreadable("a turn", value);
  for (let i = 0; i < value.length; i++) {
    if (typeof (value[i] as Partial<Entry> | null)?.kind !== "string") throw unreadable("an entry of a turn", value[i]);
  }
  return value as Entry[];
}

/** A checkpoint: the state, and the summary of the steps so far. */
export function encodeState(state: WorkflowState, summary: StepSummary): string {
  return encode({ format: recordFormat, state, summary });
}

/** Throws `CorruptedRecordError` for what is no checkpoint, `NewerFormatError` for one of a later version. */
export function decodeState(text: string): { readonly state: WorkflowState; readonly summary: StepSummary } {
  const value = decode(text) as { format?: number; state?: WorkflowState; summary?: StepSummary } | null;
  const isReadable = value?.format === recordFormat && value.state?.pointers instanceof Map;
  if (!isReadable || value.state === undefined) throw unreadable("a checkpoint", value);
  return { state: value.state, summary: copySummary(value.summary ?? emptySummary()) };
}

function unreadable(what: string, value: unknown): CorruptedRecordError | NewerFormatError {
  const format = (value as { format?: unknown } | null | undefined)?.format;
  if (typeof format === "number" && format > recordFormat) {
    return new NewerFormatError(
      `${what} has format ${format}, this version reads up to ${recordFormat}: upgrade this process`,
    );
  }
  return new CorruptedRecordError(
    `${what} cannot be read, it is something else: the store was damaged, or changed past WFE; restore a backup, or fork the workflow from a turn before it`,
  );
}
