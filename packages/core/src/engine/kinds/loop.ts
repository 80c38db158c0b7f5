import type { WhileNode } from "../../definition/nodes.ts";
import { LimitExceededError } from "../../errors.ts";
import { evaluate } from "../expressions.ts";
import { advance, completeNode, failNode } from "../flow.ts";
import type { Pointer } from "../state.ts";
import { storeError } from "../stored-error.ts";
import type { Turn } from "../turn.ts";
import { withoutTimer, type KindHandler } from "./handler.ts";

/** Iterations that need no body are made at once, but a turn is not to grow without bound. */
const longestTurn = 1000;

/** `whileDo` and `doWhile`. The body's branch is made anew for each iteration; `index` counts them. */
export const loop: KindHandler<"while" | "do-while"> = {
  ...withoutTimer,
  open(turn, id, branch, node) {
    const begins = node.kind === "do-while" || continues(turn, branch, node, 0);
    const open = begins ? [turn.openBranch(node.id, "body", { index: 0 })] : [];
    turn.emit({ kind: "scope-opened", pointer: id, branch, step: node.id, node: node.kind, open });
    const [body] = open;
    if (body === undefined) turn.later(() => completeNode(turn, id, undefined));
    else turn.later(() => advance(turn, body.branch, null));
  },
  branchDone(turn, pointer, branch, output) {
    iterate(turn, pointer, (branch.index ?? 0) + 1, output);
  },
  toleratesFailure: () => false,
};

function iterate(turn: Turn, pointer: Pointer, index: number, output: unknown): void {
  const node = turn.node(pointer) as WhileNode;
  try {
    if (!continues(turn, pointer.branch, node, index)) return completeNode(turn, pointer.id, output);
    const limit = turn.context.limits.transitions;
    if ((pointer.scope?.streak ?? 0) >= limit) {
      throw new LimitExceededError(
        `the loop made ${limit} iterations without a wait or delay between them: end it, put a \`delay\` in it, or raise \`limits.transitions\``,
        { stepId: node.id, limit },
      );
    }
  } catch (thrown) {
    return failNode(turn, pointer.id, { error: storeError(thrown), thrown });
  }
  const open = turn.openBranch(node.id, "body", { index });
  turn.emit({ kind: "iteration-started", pointer: pointer.id, step: node.id, open });
  if (turn.entries.length > longestTurn) return turn.emit({ kind: "loop-yielded", pointer: pointer.id, step: node.id });
  turn.later(() => advance(turn, open.branch, null));
}

/** Goes on with a loop that yielded. */
export function resumeLoop(turn: Turn, pointer: Pointer): void {
  turn.emit({ kind: "loop-continued", pointer: pointer.id, step: pointer.step });
  for (const branch of turn.draft.branchesOf(pointer.id)) turn.later(() => advance(turn, branch.id, null));
}

/** In the condition, the index of `at` is the number of iterations made so far: that of the one that it decides about. */
function continues(turn: Turn, branch: number, node: WhileNode, index: number): boolean {
  const what = `the condition of \`${node.kind === "while" ? "whileDo" : "doWhile"}\``;
  return Boolean(evaluate(turn.draft, branch, turn.now, what, node.condition, index));
}
