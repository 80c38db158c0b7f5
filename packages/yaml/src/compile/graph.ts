import type { DefinitionNode } from "@wfe/core/definition";
import { childOf, type Located } from "../source/located.ts";
import { suggestion } from "../source/nearest.ts";
import { short } from "../source/read.ts";
import type { WorkflowContext } from "./context.ts";
import { grouped, node } from "./nodes.ts";

interface Compiled {
  readonly located: Located;
  readonly nodes: readonly DefinitionNode[];
}
interface Vertex {
  readonly name: string;
  readonly needs: readonly Need[];
  readonly node: DefinitionNode;
}
interface Need {
  readonly name: string;
  readonly place: Located;
}

/**
 * Steps of which one has `needs`: a graph, whatever their order in the file. A need that was skipped has ended, one that failed
 * has not; a failed step cancels those that run.
 */
export function graphOf(
  context: WorkflowContext,
  listed: readonly Located[],
  compiled: readonly Compiled[],
  owner: string,
): readonly DefinitionNode[] {
  // A step that has problems of its own is not compiled, and known all the same.
  const names = new Set(listed.map(nameOf));
  const vertices = compiled.map(({ located, nodes }): Vertex => {
    const name = nameOf(located);
    const [only] = nodes;
    const single = only !== undefined && nodes.length === 1 ? only : grouped(context.id(`${name}/steps`), nodes);
    return { name, needs: needsOf(located), node: single };
  });
  const byName = new Map(vertices.map((vertex) => [vertex.name, vertex]));
  for (const { name, needs } of vertices) {
    for (const [index, need] of needs.entries()) {
      if (need.name === name) context.problems.add("cycle", need.place, `\`${short(name)}\` needs itself`);
      else if (!names.has(need.name)) {
        const hint = suggestion(need.name, names);
        context.problems.add(
          "unknown-name",
          need.place,
          `there is no step \`${short(need.name)}\` beside this one`,
          hint,
        );
      } else if (needs.findIndex((other) => other.name === need.name) !== index) {
        context.problems.add("conflict", need.place, `\`${short(need.name)}\` is needed twice`);
      }
    }
  }
  const ordered = inOrder(context, vertices, byName);
  if (ordered.length === 0) return [];
  const ids = new Map(vertices.map((vertex) => [vertex.name, vertex.node.id]));
  return [
    node({
      kind: "graph",
      id: context.id(owner === "" ? "graph" : `${owner}/graph`),
      vertices: Object.freeze(
        ordered.map((vertex) =>
          Object.freeze({
            node: vertex.node,
            needs: Object.freeze(vertex.needs.map((need) => ids.get(need.name) ?? need.name)),
          }),
        ),
      ),
      concurrency: Infinity,
      onBranchFailure: "cancel",
    }),
  ];
}

/** Each step after what it needs, else as in the file. A cycle is told with its path. */
function inOrder(
  context: WorkflowContext,
  vertices: readonly Vertex[],
  byName: ReadonlyMap<string, Vertex>,
): readonly Vertex[] {
  const ordered: Vertex[] = [];
  const state = new Map<string, "open" | "done">();
  const path: string[] = [];
  const visit = (vertex: Vertex): void => {
    state.set(vertex.name, "open");
    path.push(vertex.name);
    for (const { name, place } of vertex.needs) {
      const need = byName.get(name);
      if (need === undefined || name === vertex.name) continue;
      if (state.get(name) === "open") {
        const cycle = [...path.slice(path.indexOf(name)), name];
        context.problems.add(
          "cycle",
          place,
          `steps that need one another: ${cycle.map((each) => `\`${short(each)}\``).join(" -> ")}`,
        );
      } else if (!state.has(name)) visit(need);
    }
    path.pop();
    state.set(vertex.name, "done");
    ordered.push(vertex);
  };
  for (const vertex of vertices) if (!state.has(vertex.name)) visit(vertex);
  return ordered;
}

function nameOf(located: Located): string {
  const name = childOf(located, "name");
  return name?.kind === "scalar" ? String(name.value) : "";
}

function needsOf(located: Located): readonly Need[] {
  const needs = childOf(located, "needs");
  const items = needs?.kind === "list" ? needs.items : needs === undefined ? [] : [needs];
  return items.flatMap((place) => (place.kind === "scalar" ? [{ name: String(place.value), place }] : []));
}
