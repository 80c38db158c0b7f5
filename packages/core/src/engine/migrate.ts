import { blocksOf } from "../definition/blocks.ts";
import { rootPointer } from "./state.ts";
import type { Turn } from "./turn.ts";

/** Moves the workflow to another version of its definition. Gives the reason why not; undefined: it can, or it did. */
export function migrate(
  turn: Turn,
  version: number,
  mode: "check" | "apply",
  actor: { readonly actor?: string } = {},
): string | undefined {
  const { identity, pointers, branches } = turn.draft;
  const target = turn.context.definitionOf(identity.definitionId, version);
  if (target === undefined)
    return `version ${version} of definition \`${identity.definitionId}\` is not registered with the host that read this: register it there`;
  if (version === identity.version) return `the workflow is at version ${version} already`;
  for (const pointer of pointers.values()) {
    if (pointer.id === rootPointer) continue;
    const node = target.index.places.get(pointer.step)?.node;
    if (node === undefined)
      return `the workflow stands at step \`${pointer.step}\`, which version ${version} does not have`;
    if (node.kind !== pointer.kind)
      return `step \`${pointer.step}\` is of kind ${pointer.kind} now and of kind ${node.kind} in version ${version}`;
  }
  for (const branch of branches.values()) {
    if (branch.ownerStep !== null && target.index.block(branch.ownerStep, branch.slot) === undefined) {
      const node = target.index.places.get(branch.ownerStep)?.node;
      const slots = node === undefined ? [] : blocksOf(node).map(([slot]) => slot);
      return `a branch runs in \`${branch.slot}\` of step \`${branch.ownerStep}\`, which version ${version} does not have (it has ${slots.join(", ") || "none"})`;
    }
  }
  if (mode === "apply") {
    turn.emit({ kind: "workflow-migrated", version, definitionHash: target.hash, ...actor });
    turn.definition = target;
  }
  return undefined;
}
