import { ExecutionResult } from "../definition/execution-result.ts";
import { applyPatch } from "../codec/index.ts";
import type { Entry, NodeEnd } from "./entries.ts";
import { indexesAround } from "./failures.ts";
import type { Delivery, Input, StreamInput } from "./inputs.ts";
import type { TimedTurn } from "./replay.ts";
import { askedAbout } from "./retry.ts";
import { rootPointer, type Pointer, type WorkflowState } from "./state.ts";
import { reviveError } from "./stored-error.ts";

/** An input that may have given what comes next in a turn, and when. */
interface Candidate {
  readonly input: Input;
  readonly now: number;
}

/**
 * What a host may have told the engine, so that this entry came of it. There may be several: an entry says what came of an input,
 * and not always of which. `state`: after the entries before it.
 */
export function* candidatesFor(
  state: WorkflowState,
  before: WorkflowState,
  turn: TimedTurn,
  index: number,
  turns: readonly TimedTurn[],
): Generator<Candidate> {
  const entry = turn.entries[index];
  if (entry === undefined) return;
  const { at } = turn;
  for (const input of inputsFor(state, turn.entries, index, turns)) yield { input, now: at };
  // Time: at the commit, or when what moved was due.
  yield { input: { kind: "due" }, now: at };
  for (const due of dueTimes(before, entry)) yield { input: { kind: "due" }, now: due };
  yield { input: { kind: "continue" }, now: at };
}

/** A reminder and a deadline may both have passed by the commit, and not by the decision. */
function dueTimes(state: WorkflowState, entry: Entry): readonly number[] {
  const pointer = "pointer" in entry ? state.pointers.get(entry.pointer) : undefined;
  return [pointer?.dueAt, pointer?.wait?.remindAt].filter((time) => typeof time === "number");
}

function* inputsFor(
  state: WorkflowState,
  entries: readonly Entry[],
  index: number,
  turns: readonly TimedTurn[],
): Generator<Input> {
  const entry = entries[index] as Entry;
  switch (entry.kind) {
    case "workflow-started":
      yield {
        kind: "start",
        identity: entry.identity,
        data: entry.data,
        ...(entry.cursors === undefined ? {} : { cursors: entry.cursors }),
        ...(entry.startAt === undefined ? {} : { startAt: entry.startAt }),
      };
      return;
    case "step-begun":
      yield { kind: "begin", pointer: entry.pointer };
      return;
    case "delivery-applied":
      for (const delivery of deliveriesOf(state, entries, index))
        yield { kind: "delivery", number: entry.number, delivery, ...itemScope(entries, index) };
      return;
    case "event-consumed":
      yield eventsOf(state, entries, index);
      return;
    case "straggler-ended":
      yield* stoppedChildInputs(state, entry, entries.slice(index + 1));
      yield {
        kind: "straggler-ended",
        pointer: entry.pointer,
        returned: entry.returned,
        ...("output" in entry ? { output: entry.output } : {}),
      };
      return;
    case "step-paused":
      yield* pausedInputs(state, entry, turns);
      return;
    case "step-completed":
      yield { kind: "attempt-returned", ...attemptAt(state, entry.pointer), value: outputOf(state, entry) };
      return;
    case "step-retrying":
    case "step-failed":
    case "step-held":
      yield* failureInputs(state, entry);
      return;
    case "undo-step-started":
    case "undo-entered":
    case "undo-passed":
    case "undo-failed":
      yield* journalInputs(state, entry.pointer, turns);
      return;
    default:
  }
}

/** The journal has it already which `forEach` was meant. */
function itemScope(entries: readonly Entry[], index: number): { readonly scope?: number } {
  const set = entries.slice(index + 1).find((entry) => entry.kind === "item-set");
  return set?.scope === undefined ? {} : { scope: set.scope };
}

function attemptAt({ pointers }: WorkflowState, id: number): { readonly pointer: number; readonly attempt: number } {
  return { pointer: id, attempt: pointers.get(id)?.attempt ?? 1 };
}

/** A list that was added to is recorded by what was added. */
function outputOf(state: WorkflowState, entry: NodeEnd & { readonly output?: unknown }): unknown {
  if ("output" in entry || entry.patch === undefined) return entry.output;
  const [appended] = entry.patch.filter((one) => "append" in one);
  if (appended === undefined || entry.patch.length > 1) return undefined;
  const local = entry.local === undefined ? undefined : state.branches.get(entry.local)?.local;
  return applyPatch(local ?? state.data, [appended])[appended.key];
}

