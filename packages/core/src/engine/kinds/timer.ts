import { parseDuration, parseTime, timeAfter } from "../../duration.ts";
import { ExpressionError } from "../../errors.ts";
import { evaluate } from "../expressions.ts";
import { completeNode } from "../flow.ts";
import { withoutBranches, type KindHandler } from "./handler.ts";

/** `delay` and `sleepUntil`. */
export const timer: KindHandler<"delay" | "sleep-until"> = {
  ...withoutBranches,
  open(turn, id, branch, node) {
    const dueAt =
      node.kind === "delay"
        ? timeAfter(
            turn.now,
            parseDuration(
              evaluate(turn.draft, branch, turn.now, "the duration of `delay`", node.duration),
              "the duration of `delay`",
            ),
          )
        : instant(evaluate(turn.draft, branch, turn.now, "the date of `sleepUntil`", node.date));
    turn.emit({ kind: "timer-set", pointer: id, branch, step: node.id, node: node.kind, dueAt });
  },
  due(turn, pointer) {
    completeNode(turn, pointer.id, undefined);
  },
};

function instant(date: unknown): number {
  const at = parseTime(date);
  if (at === undefined)
    throw new ExpressionError("the date of `sleepUntil` must be a valid Date or milliseconds since the epoch");
  return at;
}
