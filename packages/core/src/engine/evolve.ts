import { CorruptedRecordError, WfeError } from "../errors.ts";
import { Draft, furthest } from "./draft.ts";
import type { Entry } from "./entries.ts";
import type { Address } from "./evolve/address.ts";
import { forgetInputs, importInto, renameSteps, setItem } from "./evolve/by-hand.ts";
import { endNode, handStragglersOn, patchData } from "./evolve/node-end.ts";
import { endBranch, idle, newPointer, open, openBranches, resetStreaks } from "./evolve/opening.ts";
import { possiblyAttempted, takeOver } from "./evolve/takeover.ts";
import {
  emptyScope,
  rootBranch,
  rootLine,
  rootPointer,
  streamKey,
  type Pointer,
  type UndoRef,
  type WorkflowState,
} from "./state.ts";

/** The state before the first turn. */
export function initialState(): WorkflowState {
  return {
    identity: {
      id: "",
      namespace: "",
      uid: "",
      definitionId: "",
      version: 0,
      definitionHash: "",
      createdAt: 0,
      tags: [],
      priority: 0,
      depth: 0,
      parent: null,
    },
    seq: -1,
    phase: "active",
    error: null,
    reason: null,
    data: Object.freeze({}),
    pointers: new Map(),
    branches: new Map(),
    lines: new Map(),
    nextId: rootLine + 1,
    inboxRead: 0,
    stragglers: new Map(),
    takeover: { seq: -1, count: 0, alone: false, loneDeaths: 0 },
    stuckUndo: null,
    completedAt: null,
  };
}

/** Folds one entry into the state. Needs no definition and no user code, so any past state can be rebuilt. */
export function evolve(state: WorkflowState, entry: Entry, address: Address): WorkflowState {
  const draft = new Draft(state);
  applyEntry(draft, entry, address);
  return draft.done();
}

/** Folds a whole turn. Throws `CorruptedRecordError` where it does not fit the state: what is stored was damaged. */
export function evolveTurn(
  state: WorkflowState,
  turn: { readonly seq: number; readonly entries: readonly Entry[] },
): WorkflowState {
  const draft = new Draft(state);
  turn.entries.forEach((entry, index) => {
    try {
      applyEntry(draft, entry, { seq: turn.seq, index });
    } catch (error) {
      throw misfit(turn.seq, entry, error);
    }
  });
  draft.seq = turn.seq;
  return draft.done();
}

