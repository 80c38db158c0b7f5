import { keyProblem } from "../../definition/key-problem.ts";
import type { WaitNode } from "../../definition/nodes.ts";
import { parseDuration, timeAfter } from "../../duration.ts";
import { EventsExpiredError, ExpressionError, WaitTimeoutError } from "../../errors.ts";
import { evaluate } from "../expressions.ts";
import { advance, cancelNode, completeNode, failNode, openNode } from "../flow.ts";
import type { StreamInput } from "../inputs.ts";
import { streamKey, type Pointer, type WaitState, type WaitStream } from "../state.ts";
import { storeError } from "../stored-error.ts";
import type { Turn } from "../turn.ts";
import type { KindHandler } from "./handler.ts";
import { readyAgain } from "./step.ts";

type StreamEvent = StreamInput["events"][number];

/** `waitFor`, `waitForAny`, `waitForAll`. */
export const wait: KindHandler<"wait"> = {
  open(turn, id, branch, node) {
    const everyMs =
      node.remind === undefined
        ? null
        : parseDuration(evaluate(turn.draft, branch, turn.now, "`remind.every`", node.remind.every), "`remind.every`");
    if (everyMs === 0) throw new ExpressionError("`remind.every` must be longer than 0", { stepId: node.id });
    const state: WaitState = {
      mode: node.mode,
      streams: node.events.map((event) => ({
        label: event.label,
        name: event.name,
        key: keyOf(turn, branch, node, event.key),
        since: sinceOf(turn, node),
      })),
      until:
        node.timeout === undefined
          ? null
          : timeAfter(
              turn.now,
              parseDuration(evaluate(turn.draft, branch, turn.now, "`timeout`", node.timeout), "`timeout`"),
            ),
      remindEveryMs: everyMs,
      remindAt: everyMs === null ? null : timeAfter(turn.now, everyMs),
      got: {},
      forBody: false,
    };
    turn.emit({ kind: "event-awaited", pointer: id, branch, step: node.id, wait: state });
    const pointer = turn.pointer(id);
    if (pointer !== undefined) turn.subscribe(pointer);
  },
  branchDone(turn, pointer, branch) {
    // A reminder's end changes nothing; the end of `onTimeout` is the end of the wait.
    if (branch.slot === "onTimeout") completeNode(turn, pointer.id, undefined);
  },
  toleratesFailure: () => false,
  due(turn, pointer) {
    if (pointer.wait === null) return openNode(turn, pointer.id, pointer.branch, turn.node(pointer));
    const node = turn.node(pointer) as WaitNode;
    turn.unsubscribe(pointer.id);
    if (node.onTimeout === undefined) {
      const names = pointer.wait.streams.map((stream) => `\`${stream.name}\` with key \`${stream.key}\``).join(", ");
      const error = new WaitTimeoutError(
        `no event ${names} came in time; give the wait an \`onTimeout\` to go on without it`,
        { stepId: node.id },
      );
      return failNode(turn, pointer.id, { error: storeError(error), thrown: error });
    }
    turn.emit({ kind: "wait-timed-out", pointer: pointer.id, step: node.id });
    for (const reminder of turn.draft.branchesOf(pointer.id)) {
      if (reminder.at !== null) cancelNode(turn, reminder.at, false);
      else turn.emit({ kind: "branch-ended", pointer: pointer.id, step: node.id, branch: reminder.id });
    }
    const open = turn.openBranch(node.id, "onTimeout");
    turn.emit({ kind: "hook-started", pointer: pointer.id, step: node.id, hook: "onTimeout", open });
    turn.later(() => advance(turn, open.branch, null));
  },
};

function keyOf(turn: Turn, branch: number, node: WaitNode, key: WaitNode["events"][number]["key"]): string {
  const value: unknown = evaluate(turn.draft, branch, turn.now, "the key of the wait", key);
  const problem = keyProblem(value);
  if (problem !== undefined) throw new ExpressionError(`the key of the wait ${problem}`, { stepId: node.id });
  return value as string;
}

function sinceOf(turn: Turn, node: WaitNode): number {
  if (node.asOf === "start") return turn.draft.identity.createdAt;
  if (node.asOf === "now") return turn.now;
  return node.asOf === "beginning" ? 0 : node.asOf.getTime();
}

