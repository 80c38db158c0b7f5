import { copy, diffPatch, sizeOf } from "../codec/index.ts";
import { WfeError } from "../errors.ts";
import { cancelNode, completeNode, openNode } from "./flow.ts";
import type { Delivery, RetryBase } from "./inputs.ts";
import { childEnded } from "./kinds/child.ts";
import { handlerOf } from "./kinds/handlers.ts";
import { readyAgain } from "./kinds/step.ts";
import { migrate } from "./migrate.ts";
import { goBackTo } from "./repair.ts";
import { finalize, terminateWorkflow } from "./root.ts";
import { rootPointer, type Pointer } from "./state.ts";
import type { Turn } from "./turn.ts";
import { retryUndo } from "./undo.ts";
import { isFinal } from "./work.ts";

/** A delivery is read: it is applied, or refused with a reason, and either is on record. */
export function decideDelivery(
  turn: Turn,
  number: number,
  delivery: Delivery,
  base: RetryBase | { readonly refused: string } | undefined,
): void {
  const actor = "actor" in delivery && delivery.actor !== undefined ? { actor: delivery.actor } : {};
  const refusal = refusalOf(turn, delivery, base);
  if (refusal !== undefined) {
    turn.emit({ kind: "delivery-refused", number, delivery: delivery.kind, reason: refusal, ...actor });
    return turn.read({ number, outcome: "refused", reason: refusal });
  }
  turn.emit({ kind: "delivery-applied", number, delivery: delivery.kind, ...actor });
  turn.read({ number, outcome: "applied", reason: null });
  apply(turn, delivery, base);
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
      if (draft.phase === "completed")
        return "the workflow is completed: fork it to run it again from an earlier point";
      if (draft.phase === "active") return "the workflow is running: suspend it first";
      if (draft.phase === "suspended" && delivery.from === undefined) return undefined;
      if (draft.stuckUndo !== null)
        return delivery.from === undefined
          ? undefined
          : "an undoing failed and has to be finished first: retry without `from`";
      return refusedBase(base);
    case "skip-step":
      if (draft.phase === "failed" && draft.stuckUndo === null)
        return refusedBase(base) ?? outputRefusal(turn, delivery.output);
      return (
        ended ??
        (findLive(turn, delivery.stepId) === undefined
          ? `no step \`${delivery.stepId}\` is live: only a step that runs, sleeps, waits or has failed can be skipped`
          : outputRefusal(turn, delivery.output))
      );
    case "set-data":
      if (draft.phase === "completed" || draft.phase === "terminated") return ended;
      return sizeOf(draft.data) + sizeOf(delivery.patch) > turn.context.limits.dataBytes
        ? `the data would outgrow its limit of ${turn.context.limits.dataBytes} bytes`
        : undefined;
    case "migrate":
      return draft.phase === "completed" || draft.phase === "terminated"
        ? ended
        : migrate(turn, delivery.version, "check");
  }
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

function apply(turn: Turn, delivery: Delivery, base: RetryBase | { readonly refused: string } | undefined): void {
  const { draft } = turn;
  const actor = "actor" in delivery && delivery.actor !== undefined ? { actor: delivery.actor } : {};
  switch (delivery.kind) {
    case "child-ended":
      return childEnded(turn, delivery);
    case "suspend":
      return turn.emit({ kind: "workflow-suspended", reason: delivery.reason ?? null, ...actor });
    case "resume":
      return resume(turn, actor);
    case "terminate":
      return terminate(turn, delivery);
    case "retry":
      if (draft.stuckUndo !== null) return retryUndo(turn);
      if (draft.phase === "suspended" && delivery.from === undefined) return resume(turn, actor);
      if (base !== undefined && "state" in base) goBackTo(turn, base, actor);
      return;
    case "skip-step":
      // What is still live is skipped where it stands.
      if (draft.phase === "failed" && base !== undefined && "state" in base) goBackTo(turn, base, actor);
      return skip(turn, delivery.stepId, delivery.output, actor);
    case "set-data":
      return turn.emit({
        kind: "data-set",
        patch: diffPatch(
          draft.data,
          copy(delivery.patch, { maxBytes: Number.MAX_SAFE_INTEGER }) as Record<string, unknown>,
        ),
        ...actor,
      });
    case "migrate":
      migrate(turn, delivery.version, "apply", actor);
      return;
  }
}

/** Everything goes on; what was held by an error gets a new count of retries. */
function resume(turn: Turn, actor: { readonly actor?: string }): void {
  turn.emit({ kind: "workflow-resumed", ...actor });
  resumeHeld(turn);
}

/** Whatever makes a workflow active again does so for what is held by an error too: nobody would ask for that any more. */
export function resumeHeld(turn: Turn): void {
  for (const { id } of turn.draft.pointers.values()) {
    const pointer = turn.pointer(id);
    if (pointer?.status === "held") again(turn, pointer);
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

function skip(turn: Turn, stepId: string, output: unknown, actor: { readonly actor?: string }): void {
  const pointer = findLive(turn, stepId);
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
function findLive(turn: Turn, stepId: string): Pointer | undefined {
  const live = [...turn.draft.pointers.values()].filter(
    (pointer) =>
      pointer.id !== rootPointer &&
      pointer.ending === null &&
      (pointer.step === stepId || pointer.step.endsWith(`/${stepId}`)),
  );
  return live.find((pointer) => pointer.status === "held") ?? live[0];
}
