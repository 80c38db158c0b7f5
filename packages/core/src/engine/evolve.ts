import { applyPatch, copy, type StoredPatch } from "../codec/index.ts";
import { CorruptedRecordError, WfeError } from "../errors.ts";
import { Draft, furthest, sagaAround } from "./draft.ts";
import type { Entry, NodeEnd, OpenBranch } from "./entries.ts";
import {
  emptyScope,
  resultChunk,
  rootBranch,
  rootLine,
  rootPointer,
  streamKey,
  type Pointer,
  type UndoRecord,
  type UndoRef,
  type UndoWalk,
  type WorkflowState,
} from "./state.ts";

/** Where an entry stands in the journal. */
export interface Address {
  readonly seq: number;
  readonly index: number;
}

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
      return entry.returned
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
      for (const straggler of draft.stragglers.values())
        if (straggler.saga === entry.pointer) draft.deleteStraggler(straggler.pointer);
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
      return draft.changePointer(entry.pointer, { ...idle, status: "waiting", child: { id: entry.childId } });
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

/** What a pointer loses when its body ends, pauses or is set up anew. */
const idle = { dueAt: null, wait: null, begun: false, crashed: false, ending: null } as const;

/** A pointer as it is opened. */
export function newPointer(id: number, branch: number, step: string, kind: Pointer["kind"], seq: number): Pointer {
  return {
    id,
    branch,
    step,
    kind,
    status: "ready",
    openedSeq: seq,
    attempt: 1,
    retries: 0,
    begun: false,
    crashed: false,
    dueAt: null,
    hasInput: false,
    input: undefined,
    persisted: undefined,
    event: null,
    wait: null,
    scope: null,
    child: null,
    ending: null,
    openBranches: 0,
  };
}

/** Opens a pointer on a branch; one that is there already (opened again after a retry) keeps its attempts. */
function open(
  draft: Draft,
  id: number,
  branch: number,
  step: string,
  kind: Pointer["kind"],
  address: Address,
  change: Partial<Pointer>,
): void {
  const before = draft.pointers.get(id);
  const pointer = Object.assign(newPointer(id, branch, step, kind, address.seq), change);
  if (before !== undefined)
    Object.assign(pointer, { attempt: before.attempt, retries: before.retries, openBranches: before.openBranches });
  draft.setPointer(pointer);
  draft.nextId = Math.max(draft.nextId, id + 1);
  // The outcome of the node before was asked for by now, or is not: what comes may give none.
  draft.changeBranch(branch, { at: id, last: undefined });
}

function openBranches(draft: Draft, owner: number, branches: readonly OpenBranch[]): void {
  if (branches.length === 0) return;
  const outer = draft.lines.get(draft.lineOf(owner));
  let { next, started } = draft.pointers.get(owner)?.scope ?? emptyScope;
  const vertices: string[] = [];
  for (const branch of branches) {
    if (branch.line !== undefined) draft.setLine({ id: branch.line, cursors: outer?.cursors ?? {} });
    draft.setBranch({
      id: branch.branch,
      owner,
      ownerStep: branch.ownerStep,
      slot: branch.slot,
      line: branch.line ?? outer?.id ?? rootLine,
      index: branch.index ?? null,
      local: branch.local ?? null,
      last: undefined,
      stopping: false,
      at: null,
      undoing: branch.undoing ?? null,
    });
    draft.nextId = Math.max(draft.nextId, branch.branch + 1, (branch.line ?? 0) + 1);
    if (branch.index !== undefined) next = Math.max(next, branch.index + 1);
    if (branch.slot.startsWith("vertex:")) vertices.push(branch.slot.slice("vertex:".length));
  }
  if (vertices.length > 0) started = [...started, ...vertices];
  const pointer = draft.pointers.get(owner);
  if (pointer !== undefined) {
    draft.setPointer({
      ...pointer,
      openBranches: pointer.openBranches + branches.length,
      ...(pointer.scope === null ? {} : { scope: { ...pointer.scope, next, started } }),
    });
  }
}

