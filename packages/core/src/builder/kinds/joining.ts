import { sharedKeys } from "../assemble/keys.ts";
import { sketch, type BodySketch, type Sketch } from "../sketch.ts";

/** `branches` undefined: the function gave back something else. */
export function parallelSketch(branches: readonly BodySketch[] | undefined, options: unknown): Sketch {
  const bodies = (branches ?? []).map((body, index) => [`branch:${index}`, body] as const);
  return sketch("parallel", undefined, bodies, (check) => {
    const { onFailure = "cancel" } = check.options(options, ["onFailure"], "`parallel`");
    const blocks = bodies.map(([slot], index) => check.filledBlock(slot, `branch ${index + 1} of \`parallel\``));
    if (branches === undefined)
      check.problem("the function of `parallel` must give back the builder that it was given, with branches added");
    else if (blocks.length === 0) check.problem("`parallel` has no branches: add some with `.branch(...)`");
    for (const key of sharedKeys(blocks)) check.problem(`two branches set \`data.${key}\`: give each a key of its own`);
    return {
      branches: Object.freeze(blocks),
      onBranchFailure: check.oneOf(onFailure, ["cancel", "wait"], "`onFailure`"),
    };
  });
}

/** One node of a graph, as it was given. */
export interface VertexSketch {
  readonly node: Sketch;
  readonly id: unknown;
  readonly options: unknown;
}

export function graphSketch(vertices: readonly VertexSketch[] | undefined, options: unknown): Sketch {
  const bodies = (vertices ?? []).map(
    ({ node }, index) => [`vertex:${index}`, { sketches: [node], problems: [] }] as const,
  );
  return sketch("graph", undefined, bodies, (check) => {
    const { concurrency, onFailure = "cancel" } = check.options(options, ["concurrency", "onFailure"], "`graph`");
    if (vertices === undefined)
      check.problem("the function of `graph` must give back the builder that it was given, with nodes added");
    else if (vertices.length === 0) check.problem("`graph` has no nodes: add some with `.node(...)`");
    const ids = (vertices ?? []).map(({ id }) => id);
    const earlier = new Set<unknown>();
    const made = (vertices ?? []).flatMap(({ id, options: ofNode }, index) => {
      const [node] = check.block(`vertex:${index}`).nodes;
      const needs = checkNeeds(check, id, ofNode, earlier, ids);
      earlier.add(id);
      return node === undefined ? [] : [Object.freeze({ node, needs: Object.freeze(needs) })];
    });
    for (const key of sharedKeys(made.map(({ node }) => ({ nodes: [node] })))) {
      check.problem(`two nodes set \`data.${key}\`: give each a key of its own`);
    }
    return {
      vertices: Object.freeze(made),
      concurrency: concurrency === undefined ? Infinity : check.count(concurrency, "`concurrency`"),
      onBranchFailure: check.oneOf(onFailure, ["cancel", "wait"], "`onFailure`"),
    };
  });
}

/** A node needs earlier ones only, which leaves no cycle. */
function checkNeeds(
  check: Parameters<Sketch["finish"]>[0],
  id: unknown,
  options: unknown,
  earlier: ReadonlySet<unknown>,
  all: readonly unknown[],
): string[] {
  const { needs = [] } = check.options(options, ["needs", "input"], `node \`${String(id)}\``);
  if (!Array.isArray(needs)) {
    check.problem(`the \`needs\` of node \`${String(id)}\` must be an array of ids`);
    return [];
  }
  for (const [index, need] of needs.entries()) {
    if (need === id) check.problem(`node \`${String(id)}\` needs itself`);
    else if (needs.indexOf(need) !== index) check.problem(`node \`${String(id)}\` needs \`${String(need)}\` twice`);
    else if (!earlier.has(need)) {
      const late = all.includes(need);
      check.problem(
        `node \`${String(id)}\` needs \`${String(need)}\`, ${late ? "which comes later: put it before this one, so that there is no cycle" : "but there is no such node"}`,
      );
    }
  }
  return needs as string[];
}

export function sagaSketch(body: BodySketch): Sketch {
  return sketch("saga", undefined, [["body", body]], (check) => ({
    body: check.filledBlock("body", "the body of `saga`"),
  }));
}
