import type { Slot } from "./definition.ts";
import type { Block, DefinitionNode } from "./nodes.ts";

/** Every block that hangs on a node, with the slot that names it. The one place that knows which kind has which. */
export function blocksOf(node: DefinitionNode): (readonly [Slot, Block])[] {
  const blocks: (readonly [Slot, Block])[] = [];
  const add = (slot: Slot, block: Block | undefined): void => {
    if (block !== undefined) blocks.push([slot, block]);
  };
  switch (node.kind) {
    case "if":
      add("then", node.then);
      add("otherwise", node.otherwise);
      break;
    case "decide":
      for (const [value, block] of node.cases) add(`case:${value}`, block);
      add("otherwise", node.otherwise);
      break;
    case "while":
    case "do-while":
    case "for-each":
    case "saga":
      add("body", node.body);
      break;
    case "parallel":
      for (const [index, block] of node.branches.entries()) add(`branch:${index}`, block);
      break;
    case "graph":
      for (const vertex of node.vertices) add(`vertex:${vertex.node.id}`, { nodes: [vertex.node] });
      break;
    case "wait":
      add("onTimeout", node.onTimeout);
      add("remind", node.remind?.do);
      break;
    case "step":
    case "delay":
    case "sleep-until":
    case "run-workflow":
    case "end":
    case "fail":
      break;
    default:
      return unreachable(node);
  }
  add("compensation", node.compensation);
  add("onFailure", node.onFailure);
  add("ensure", node.ensure);
  return blocks;
}

function unreachable(node: never): never {
  throw new TypeError(`unknown node kind ${JSON.stringify(node)}`);
}
