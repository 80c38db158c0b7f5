import { copy, diffPatch, sizeOf } from "../codec/index.ts";
import { WfeError } from "../errors.ts";
import { deadline } from "./deadline.ts";
import { completeNode, failNode, openNode } from "./flow.ts";
import { indexesAround, isInItem, pointersAround } from "./failures.ts";
import type { Delivery, Input, RetryBase } from "./inputs.ts";
import { childEnded } from "./kinds/child.ts";
import { handlerOf } from "./kinds/handlers.ts";
import { readyAgain } from "./kinds/step.ts";
import { migrate } from "./migrate.ts";
import { planOutput } from "./outputs.ts";
import { goBackTo } from "./repair.ts";
import { finalize, terminateWorkflow } from "./root.ts";
import { rootLine, rootPointer, type Pointer, type WorkflowState } from "./state.ts";
import { storeError, type StoredError } from "./stored-error.ts";
import { openItemScope } from "./set-item.ts";
import { Turn } from "./turn.ts";
import { isUndoing, retryUndo, stoppedError } from "./undo.ts";
import { isFinal } from "./work.ts";
import { stepNamed } from "./step-named.ts";

/** A delivery is read: it is applied, or refused with a reason, and either is on record. */
export function decideDelivery(turn: Turn, input: DeliveryInput): void {
  const { number, delivery, base } = input;
  const actor = actorOf(delivery);
  const refusal =
    refusalOf(turn, delivery, base) ??
    (delivery.kind === "skip-step" ? outputRefusal(turn, delivery, base) : undefined);
  if (refusal !== undefined) {
    turn.emit({ kind: "delivery-refused", number, delivery: delivery.kind, reason: refusal, ...actor });
    turn.read({ number, outcome: "refused", reason: refusal });
    if (delivery.kind === "retry" && delivery.byParent === true) tellEnd(turn);
    return;
  }
  turn.emit({ kind: "delivery-applied", number, delivery: delivery.kind, ...actor });
  turn.read({ number, outcome: "applied", reason: null });
  apply(turn, input);
}

type DeliveryInput = Extract<Input, { kind: "delivery" }>;
type SkipDelivery = Extract<Delivery, { kind: "skip-step" }>;
type Live = Pick<WorkflowState, "pointers" | "branches">;

function actorOf(delivery: Delivery): { readonly actor?: string } {
  return "actor" in delivery && delivery.actor !== undefined ? { actor: delivery.actor } : {};
}

/** Why a delivery cannot be applied; undefined: it can. */
export function refusalOf(
  turn: Turn,
  delivery: Delivery,
  base: RetryBase | { readonly refused: string } | undefined,
): string | undefined {
  const { draft } = turn;
  const ended = isFinal(draft) ? `the workflow is ${draft.phase} already` : undefined;
  switch (delivery.kind) {
    case "child-ended":
      return undefined;
    case "suspend":
      return ended ?? (draft.phase === "suspended" ? "the workflow is suspended already" : undefined);
    case "resume":
      return ended ?? (draft.phase === "suspended" ? undefined : "the workflow is not suspended");
    case "terminate":
      return draft.stuckUndo === null ? ended : undefined;
    case "retry":
      return retryRefusal(draft, delivery, base);
    case "skip-step":
      if (draft.phase === "failed" && draft.stuckUndo === null)
        return refusedBase(base) ?? skipRefusal(turn, delivery, base);
      return (
        ended ??
        (findLive(draft, delivery) === undefined
          ? `no step \`${delivery.stepId}\` is live: only a step that runs, sleeps, waits or has failed can be skipped`
          : severalRefusal(draft, delivery.stepId, heldOf(draft, delivery)))
      );
    case "set-data":
      if (draft.phase === "completed" || draft.phase === "terminated") return ended;
      return sizeOf(draft.data) + sizeOf(delivery.patch) > turn.context.limits.dataBytes
        ? `the data would outgrow its limit of ${turn.context.limits.dataBytes} bytes`
        : undefined;
    case "set-item":
      if (draft.phase === "completed" || draft.phase === "terminated") return ended;
      return itemRefusal(turn, delivery) ?? (base === undefined ? undefined : refusedBase(base));
    case "migrate":
      if (draft.phase === "completed" || draft.phase === "terminated") return ended;
      return migrate(turn, delivery, "check") ?? (base === undefined ? undefined : refusedBase(base));
    case "child-retried": {
      if (awaitsChild(draft, delivery) !== undefined) return undefined;
      if (isFinal(draft) && draft.stuckUndo === null) return refusedBase(base);
      return "the workflow has gone on without this child";
    }
  }
}

