import type { Draft } from "../draft.ts";
import type { Entry, OpenBranch } from "../entries.ts";
import { emptyScope, resultChunk, rootLine, type Pointer } from "../state.ts";
import type { Address } from "./address.ts";

/** Pointers and branches come and go. */

/** What a pointer loses when its body ends, pauses or is set up anew. */
export const idle = { dueAt: null, wait: null, begun: false, crashed: false, ending: null } as const;

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
export function open(
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

export function openBranches(draft: Draft, owner: number, branches: readonly OpenBranch[]): void {
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

export function endBranch(draft: Draft, entry: Extract<Entry, { kind: "branch-ended" }>): void {
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

/** A wait or timer: the loops around it are not running away. */
export function resetStreaks(draft: Draft, branchId: number | undefined): void {
  for (let branch = draft.branches.get(branchId ?? -1); branch !== undefined;) {
    const owner = draft.pointers.get(branch.owner);
    if (owner === undefined) return;
    if ((owner.kind === "while" || owner.kind === "do-while") && (owner.scope?.streak ?? 0) > 0)
      draft.changeScope(owner.id, { streak: 0 });
    branch = draft.branches.get(owner.branch);
  }
}
