import type { WorkflowDefinition } from "../definition/definition.ts";
import { indexesAround, isInItem, readFacts, type JournalFacts, type ReadTurn } from "./failures.ts";
import type { Delivery } from "./inputs.ts";
import { itemsTaken } from "./items-taken.ts";
import { liveAfterRetry } from "./retry-base.ts";
import type { WorkflowState } from "./state.ts";
import { stepNamed } from "./step-named.ts";

type SetItem = Extract<Delivery, { kind: "set-item" }>;
type Live = Pick<WorkflowState, "pointers" | "branches">;

/** The execution of a `forEach` whose item is replaced, or why it cannot be. */
export type ItemScope = { readonly scope: number } | { readonly refused: string };

/** In what is live: the one there is, or the one whose item of that number waits to be mended. */
export function openItemScope(definition: WorkflowDefinition, live: Live, call: SetItem): ItemScope {
  const step = forEachOf(definition, call);
  if (typeof step !== "string") return step;
  const held = [...live.pointers.values()].flatMap(({ id, status }) => (status === "held" ? [id] : []));
  return (
    amongLive(live, step, call, held) ?? {
      refused: `\`${call.stepId}\` is not open${whereOf(call)}: its items are taken when it is reached`,
    }
  );
}

/** The same for a workflow that has ended, as its journal tells: what a retry would go on in, else what ran last. */
export function endedItemScope(definition: WorkflowDefinition, turns: readonly ReadTurn[], call: SetItem): ItemScope {
  const step = forEachOf(definition, call);
  if (typeof step !== "string") return step;
  const facts = readFacts(turns);
  const unwound = liveAfterRetry(turns, facts);
  const failed = [...(unwound?.cut.keys() ?? []), ...facts.causes.map(({ pointer }) => pointer)];
  const found = unwound === undefined ? undefined : amongLive(unwound.state, step, call, failed);
  return found ?? amongEnded(facts, turns, step, call);
}

function forEachOf(definition: WorkflowDefinition, { stepId }: SetItem): string | { readonly refused: string } {
  const step = stepNamed(definition, stepId);
  if (step !== undefined && definition.index.places.get(step)?.node.kind === "for-each") return step;
  return { refused: `\`${stepId}\` is no \`forEach\` of the definition` };
}

function amongLive(live: Live, step: string, call: SetItem, toMend: readonly number[]): ItemScope | undefined {
  const open = [...live.pointers.values()].filter(
    (pointer) =>
      pointer.step === step &&
      pointer.kind === "for-each" &&
      pointer.scope !== null &&
      pointer.ending === null &&
      isInItem(indexesAround(live, pointer.branch), call.around ?? []),
  );
  if (open.length === 0) return undefined;
  const meant = open.filter(({ id }) => toMend.some((pointer) => isInItemOf(live, pointer, id, call.index)));
  const [one, ...others] = meant.length === 1 ? meant : open;
  if (one === undefined || others.length > 0)
    return ambiguous(
      call,
      open.map(({ branch }) => indexesAround(live, branch)),
    );
  return hasItem(call, one.id, one.scope?.items.length ?? 0);
}

/** Whether a pointer stands in that item of that `forEach`. */
function isInItemOf({ pointers, branches }: Live, pointer: number, forEach: number, index: number): boolean {
  for (let branch = branches.get(pointers.get(pointer)?.branch ?? -1); branch !== undefined;) {
    if (branch.owner === forEach) return branch.index === index;
    branch = branches.get(pointers.get(branch.owner)?.branch ?? -1);
  }
  return false;
}

function amongEnded(
  { opened, causes }: JournalFacts,
  turns: readonly ReadTurn[],
  step: string,
  call: SetItem,
): ItemScope {
  const taken = itemsTaken(turns);
  const ran = [...opened.values()].filter(
    (one) => one.step === step && taken.has(one.pointer) && isInItem(one.indexes, call.around ?? []),
  );
  if (ran.length === 0)
    return { refused: `\`${call.stepId}\` was never reached${whereOf(call)}: its items are taken when it is` };
  const failed = ran.filter((one) =>
    causes.some(
      ({ pointer, around }) =>
        around.includes(one.pointer) && opened.get(pointer)?.indexes[one.indexes.length] === call.index,
    ),
  );
  const meant = failed.length > 0 ? failed : ran;
  const places = new Map(meant.map((one) => [one.indexes.join(), one]));
  // Of one that ran again, in a retry, the last counts.
  const [one, ...others] = places.values();
  if (one === undefined || others.length > 0)
    return ambiguous(
      call,
      [...places.values()].map(({ indexes }) => indexes),
    );
  return hasItem(call, one.pointer, taken.get(one.pointer) ?? 0);
}

function hasItem({ stepId, index }: SetItem, scope: number, count: number): ItemScope {
  if (index < count) return { scope };
  return { refused: `\`${stepId}\` has ${count} items, numbered from 0: there is no item ${index}` };
}

function ambiguous(call: SetItem, places: readonly (readonly number[])[]): { readonly refused: string } {
  const { stepId, index } = call;
  const lists = places.slice(0, 5).map((indexes) => `[${[...indexes, index].join(", ")}]`);
  const more = places.length > lists.length ? ", ..." : "";
  return {
    refused: `\`${stepId}\` has an item ${index} in each of ${places.length} items around it: give all numbers, the innermost last, as one of ${lists.join(", ")}${more}`,
  };
}

function whereOf({ around = [] }: SetItem): string {
  return around.length === 0 ? "" : ` in item ${around.join(", ")}`;
}