/** The same on a draft, in place. */
export function applyEntry(draft: Draft, entry: Entry, address: Address): void {
  draft.seq = address.seq;
  switch (entry.kind) {
    case "workflow-started":
      draft.identity = entry.identity;
      draft.data = entry.data ?? Object.freeze({});
      draft.setPointer({
        ...newPointer(rootPointer, -1, "", "workflow", address.seq),
        status: "open",
        scope: emptyScope,
        openBranches: 1,
        dueAt: entry.startAt ?? null,
      });
      draft.setLine({ id: rootLine, cursors: entry.cursors ?? {} });
      draft.setBranch({
        id: rootBranch,
        owner: rootPointer,
        ownerStep: null,
        slot: "body",
        line: rootLine,
        index: null,
        local: null,
        last: undefined,
        stopping: false,
        at: null,
        undoing: null,
      });
      return;
    case "start-time-came":
      return draft.changePointer(rootPointer, { dueAt: null });
    case "workflow-forked":
    case "workflow-retried":
      if (entry.kind === "workflow-forked") draft.identity = entry.identity;
      draft.adopt(entry.state);
      Object.assign(draft, { phase: "active", error: null, reason: null, completedAt: null, stuckUndo: null });
      return;
    case "workflow-imported":
      return importInto(draft, entry);
    case "step-scheduled":
      return open(draft, entry.pointer, entry.branch, entry.step, entry.node ?? "step", address, {
        status: "ready",
        hasInput: entry.mapped === true,
        input: entry.input,
      });
    case "step-begun":
      return draft.changePointer(entry.pointer, { begun: true });
    case "step-completed":
    case "step-skipped":
      handStragglersOn(draft, entry.pointer);
      return endNode(draft, entry, entry.output, address);
    case "step-failed":
      return endNode(draft, entry, entry.output, address);
    case "step-cancelled":
      handStragglersOn(draft, entry.pointer);
      if (entry.branch !== undefined) draft.changeBranch(entry.branch, { last: undefined });
      return endNode(draft, entry, undefined, address);
    case "step-retrying":
      return draft.changePointer(entry.pointer, {
        ...idle,
        status: "sleeping",
        dueAt: entry.dueAt,
        attempt: entry.attempt + 1,
        retries: (draft.pointers.get(entry.pointer)?.retries ?? 0) + (entry.counted ? 1 : 0),
      });
    case "step-held":
      return draft.changePointer(entry.pointer, { ...idle, status: "held" });
    case "step-paused":
      if (entry.dueAt !== undefined || entry.wait !== undefined)
        resetStreaks(draft, draft.pointers.get(entry.pointer)?.branch);
      return draft.changePointer(entry.pointer, {
        status: entry.wait !== undefined ? "waiting" : entry.dueAt !== undefined ? "sleeping" : "ready",
        dueAt: entry.dueAt ?? null,
        wait: entry.wait ?? null,
        event: null,
        begun: false,
        ...(entry.keep === true ? {} : { persisted: entry.persisted }),
      });
    case "step-ready": {
      const pointer = draft.pointers.get(entry.pointer);
      if (pointer === undefined) return;
      return draft.setPointer({
        ...pointer,
        ...idle,
        status: "ready",
        attempt: pointer.attempt + (entry.raise === true ? 1 : 0),
        retries: entry.fresh === true ? 0 : pointer.retries,
        ...(entry.mapped === true ? { hasInput: true, input: entry.input } : {}),
        ...(entry.event === undefined ? {} : { event: entry.event }),
      });
    }
    case "timer-set":
      resetStreaks(draft, entry.branch);
      return open(draft, entry.pointer, entry.branch, entry.step, entry.node, address, {
        status: "sleeping",
        dueAt: entry.dueAt,
      });
    case "event-awaited":
      resetStreaks(draft, entry.branch);
      return open(draft, entry.pointer, entry.branch, entry.step, "wait", address, {
        status: "waiting",
        wait: entry.wait,
        dueAt: entry.wait.until,
      });
    case "event-consumed": {
      draft.mergeCursors(draft.lineOf(entry.pointer), { [streamKey(entry.name, entry.key)]: entry.number });
      const pointer = draft.pointers.get(entry.pointer);
      if (pointer?.wait?.mode !== "all") return;
      return draft.setPointer({
        ...pointer,
        wait: { ...pointer.wait, got: { ...pointer.wait.got, [entry.label]: entry.payload } },
      });
    }
    case "wait-timed-out":
      return draft.changePointer(entry.pointer, { wait: null, dueAt: null });
    case "reminder-due": {
      const pointer = draft.pointers.get(entry.pointer);
      if (pointer?.wait == null) return;
      draft.setPointer({ ...pointer, wait: { ...pointer.wait, remindAt: entry.nextAt } });
      return openBranches(draft, entry.pointer, entry.open === undefined ? [] : [entry.open]);
    }
    case "child-started":
      resetStreaks(draft, entry.branch);
      return open(draft, entry.pointer, entry.branch, entry.step, "run-workflow", address, {
        status: "waiting",
        child: { id: entry.childId },
        dueAt: entry.deadlineAt ?? null,
      });
    case "child-timed-out":
      return draft.changePointer(entry.pointer, { dueAt: null, child: { id: entry.childId, timedOut: true } });
    case "child-ended":
      return draft.mergeCursors(draft.lineOf(entry.pointer), entry.cursors ?? {});
    case "scope-opened":
      open(draft, entry.pointer, entry.branch, entry.step, entry.node, address, {
        status: "open",
        dueAt: entry.deadlineAt ?? null,
        scope: {
          ...emptyScope,
          items: entry.items ?? [],
          results: entry.collect === true ? [] : null,
          streak: entry.open.length > 0 ? 1 : 0,
        },
      });
      return openBranches(draft, entry.pointer, entry.open);
    case "branches-opened":
      return openBranches(draft, entry.pointer, entry.open);
    case "branch-ended":
      return endBranch(draft, entry);
    case "iteration-started":
      draft.changeScope(entry.pointer, { streak: (draft.pointers.get(entry.pointer)?.scope?.streak ?? 0) + 1 });
      return openBranches(draft, entry.pointer, [entry.open]);
    case "loop-yielded":
      return draft.changePointer(entry.pointer, { status: "ready" });
    case "loop-continued":
      return draft.changePointer(entry.pointer, { status: "open" });
    case "scope-ending":
      draft.changePointer(entry.pointer, { status: "open", ending: entry.ending, dueAt: null, wait: null });
      for (const branch of entry.stop) draft.changeBranch(branch, { stopping: true });
      // To terminate is also to resume; what else ends a suspended workflow is undone once it is resumed.
      if (entry.pointer === rootPointer && entry.ending.kind === "terminated" && draft.phase === "suspended")
        Object.assign(draft, { phase: "active", reason: null, error: null });
      return;
    case "hook-started":
      draft.changePointer(entry.pointer, { status: "hook", dueAt: null, wait: null });
      return openBranches(draft, entry.pointer, [entry.open]);
    case "hook-ended":
      return draft.removeBranch(entry.branch);
    case "step-ended":
      return draft.removePointer(entry.pointer);
    case "straggler-ended": {
      const straggler = draft.stragglers.get(entry.pointer);
      if (straggler === undefined) return;
      return entry.returned && straggler.undone !== true
        ? draft.setStraggler({ ...straggler, ended: true, output: entry.output })
        : draft.deleteStraggler(entry.pointer);
    }
    case "undo-started":
      draft.changePointer(entry.pointer, { status: "undoing", dueAt: null });
      return draft.changeScope(entry.pointer, {
        walk: {
          next: draft.pointers.get(entry.pointer)?.scope?.undo ?? null,
          stack: entry.own === undefined ? [] : [{ resume: null, own: entry.own }],
          current: null,
        },
      });
    case "undo-entered": {
      const walk = walkOf(draft, entry.pointer);
      return draft.changeScope(entry.pointer, {
        walk: {
          next: entry.record.inner ?? null,
          current: null,
          stack: [...walk.stack, { resume: entry.resume, own: entry.record.own ? entry.record : null }],
        },
        ...voided(draft, entry.pointer, entry.record.void),
      });
    }
    case "undo-passed":
      return draft.changeScope(entry.pointer, { walk: { ...walkOf(draft, entry.pointer), next: entry.resume } });
    case "undo-left": {
      const walk = walkOf(draft, entry.pointer);
      return draft.changeScope(entry.pointer, {
        walk: { next: walk.stack.at(-1)?.resume ?? null, current: null, stack: walk.stack.slice(0, -1) },
      });
    }
    case "undo-step-started": {
      const walk = walkOf(draft, entry.pointer);
      draft.changePointer(entry.pointer, { status: "hook" });
      draft.changeScope(entry.pointer, {
        walk: {
          next: entry.resume,
          stack: entry.leave === true ? walk.stack.slice(0, -1) : walk.stack,
          current: entry.record,
        },
      });
      return openBranches(draft, entry.pointer, [entry.open]);
    }
    case "undo-completed":
      draft.removeBranch(entry.branch);
      draft.changePointer(entry.pointer, { status: "undoing" });
      draft.deleteStraggler(entry.undone);
      return draft.changeScope(entry.pointer, { walk: { ...walkOf(draft, entry.pointer), current: null } });
    case "undo-failed":
      return draft.removeBranch(entry.branch);
    case "undo-retried":
      Object.assign(draft, { phase: "active", error: null, reason: null, completedAt: null, stuckUndo: null });
      draft.changeScope(entry.pointer, { failed: true });
      return openBranches(draft, entry.pointer, [entry.open]);
    case "undo-ended":
      handStragglersOn(draft, entry.pointer, { undone: true });
      draft.changePointer(entry.pointer, { status: "hook" });
      return draft.changeScope(entry.pointer, { walk: null, undo: null });
    case "saga-restarted":
      draft.changePointer(entry.pointer, {
        ...idle,
        status: "open",
        attempt: entry.attempt,
        dueAt: entry.deadlineAt ?? null,
        scope: emptyScope,
      });
      return openBranches(draft, entry.pointer, [entry.open]);
    case "workflow-completed":
      return end(draft, { phase: "completed", error: null, reason: null, completedAt: entry.completedAt });
    case "workflow-failed":
      if (entry.stuckUndo === undefined)
        return end(draft, { phase: "failed", error: entry.error, reason: null, completedAt: entry.completedAt });
      Object.assign(draft, {
        phase: "failed",
        error: entry.error,
        reason: null,
        completedAt: entry.completedAt,
        stuckUndo: entry.stuckUndo,
      });
      return;
    case "workflow-terminated":
      return end(draft, {
        phase: "terminated",
        error: entry.error ?? null,
        reason: entry.reason,
        completedAt: entry.completedAt,
      });
    case "workflow-suspended":
      Object.assign(draft, { phase: "suspended", reason: entry.reason, error: entry.error ?? null });
      return;
    case "workflow-resumed":
      Object.assign(draft, { phase: "active", reason: null, error: null });
      return;
    case "delivery-applied":
    case "delivery-refused":
      draft.inboxRead = entry.number;
      return;
    case "data-set":
      forgetInputs(draft);
      return patchData(draft, undefined, entry.patch);
    case "item-set":
      forgetInputs(draft);
      return setItem(draft, entry);
    case "child-awaited":
      return draft.changePointer(entry.pointer, {
        ...idle,
        status: "waiting",
        child: { id: entry.childId },
        dueAt: entry.deadlineAt ?? null,
      });
    case "workflow-migrated":
      draft.identity = { ...draft.identity, version: entry.version, definitionHash: entry.definitionHash };
      if (entry.steps !== undefined) renameSteps(draft, entry.steps);
      return;
    case "taken-over":
      return takeOver(draft, address.seq);
    case "attempts-abandoned":
      return possiblyAttempted(draft, entry.pointers);
    case "attempt-lost":
      return possiblyAttempted(draft, [entry.pointer]);
    case "run-alone":
      draft.takeover = { ...draft.takeover, seq: address.seq, alone: true };
      return;
    default:
      return unreachable(entry);
  }
}

