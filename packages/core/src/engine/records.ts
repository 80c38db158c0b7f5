import { decode, encode } from "../codec/index.ts";
import { NewerFormatError } from "../errors.ts";
import { recordFormat } from "../providers/records.ts";
import type { Entry } from "./entries.ts";
import type { WorkflowState } from "./state.ts";
import { emptySummary, type StepSummary } from "./step-summary.ts";

/**
 * Turns and checkpoints as text. A turn is the JSON array of its entries (format 1); a later format will be an object with a
 * `format`, so that readers can tell.
 */
export function encodeEntries(entries: readonly Entry[]): string {
  return encode(entries);
}

export function decodeEntries(text: string): readonly Entry[] {
  const value = decode(text);
  if (!Array.isArray(value)) throw newer("a turn", value);
  return value as Entry[];
}

/** A checkpoint: the state, and the summary of the steps so far. */
export function encodeState(state: WorkflowState, summary: StepSummary): string {
  return encode({ format: recordFormat, state, summary });
}

export function decodeState(text: string): { readonly state: WorkflowState; readonly summary: StepSummary } {
  const value = decode(text) as { format?: number; state: WorkflowState; summary: StepSummary };
  if (value.format !== recordFormat) throw newer("a checkpoint", value);
  return { state: value.state, summary: new Map(value.summary ?? emptySummary()) };
}

function newer(what: string, value: unknown): NewerFormatError {
  const format = (value as { format?: unknown } | null)?.format;
  return new NewerFormatError(
    `${what} has format ${String(format)}, this version reads up to ${recordFormat}: upgrade this process`,
  );
}
