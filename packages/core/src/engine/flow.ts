import { timeAfter } from "../duration.ts";
import { copy } from "../codec/index.ts";
import type { DefinitionNode, OutputMap } from "../definition/nodes.ts";
import { ExpressionError } from "../errors.ts";
import { sagaAround } from "./draft.ts";
import type { Entry, NodeEnd } from "./entries.ts";
import { evaluate } from "./expressions.ts";
import { hooksOf, startHook } from "./hooks.ts";
import { handlerOf } from "./kinds/handlers.ts";
import { planOutput, type OutputPlan } from "./outputs.ts";
import { afterFailure } from "./retry.ts";
import { finalize, settleRoot, terminateWorkflow } from "./root.ts";
import { rootPointer, type Branch, type Ending, type Pointer } from "./state.ts";
import { reviveError, storeError, type StoredError } from "./stored-error.ts";
import type { Turn } from "./turn.ts";
import { isFinal } from "./work.ts";
import { bodyGraceMs, isUndoing, settleSaga, stoppedError, undoOf, undoStepDone } from "./undo.ts";

/** How a branch ended. */
export type Outcome =
  | { readonly kind: "completed" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "failed"; readonly error: StoredError };

/** Why a node failed. */
export interface Failure {
  readonly error: StoredError;
  /** What was thrown, for `retry({ when })`; absent where only its record is left. */
  readonly thrown?: unknown;
  /** Repeating cannot help. */
  readonly noRetry?: boolean;
  /** What the body had returned, for the record. */
  readonly output?: unknown;
  /** Its body is still at it, and what it does may come after all: undoing gives it the grace of a stopped one. */
  readonly stillRuns?: boolean;
  /** Nobody is to decide about it any more: whatever its `onError`, it has failed. */
  readonly forGood?: boolean;
}

/** Goes to the node after `after` in a branch; null: to its first. */
export function advance(turn: Turn, branchId: number, after: string | null): void {
  const branch = turn.branch(branchId);
  if (branch === undefined || branch.at !== null) return;
  if (branch.stopping) return branchDone(turn, branchId, { kind: "cancelled" });
  const block = turn.definition.index.block(branch.ownerStep, branch.slot);
  const position = after === null ? 0 : (turn.definition.index.places.get(after)?.position ?? -1) + 1;
  const node = block?.nodes[position];
  if (node === undefined) branchDone(turn, branchId, { kind: "completed" });
  else openNode(turn, turn.newId(), branchId, node);
}

/** Opens a node on a branch, or opens it again under the pointer it has. */
export function openNode(turn: Turn, id: number, branchId: number, node: DefinitionNode): void {
  try {
    if (
      node.cancelWhen !== undefined &&
      evaluate(turn.draft, branchId, turn.now, "`cancelWhen`", node.cancelWhen.condition) === true
    ) {
      const kept = turn.branch(branchId)?.last !== undefined;
      turn.emit({ kind: "step-cancelled", pointer: id, step: node.id, ...(kept ? { branch: branchId } : {}) });
      return afterEnd(turn, branchId, node.id, { kind: "cancelled", proceed: node.cancelWhen.proceed });
    }
    handlerOf(node.kind).open(turn, id, branchId, node);
  } catch (thrown) {
    if (turn.pointer(id) === undefined)
      turn.emit({
        kind: "step-scheduled",
        pointer: id,
        branch: branchId,
        step: node.id,
        ...(node.kind === "step" ? {} : { node: node.kind }),
      });
    failNode(turn, id, { error: storeError(thrown), thrown });
  }
}

/** A branch has come to its end. */
function branchDone(turn: Turn, branchId: number, outcome: Outcome): void {
  const branch = turn.branch(branchId);
  const owner = branch === undefined ? undefined : turn.pointer(branch.owner);
  if (branch === undefined || owner === undefined) return;
  if (branch.slot === "compensation" && owner.scope?.walk?.current != null)
    return undoStepDone(turn, owner, branch, outcome);
  if (isHook(branch)) return hookDone(turn, owner, branch, outcome);
  const output = branch.last;
  const keep = owner.scope?.results != null && outcome.kind === "completed";
  turn.emit({
    kind: "branch-ended",
    pointer: owner.id,
    step: owner.step,
    branch: branchId,
    ...(keep && output !== undefined ? { output } : {}),
    ...(outcome.kind === "failed" ? { error: outcome.error } : {}),
    ...(branch.slot.startsWith("vertex:") ? { vertex: branch.slot.slice("vertex:".length) } : {}),
  });
  if (owner.ending !== null) return settleScope(turn, owner.id);
  const now = turn.pointer(owner.id);
  if (now === undefined) return;
  if (outcome.kind === "failed" && !handlerOf(now.kind).toleratesFailure(turn, now, branch)) {
    return endScope(turn, now.id, { kind: "failed", error: outcome.error, behavior: "fail" });
  }
  handlerOf(now.kind).branchDone(turn, now, branch, output);
}