function end(draft: Draft, change: Pick<WorkflowState, "phase" | "error" | "reason" | "completedAt">): void {
  const rootCursors = furthest(draft.lines.get(rootLine)?.cursors ?? {}, {});
  Object.assign(draft, change, {
    pointers: new Map(),
    branches: new Map(),
    lines: new Map([[rootLine, { id: rootLine, cursors: rootCursors }]]),
    stragglers: new Map(),
    stuckUndo: null,
  });
}

/** What is to be passed over in a saga that is entered too. */
function voided(draft: Draft, pointer: number, more: readonly UndoRef[] | undefined): { void?: readonly UndoRef[] } {
  return more === undefined ? {} : { void: [...(draft.pointers.get(pointer)?.scope?.void ?? []), ...more] };
}

function walkOf(draft: Draft, pointer: number): NonNullable<NonNullable<Pointer["scope"]>["walk"]> {
  return draft.pointers.get(pointer)?.scope?.walk ?? { next: null, stack: [], current: null };
}

function misfit(seq: number, entry: Entry, cause: unknown): Error {
  if (cause instanceof WfeError) return cause;
  return new CorruptedRecordError(
    `entry \`${entry.kind}\` of turn ${seq} does not fit what came before it: the store was damaged, or changed past WFE; restore a backup, or fork the workflow from a turn before it`,
    { cause },
  );
}

function unreachable(entry: never): never {
  throw new TypeError(`unknown entry ${JSON.stringify(entry)}`);
}
