import { WorkflowFailStepError } from "../../errors.ts";
import { evaluate } from "../expressions.ts";
import { completeNode, failNode } from "../flow.ts";
import { endWorkflow, failWorkflow } from "../root.ts";
import { rootPointer } from "../state.ts";
import { storeError } from "../stored-error.ts";
import { withoutBranches, withoutTimer, type KindHandler } from "./handler.ts";

/** `endWorkflow()`. In a hook of a workflow that is ending already it ends the hook. */
export const ending: KindHandler<"end"> = {
  ...withoutBranches,
  ...withoutTimer,
  open(turn, id, branch, node) {
    turn.emit({ kind: "scope-opened", pointer: id, branch, step: node.id, node: "end", open: [] });
    if (turn.pointer(rootPointer)?.ending != null) completeNode(turn, id, undefined);
    else turn.later(() => endWorkflow(turn));
  },
};

/** `fail(message)`. In a hook of a workflow that is ending already it fails the hook. */
export const failing: KindHandler<"fail"> = {
  ...withoutBranches,
  ...withoutTimer,
  open(turn, id, branch, node) {
    const message = String(evaluate(turn.draft, branch, turn.now, "the message of `fail`", node.message));
    turn.emit({ kind: "scope-opened", pointer: id, branch, step: node.id, node: "fail", open: [] });
    const error = storeError(new WorkflowFailStepError(message, { stepId: node.id }), { stepId: node.id, attempt: 1 });
    if (turn.pointer(rootPointer)?.ending != null) failNode(turn, id, { error });
    else turn.later(() => failWorkflow(turn, error));
  },
};
