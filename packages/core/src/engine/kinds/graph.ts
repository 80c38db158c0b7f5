import type { GraphNode } from "../../definition/nodes.ts";
import { advance, completeNode, failNode } from "../flow.ts";
import type { Pointer } from "../state.ts";
import type { Turn } from "../turn.ts";
import { withoutTimer, type KindHandler } from "./handler.ts";

/** A vertex starts when all it needs have ended well, at most `concurrency` at a time; each is a line of control of its own. */
export const graph: KindHandler<"graph"> = {
  ...withoutTimer,
  open(turn, id, branch, node) {
    turn.emit({ kind: "scope-opened", pointer: id, branch, step: node.id, node: "graph", open: [] });
    turn.later(() => openReady(turn, id));
  },
  branchDone(turn, pointer) {
    openReady(turn, pointer.id);
  },
  toleratesFailure: (turn, pointer) => (turn.node(pointer) as GraphNode).onBranchFailure === "wait",
};

function openReady(turn: Turn, id: number): void {
  const pointer = turn.pointer(id);
  if (pointer === undefined || pointer.ending !== null) return;
  const node = turn.node(pointer) as GraphNode;
  const open = readyVertices(node, pointer).map((vertex) =>
    turn.openBranch(node.id, `vertex:${vertex}`, { ownLine: true }),
  );
  if (open.length > 0) {
    turn.emit({ kind: "branches-opened", pointer: id, step: node.id, open });
    for (const one of open) turn.later(() => advance(turn, one.branch, null));
    return;
  }
  if (pointer.openBranches > 0) return;
  if (pointer.scope?.error != null) failNode(turn, id, { error: pointer.scope.error });
  else completeNode(turn, id, undefined);
}

function readyVertices(node: GraphNode, pointer: Pointer): readonly string[] {
  const started = new Set(pointer.scope?.started);
  const done = new Set(pointer.scope?.done);
  const ready = node.vertices.filter(
    (vertex) => !started.has(vertex.node.id) && vertex.needs.every((need) => done.has(need)),
  );
  return ready.slice(0, Math.max(0, node.concurrency - pointer.openBranches)).map((vertex) => vertex.node.id);
}
