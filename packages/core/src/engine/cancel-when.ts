import type { WorkflowDefinition } from "../definition/definition.ts";
import { evaluate } from "./expressions.ts";
import { cancelNode, failNode } from "./flow.ts";
import { storeError } from "./stored-error.ts";
import type { Turn } from "./turn.ts";
import { rootPointer } from "./state.ts";
import { isFinal } from "./work.ts";

const users = new WeakMap<WorkflowDefinition, boolean>();

/** Whether any node of the definition has a `cancelWhen`: most have none, and then a turn pays nothing for it. */
export function usesCancelWhen(definition: WorkflowDefinition): boolean {
  let answer = users.get(definition);
  if (answer === undefined)
    users.set(
      definition,
      (answer = [...definition.index.places.values()].some((place) => place.node.cancelWhen !== undefined)),
    );
  return answer;
}

/** Cancels the live nodes whose condition has become true, until that changes nothing any more. */
export function cancelWhereAsked(turn: Turn): void {
  if (!usesCancelWhen(turn.definition)) return;
  for (let changed = true; changed;) {
    changed = false;
    for (const { id } of turn.draft.pointers.values()) {
      const pointer = turn.pointer(id);
      if (pointer === undefined || id === rootPointer || pointer.ending !== null || isFinal(turn.draft)) continue;
      const { cancelWhen } = turn.node(pointer);
      if (cancelWhen === undefined) continue;
      try {
        if (evaluate(turn.draft, pointer.branch, turn.now, "`cancelWhen`", cancelWhen.condition) !== true) continue;
        cancelNode(turn, id, cancelWhen.proceed);
      } catch (thrown) {
        failNode(turn, id, { error: storeError(thrown), thrown, noRetry: true });
      }
      turn.drain();
      changed = true;
    }
  }
}