function endBranch(draft: Draft, entry: Extract<Entry, { kind: "branch-ended" }>): void {
  const index = draft.branches.get(entry.branch)?.index ?? 0;
  draft.removeBranch(entry.branch);
  const scope = draft.pointers.get(entry.pointer)?.scope;
  if (scope == null) return;
  draft.changeScope(entry.pointer, {
    ...(scope.results === null || entry.error !== undefined
      ? {}
      : { results: withResult(scope.results, index, entry.output) }),
    ...(entry.error === undefined || scope.error !== null ? {} : { error: entry.error }),
    ...(entry.vertex === undefined || entry.error !== undefined ? {} : { done: [...scope.done, entry.vertex] }),
  });
}

function withResult(
  results: readonly (readonly unknown[])[],
  index: number,
  output: unknown,
): readonly (readonly unknown[])[] {
  const chunk = Math.floor(index / resultChunk);
  const chunks = results.slice();
  while (chunks.length <= chunk) chunks.push([]);
  const changed = (chunks[chunk] ?? []).slice();
  const at = index % resultChunk;
  while (changed.length < at) changed.push(undefined);
  changed[at] = output;
  chunks[chunk] = changed;
  return chunks;
}

/** What was stopped in a saga that has ended without undoing is waited for by the saga around it. */
function handStragglersOn(draft: Draft, pointer: number): void {
  for (const straggler of draft.stragglers.values())
    if (straggler.saga === pointer) draft.setStraggler({ ...straggler, saga: sagaAround(draft, pointer) });
}

function endNode(draft: Draft, entry: NodeEnd, output: unknown, address: Address): void {
  const pointer = draft.pointers.get(entry.pointer);
  if (entry.straggler !== undefined)
    draft.setStraggler({ pointer: entry.pointer, ...entry.straggler, ended: false, output: undefined });
  if (entry.undo !== undefined)
    draft.changeScope(entry.undo.saga, { undo: { seq: address.seq, index: address.index } });
  if (entry.as !== undefined) patchData(draft, entry.local, [{ key: entry.as, value: output }]);
  if (entry.patch !== undefined) patchData(draft, entry.local, entry.patch);
  if (pointer === undefined) return;
  if (entry.keep === true) draft.changeBranch(pointer.branch, { last: output });
  if (entry.ending === undefined) draft.removePointer(entry.pointer);
  else {
    // Its hooks come after the join, so they read on from the furthest.
    draft.mergeCursors(draft.lineOf(entry.pointer), pointer.scope?.joined ?? {});
    draft.changePointer(entry.pointer, { ...idle, status: "hook", ending: entry.ending });
  }
}

function patchData(draft: Draft, local: number | undefined, patch: StoredPatch): void {
  if (local === undefined) {
    draft.data = applyPatch(draft.data, patch);
    return;
  }
  const branch = draft.branches.get(local);
  if (branch !== undefined) draft.setBranch({ ...branch, local: applyPatch(branch.local ?? {}, patch) });
}

/** Numbers of events and of calls are those of another store, and so are children. */
function importInto(draft: Draft, { identity, importedAt }: Extract<Entry, { kind: "workflow-imported" }>): void {
  draft.identity = identity;
  // Its inbox here is empty, and begins to count anew.
  draft.inboxRead = 0;
  // Its row here is as old as the import: it cannot have ended before, and retention counts from now.
  if (draft.completedAt !== null) draft.completedAt = importedAt;
  for (const { id } of draft.lines.values()) draft.setLine({ id, cursors: {} });
  for (const { id, wait, child, status, scope } of draft.pointers.values()) {
    if (scope !== null) draft.changeScope(id, { joined: {} });
    if (wait !== null) {
      const streams = wait.streams.map((stream) => ({ ...stream, since: importedAt }));
      draft.changePointer(id, { wait: { ...wait, streams } });
    }
    if (child !== null && status === "waiting") draft.changePointer(id, { status: "held" });
  }
  if (draft.phase === "active")
    Object.assign(draft, { phase: "suspended", reason: "imported: resume it when the original is gone", error: null });
}

/** What is held waits for a correction: when it goes on, its input is made of the data as it is then. */
function forgetInputs(draft: Draft): void {
  for (const { id, status, hasInput } of draft.pointers.values())
    if (status === "held" && hasInput) draft.changePointer(id, { hasInput: false, input: undefined });
}

