import { WorkflowFailStepError } from "../../errors.ts";
import { evaluate } from "../expressions.ts";
import { failNode, leaveHook } from "../flow.ts";
import { endWorkflow, failWorkflow } from "../root.ts";
import { rootPointer } from "../state.ts";
import { storeError } from "../stored-error.ts";
import { isUndoing } from "../undo.ts";
import { withoutBranches, withoutTimer, type KindHandler } from "./handler.ts";

/** `endWorkflow()`. A hook that it stands in ends there; the rest of what is ending is not cut short. */
export const ending: KindHandler<"end"> = {
  ...withoutBranches,
  ...withoutTimer,
  open(turn, id, branch, node) {
    turn.emit({ kind: "scope-opened", pointer: id, branch, step: node.id, node: "end", open: [] });
    turn.later(() => {
      // A branch beside it may have failed, and stopped it before it has ended anything.
      if (turn.pointer(id) === undefined) return;
      endWorkflow(turn);
      if (turn.pointer(id) !== undefined) leaveHook(turn, branch);
    });
  },
};

/** `fail(message)`. In an undoing, or in a hook of a workflow that is ending already, it fails that. */
export const failing: KindHandler<"fail"> = {
  ...withoutBranches,
  ...withoutTimer,
  open(turn, id, branch, node) {
    const message = String(evaluate(turn.draft, branch, turn.now, "the message of `fail`", node.message));
    turn.emit({ kind: "scope-opened", pointer: id, branch, step: node.id, node: "fail", open: [] });
    const error = storeError(new WorkflowFailStepError(message, { stepId: node.id }), { stepId: node.id, attempt: 1 });
    if (turn.pointer(rootPointer)?.ending != null || isUndoing(turn.draft, branch))
      return failNode(turn, id, { error });
    turn.later(() => {
      if (turn.pointer(id) === undefined) return;
      failWorkflow(turn, error);
      if (turn.pointer(id) !== undefined) leaveHook(turn, branch);
    });
  },
};