/** A node has done what it is for: its output goes where it belongs, its hooks run, and the branch goes on. */
export function completeNode(turn: Turn, id: number, output: unknown, skipped?: { readonly actor?: string }): void {
  const pointer = turn.pointer(id);
  if (pointer === undefined) return;
  if (pointer.openBranches > 0)
    return endScope(turn, id, { kind: "completed", output, ...(skipped === undefined ? {} : { skipped }) });
  const node = turn.node(pointer);
  let plan: OutputPlan;
  try {
    plan = planOutput(turn, pointer, node, output);
  } catch (thrown) {
    return failNode(turn, id, {
      error: storeError(thrown),
      thrown,
      noRetry: true,
      ...(output === undefined ? {} : { output }),
    });
  }
  const { appends, ...applied } = plan;
  const omitOutput = output === undefined || appends === true;
  const undo = undoOf(turn, pointer, node, omitOutput ? { output } : {});
  finish(turn, pointer, node, { kind: "completed", output: undefined }, (rest) => ({
    kind: skipped === undefined ? "step-completed" : "step-skipped",
    pointer: id,
    step: node.id,
    ...(node.kind === "step" && skipped === undefined ? { attempt: pointer.attempt } : {}),
    ...(omitOutput ? {} : { output }),
    ...applied,
    ...(undo === undefined ? {} : { undo }),
    ...(skipped?.actor === undefined ? {} : { actor: skipped.actor }),
    ...rest,
  }));
}

/** A node has failed: it is tried again, or what its `onError` says happens. */
export function failNode(turn: Turn, id: number, failure: Failure): void {
  const pointer = turn.pointer(id);
  if (pointer === undefined) return;
  let error: StoredError = {
    ...failure.error,
    stepId: failure.error.stepId ?? pointer.step,
    attempt: failure.error.attempt ?? pointer.attempt,
  };
  if (pointer.openBranches > 0) return endScope(turn, id, { kind: "failed", error, behavior: "fail" });
  const node = turn.node(pointer);
  const stopping = turn.branch(pointer.branch)?.stopping === true;
  const forGood = pointer.scope?.failed === true || failure.forGood === true;
  if (!stopping && !forGood) {
    const after = afterFailure(turn, pointer, node, { ...failure, error });
    const { delay } = after;
    error = after.error;
    if (delay !== undefined) {
      leave(turn, pointer);
      turn.emit({
        kind: "step-retrying",
        pointer: id,
        step: node.id,
        attempt: pointer.attempt,
        error,
        dueAt: timeAfter(turn.now, delay),
        counted: true,
      });
      return;
    }
  }
  const onError = forGood ? "fail" : (node.onError ?? "fail");
  const behavior = typeof onError === "object" ? onError.then : onError;
  if (behavior === "suspend" && !stopping) {
    leave(turn, pointer);
    turn.emit({ kind: "step-held", pointer: id, step: node.id, attempt: pointer.attempt, error });
    // Where an undoing has failed for good it stands still already, and has to be retried.
    if (!isFinal(turn.draft))
      turn.emit({ kind: "workflow-suspended", reason: `step \`${node.id}\` failed: ${error.message}`, error });
    return;
  }
  const final = behavior === "suspend" ? "fail" : behavior;
  const isSaga = pointer.kind === "saga";
  const undo = final === "fail" && !isSaga ? undoOf(turn, pointer, node, { error }) : undefined;
  const ending: Ending = { kind: "failed", error, behavior: final };
  const compensates = hooksOf(node, ending)[0] === "compensation";
  const isWaitedFor = compensates || (final === "fail" && !isUndoing(turn.draft, pointer.branch));
  const late = failure.stillRuns === true && isWaitedFor;
  const ignoredSaga = isSaga && final !== "fail" && final !== "terminate" ? sagaOutput(turn, pointer, node, error) : {};
  finish(turn, pointer, node, ending, (rest) => ({
    kind: "step-failed",
    pointer: id,
    step: node.id,
    attempt: pointer.attempt,
    error,
    ...(failure.output === undefined ? {} : { output: failure.output }),
    ...ignoredSaga,
    ...(final === "ignore" ? failureOutput(turn, pointer, node, error) : {}),
    ...(undo === undefined ? {} : { undo }),
    ...(late ? { straggler: stragglingBody(turn, compensates ? id : sagaAround(turn.draft, id)) } : {}),
    ...rest,
  }));
}

