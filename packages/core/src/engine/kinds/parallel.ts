import type { ParallelNode } from "../../definition/nodes.ts";
import { advance, completeNode, failNode } from "../flow.ts";
import { withoutTimer, type KindHandler } from "./handler.ts";

/** All branches at once, each a line of control of its own; the join waits for all. */
export const parallel: KindHandler<"parallel"> = {
  ...withoutTimer,
  open(turn, id, branch, node) {
    const open = node.branches.map((_, index) => turn.openBranch(node.id, `branch:${index}`, { ownLine: true }));
    turn.emit({ kind: "scope-opened", pointer: id, branch, step: node.id, node: "parallel", open });
    if (open.length === 0) turn.later(() => completeNode(turn, id, undefined));
    for (const one of open) turn.later(() => advance(turn, one.branch, null));
  },
  branchDone(turn, pointer) {
    if (pointer.openBranches > 0) return;
    if (pointer.scope?.error != null) failNode(turn, pointer.id, { error: pointer.scope.error });
    else completeNode(turn, pointer.id, undefined);
  },
  toleratesFailure: (turn, pointer) => (turn.node(pointer) as ParallelNode).onBranchFailure === "wait",
};
