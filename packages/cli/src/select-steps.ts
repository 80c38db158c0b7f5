import type { WorkflowDefinition } from "@wfe/core";
import { type Block, type DefinitionNode, defineWorkflow, type NodePlace } from "@wfe/core/definition";
import { NotFoundError, UsageError } from "./exit-codes.ts";

/** Which steps of a workflow are run. */
export interface Selection {
  /** This one alone. */
  readonly only?: string | undefined;
  /** This one and those after it. */
  readonly from?: string | undefined;
}

/**
 * A definition of some steps of another one. What steps that are left out would have put into the data has to be given with the
 * input. Throws where there is no such step, or where it cannot be begun at it.
 */
export function selectSteps(definition: WorkflowDefinition, { only, from }: Selection): WorkflowDefinition {
  const step = only ?? from;
  if (step === undefined) return definition;
  const place = definition.index.places.get(step);
  if (place === undefined) {
    throw new NotFoundError(`workflow \`${definition.id}\` has no step \`${step}\`: see \`wfe graph\``);
  }
  const { id, version, description, dataSchema } = definition;
  return defineWorkflow({
    id,
    version,
    body: only === undefined ? bodyFrom(definition, place) : bodyOf(definition, place),
    ...(description === undefined ? {} : { description }),
    ...(dataSchema === undefined ? {} : { dataSchema }),
  });
}

/** A step with what its own keys have put around it, but for its `when`: whoever names it wants it to run. */
function bodyOf(definition: WorkflowDefinition, place: NodePlace): Block {
  const step = place.node.id;
  let outer = place;
  for (const around of ownersOf(definition, place)) {
    if (isOf(step, around.node.id)) outer = isWhen(step, around.node) ? outer : around;
    else if (around.node.kind === "for-each") {
      const loop = around.node.id.replace(/\/matrix(-\d+)?$/, "");
      throw new UsageError(`--step: \`${step}\` runs for each item of \`${loop}\`: name that one`);
    }
  }
  return { nodes: [outer.node] };
}

/** A step and those after it. What surrounds them (hooks of the whole workflow, the graph that `needs` makes) stays around them. */
function bodyFrom(definition: WorkflowDefinition, place: NodePlace): Block {
  const step = place.node.id;
  let inner = place;
  let nodes = place.block.nodes.slice(place.position);
  for (const around of ownersOf(definition, place)) {
    const narrowed = isOf(step, around.node.id) ? around.node : narrow(definition, around.node, inner, nodes);
    if (narrowed === undefined) {
      throw new UsageError(
        `--from: step \`${step}\` is inside \`${around.node.id}\`: name one that stands at the top of the workflow`,
      );
    }
    nodes = [narrowed, ...around.block.nodes.slice(around.position + 1)];
    inner = around;
  }
  return { nodes };
}

/** What a node stands in, the innermost first. */
function ownersOf(definition: WorkflowDefinition, { owner }: NodePlace): readonly NodePlace[] {
  const place = owner === null ? undefined : definition.index.places.get(owner);
  return place === undefined ? [] : [place, ...ownersOf(definition, place)];
}

/** Whether a node was made of a key of the step: `b/when`, `b/matrix`, `b/saga`. */
function isOf(step: string, id: string): boolean {
  return id.startsWith(`${step}/`);
}

function isWhen(step: string, { id }: DefinitionNode): boolean {
  return /^when(-\d+)?$/.test(id.slice(step.length + 1));
}

/** What the hooks of a whole workflow hang on: an `if` that is always true, around everything. */
function holdsHooks({ body }: WorkflowDefinition, { id, kind, ensure, onFailure }: DefinitionNode): boolean {
  const isAround = kind === "if" && body.nodes.length === 1 && body.nodes[0]?.id === id;
  return isAround && /^workflow(-\d+)?$/.test(id) && (ensure !== undefined || onFailure !== undefined);
}

/** A container that begins at one of the nodes in it; `nodes` is what stays of their block. Undefined where it cannot. */
function narrow(
  definition: WorkflowDefinition,
  node: DefinitionNode,
  { slot, node: begin }: NodePlace,
  nodes: readonly DefinitionNode[],
): DefinitionNode | undefined {
  if (node.kind === "saga") return slot === "body" ? { ...node, body: { nodes } } : undefined;
  if (node.kind === "if")
    return slot === "then" && holdsHooks(definition, node) ? { ...node, then: { nodes } } : undefined;
  if (node.kind !== "graph" || !slot.startsWith("vertex:")) return undefined;
  // Those that need it, directly or not; what else they need is taken as done.
  const kept = new Set([begin.id]);
  for (let grew = true; grew;) {
    grew = false;
    for (const vertex of node.vertices) {
      if (kept.has(vertex.node.id) || !vertex.needs.some((need) => kept.has(need))) continue;
      kept.add(vertex.node.id);
      grew = true;
    }
  }
  const vertices = node.vertices
    .filter((vertex) => kept.has(vertex.node.id))
    .map((vertex) => ({
      node: vertex.node.id === begin.id ? (nodes[0] ?? vertex.node) : vertex.node,
      needs: vertex.needs.filter((need) => kept.has(need)),
    }));
  return { ...node, vertices };
}
