import type { DefinitionNode } from "../definition/nodes.ts";
import { timeAfter } from "../duration.ts";
import type { Turn } from "./turn.ts";

/** When the time of a node is up that begins now, as entries hold it. */
export function deadline(turn: Turn, { timeoutMs }: DefinitionNode): { readonly deadlineAt?: number } {
  return timeoutMs === undefined ? {} : { deadlineAt: timeAfter(turn.now, timeoutMs) };
}