function* failureInputs(
  state: WorkflowState,
  entry: Extract<Entry, { kind: "step-retrying" | "step-failed" | "step-held" }>,
): Generator<Input> {
  const at = attemptAt(state, entry.pointer);
  const { error } = entry;
  const output = "output" in entry ? entry.output : undefined;
  // What a body returned and a map could not take.
  if (output !== undefined) yield { kind: "attempt-returned", ...at, value: output };
  const asked = askedAbout(error);
  if (asked !== undefined) yield { kind: "attempt-threw", ...at, error: asked, thrown: reviveError(asked) };
  const late = "straggler" in entry && entry.straggler !== undefined ? { stillRuns: true } : {};
  const threw = { kind: "attempt-threw", ...at, error, thrown: reviveError(error), ...late } as const;
  yield unstorable.has(error.code ?? "") ? { ...threw, unstorable: true } : threw;
  if (output === undefined) yield { kind: "attempt-returned", ...at, value: undefined };
  const pointer = state.pointers.get(entry.pointer);
  if (pointer?.wait !== null && pointer !== undefined && error.code === "EVENTS_EXPIRED")
    yield { kind: "events", pointer: pointer.id, streams: pointer.wait.streams.map(expired) };
}

/** Errors that no further attempt would mend. */
const unstorable: ReadonlySet<string> = new Set(["INVALID_VALUE", "LIMIT_EXCEEDED"]);

function expired({ label }: { readonly label: string }): StreamInput {
  return { label, events: [], expiredThrough: Number.MAX_SAFE_INTEGER, expiredAt: Number.MAX_SAFE_INTEGER };
}

function* pausedInputs(
  state: WorkflowState,
  entry: Extract<Entry, { kind: "step-paused" }>,
  turns: readonly TimedTurn[],
): Generator<Input> {
  const at = attemptAt(state, entry.pointer);
  const kept = entry.keep === true ? undefined : entry.persisted;
  const [stream] = entry.wait?.streams ?? [];
  const returned = (value: unknown): Input => ({ kind: "attempt-returned", ...at, value });
  if (stream !== undefined) return yield returned(ExecutionResult.waitForEvent(stream.name, stream.key, kept));
  if (entry.dueAt === undefined) return yield returned(ExecutionResult.persist(entry.persisted));
  const commit = turns.find(({ seq }) => seq === state.seq + 1)?.at ?? entry.dueAt;
  yield returned(ExecutionResult.sleep(Math.max(0, entry.dueAt - commit), kept));
}

function* journalInputs(state: WorkflowState, id: number, turns: readonly TimedTurn[]): Generator<Input> {
  const next = state.pointers.get(id)?.scope?.walk?.next;
  if (next == null) return;
  const entries = turns.find(({ seq }) => seq === next.seq)?.entries ?? [];
  yield { kind: "journal", pointer: id, seq: next.seq, entries };
}

/** All events that a wait consumed in this turn, as its streams held them. */
function eventsOf(state: WorkflowState, entries: readonly Entry[], index: number): Input {
  const { pointer: id } = entries[index] as Extract<Entry, { kind: "event-consumed" }>;
  const pointer = state.pointers.get(id);
  const consumed = entries
    .slice(index)
    .filter((entry) => entry.kind === "event-consumed" && entry.pointer === id) as Extract<
    Entry,
    { kind: "event-consumed" }
  >[];
  const payload = payloadOf(pointer, entries.slice(index), id);
  const streams = (pointer?.wait?.streams ?? []).map((stream): StreamInput => {
    const events = consumed
      .filter(({ name, key }) => name === stream.name && key === stream.key)
      .map((entry) => ({
        number: entry.number,
        eventId: "",
        name: entry.name,
        key: entry.key,
        at: Math.min(stream.since, pointer?.wait?.until ?? stream.since),
        payload: pointer?.wait?.mode === "all" ? entry.payload : payload,
      }));
    const own = pointer?.wait?.mode === "any" ? consumed.some(({ label }) => label === stream.label) : true;
    return { label: stream.label, events: own ? events : [], expiredThrough: 0, expiredAt: 0 };
  });
  return { kind: "events", pointer: id, streams };
}

/** Of a wait for one event the payload is what it gave. */
function payloadOf(pointer: Pointer | undefined, entries: readonly Entry[], id: number): unknown {
  for (const entry of entries) {
    if (!("pointer" in entry) || entry.pointer !== id) continue;
    if (entry.kind === "step-ready") return entry.event?.payload;
    if ((entry.kind === "step-completed" || entry.kind === "step-failed") && "output" in entry)
      return pointer?.wait?.mode === "any" ? (entry.output as { readonly payload?: unknown }).payload : entry.output;
  }
  return undefined;
}