/** What a failed step leaves where it is gone past. Of the stored error, so that a replay comes to the same. */
function failureOutput(turn: Turn, pointer: Pointer, node: DefinitionNode, error: StoredError): object {
  const { outputOfFailure } = node;
  if (outputOfFailure === undefined) return {};
  const output: OutputMap = (data, _output, at) => outputOfFailure(data, reviveError(error), at);
  try {
    const { patch, local } = planOutput(turn, pointer, { ...node, output }, undefined);
    return { ...(patch === undefined ? {} : { patch }), ...(local === undefined ? {} : { local }) };
  } catch {
    // The workflow was to go on whatever became of the step: also where its data has no room for what the step leaves.
    return {};
  }
}

/** `.as("trip")` of a saga that failed and is gone past gives `{ ok: false, error }`. */
function sagaOutput(turn: Turn, pointer: Pointer, node: DefinitionNode, error: StoredError): object {
  const output = copy({ ok: false, error: reviveError(error) });
  const { as, local } = planOutput(turn, pointer, node, output);
  return { output, ...(as === undefined ? {} : { as }), ...(local === undefined ? {} : { local }) };
}

/** Stops a live node: its body hears of it, and its branch ends there or (with `proceed`) goes on. */
export function cancelNode(turn: Turn, id: number, proceed: boolean): void {
  const pointer = turn.pointer(id);
  // What is ending already is let: hooks and undoing are not cut short.
  if (pointer === undefined || pointer.ending !== null) return;
  if (pointer.openBranches > 0) endScope(turn, id, { kind: "cancelled", proceed });
  else finishCancelled(turn, pointer, proceed);
}

function finishCancelled(turn: Turn, pointer: Pointer, proceed: boolean): void {
  const node = turn.node(pointer);
  const began = pointer.openedSeq < turn.seq || pointer.attempt > 1;
  // A saga that is to begin again has been undone, its own compensation included.
  const undone = pointer.kind === "saga" && (pointer.status === "sleeping" || pointer.status === "held");
  const undo = began && !undone ? undoOf(turn, pointer, node, { error: stoppedError }) : undefined;
  let straggler: NodeEnd["straggler"];
  if (began && pointer.kind === "step" && pointer.status === "ready")
    straggler = stragglingBody(turn, sagaAround(turn.draft, pointer.id));
  if (pointer.child !== null && pointer.status === "waiting") {
    const isThere = turn.stopChild({
      childId: pointer.child.id,
      compensate: turn.pointer(rootPointer)?.ending?.kind !== "terminated" || endingCompensates(turn),
      reason: "its parent stopped it",
    });
    if (began && isThere) straggler = { saga: sagaAround(turn.draft, pointer.id), until: null };
  }
  finish(turn, pointer, node, { kind: "cancelled", proceed }, (rest) => ({
    kind: "step-cancelled",
    pointer: pointer.id,
    step: node.id,
    ...(undo === undefined ? {} : { undo }),
    ...(straggler === undefined ? {} : { straggler }),
    ...rest,
  }));
}

/** A body that goes on though its attempt is over: undoing waits for it, but not for ever. */
function stragglingBody(turn: Turn, saga: number): NonNullable<NodeEnd["straggler"]> {
  return { saga, until: turn.now + bodyGraceMs };
}

function endingCompensates(turn: Turn): boolean {
  const ending = turn.pointer(rootPointer)?.ending;
  return ending?.kind === "terminated" && ending.compensate;
}

/** A pointer with open branches is to end: they are told to stop, and when all have, it ends as `ending` says. */
export function endScope(turn: Turn, id: number, ending: Ending): void {
  const pointer = turn.pointer(id);
  if (pointer === undefined || pointer.ending !== null) return;
  const live = turn.draft.branchesOf(id).map((branch) => branch.id);
  leave(turn, pointer);
  turn.emit({ kind: "scope-ending", pointer: id, step: pointer.step, ending, stop: live });
  for (const branch of live) stopBranch(turn, branch);
  settleScope(turn, id);
}

function stopBranch(turn: Turn, branchId: number): void {
  const branch = turn.branch(branchId);
  if (branch === undefined) return;
  if (branch.at === null) branchDone(turn, branchId, { kind: "cancelled" });
  else cancelNode(turn, branch.at, false);
}

/** Once the branches of an ending pointer have closed, it ends. */
function settleScope(turn: Turn, id: number): void {
  const pointer = turn.pointer(id);
  if (pointer?.ending == null || pointer.openBranches > 0 || pointer.status !== "open") return;
  if (id === rootPointer) return settleRoot(turn, pointer, pointer.ending);
  switch (pointer.ending.kind) {
    case "completed":
      return completeNode(turn, id, pointer.ending.output, pointer.ending.skipped);
    case "failed":
      if (pointer.kind === "saga") return settleSaga(turn, pointer, pointer.ending.error);
      return failNode(turn, id, { error: pointer.ending.error });
    case "cancelled":
    case "terminated":
      return finishCancelled(turn, pointer, pointer.ending.kind === "cancelled" && pointer.ending.proceed);
  }
}

