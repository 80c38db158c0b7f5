import { blocksOf } from "./blocks.ts";
import type { DefinitionIndex, NodePlace } from "./definition.ts";
import type { Block } from "./nodes.ts";

/** Looks every node and block up by its place. Built once per definition; costs one walk. */
export function indexDefinition(body: Block): DefinitionIndex {
  const places = new Map<string, NodePlace>();
  const blocks = new Map<string, Block>();
  const pending: { owner: string | null; slot: string; block: Block }[] = [{ owner: null, slot: "body", block: body }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { owner, slot, block } = next;
    blocks.set(blockKey(owner, slot), block);
    for (const [position, node] of block.nodes.entries()) {
      places.set(node.id, { node, owner, slot, position, block });
      for (const [nested, nestedBlock] of blocksOf(node))
        pending.push({ owner: node.id, slot: nested, block: nestedBlock });
    }
  }
  return { places, block: (owner, slot) => blocks.get(blockKey(owner, slot)) };
}

/** Ids hold no NUL (checked at build), so the two parts cannot run together. */
function blockKey(owner: string | null, slot: string): string {
  return owner === null ? slot : `${owner}\0${slot}`;
}
