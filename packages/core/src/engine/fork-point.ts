import type { Entry } from "./entries.ts";
import { rootPointer, type WorkflowState } from "./state.ts";

/**
 * Whether a fork can go on from here. Not from what has ended or is ending, and not from the midst of an undoing: what is to be
 * undone was done by the original, which alone has it in its journal, and undoes it.
 */
export function canForkAt(state: Pick<WorkflowState, "phase" | "pointers" | "branches">): boolean {
  return refusesFork(state) === undefined;
}

/** Why none can; undefined: it can. */
export function refusesFork({
  phase,
  pointers,
  branches,
}: Pick<WorkflowState, "phase" | "pointers" | "branches">): string | undefined {
  const root = pointers.get(rootPointer);
  // Where an undoing has failed for good, pointers are left; it has ended all the same.
  if (root === undefined || (phase !== "active" && phase !== "suspended"))
    return "the workflow had ended at that point";
  for (const { scope, step } of pointers.values())
    if (scope?.walk != null)
      return `${step === "" ? "the workflow" : `step \`${step}\``} was being undone at that point, and what it undid was done by the original`;
  for (const { undoing } of branches.values())
    if (undoing !== null)
      return `step \`${undoing.step}\` was being undone at that point, and it was the original that had run it`;
  return root.ending === null ? undefined : "the workflow was ending at that point";
}

/** Whether a turn with this entry in it may have made a point that can be forked of one that could not, or the other way round. */
export function movesForkPoint({ kind }: Entry): boolean {
  return (
    kind.startsWith("workflow-") || kind.startsWith("undo-") || kind.startsWith("hook-") || kind === "scope-ending"
  );
}