function retryRefusal(
  draft: WorkflowState,
  { from, item, execution, byParent }: Extract<Delivery, { kind: "retry" }>,
  base: RetryBase | { readonly refused: string } | undefined,
): string | undefined {
  const named = from !== undefined || item !== undefined || execution !== undefined;
  // It goes on, or has what its parent waits for.
  if (byParent === true && (draft.phase === "completed" || draft.phase === "active")) return undefined;
  if (draft.phase === "completed") return "the workflow is completed: fork it to run it again from an earlier point";
  if (draft.phase === "active" && !hasHeld(draft)) return "the workflow is running: suspend it first";
  if (!isFinal(draft) && !named) return undefined;
  if (draft.stuckUndo !== null)
    return named ? "an undoing failed and has to be finished first: retry without `from`" : undefined;
  return refusedBase(base);
}

function hasHeld({ pointers }: WorkflowState): boolean {
  for (const { status } of pointers.values()) if (status === "held") return true;
  return false;
}

/** The pointer that waits, or is held, for a child. */
function awaitsChild(
  { pointers, phase }: WorkflowState,
  { pointer: id, childId }: { readonly pointer: number; readonly childId: string },
): Pointer | undefined {
  const pointer = pointers.get(id);
  const stands = pointer?.status === "waiting" || pointer?.status === "held";
  return pointer?.child?.id === childId && stands && (phase === "active" || phase === "suspended")
    ? pointer
    : undefined;
}

function itemRefusal(
  { definition, draft, context }: Turn,
  delivery: Extract<Delivery, { kind: "set-item" }>,
): string | undefined {
  const found = isFinal(draft) && draft.stuckUndo === null ? undefined : openItemScope(definition, draft, delivery);
  if (found !== undefined && "refused" in found) return found.refused;
  return sizeOf(delivery.item) > context.limits.valueBytes
    ? `the item is larger than a value may be, ${context.limits.valueBytes} bytes`
    : undefined;
}

function refusedBase(base: RetryBase | { readonly refused: string } | undefined): string | undefined {
  if (base === undefined) return "the journal was not read";
  return "refused" in base ? base.refused : undefined;
}

/** In a workflow that had failed: whether the step is where it would go on, and it is clear which execution is meant. */
function skipRefusal(
  { definition }: Turn,
  delivery: SkipDelivery,
  base: RetryBase | { readonly refused: string } | undefined,
): string | undefined {
  if (base === undefined || !("state" in base)) return undefined;
  const { state, targets = [], step } = base;
  if (findLive(state, delivery, targets) === undefined)
    return `step \`${delivery.stepId}\` is not where the workflow would go on, which is \`${step}\`: skip that, or retry the workflow`;
  const named = stepNamed(definition, delivery.stepId);
  return severalRefusal(
    state,
    delivery.stepId,
    targets.filter((id) => state.pointers.get(id)?.step === named),
  );
}

/** Whoever asks for one of several has to say which. */
function severalRefusal(state: WorkflowState, stepId: string, failed: readonly number[]): string | undefined {
  if (failed.length < 2) return undefined;
  const items = failed.map((id) => indexesAround(state, state.pointers.get(id)?.branch ?? -1).join(", "));
  return `step \`${stepId}\` failed ${failed.length} times, in items ${items.map((item) => `[${item}]`).join(" and ")}: say which one is meant by \`item\``;
}

