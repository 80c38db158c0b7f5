import { applyPatch } from "../codec/index.ts";
import type { DefinitionNode } from "../definition/nodes.ts";
import { CompensationFailedError } from "../errors.ts";
import { resumeHeld } from "./control.ts";
import { sagaAround } from "./draft.ts";
import type { Entry, NodeEnd } from "./entries.ts";
import { placeAt } from "./expressions.ts";
import { advance, failNode, type Outcome } from "./flow.ts";
import { failWorkflow, finalize } from "./root.ts";
import {
  currentStep,
  rootPointer,
  type Branch,
  type Data,
  type Pointer,
  type UndoRecord,
  type WorkflowState,
} from "./state.ts";
import { storeError, type StoredError } from "./stored-error.ts";
import type { Turn } from "./turn.ts";

/** How long undoing waits for bodies that were stopped, or whose time was up. */
export const bodyGraceMs = 30_000;

/** The error of an execution that was stopped before it ended. */
export const stoppedError: StoredError = {
  name: "StepAbortedError",
  code: "STEP_ABORTED",
  message: "the step was stopped before it ended; it may have half happened",
};

/**
 * What is undone, newest first, is a chain through the journal: each undoable end of a node names the one before it in its
 * saga, and the state keeps the newest. This gives the link for a node that ends; undefined: there is nothing to undo.
 */
export function undoOf(
  turn: Turn,
  pointer: Pointer,
  node: DefinitionNode,
  how: { readonly output?: unknown; readonly error?: StoredError },
): NodeEnd["undo"] {
  const inner = pointer.kind === "saga" ? (pointer.scope?.undo ?? null) : null;
  if ((node.compensation === undefined && inner === null) || isUndoing(turn.draft, pointer.branch)) return undefined;
  const saga = sagaAround(turn.draft, pointer.id);
  return { saga, record: recordOf(turn, pointer, node, how), previous: turn.pointer(saga)?.scope?.undo ?? null };
}

/** What a compensation will need to know: also item, index and local data of now. */
export function recordOf(
  turn: Turn,
  pointer: Pointer,
  node: DefinitionNode,
  how: { readonly output?: unknown; readonly error?: StoredError },
): UndoRecord {
  const place = placeAt(turn.draft, pointer.branch);
  const local = localAround(turn.draft, pointer.branch);
  const inner = pointer.kind === "saga" ? (pointer.scope?.undo ?? null) : null;
  return {
    pointer: pointer.id,
    step: node.id,
    own: node.compensation !== undefined,
    ...(how.output === undefined ? {} : { output: how.output }),
    ...(how.error === undefined ? {} : { error: how.error }),
    ...(place.index === undefined ? {} : { index: place.index }),
    ...(place.item === undefined ? {} : { item: place.item }),
    ...(local === undefined ? {} : { local }),
    ...(inner === null ? {} : { inner, ...(pointer.scope?.void === undefined ? {} : { void: pointer.scope.void }) }),
  };
}

/** What undoes is not undone itself. */
export function isUndoing(state: WorkflowState, branchId: number): boolean {
  for (let branch = state.branches.get(branchId); branch !== undefined;) {
    if (branch.undoing !== null) return true;
    branch = state.branches.get(state.pointers.get(branch.owner)?.branch ?? -1);
  }
  return false;
}

/** What the items around a branch have set, the innermost last; undefined where there is no item around it. */
function localAround(state: WorkflowState, branchId: number): UndoRecord["local"] {
  let local: UndoRecord["local"];
  for (let branch = state.branches.get(branchId); branch !== undefined;) {
    if (branch.local !== null) local = local === undefined ? branch.local : { ...branch.local, ...local };
    branch = state.branches.get(state.pointers.get(branch.owner)?.branch ?? -1);
  }
  return local;
}

/** A saga's (or the workflow's) branches have closed after a failure: its undoing begins. */
export function settleSaga(turn: Turn, saga: Pointer, error: StoredError | undefined): void {
  const node = saga.id === rootPointer ? undefined : turn.node(saga);
  const own =
    node?.compensation === undefined ? undefined : recordOf(turn, saga, node, { error: error ?? stoppedError });
  turn.emit({
    kind: "undo-started",
    pointer: saga.id,
    step: saga.step,
    ...(own === undefined ? {} : { own: { ...own, inner: null } }),
  });
  stepUndo(turn, saga.id);
}