/** A reminder's time has come: its body runs beside the wait, unless the one before still does. */
export function remind(turn: Turn, pointer: Pointer): void {
  const { wait: state } = pointer;
  if (state?.remindAt == null || state.remindEveryMs === null) return;
  const missed = Math.floor((turn.now - state.remindAt) / state.remindEveryMs);
  const nextAt = state.remindAt + (missed + 1) * state.remindEveryMs;
  const busy = pointer.openBranches > 0;
  const open = busy ? undefined : turn.openBranch(pointer.step, "remind", { ownLine: true });
  turn.emit({
    kind: "reminder-due",
    pointer: pointer.id,
    step: pointer.step,
    nextAt,
    ...(open === undefined ? {} : { open }),
  });
  if (open !== undefined) turn.later(() => advance(turn, open.branch, null));
}

/** What a waiting pointer's streams hold beyond its cursors: it takes what is its own, in order. */
export function eventsCame(turn: Turn, id: number, inputs: readonly StreamInput[]): void {
  const pointer = turn.pointer(id);
  const state = pointer?.wait;
  if (pointer === undefined || state == null || pointer.status !== "waiting") return;
  const lost = state.streams.find((stream) => isExpired(turn, pointer, stream, inputs));
  if (lost !== undefined) {
    const error = new EventsExpiredError(
      `events \`${lost.name}\` with key \`${lost.key}\` that the wait had still to read were removed by retention; raise \`retention.events\`, or wait with \`asOf: "beginning"\``,
      { stepId: pointer.step },
    );
    return failNode(turn, id, { error: storeError(error), thrown: error, noRetry: true });
  }
  const firsts = state.streams.flatMap((stream) => {
    const event = Object.hasOwn(state.got, stream.label) ? undefined : firstFor(turn, pointer, stream, inputs);
    return event === undefined ? [] : [{ stream, event }];
  });
  const [first] = state.mode === "any" ? firsts.toSorted((a, b) => a.event.at - b.event.at) : firsts;
  if (first === undefined) return;
  consume(turn, pointer, first.stream, first.event);
  if (state.forBody) {
    turn.unsubscribe(id);
    return readyAgain(turn, pointer, {
      event: { name: first.stream.name, key: first.stream.key, payload: first.event.payload },
    });
  }
  if (state.mode === "one") return completeNode(turn, id, first.event.payload);
  if (state.mode === "any") return completeNode(turn, id, { which: first.stream.label, payload: first.event.payload });
  const got = turn.pointer(id)?.wait?.got ?? {};
  if (state.streams.every((stream) => Object.hasOwn(got, stream.label))) return completeNode(turn, id, got);
  // Two labels may wait on one stream: the next event of it is for the next label.
  eventsCame(turn, id, inputs);
}

function consume(turn: Turn, pointer: Pointer, stream: WaitStream, event: StreamEvent): void {
  turn.emit({
    kind: "event-consumed",
    pointer: pointer.id,
    step: pointer.step,
    label: stream.label,
    name: stream.name,
    key: stream.key,
    number: event.number,
    ...(pointer.wait?.mode === "all" && event.payload !== undefined ? { payload: event.payload } : {}),
  });
}

/** The first event of a stream that the wait may take: beyond the cursor, not too old, not after the deadline. */
function firstFor(
  turn: Turn,
  pointer: Pointer,
  stream: WaitStream,
  inputs: readonly StreamInput[],
): StreamEvent | undefined {
  const cursor = cursorOf(turn, pointer, stream);
  const until = pointer.wait?.until ?? Number.POSITIVE_INFINITY;
  return inputs
    .find((input) => input.label === stream.label)
    ?.events.find((event) => event.number > cursor && (cursor > 0 || event.at >= stream.since) && event.at <= until);
}

function isExpired(turn: Turn, pointer: Pointer, stream: WaitStream, inputs: readonly StreamInput[]): boolean {
  const input = inputs.find((one) => one.label === stream.label);
  if (input === undefined) return false;
  const cursor = cursorOf(turn, pointer, stream);
  return cursor > 0 ? input.expiredThrough > cursor : stream.since > 0 && input.expiredAt >= stream.since;
}

function cursorOf(turn: Turn, pointer: Pointer, stream: WaitStream): number {
  return turn.draft.lines.get(turn.draft.lineOf(pointer.id))?.cursors[streamKey(stream.name, stream.key)] ?? 0;
}
