import { applyPatch, type StoredPatch } from "../../codec/index.ts";
import { sagaAround, type Draft } from "../draft.ts";
import type { NodeEnd } from "../entries.ts";
import type { Address } from "./address.ts";
import { idle } from "./opening.ts";

/** What is still at it when its saga has ended is waited for by the saga around that. */
export function handStragglersOn(draft: Draft, pointer: number, how: { readonly undone?: true } = {}): void {
  for (const straggler of draft.stragglers.values()) {
    if (straggler.saga !== pointer) continue;
    if (how.undone === true && straggler.ended) draft.deleteStraggler(straggler.pointer);
    else draft.setStraggler({ ...straggler, ...how, saga: sagaAround(draft, pointer) });
  }
}

export function endNode(draft: Draft, entry: NodeEnd, output: unknown, address: Address): void {
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

export function patchData(draft: Draft, local: number | undefined, patch: StoredPatch): void {
  if (local === undefined) {
    draft.data = applyPatch(draft.data, patch);
    return;
  }
  const branch = draft.branches.get(local);
  if (branch !== undefined) draft.setBranch({ ...branch, local: applyPatch(branch.local ?? {}, patch) });
}
