import type { DefinitionNode } from "../definition/nodes.ts";
import { advance } from "./flow.ts";
import type { Ending, Pointer, WorkflowState } from "./state.ts";
import type { Turn } from "./turn.ts";
import { recordOf } from "./undo.ts";

export type Hook = "compensation" | "onFailure" | "ensure";

/**
 * The hooks that run at the end of a node, in order. Its compensation is one only under `onError("compensate")`; a saga's own
 * belongs to its undoing.
 */
export function hooksOf(node: DefinitionNode, ending: Ending): readonly Hook[] {
  const hooks: Hook[] = [];
  if (ending.kind === "failed") {
    if (ending.behavior === "compensate" && node.compensation !== undefined && node.kind !== "saga")
      hooks.push("compensation");
    if (node.onFailure !== undefined) hooks.push("onFailure");
  }
  if (node.ensure !== undefined) hooks.push("ensure");
  return hooks;
}

export function startHook(turn: Turn, id: number, hook: Hook, ending: Ending): void {
  const pointer = turn.pointer(id);
  if (pointer === undefined) return;
  const late = turn.draft.stragglers.get(id);
  const record =
    hook === "compensation" && ending.kind === "failed"
      ? recordOf(turn, pointer, turn.node(pointer), late?.ended === true ? late : { error: ending.error })
      : undefined;
  const open = turn.openBranch(pointer.step, hook, record === undefined ? {} : { undoing: record });
  turn.emit({ kind: "hook-started", pointer: id, step: pointer.step, hook, open });
  turn.later(() => advance(turn, open.branch, null));
}

/** Whether the hooks of what has ended are still to begin: they had to wait for its body. */
export function waitsForHooks(
  { stragglers }: WorkflowState,
  { id, status, openBranches, ending, scope }: Pointer,
): boolean {
  const isOver = status === "hook" && openBranches === 0 && ending !== null && scope === null;
  return isOver && (stragglers.get(id)?.ended ?? true);
}

/** Begins the hooks of what has ended, where they had to wait. */
export function startFirstHook(turn: Turn, id: number): void {
  const pointer = turn.pointer(id);
  if (pointer?.ending == null || !waitsForHooks(turn.draft, pointer)) return;
  const [first] = hooksOf(turn.node(pointer), pointer.ending);
  if (first !== undefined) startHook(turn, id, first, pointer.ending);
}