/** A child that was stopped tells its end by a delivery, which is put on record after that. */
function* stoppedChildInputs(
  state: WorkflowState,
  { pointer }: Extract<Entry, { kind: "straggler-ended" }>,
  rest: readonly Entry[],
): Generator<Input> {
  if (state.stragglers.get(pointer)?.until !== null) return;
  const read = rest.find((entry) => entry.kind === "delivery-applied" && entry.delivery === "child-ended");
  if (read?.kind !== "delivery-applied") return;
  yield {
    kind: "delivery",
    number: read.number,
    delivery: { kind: "child-ended", pointer, childId: "", status: "terminated" },
  };
}

/** A call as far as what came of it tells. */
function* deliveriesOf(state: WorkflowState, entries: readonly Entry[], index: number): Generator<Delivery> {
  const call = entries[index] as Extract<Entry, { kind: "delivery-applied" }>;
  const actor = call.actor === undefined ? {} : { actor: call.actor };
  const rest = entries.slice(index + 1);
  switch (call.delivery) {
    case "suspend": {
      const suspended = rest.find((entry) => entry.kind === "workflow-suspended");
      return yield { kind: "suspend", ...(suspended?.reason == null ? {} : { reason: suspended.reason }), ...actor };
    }
    case "resume":
      return yield { kind: "resume", ...actor };
    case "terminate":
      return yield { ...terminationOf(rest), ...actor };
    case "set-data": {
      const set = rest.find((entry) => entry.kind === "data-set");
      const after = applyPatch(state.data, set?.patch ?? []);
      const patch = Object.fromEntries((set?.patch ?? []).map(({ key }) => [key, after[key]]));
      return yield { kind: "set-data", patch, ...actor };
    }
    case "set-item": {
      const set = rest.find((entry) => entry.kind === "item-set");
      return yield { kind: "set-item", stepId: set?.step ?? "", index: set?.index ?? 0, item: set?.item, ...actor };
    }
    case "skip-step":
      return yield { ...skipOf(state, rest), ...actor };
    case "child-ended":
      return yield childEndOf(state, rest);
    case "child-retried":
      // It waited for the child all the time: nothing came of it.
      for (const { id, child } of state.pointers.values())
        if (child !== null) yield { kind: "child-retried", pointer: id, childId: child.id, ...actor };
      return;
    case "retry":
      yield { kind: "retry", ...actor };
      return yield { kind: "retry", byParent: true, ...actor };
    default:
  }
}

/** A step has several executions at a time in a container of items: which one was skipped is told by its numbers. */
function skipOf(state: WorkflowState, rest: readonly Entry[]): Extract<Delivery, { kind: "skip-step" }> {
  const skipped = rest.find((entry) => entry.kind === "step-skipped" || entry.kind === "scope-ending");
  const pointer = skipped === undefined ? undefined : state.pointers.get(skipped.pointer);
  return {
    kind: "skip-step",
    stepId: skipped?.step ?? "",
    ...(pointer === undefined ? {} : { item: indexesAround(state, pointer.branch) }),
    output: skippedOutput(skipped),
  };
}

/** What had something under way in it ends later, and then with this output. */
function skippedOutput(skipped: Entry | undefined): unknown {
  if (skipped?.kind === "scope-ending") return skipped.ending.kind === "completed" ? skipped.ending.output : undefined;
  return skipped?.kind === "step-skipped" ? skipped.output : undefined;
}

function terminationOf(rest: readonly Entry[]): Extract<Delivery, { kind: "terminate" }> {
  for (const entry of rest) {
    if (entry.kind === "scope-ending" && entry.pointer === rootPointer && entry.ending.kind === "terminated") {
      const { compensate, reason } = entry.ending;
      return { kind: "terminate", compensate, ...(reason === null ? {} : { reason }) };
    }
    if (entry.kind === "workflow-terminated")
      return { kind: "terminate", ...(entry.reason === null ? {} : { reason: entry.reason }) };
  }
  // It was ending already, and was told so once more: without compensation it would have ended at once.
  return { kind: "terminate", compensate: true };
}

function childEndOf(state: WorkflowState, rest: readonly Entry[]): Extract<Delivery, { kind: "child-ended" }> {
  const [first] = rest;
  if (first?.kind !== "child-ended") {
    // Nobody waited for it; or an undoing did, which says so before.
    return { kind: "child-ended", pointer: -1, childId: "", status: "completed" };
  }
  const { pointer, childId, status, cursors } = first;
  const told = rest.find((entry) => "pointer" in entry && entry.pointer === pointer && entry.kind !== "child-ended");
  const error = told !== undefined && "error" in told ? told.error?.cause : undefined;
  return {
    kind: "child-ended",
    pointer,
    childId,
    status: status as "completed" | "failed" | "terminated",
    ...(cursors === undefined ? {} : { cursors }),
    ...(status === "completed" && told !== undefined ? { data: outputOf(state, told as NodeEnd) } : {}),
    ...(error === undefined ? {} : { error }),
  };
}
