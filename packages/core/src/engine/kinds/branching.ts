import type { DecideNode, IfNode } from "../../definition/nodes.ts";
import { evaluate } from "../expressions.ts";
import { advance, completeNode } from "../flow.ts";
import type { Turn } from "../turn.ts";
import { withoutTimer, type KindHandler } from "./handler.ts";

/** `ifDo` and `decide`: one branch, or none. What the branch gave last is the output. */
export const branching: KindHandler<"if" | "decide"> = {
  ...withoutTimer,
  open(turn, id, branch, node) {
    const slot = chooseSlot(turn, branch, node);
    const open = slot === undefined ? [] : [turn.openBranch(node.id, slot)];
    turn.emit({ kind: "scope-opened", pointer: id, branch, step: node.id, node: node.kind, open });
    const [chosen] = open;
    if (chosen === undefined) turn.later(() => completeNode(turn, id, undefined));
    else turn.later(() => advance(turn, chosen.branch, null));
  },
  branchDone(turn, pointer, _branch, output) {
    completeNode(turn, pointer.id, output);
  },
  toleratesFailure: () => false,
};

function chooseSlot(turn: Turn, branch: number, node: IfNode | DecideNode): string | undefined {
  if (node.kind === "if") {
    if (evaluate(turn.draft, branch, turn.now, "the condition of `ifDo`", node.condition)) return "then";
    return node.otherwise === undefined ? undefined : "otherwise";
  }
  const value =
    node.value === undefined
      ? turn.branch(branch)?.last
      : evaluate(turn.draft, branch, turn.now, "the value of `decide`", node.value);
  const text = String(value);
  if (node.cases.has(text)) return `case:${text}`;
  return node.otherwise === undefined ? undefined : "otherwise";
}