/** Records the end of a node, runs its hooks, and goes on. */
function finish(
  turn: Turn,
  pointer: Pointer,
  node: DefinitionNode,
  ending: Ending,
  entry: (rest: { ending?: Ending }) => Entry,
): void {
  leave(turn, pointer);
  const [first] = hooksOf(node, ending);
  turn.emit(entry(first === undefined ? {} : { ending }));
  if (first === undefined) afterEnd(turn, pointer.branch, node.id, ending);
  else if (turn.draft.stragglers.get(pointer.id)?.saga !== pointer.id) startHook(turn, pointer.id, first, ending);
}

/** What a pointer was waiting for concerns it no longer. */
function leave(turn: Turn, pointer: Pointer): void {
  if (pointer.wait !== null) turn.unsubscribe(pointer.id);
}

function isHook(branch: Branch): boolean {
  return branch.slot === "onFailure" || branch.slot === "ensure" || branch.slot === "compensation";
}

/** Ends the hook that a branch stands in, which nothing from outside cuts short: the workflow has been ended from inside it. */
export function leaveHook(turn: Turn, branchId: number): void {
  let hook = turn.branch(branchId);
  while (hook !== undefined && !isHook(hook)) hook = turn.branch(turn.pointer(hook.owner)?.branch ?? -1);
  if (hook === undefined) return;
  if (hook.at === null) branchDone(turn, hook.id, { kind: "completed" });
  else cancelNode(turn, hook.at, false);
}

function hookDone(turn: Turn, owner: Pointer, branch: Branch, outcome: Outcome): void {
  const hook = branch.slot as "onFailure" | "ensure" | "compensation";
  turn.emit({
    kind: "hook-ended",
    pointer: owner.id,
    step: owner.step,
    hook,
    branch: branch.id,
    ...(outcome.kind === "failed" ? { error: outcome.error } : {}),
  });
  let ending = owner.ending;
  if (ending === null)
    throw new ExpressionError(`hook \`${hook}\` of step \`${owner.step}\` ended, but the step is not ending`);
  const node = turn.node(owner);
  const failedAlready = ending.kind === "failed" && (ending.behavior === "fail" || ending.behavior === "terminate");
  const endsHere = ending.kind === "cancelled" && !ending.proceed;
  const goesOn = !failedAlready && !endsHere && turn.branch(owner.branch)?.stopping !== true;
  if (outcome.kind === "failed" && (hook === "compensation" || (hook === "ensure" && goesOn))) {
    // A failed `ensure` or compensation makes a failure of what had gone well, or was to be gone past.
    ending = { kind: "failed", error: outcome.error, behavior: "fail" };
    if (hook === "compensation")
      turn.emit({ kind: "scope-ending", pointer: owner.id, step: owner.step, ending, stop: [] });
  }
  const hooks = hooksOf(node, hook === "compensation" ? (owner.ending ?? ending) : ending);
  const next = hook === "ensure" ? undefined : hooks[hooks.indexOf(hook) + 1];
  if (next !== undefined) return startHook(turn, owner.id, next, ending);
  turn.emit({
    kind: "step-ended",
    pointer: owner.id,
    step: owner.step,
    ending: ending.kind === "terminated" ? "cancelled" : ending.kind,
  });
  afterEnd(turn, owner.branch, owner.step, ending);
}

/** The node is gone; the branch goes on, ends, or fails. */
function afterEnd(turn: Turn, branchId: number, step: string, ending: Ending): void {
  const branch = turn.branch(branchId);
  if (branch === undefined) return;
  if (ending.kind === "failed" && ending.behavior === "terminate") {
    const reason = `step \`${step}\` failed: ${ending.error.message}`;
    const how = { compensate: false, reason, error: ending.error };
    // Without undoing: what is undone already, or ends already, ends where it stands.
    if (turn.pointer(rootPointer)?.ending != null || isUndoing(turn.draft, branchId))
      return finalize(turn, { kind: "terminated", ...how });
    terminateWorkflow(turn, how);
    leaveHook(turn, branchId);
    // In a scope that was ending already nothing has closed it.
    return branchDone(turn, branchId, { kind: "cancelled" });
  }
  if (branch.stopping) return branchDone(turn, branchId, { kind: "cancelled" });
  if (ending.kind === "failed" && ending.behavior === "fail")
    return branchDone(turn, branchId, { kind: "failed", error: ending.error });
  if (ending.kind === "cancelled" && !ending.proceed) return branchDone(turn, branchId, { kind: "completed" });
  turn.later(() => advance(turn, branchId, step));
}
