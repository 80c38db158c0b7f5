import type { SagaNode } from "../../definition/nodes.ts";
import { StepTimeoutError } from "../../errors.ts";
import { deadline } from "../deadline.ts";
import { advance, completeNode, failNode } from "../flow.ts";
import { storeError } from "../stored-error.ts";
import type { KindHandler } from "./handler.ts";

/** A scope that undoes itself when it fails; see `undo.ts`. */
export const saga: KindHandler<"saga"> = {
  open(turn, id, branch, node) {
    const open = turn.openBranch(node.id, "body");
    turn.emit({
      kind: "scope-opened",
      pointer: id,
      branch,
      step: node.id,
      node: "saga",
      open: [open],
      ...deadline(turn, node),
    });
    turn.later(() => advance(turn, open.branch, null));
  },
  branchDone(turn, pointer) {
    completeNode(turn, pointer.id, { ok: true });
  },
  toleratesFailure: () => false,
  /** After the pause of a retry it begins again; while it runs, the time is its time-out. */
  due(turn, pointer) {
    const node = turn.node(pointer) as SagaNode;
    if (pointer.status !== "open") {
      const open = turn.openBranch(node.id, "body");
      turn.emit({
        kind: "saga-restarted",
        pointer: pointer.id,
        step: node.id,
        attempt: pointer.attempt,
        open,
        ...deadline(turn, node),
      });
      turn.later(() => advance(turn, open.branch, null));
    } else {
      const error = new StepTimeoutError(`saga \`${node.id}\` ran longer than its time-out of ${node.timeoutMs} ms`, {
        stepId: node.id,
      });
      failNode(turn, pointer.id, { error: storeError(error), thrown: error });
    }
  },
};
