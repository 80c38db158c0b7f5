import { applyPatch, handOut } from "../codec/index.ts";
import type { At, WorkflowInfo } from "../definition/step-context.ts";
import { ExpressionError } from "../errors.ts";
import { isThenable, leaveUnheard } from "../thenable.ts";
import type { Data, WorkflowState } from "./state.ts";

/** Where a branch stands among items and iterations. */
export interface ItemPlace {
  readonly item: unknown;
  readonly index: number | undefined;
  readonly items: readonly unknown[] | undefined;
}

/** The data as a branch sees it: the workflow's, with the layers of the for-each items around it. */
export function dataAt(state: WorkflowState, branchId: number): Data {
  const layers = localLayers(state, branchId);
  return layers.length === 0
    ? state.data
    : applyPatch(
        state.data,
        layers.flatMap((layer) => Object.entries(layer).map(([key, value]) => ({ key, value }))),
      );
}

/** The local layers around a branch, outermost first. */
function localLayers(state: WorkflowState, branchId: number): Data[] {
  const layers: Data[] = [];
  for (let branch = state.branches.get(branchId); branch !== undefined; branch = ownerBranch(state, branch.owner)) {
    if (branch.local !== null && Object.keys(branch.local).length > 0) layers.unshift(branch.local);
  }
  return layers;
}

/** The innermost item, and the index of the innermost item or iteration. */
export function placeAt(state: WorkflowState, branchId: number): ItemPlace {
  let index: number | undefined;
  for (let branch = state.branches.get(branchId); branch !== undefined; branch = ownerBranch(state, branch.owner)) {
    if (branch.undoing !== null && branch.undoing.index !== undefined) {
      return { item: branch.undoing.item, index: index ?? branch.undoing.index, items: undefined };
    }
    if (branch.index === null) continue;
    index ??= branch.index;
    const owner = state.pointers.get(branch.owner);
    if (owner?.kind === "for-each" && branch.slot === "body") {
      const items = owner.scope?.items ?? [];
      return { item: items[branch.index], index, items };
    }
  }
  return { item: undefined, index, items: undefined };
}

/** The branch that owns a local layer for what `.as` sets at this place; undefined: the workflow's data. */
export function localBranch(state: WorkflowState, branchId: number): number | undefined {
  for (let branch = state.branches.get(branchId); branch !== undefined; branch = ownerBranch(state, branch.owner)) {
    if (branch.local !== null) return branch.id;
  }
  return undefined;
}

export function infoOf(state: WorkflowState): WorkflowInfo {
  const { id, definitionId, version, namespace, tags } = state.identity;
  return { id, definitionId, version, namespace, tags };
}

export function atOf(state: WorkflowState, branchId: number, now: number): At {
  const place = placeAt(state, branchId);
  return {
    item: place.item,
    index: place.index as number,
    items: place.items ?? [],
    workflow: infoOf(state),
    now,
  };
}

/** Calls a definition's own function. A promise is an error: the function must be synchronous. `index`: where it is not the place's. */
export function evaluate<Result>(
  state: WorkflowState,
  branchId: number,
  now: number,
  what: string,
  value: Result | ((data: any, at: At) => Result),
  index?: number,
): Result {
  if (typeof value !== "function") return value;
  const at = atOf(state, branchId, now);
  const result = (value as (data: unknown, at: At) => Result)(
    handOut(dataAt(state, branchId)),
    index === undefined ? at : { ...at, index },
  );
  refusePromise(result, what);
  return result;
}

/** The promise itself may reject later, which would end the process: from here on nobody minds. */
export function refusePromise(result: unknown, what: string): void {
  if (!isThenable(result)) return;
  leaveUnheard(result);
  throw new ExpressionError(
    `${what} gave a promise: it is called while the engine decides and must be synchronous; move the work into a step`,
  );
}

function ownerBranch(state: WorkflowState, owner: number): ReturnType<WorkflowState["branches"]["get"]> {
  return state.branches.get(state.pointers.get(owner)?.branch ?? -1);
}