/** An output that its step cannot take would make it fail, which nobody asked for. Runs the step's `.output`. */
function outputRefusal(
  { definition, draft, context }: Turn,
  delivery: SkipDelivery,
  base: RetryBase | { readonly refused: string } | undefined,
): string | undefined {
  const { valueBytes, depth } = context.limits;
  const live = base !== undefined && "state" in base ? base : { state: draft.done(), targets: [] };
  const pointer = findLive(live.state, delivery, live.targets);
  let owned: unknown;
  try {
    owned = copy(delivery.output, { path: "output", maxBytes: valueBytes, maxDepth: depth });
  } catch (error) {
    if (error instanceof WfeError) return error.message;
    throw error;
  }
  if (pointer === undefined) return undefined;
  const probe = new Turn(definition, live.state, context);
  const node = probe.node(pointer);
  try {
    planOutput(probe, pointer, node, owned);
    return undefined;
  } catch (thrown) {
    return `step \`${node.id}\` cannot take that output: ${storeError(thrown).message}`;
  }
}

function apply(turn: Turn, { delivery, base, scope, children = [] }: DeliveryInput): void {
  const { draft } = turn;
  const actor = actorOf(delivery);
  switch (delivery.kind) {
    case "child-ended":
      return childEnded(turn, delivery);
    case "suspend":
      return turn.emit({ kind: "workflow-suspended", reason: delivery.reason ?? null, ...actor });
    case "resume":
      return resume(turn, actor, children);
    case "terminate":
      return terminate(turn, delivery);
    case "retry": {
      if (draft.stuckUndo !== null) return retryUndo(turn);
      const byParent = delivery.byParent === true;
      if (base !== undefined && "state" in base) return goBackTo(turn, base, { ...actor, children, byParent });
      if (byParent && draft.phase === "completed") return tellEnd(turn);
      if (draft.phase === "suspended" || hasHeld(draft)) resume(turn, actor, children);
      return;
    }
    case "skip-step":
      return skipStep(turn, delivery, base, children);
    case "set-data":
      return turn.emit({
        kind: "data-set",
        patch: diffPatch(
          draft.data,
          copy(delivery.patch, { maxBytes: Number.MAX_SAFE_INTEGER }) as Record<string, unknown>,
        ),
        ...actor,
      });
    case "set-item": {
      const step = stepNamed(turn.definition, delivery.stepId) ?? delivery.stepId;
      const item = copy(delivery.item, { maxBytes: Number.MAX_SAFE_INTEGER });
      const meant = scope === undefined ? openItemScope(turn.definition, draft, delivery) : { scope };
      const which = "scope" in meant ? { scope: meant.scope } : {};
      return turn.emit({ kind: "item-set", step, ...which, index: delivery.index, item, ...actor });
    }
    case "migrate":
      migrate(turn, delivery, "apply", actor);
      return;
    case "child-retried":
      return childRetried(turn, delivery, base);
  }
}

/** A child that had ended is being retried: the workflow waits for it again. */
function childRetried(
  turn: Turn,
  delivery: Extract<Delivery, { kind: "child-retried" }>,
  base: RetryBase | { readonly refused: string } | undefined,
): void {
  const actor = actorOf(delivery);
  const pointer = awaitsChild(turn.draft, delivery);
  if (pointer === undefined) {
    if (base !== undefined && "state" in base) goBackTo(turn, base, actor);
    return;
  }
  if (pointer.status === "waiting") return;
  awaitAgain(turn, pointer, delivery.childId, actor);
  // What suspended it is being mended. Where other steps are held, they wait on.
  if (turn.draft.phase === "suspended" && !hasHeld(turn.draft)) turn.emit({ kind: "workflow-resumed", ...actor });
}

