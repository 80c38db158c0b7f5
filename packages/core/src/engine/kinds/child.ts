import { copy } from "../../codec/index.ts";
import { ChildWorkflowError, ExpressionError, LimitExceededError, StepTimeoutError } from "../../errors.ts";
import { deadline } from "../deadline.ts";
import type { Delivery } from "../inputs.ts";
import { dataAt, evaluate } from "../expressions.ts";
import { completeNode, failNode, openNode } from "../flow.ts";
import type { Pointer } from "../state.ts";
import { reviveError, storeError } from "../stored-error.ts";
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
      ...deadline(turn, node),
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
  /**
   * After the pause of a retry a new child begins. While one runs, the time is its time-out: it is told to end, and its step fails when
   * it has, so that what it undoes is undone before its parent tries again, goes on, or undoes what came before.
   */
  due(turn, pointer) {
    if (pointer.status === "sleeping" || pointer.status === "held" || pointer.child === null)
      return openNode(turn, pointer.id, pointer.branch, turn.node(pointer));
    const { id: childId } = pointer.child;
    turn.emit({ kind: "child-timed-out", pointer: pointer.id, step: pointer.step, childId });
    turn.stopChild({ childId, compensate: true, reason: "it ran longer than its parent's time-out" });
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
  // One that had completed before the word of its time-out reached it has done its work, which nobody undoes: it counts.
  if (delivery.status === "completed") return completeNode(turn, pointer.id, delivery.data);
  const thrown = whyItFailed(pointer, delivery);
  const error = storeError(thrown);
  failNode(turn, pointer.id, {
    error: delivery.error === undefined ? error : { ...error, cause: delivery.error },
    thrown,
  });
}

function whyItFailed(pointer: Pointer, { childId, status, error }: Extract<Delivery, { kind: "child-ended" }>): Error {
  const fields = error === undefined ? {} : { cause: reviveError(error) };
  if (pointer.child?.timedOut === true) return timedOut(childId, fields);
  const how = status === "failed" ? "failed" : "was terminated";
  const why = error === undefined ? "" : `: ${error.message}`;
  return new ChildWorkflowError(`child workflow \`${childId}\` ${how}${why}`, fields);
}

function timedOut(childId: string, fields: { readonly cause?: Error } = {}): StepTimeoutError {
  const message = `child workflow \`${childId}\` ran longer than the \`timeout\` of its step: raise that, or make it quicker`;
  return new StepTimeoutError(message, fields);
}

/** A child that was told that its time is up is not there: nobody else will tell of its end. */
export function lateChildMissing(turn: Turn, id: number): void {
  const pointer = turn.pointer(id);
  if (pointer?.child?.timedOut !== true || pointer.status !== "waiting") return;
  const thrown = timedOut(pointer.child.id);
  failNode(turn, id, { error: storeError(thrown), thrown });
}
