import type { WorkflowDefinition } from "../definition/definition.ts";
import type { GraphNode } from "../definition/nodes.ts";
import type { JournalFacts, Opened } from "./failures.ts";

/** By graph, the vertices that come of others: a retry takes them back with what they need. */
export type Withheld = ReadonlyMap<number, ReadonlySet<string>>;

/** What of the graphs around an execution needs it, be it by way of others. */
export function dependentsOf(
  definition: WorkflowDefinition,
  { opened, state }: JournalFacts,
  { pointer, around }: Opened,
): Withheld {
  const withheld = new Map<number, ReadonlySet<string>>();
  let inner = pointer;
  for (const container of around) {
    const graph = definition.index.places.get(opened.get(container)?.step ?? "")?.node;
    const vertex = opened.get(inner)?.step;
    if (graph?.kind === "graph" && vertex !== undefined)
      withheld.set(container, withFormerIds(needing(graph, vertex), state.identity.renamed ?? {}));
    inner = container;
  }
  return withheld;
}

function needing({ vertices }: GraphNode, vertex: string): ReadonlySet<string> {
  const dependents = new Set<string>();
  const pending = [vertex];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const { node, needs } of vertices) {
      if (dependents.has(node.id) || !needs.includes(next)) continue;
      dependents.add(node.id);
      pending.push(node.id);
    }
  }
  return dependents;
}

/** Before a migration the journal knows them by what they were called then. */
function withFormerIds(steps: ReadonlySet<string>, renamed: Readonly<Record<string, string>>): ReadonlySet<string> {
  const former = Object.entries(renamed).flatMap(([old, now]) => (steps.has(now) ? [old] : []));
  return new Set([...steps, ...former]);
}
