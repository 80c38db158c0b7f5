import { blocksOf } from "../definition/blocks.ts";
import type { Slot, WorkflowDefinition } from "../definition/definition.ts";
import { rootPointer, type WorkflowState } from "./state.ts";
import type { Turn } from "./turn.ts";

/** Moves the workflow to another version of its definition. Gives the reason why not; undefined: it can, or it did. */
export function migrate(
  turn: Turn,
  { version, steps = {} }: { readonly version: number; readonly steps?: Readonly<Record<string, string>> },
  mode: "check" | "apply",
  actor: { readonly actor?: string } = {},
): string | undefined {
  const { identity } = turn.draft;
  const target = turn.context.definitionOf(identity.definitionId, version);
  if (target === undefined)
    return `version ${version} of definition \`${identity.definitionId}\` is not registered with the host that read this: register it there`;
  if (version === identity.version) return `the workflow is at version ${version} already`;
  const problem = problemOf(turn.definition, target, turn.draft, steps);
  if (problem !== undefined) return problem;
  if (mode === "apply") {
    const mapping = Object.keys(steps).length === 0 ? {} : { steps };
    turn.emit({ kind: "workflow-migrated", version, definitionHash: target.hash, ...mapping, ...actor });
    turn.definition = target;
  }
  return undefined;
}

/**
 * Why a workflow cannot go on with another definition from where it stands; undefined: it can. `steps`: the new ids of steps that
 * are called otherwise there.
 */
export function problemOf(
  from: WorkflowDefinition | undefined,
  target: WorkflowDefinition,
  { pointers, branches }: Pick<WorkflowState, "pointers" | "branches">,
  steps: Readonly<Record<string, string>> = {},
): string | undefined {
  const { version } = target;
  const named = (step: string): string => (Object.hasOwn(steps, step) ? (steps[step] ?? step) : step);
  for (const [before, after] of Object.entries(steps)) {
    if (from !== undefined && !from.index.places.has(before))
      return `the mapping names step \`${before}\`, which version ${from.version} does not have`;
    if (!target.index.places.has(after))
      return `the mapping leads to step \`${after}\`, which version ${version} does not have`;
  }
  for (const pointer of pointers.values()) {
    if (pointer.id === rootPointer) continue;
    const node = target.index.places.get(named(pointer.step))?.node;
    if (node === undefined)
      return `the workflow stands at step \`${pointer.step}\`, which version ${version} does not have${hint(steps, pointer.step)}`;
    if (node.kind !== pointer.kind)
      return `step \`${node.id}\` is of kind ${pointer.kind} now and of kind ${node.kind} in version ${version}`;
    const branch = branches.get(pointer.branch);
    const place = target.index.places.get(node.id);
    const owner = branch?.ownerStep === undefined || branch.ownerStep === null ? null : named(branch.ownerStep);
    if (
      place !== undefined &&
      branch !== undefined &&
      (place.owner !== owner || place.slot !== slotOf(branch.slot, named))
    )
      return `step \`${node.id}\` stands in ${within(owner, branch.slot)} now and in ${within(place.owner, place.slot)} in version ${version}`;
  }
  for (const branch of branches.values()) {
    const owner = branch.ownerStep === null ? null : named(branch.ownerStep);
    if (owner !== null && target.index.block(owner, slotOf(branch.slot, named)) === undefined) {
      const node = target.index.places.get(owner)?.node;
      const slots = node === undefined ? [] : blocksOf(node).map(([slot]) => slot);
      return `a branch runs in \`${branch.slot}\` of step \`${owner}\`, which version ${version} does not have (it has ${slots.join(", ") || "none"})`;
    }
  }
  return undefined;
}

function slotOf(slot: Slot, named: (step: string) => string): Slot {
  return slot.startsWith("vertex:") ? `vertex:${named(slot.slice("vertex:".length))}` : slot;
}

function within(owner: string | null, slot: Slot): string {
  return owner === null ? "the workflow itself" : `\`${slot}\` of step \`${owner}\``;
}

function hint(steps: Readonly<Record<string, string>>, step: string): string {
  return Object.hasOwn(steps, step) ? "" : `: if it is called otherwise there, say so with \`steps\``;
}
