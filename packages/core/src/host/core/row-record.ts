import { decode, encode } from "../../codec/index.ts";
import { projectionOf } from "../../engine/work.ts";
import type { WorkflowState } from "../../engine/state.ts";
import type { StoredError } from "../../engine/stored-error.ts";
import { CorruptedRecordError } from "../../errors.ts";
import type { RowWrite } from "../../providers/persistence-provider.ts";

/** `resultText` of a row: the final data. */
function encodeResult(data: unknown): string {
  return encode(data);
}

export function decodeResult(text: string): unknown {
  return decode(text);
}

/** `errorText` of a row: why it is failed, suspended or terminated. */
export function encodeRowError(error: StoredError): string {
  return encode(error);
}

export function decodeRowError(text: string): StoredError {
  const value = decode(text) as StoredError | null;
  if (typeof value !== "object" || value === null || typeof value.message !== "string") {
    throw new CorruptedRecordError("the error of a workflow's row cannot be read");
  }
  return value;
}

/** The row as a state makes it. A reason given to `terminateWorkflow` or `suspendWorkflow` stands in its error's message. */
export function rowOf(
  state: WorkflowState,
  how: { readonly dueAt: number | null; readonly release: boolean; readonly notedSignals: number },
): RowWrite {
  const { status, error, completedAt, waitingFor } = projectionOf(state);
  const { version, definitionHash } = state.identity;
  return {
    status,
    dueAt: how.dueAt,
    release: how.release,
    notedSignals: how.notedSignals,
    version,
    definitionHash,
    completedAt,
    resultText: status === "completed" ? encodeResult(state.data) : null,
    errorText: errorText(state, error),
    waitingFor,
  };
}

function errorText(state: WorkflowState, error: StoredError | null): string | null {
  if (error !== null) return encodeRowError(error);
  if (state.phase !== "terminated" || state.reason === null) return null;
  return encodeRowError({ name: "WorkflowTerminatedError", code: "WORKFLOW_TERMINATED", message: state.reason });
}
