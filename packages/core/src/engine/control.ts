import { copy, diffPatch, sizeOf } from "../codec/index.ts";
import type { WorkflowDefinition } from "../definition/definition.ts";
import { WfeError } from "../errors.ts";
import { cancelNode, completeNode, openNode } from "./flow.ts";
import { indexesAround, isInItem } from "./failures.ts";
import type { Delivery, Input, RetryBase } from "./inputs.ts";
import { childEnded } from "./kinds/child.ts";
import { handlerOf } from "./kinds/handlers.ts";
import { readyAgain } from "./kinds/step.ts";
import { migrate } from "./migrate.ts";
import { goBackTo } from "./repair.ts";
import { finalize, terminateWorkflow } from "./root.ts";
import { rootLine, rootPointer, type Pointer, type WorkflowState } from "./state.ts";
import type { Turn } from "./turn.ts";
import { retryUndo } from "./undo.ts";
import { isFinal } from "./work.ts";

/** A delivery is read: it is applied, or refused with a reason, and either is on record. */
export function decideDelivery(turn: Turn, input: DeliveryInput): void {
  const { number, delivery, base } = input;
  const actor = actorOf(delivery);
  const refusal = refusalOf(turn, delivery, base);
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

function actorOf(delivery: Delivery): { readonly actor?: string } {
  return "actor" in delivery && delivery.actor !== undefined ? { actor: delivery.actor } : {};
}

/** Why a delivery cannot be applied; undefined: it can. */
function refusalOf(
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
        return refusedBase(base) ?? outputRefusal(turn, delivery.output);
      return (
        ended ??
        (findLive(turn, delivery) === undefined
          ? `no step \`${delivery.stepId}\` is live: only a step that runs, sleeps, waits or has failed can be skipped`
          : outputRefusal(turn, delivery.output))
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
      return draft.phase === "completed" || draft.phase === "terminated" ? ended : migrate(turn, delivery, "check");
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
  { stepId, index, item }: Extract<Delivery, { kind: "set-item" }>,
): string | undefined {
  const step = stepNamed(definition, stepId);
  if (step === undefined || definition.index.places.get(step)?.node.kind !== "for-each")
    return `\`${stepId}\` is no \`forEach\` of the definition`;
  const live = [...draft.pointers.values()].filter((pointer) => pointer.step === step && pointer.scope !== null);
  if (!isFinal(draft) && live.length === 0) return `\`${stepId}\` is not open: its items are taken when it is reached`;
  const beyond = live.find(({ scope }) => index >= (scope?.items.length ?? 0));
  if (beyond !== undefined)
    return `\`${stepId}\` has ${beyond.scope?.items.length ?? 0} items, numbered from 0: there is no item ${index}`;
  return sizeOf(item) > context.limits.valueBytes
    ? `the item is larger than a value may be, ${context.limits.valueBytes} bytes`
    : undefined;
}

/** The full id of a step that is named by its id, or by the last part of it. */
export function stepNamed({ index }: WorkflowDefinition, name: string): string | undefined {
  if (index.places.has(name)) return name;
  const matches = [...index.places.keys()].filter((id) => id.endsWith(`/${name}`));
  return matches.length === 1 ? matches[0] : undefined;
}

function refusedBase(base: RetryBase | { readonly refused: string } | undefined): string | undefined {
  if (base === undefined) return "the journal was not read";
  return "refused" in base ? base.refused : undefined;
}

function outputRefusal(turn: Turn, output: unknown): string | undefined {
  try {
    copy(output, { path: "output", maxBytes: turn.context.limits.valueBytes, maxDepth: turn.context.limits.depth });
    return undefined;
  } catch (error) {
    if (error instanceof WfeError) return error.message;
    throw error;
  }
}

function apply(turn: Turn, { delivery, base, children = [] }: DeliveryInput): void {
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
      // What is still live is skipped where it stands.
      if (draft.phase === "failed" && base !== undefined && "state" in base)
        goBackTo(turn, base, { ...actor, children });
      return skip(turn, delivery, actor);
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
      return turn.emit({ kind: "item-set", step, index: delivery.index, item, ...actor });
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
  turn.emit({ kind: "child-awaited", pointer: pointer.id, step: pointer.step, childId: delivery.childId, ...actor });
  // What suspended it is being mended. Where other steps are held, they wait on.
  if (turn.draft.phase === "suspended" && !hasHeld(turn.draft)) turn.emit({ kind: "workflow-resumed", ...actor });
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
    reason: `step \`${held.step}\` failed and was not retried: \`retryWorkflow\` or \`skipStep\``,
  });
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
      turn.emit({ kind: "child-awaited", pointer: id, step: pointer.step, childId, ...actor });
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
  terminateWorkflow(turn, how);
}

function skip(
  turn: Turn,
  { stepId, item, output }: Extract<Delivery, { kind: "skip-step" }>,
  actor: { readonly actor?: string },
): void {
  const pointer = findLive(turn, { stepId, ...(item === undefined ? {} : { item }) });
  if (pointer === undefined) return;
  const held = [...turn.draft.pointers.values()].some((one) => one.status === "held" && one.id !== pointer.id);
  if (turn.draft.phase === "suspended" && !held) turn.emit({ kind: "workflow-resumed", ...actor });
  if (pointer.child !== null && pointer.status === "waiting")
    turn.stopChild({ childId: pointer.child.id, compensate: true, reason: "its step was skipped" });
  const owned = copy(output, {
    path: "output",
    maxBytes: turn.context.limits.valueBytes,
    maxDepth: turn.context.limits.depth,
  });
  if (pointer.openBranches > 0) return cancelNode(turn, pointer.id, true);
  completeNode(turn, pointer.id, owned, actor);
}

/** The live pointer of a step, by its id or its last part; the held one first. */
function findLive(
  { draft }: Turn,
  { stepId, item = [] }: { readonly stepId: string; readonly item?: readonly number[] },
): Pointer | undefined {
  const live = [...draft.pointers.values()].filter(
    (pointer) =>
      pointer.id !== rootPointer &&
      pointer.ending === null &&
      (pointer.step === stepId || pointer.step.endsWith(`/${stepId}`)) &&
      isInItem(indexesAround(draft, pointer.branch), item),
  );
  return live.find((pointer) => pointer.status === "held") ?? live[0];
}
