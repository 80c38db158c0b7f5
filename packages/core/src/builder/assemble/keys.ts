import type { Block, DefinitionNode } from "../../definition/nodes.ts";
import { blocksOf } from "../../definition/blocks.ts";

/** The keys that more than one of these blocks sets by `.as`; they may run at the same time. */
export function sharedKeys(blocks: readonly Block[]): readonly string[] {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const block of blocks) {
    const own = keysOf(block);
    for (const key of own) (seen.has(key) ? shared : seen).add(key);
  }
  return [...shared];
}

/** What a block sets. Inside a for-each keys are the item's own; a compensation runs when the branches are gone. */
function keysOf(block: Block): ReadonlySet<string> {
  const keys = new Set<string>();
  const pending: DefinitionNode[] = [...block.nodes];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node.as !== undefined) keys.add(node.as);
    for (const [slot, nested] of blocksOf(node)) {
      if (slot === "compensation" || (node.kind === "for-each" && slot === "body")) continue;
      pending.push(...nested.nodes);
    }
  }
  return keys;
}