/** Whether stragglers of a saga are still at it. With nothing to undo, only children are waited for. */
export function waitsForStragglers(state: WorkflowState, saga: Pointer): boolean {
  const walk = saga.scope?.walk;
  const undoes = walk?.next != null || (walk?.stack ?? []).some(({ own, resume }) => own !== null || resume !== null);
  for (const straggler of state.stragglers.values()) {
    if (straggler.saga === saga.id && !straggler.ended && (straggler.until === null || undoes)) return true;
  }
  return false;
}

/** Whether an undoing can go on without the journal. While the workflow is suspended, it stands still. */
export function canStepUndo(state: WorkflowState, saga: Pointer): boolean {
  const walk = saga.scope?.walk;
  if (saga.status !== "undoing" || walk == null || walk.current !== null || walk.next !== null) return false;
  return state.phase === "active" && !waitsForStragglers(state, saga);
}

/** Goes on with an undoing as far as is possible without the journal. */
export function stepUndo(turn: Turn, id: number): void {
  const saga = turn.pointer(id);
  const walk = saga?.scope?.walk;
  if (saga === undefined || walk == null || !canStepUndo(turn.draft, saga)) return;
  const top = walk.stack.at(-1);
  if (top?.own != null) return undoRecord(turn, saga, top.own, top.resume, true);
  if (top !== undefined) {
    turn.emit({ kind: "undo-left", pointer: id, step: saga.step });
    return stepUndo(turn, id);
  }
  turn.emit({ kind: "undo-ended", pointer: id, step: saga.step });
  const ended = turn.pointer(id);
  if (ended?.ending == null) return;
  if (id === rootPointer) return finalize(turn, ended.ending);
  if (ended.ending.kind === "failed") failNode(turn, id, { error: ended.ending.error });
}

/** The turn that the walk asked for has been read: the record in it comes next. */
export function undoFromJournal(turn: Turn, id: number, seq: number, entries: readonly Entry[]): void {
  const saga = turn.pointer(id);
  const next = saga?.scope?.walk?.next;
  if (
    saga === undefined ||
    saga.status !== "undoing" ||
    next == null ||
    next.seq !== seq ||
    waitsForStragglers(turn.draft, saga)
  )
    return;
  const entry = entries[next.index];
  if (entry === undefined || !("undo" in entry) || entry.undo === undefined) {
    return undoFailed(
      turn,
      saga,
      { pointer: -1, step: saga.step, own: false },
      -1,
      storeError(
        new CompensationFailedError(
          `the journal has no undo record at seq ${seq}, index ${next.index}: the journal is damaged`,
        ),
      ),
    );
  }
  const { record: recorded, previous } = entry.undo;
  if (saga.scope?.void?.some((ref) => ref.seq === next.seq && ref.index === next.index) === true) {
    turn.emit({ kind: "undo-passed", pointer: id, step: saga.step, resume: previous });
    return stepUndo(turn, id);
  }
  const record = { ...recorded, step: currentStep(turn.draft, recorded.step) };
  const late = turn.draft.stragglers.get(record.pointer);
  const output = record.output ?? ("output" in entry ? entry.output : undefined);
  // A body that was stopped and returned all the same did happen: its undoing sees what it gave.
  const { error: _, ...withoutError } = record;
  const known: UndoRecord =
    late?.ended === true
      ? { ...withoutError, ...(late.output === undefined ? {} : { output: late.output }) }
      : { ...record, ...(output === undefined || record.error !== undefined ? {} : { output }), ...ownLocal(entry) };
  if (known.inner != null) {
    turn.emit({ kind: "undo-entered", pointer: id, step: saga.step, record: known, resume: previous });
    return stepUndo(turn, id);
  }
  undoRecord(turn, saga, known, previous, false);
}

/** In an item, `.as` is the item's own: a compensation sees there what its step has set. */
function ownLocal(entry: NodeEnd & { readonly output?: unknown }): { readonly local?: Data } {
  if (entry.local === undefined) return {};
  const set = entry.as === undefined ? [] : [{ key: entry.as, value: entry.output }];
  return { local: applyPatch(entry.undo?.record.local ?? {}, entry.patch ?? set) };
}

