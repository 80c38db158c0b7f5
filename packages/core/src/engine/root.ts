import { resumeHeld } from "./control.ts";
import { endScope } from "./flow.ts";
import { rootLine, rootPointer, type Ending, type Pointer } from "./state.ts";
import type { StoredError } from "./stored-error.ts";
import type { Turn } from "./turn.ts";
import { settleSaga, waitsForStragglers } from "./undo.ts";

/** Fails the workflow as a whole, whatever scopes it stands in. */
export function failWorkflow(turn: Turn, error: StoredError): void {
  endScope(turn, rootPointer, { kind: "failed", error, behavior: "fail" });
}

/** Completes the workflow as a whole. */
export function endWorkflow(turn: Turn): void {
  endScope(turn, rootPointer, { kind: "completed", output: undefined });
}

/** `held`: what becomes of what an error holds, where it is in a hook and so was not stopped. */
export function terminateWorkflow(
  turn: Turn,
  how: { readonly compensate: boolean; readonly reason: string | null; readonly error?: StoredError },
  held?: (turn: Turn) => void,
): void {
  endScope(turn, rootPointer, { kind: "terminated", ...how });
  // One that was ending already, and was suspended in that, goes on with it.
  if (turn.draft.phase === "suspended") turn.emit({ kind: "workflow-resumed" });
  held?.(turn);
  resumeHeld(turn);
}

/** The workflow's branches have closed: it is a saga too. */
export function settleRoot(turn: Turn, root: Pointer, ending: Ending): void {
  const undoes = ending.kind === "failed" || (ending.kind === "terminated" && ending.compensate);
  if (undoes && (root.scope?.undo != null || waitsForStragglers(turn.draft, root)))
    return settleSaga(turn, root, undefined);
  finalize(turn, ending);
}

/** Writes the end of the workflow, and what its parent is told. */
export function finalize(turn: Turn, ending: Ending): void {
  const { draft } = turn;
  const { data, identity } = draft;
  const cursors = draft.lines.get(rootLine)?.cursors ?? {};
  for (const pointer of draft.pointers.values()) {
    if (pointer.wait !== null) turn.unsubscribe(pointer.id);
    // Where it ends at once, whatever still stands.
    if (pointer.child !== null && pointer.status === "waiting")
      turn.stopChild({ childId: pointer.child.id, compensate: false, reason: "its parent ended" });
  }
  const completedAt = turn.now;
  let told: { status: "completed" | "failed" | "terminated"; data?: unknown; error?: StoredError };
  switch (ending.kind) {
    case "completed":
    case "cancelled":
      turn.emit({ kind: "workflow-completed", completedAt });
      told = { status: "completed", data };
      break;
    case "failed":
      turn.emit({ kind: "workflow-failed", error: ending.error, completedAt });
      told = { status: "failed", error: ending.error };
      break;
    case "terminated":
      turn.emit({
        kind: "workflow-terminated",
        reason: ending.reason,
        completedAt,
        ...(ending.error === undefined ? {} : { error: ending.error }),
      });
      told = { status: "terminated", ...(ending.error === undefined ? {} : { error: ending.error }) };
      break;
  }
  if (identity.parent !== null) {
    turn.tellParent({ kind: "child-ended", pointer: identity.parent.pointer, childId: identity.id, cursors, ...told });
  }
}