/** Its time-out begins again. */
function awaitAgain(turn: Turn, pointer: Pointer, childId: string, actor: { readonly actor?: string }): void {
  const { id, step } = pointer;
  turn.emit({ kind: "child-awaited", pointer: id, step, childId, ...deadline(turn, turn.node(pointer)), ...actor });
}

/** The parent waits for a child that had ended, and it has nothing more to do: it tells its end again. */
function tellEnd(turn: Turn): void {
  const { identity, phase, data, error, lines } = turn.draft;
  if (identity.parent === null || !isFinal(turn.draft)) return;
  turn.tellParent({
    kind: "child-ended",
    pointer: identity.parent.pointer,
    childId: identity.id,
    cursors: lines.get(rootLine)?.cursors ?? {},
    status: phase as "completed" | "failed" | "terminated",
    ...(phase === "completed" ? { data } : error === null ? {} : { error }),
  });
}

/**
 * At the end of a turn: where nothing can move but what is held by an error, the workflow is suspended until somebody decides. It
 * comes to that where one of several failures was retried alone.
 */
export function suspendWhereOnlyHeld(turn: Turn): void {
  const { draft } = turn;
  if (draft.phase !== "active" || turn.entries.length === 0) return;
  let held: Pointer | undefined;
  for (const pointer of draft.pointers.values()) {
    if (pointer.status === "held") held ??= pointer;
    else if (pointer.status !== "open" && pointer.status !== "hook") return;
    else if (pointer.dueAt !== null) return;
  }
  if (held === undefined || draft.stragglers.size > 0) return;
  turn.emit({
    kind: "workflow-suspended",
    reason: `step \`${held.step}\` ${notRetried}`,
  });
}

const notRetried = "failed and was not retried: retry the workflow, or skip the step";

/** Whether an error suspended the workflow, and not a person. */
function suspendedItself({ error, reason }: WorkflowState): boolean {
  return error !== null || reason?.endsWith(notRetried) === true;
}

/** Everything goes on; what was held by an error gets a new count of retries. */
function resume(turn: Turn, actor: { readonly actor?: string }, children: readonly string[]): void {
  if (turn.draft.phase === "suspended") turn.emit({ kind: "workflow-resumed", ...actor });
  resumeHeld(turn, actor, children);
}

/** Whatever makes a workflow active again does so for what is held by an error too: nobody would ask for that any more. */
export function resumeHeld(
  turn: Turn,
  actor: { readonly actor?: string } = {},
  children: readonly string[] = [],
): void {
  for (const { id } of turn.draft.pointers.values()) {
    const pointer = turn.pointer(id);
    if (pointer?.status !== "held") continue;
    if (pointer.child === null || !children.includes(pointer.child.id)) again(turn, pointer);
    else {
      const childId = pointer.child.id;
      awaitAgain(turn, pointer, childId, actor);
      turn.retryChild({ childId, ...actor });
    }
  }
}

/** A held node begins again. */
function again(turn: Turn, pointer: Pointer): void {
  if (pointer.kind === "step") return readyAgain(turn, pointer, { fresh: true, raise: true });
  // The attempt is part of a child's id: a new child must not be taken for the one that failed.
  turn.emit({ kind: "step-ready", pointer: pointer.id, step: pointer.step, fresh: true, raise: true });
  const ready = turn.pointer(pointer.id);
  if (ready?.kind === "saga") handlerOf("saga").due(turn, ready);
  else openNode(turn, pointer.id, pointer.branch, turn.node(pointer));
}

function terminate(turn: Turn, delivery: Extract<Delivery, { kind: "terminate" }>): void {
  const how = { compensate: delivery.compensate === true, reason: delivery.reason ?? null };
  const ending = turn.pointer(rootPointer)?.ending;
  // A stuck undoing, or a second call without compensation, ends it where it stands.
  if (turn.draft.stuckUndo !== null || (ending != null && !how.compensate))
    return finalize(turn, { kind: "terminated", ...how });
  const { error } = turn.draft;
  terminateWorkflow(turn, how, () => giveUpHeld(turn, error));
}