function undoRecord(turn: Turn, saga: Pointer, record: UndoRecord, resume: UndoRecord["inner"], leave: boolean): void {
  if (turn.definition.index.block(record.step, "compensation") === undefined)
    return undoFailed(turn, saga, record, -1, storeError(missingCompensation(turn, record)));
  const open = compensationBranch(turn, record);
  turn.emit({
    kind: "undo-step-started",
    pointer: saga.id,
    step: saga.step,
    record,
    resume: resume ?? null,
    ...(leave ? { leave } : {}),
    open,
  });
  turn.later(() => advance(turn, open.branch, null));
}

/** A migration has taken it away. To go past it in silence would leave done what was promised to be undone. */
function missingCompensation({ definition }: Turn, { step }: UndoRecord): CompensationFailedError {
  return new CompensationFailedError(
    `step \`${step}\` is to be undone, and version ${definition.version} of \`${definition.id}\` has no compensation for it: migrate to a version that has, or terminate the workflow`,
  );
}

function compensationBranch(turn: Turn, record: UndoRecord): ReturnType<Turn["openBranch"]> {
  return turn.openBranch(record.step, "compensation", {
    undoing: record,
    ...(record.local === undefined ? {} : { local: record.local }),
  });
}

export function undoStepDone(turn: Turn, saga: Pointer, branch: Branch, outcome: Outcome): void {
  const record = branch.undoing;
  if (record === null) return;
  if (outcome.kind === "failed") return undoFailed(turn, saga, record, branch.id, outcome.error);
  turn.emit({
    kind: "undo-completed",
    pointer: saga.id,
    step: saga.step,
    undone: record.pointer,
    undoneStep: record.step,
    branch: branch.id,
  });
  stepUndo(turn, saga.id);
}

/** The workflow is `failed`, all of it stands still where it is, and `retryWorkflow` repeats this undoing. */
function undoFailed(turn: Turn, saga: Pointer, record: UndoRecord, branch: number, cause: StoredError): void {
  turn.emit({
    kind: "undo-failed",
    pointer: saga.id,
    step: saga.step,
    undone: record.pointer,
    undoneStep: record.step,
    branch,
    error: cause,
  });
  const error: StoredError = {
    ...storeError(
      new CompensationFailedError(
        `undoing step \`${record.step}\` failed: ${cause.message}. Mend what made it fail, then retry the workflow: that repeats it and undoes the rest`,
      ),
    ),
    stepId: record.step,
    cause,
  };
  turn.emit({ kind: "workflow-failed", error, completedAt: turn.now, stuckUndo: saga.id });
  const { identity } = turn.draft;
  if (identity.parent !== null)
    turn.tellParent({
      kind: "child-ended",
      pointer: identity.parent.pointer,
      childId: identity.id,
      status: "failed",
      error,
    });
}

/** Repeats the undoing that failed. The workflow had failed with it: what else there is ends too, and is undone. */
export function retryUndo(turn: Turn): void {
  const saga = turn.draft.stuckUndo === null ? undefined : turn.pointer(turn.draft.stuckUndo);
  if (saga === undefined || !repeatUndo(turn, saga)) return;
  const root = turn.pointer(rootPointer);
  if (saga.ending?.kind === "failed" && saga.id !== rootPointer) {
    const { error } = saga.ending;
    // What had been ended well, while this was undone, has not.
    if (root?.ending?.kind === "completed") turn.emit(rootEnding(root, error));
    else failWorkflow(turn, error);
  }
  resumeHeld(turn);
}

function rootEnding({ id, step }: Pointer, error: StoredError): Entry {
  const ending = { kind: "failed", error, behavior: "fail" } as const;
  return { kind: "scope-ending", pointer: id, step, ending, stop: [] };
}

/** Undoes once more what an undoing has failed at; false: it has not. */
export function repeatUndo(turn: Turn, saga: Pointer): boolean {
  const record = saga.scope?.walk?.current;
  if (record == null || turn.draft.branchesOf(saga.id).some(({ undoing }) => undoing !== null)) return false;
  const open = compensationBranch(turn, record);
  turn.emit({ kind: "undo-retried", pointer: saga.id, step: saga.step, open });
  turn.later(() => advance(turn, open.branch, null));
  return true;
}