function setItem(draft: Draft, { step, scope: meant, index, item }: Extract<Entry, { kind: "item-set" }>): void {
  for (const { id, kind, scope, step: own } of draft.pointers.values()) {
    if (kind !== "for-each" || own !== step || scope === null || index >= scope.items.length) continue;
    if (meant !== undefined && meant !== id) continue;
    const items = copy(scope.items.with(index, item), { maxBytes: Number.MAX_SAFE_INTEGER, maxDepth: 500 });
    draft.changeScope(id, { items: items as readonly unknown[] });
  }
}

/** What stands at a step stands at it under its new id. */
function renameSteps(draft: Draft, steps: Readonly<Record<string, string>>): void {
  const renamed = (step: string): string => (Object.hasOwn(steps, step) ? (steps[step] ?? step) : step);
  const before = Object.entries(draft.identity.renamed ?? {}).map(([old, now]) => [old, renamed(now)] as const);
  draft.identity = { ...draft.identity, renamed: { ...Object.fromEntries(before), ...steps } };
  for (const { id, step, scope } of draft.pointers.values()) {
    if (renamed(step) !== step) draft.changePointer(id, { step: renamed(step) });
    if (scope !== null && scope.started.length > 0)
      draft.changeScope(id, { started: scope.started.map(renamed), done: scope.done.map(renamed) });
    if (scope?.walk != null) draft.changeScope(id, { walk: renamedWalk(scope.walk, renamed) });
  }
  for (const { id, ownerStep, slot, undoing } of draft.branches.values()) {
    draft.changeBranch(id, {
      ownerStep: ownerStep === null ? null : renamed(ownerStep),
      slot: slot.startsWith("vertex:") ? `vertex:${renamed(slot.slice("vertex:".length))}` : slot,
      undoing: undoing === null ? null : { ...undoing, step: renamed(undoing.step) },
    });
  }
}

/** What is being undone is known by its new id too: it may fail and be repeated. */
function renamedWalk({ next, stack, current }: UndoWalk, renamed: (step: string) => string): UndoWalk {
  const record = (one: UndoRecord | null): UndoRecord | null =>
    one === null ? null : { ...one, step: renamed(one.step) };
  return { next, stack: stack.map(({ resume, own }) => ({ resume, own: record(own) })), current: record(current) };
}

/** A wait or timer: the loops around it are not running away. */
function resetStreaks(draft: Draft, branchId: number | undefined): void {
  for (let branch = draft.branches.get(branchId ?? -1); branch !== undefined;) {
    const owner = draft.pointers.get(branch.owner);
    if (owner === undefined) return;
    if ((owner.kind === "while" || owner.kind === "do-while") && (owner.scope?.streak ?? 0) > 0)
      draft.changeScope(owner.id, { streak: 0 });
    branch = draft.branches.get(owner.branch);
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

/** The host died. A take-over counts only where nothing was committed since the one before. */
function takeOver(draft: Draft, seq: number): void {
  const before = draft.takeover;
  draft.takeover =
    before.seq === seq - 1
      ? {
          seq,
          count: before.count + (before.alone || before.count < 2 ? 1 : 0),
          alone: false,
          loneDeaths: before.loneDeaths + (before.alone ? 1 : 0),
        }
      : { seq, count: 1, alone: false, loneDeaths: 0 };
  if (draft.phase !== "active" && draft.phase !== "suspended") return;
  // Where it is suspended, only what had begun before may have been running.
  const possibly = [...draft.pointers.values()].filter(({ begun }) => begun || draft.phase === "active");
  possiblyAttempted(
    draft,
    possibly.map(({ id }) => id),
  );
}

/** Bodies of these pointers may have run: the next attempt has a higher number. Where `onCrash` has a say, it judges this one. */
function possiblyAttempted(draft: Draft, pointers: readonly number[]): void {
  for (const id of pointers) {
    const pointer = draft.pointers.get(id);
    if (pointer?.status !== "ready" || pointer.kind !== "step") continue;
    const { attempt, begun } = pointer;
    draft.setPointer({ ...pointer, attempt: begun ? attempt : attempt + 1, crashed: begun, begun: false });
  }
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