/**
 * What an error holds in a hook has failed: to end the workflow is not to run it once more, nor to wait for somebody. An undoing is
 * not given up, since what it leaves undone would be left for ever.
 */
function giveUpHeld(turn: Turn, error: StoredError | null): void {
  for (const { id } of turn.draft.pointers.values()) {
    const pointer = turn.pointer(id);
    if (pointer?.status !== "held" || isUndoing(turn.draft, pointer.branch)) continue;
    const message = "the step had failed, and the workflow was terminated before anybody mended that";
    const failed = error?.stepId === pointer.step ? error : { ...stoppedError, message };
    failNode(turn, id, { error: failed, forGood: true });
  }
}

/** A step gets its output by hand. In a workflow that had failed, everything else goes on as for a retry. */
function skipStep(
  turn: Turn,
  delivery: SkipDelivery,
  base: RetryBase | { readonly refused: string } | undefined,
  children: readonly string[],
): void {
  const actor = actorOf(delivery);
  if (turn.draft.phase !== "failed" || base === undefined || !("state" in base)) {
    const pointer = findLive(turn.draft, delivery);
    return pointer === undefined ? undefined : skip(turn, pointer, delivery);
  }
  const { state } = base;
  const pointer = findLive(state, delivery, base.targets);
  if (pointer === undefined) return;
  // What stands in it is stopped with it: it is not set going first, and its children that have ended are let.
  const within = (id: number): boolean => id === pointer.id || pointersAround(state, id).includes(pointer.id);
  const ofOthers = children.filter((one) =>
    [...state.pointers.values()].some(({ id, child }) => child?.id === one && !within(id)),
  );
  goBackTo(turn, base, { ...actor, children: ofOthers, passOver: within });
  const revived = turn.pointer(pointer.id);
  if (revived !== undefined) skip(turn, revived, delivery);
}

/** What is still live is skipped where it stands. */
function skip(turn: Turn, pointer: Pointer, delivery: SkipDelivery): void {
  const actor = actorOf(delivery);
  const { draft } = turn;
  // One that a person suspended stays so; one that its error suspended goes on, unless another step is held.
  const held = [...draft.pointers.values()].some((one) => one.status === "held" && one.id !== pointer.id);
  if (draft.phase === "suspended" && !held && suspendedItself(draft)) turn.emit({ kind: "workflow-resumed", ...actor });
  if (pointer.child !== null && pointer.status === "waiting")
    turn.stopChild({ childId: pointer.child.id, compensate: true, reason: "its step was skipped" });
  const owned = copy(delivery.output, {
    path: "output",
    maxBytes: turn.context.limits.valueBytes,
    maxDepth: turn.context.limits.depth,
  });
  // What it holds is stopped first.
  completeNode(turn, pointer.id, owned, actor);
}

/** The live pointer of a step: the one that is to be mended, the held one, or any. */
function findLive(state: Live, delivery: SkipDelivery, targets: readonly number[] = []): Pointer | undefined {
  const live = liveOf(state, delivery);
  return live.find(({ id }) => targets.includes(id)) ?? live.find((pointer) => pointer.status === "held") ?? live[0];
}

function heldOf(state: Live, delivery: SkipDelivery): readonly number[] {
  return liveOf(state, delivery).flatMap(({ id, status }) => (status === "held" ? [id] : []));
}

/** By the step's id or its last part. */
function liveOf(state: Live, { stepId, item = [] }: SkipDelivery): readonly Pointer[] {
  return [...state.pointers.values()].filter(
    (pointer) =>
      pointer.id !== rootPointer &&
      pointer.ending === null &&
      (pointer.step === stepId || pointer.step.endsWith(`/${stepId}`)) &&
      isInItem(indexesAround(state, pointer.branch), item),
  );
}
