import { timeAfter } from "../../duration.ts";
import { copy } from "../../codec/index.ts";
import type { RunWorkflowNode } from "../../definition/nodes.ts";
import { ChildWorkflowError, ExpressionError, LimitExceededError, StepTimeoutError } from "../../errors.ts";
import type { Delivery } from "../inputs.ts";
import { dataAt, evaluate } from "../expressions.ts";
import { completeNode, failNode, openNode } from "../flow.ts";
import { storeError } from "../stored-error.ts";
import type { Turn } from "../turn.ts";
import { withoutBranches, type KindHandler } from "./handler.ts";

const longestId = 400;

/** `runWorkflow`: the child is created with the turn, and its end comes as a delivery. */
export const child: KindHandler<"run-workflow"> = {
  ...withoutBranches,
  open(turn, id, branch, node) {
    const { identity, nextId: _ } = turn.draft;
    const { limits } = turn.context;
    if (identity.depth + 1 > limits.childDepth) {
      throw new LimitExceededError(
        `workflow \`${identity.id}\` is ${identity.depth} levels deep, children may be ${limits.childDepth}: does it start itself?`,
        { stepId: node.id, limit: limits.childDepth },
      );
    }
    const input =
      node.input === undefined
        ? dataAt(turn.draft, branch)
        : evaluate(turn.draft, branch, turn.now, "the input of `runWorkflow`", node.input);
    if (!isObject(input)) {
      throw new ExpressionError("the input of `runWorkflow` must be an object: it is the child's data", {
        stepId: node.id,
      });
    }
    const data = copy(input, { path: "input", maxBytes: limits.dataBytes, maxDepth: limits.depth });
    const childId = childIdOf(turn, id);
    turn.emit({
      kind: "child-started",
      pointer: id,
      branch,
      step: node.id,
      childId,
      definitionId: node.definitionId,
      ...(node.definitionVersion === undefined ? {} : { version: node.definitionVersion }),
      ...(node.timeoutMs === undefined ? {} : { deadlineAt: timeAfter(turn.now, node.timeoutMs) }),
    });
    const cursors = turn.draft.lines.get(turn.draft.lineOf(id))?.cursors ?? {};
    turn.startChild({
      pointer: id,
      childId,
      definitionId: node.definitionId,
      version: node.definitionVersion,
      data,
      cursors,
      depth: identity.depth + 1,
    });
  },
  /** After the pause of a retry a new child begins; while one runs, the time is its time-out. */
  due(turn, pointer) {
    if (pointer.status === "sleeping" || pointer.status === "held" || pointer.child === null)
      return openNode(turn, pointer.id, pointer.branch, turn.node(pointer));
    const node = turn.node(pointer) as RunWorkflowNode;
    turn.stopChild({ childId: pointer.child.id, compensate: true, reason: "it ran longer than its parent's time-out" });
    const error = new StepTimeoutError(
      `child workflow \`${pointer.child.id}\` ran longer than the time-out of ${node.timeoutMs} ms`,
      { stepId: node.id, attempt: pointer.attempt },
    );
    failNode(turn, pointer.id, { error: storeError(error), thrown: error });
  },
};

/** A plain one, not a list, a Date, a Map and the like. */
function isObject(value: unknown): value is object {
  return Object.prototype.toString.call(value) === "[object Object]";
}

/** The id says whose child it is; a part of the parent's random uid keeps it apart from those of an earlier parent of the same id. */
function childIdOf(turn: Turn, pointer: number): string {
  const { id, uid } = turn.draft.identity;
  const attempt = turn.pointer(pointer)?.attempt ?? 1;
  const suffix = `${pointer}${attempt > 1 ? `-${attempt}` : ""}`;
  return Buffer.byteLength(id) > longestId ? `${uid}.${suffix}` : `${id}/${uid.slice(0, 6)}.${suffix}`;
}

/** A child has ended. One that nobody waits for any more is taken note of. */
export function childEnded(turn: Turn, delivery: Extract<Delivery, { kind: "child-ended" }>): void {
  const pointer = turn.pointer(delivery.pointer);
  if (pointer?.child?.id !== delivery.childId || pointer.status !== "waiting") return;
  turn.emit({
    kind: "child-ended",
    pointer: pointer.id,
    step: pointer.step,
    childId: delivery.childId,
    status: delivery.status,
    ...(delivery.cursors === undefined ? {} : { cursors: delivery.cursors }),
  });
  if (delivery.status === "completed") return completeNode(turn, pointer.id, delivery.data);
  const cause = delivery.error;
  const error = storeError(
    new ChildWorkflowError(
      `child workflow \`${delivery.childId}\` ${delivery.status === "failed" ? "failed" : "was terminated"}${cause === undefined ? "" : `: ${cause.message}`}`,
    ),
    {
      stepId: pointer.step,
      attempt: pointer.attempt,
    },
  );
  failNode(turn, pointer.id, { error: cause === undefined ? error : { ...error, cause } });
}
