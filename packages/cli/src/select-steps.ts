import type { WorkflowDefinition } from "@wfe/core";
import { type Block, type DefinitionNode, defineWorkflow } from "@wfe/core/definition";
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
    body: only === undefined ? bodyFrom(definition, step) : { nodes: [place.node] },
    ...(description === undefined ? {} : { description }),
    ...(dataSchema === undefined ? {} : { dataSchema }),
  });
}

function bodyFrom(definition: WorkflowDefinition, step: string): Block {
  const place = definition.index.places.get(step);
  if (place === undefined) throw new TypeError(`no step ${step}`);
  const { owner, block, position } = place;
  if (owner === null) return { nodes: block.nodes.slice(position) };
  // What surrounds all steps (hooks of the whole workflow, the graph that `needs` makes) stays around those that are left.
  const container = definition.index.places.get(owner);
  const isOuter = container?.owner === null || (container !== undefined && isWrapper(definition, container.owner));
  const narrowed = container === undefined || !isOuter ? undefined : narrow(container.node, step, position);
  if (container === undefined || narrowed === undefined) {
    throw new UsageError(
      `--from: step \`${step}\` is inside \`${owner}\`: name one that stands at the top of the workflow`,
    );
  }
  const nodes = container.block.nodes.with(container.position, narrowed).slice(container.position);
  const outer = container.owner === null ? undefined : definition.index.places.get(container.owner)?.node;
  return outer?.kind === "saga" ? { nodes: [{ ...outer, body: { nodes } }] } : { nodes };
}

function isWrapper({ body }: WorkflowDefinition, owner: string | null): boolean {
  return body.nodes.length === 1 && body.nodes[0]?.id === owner && body.nodes[0].kind === "saga";
}

function narrow(node: DefinitionNode, step: string, position: number): DefinitionNode | undefined {
  if (node.kind === "saga") return { ...node, body: { nodes: node.body.nodes.slice(position) } };
  if (node.kind !== "graph") return undefined;
  // Those that need it, directly or not; what else they need is taken as done.
  const kept = new Set([step]);
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
    .map((vertex) => ({ ...vertex, needs: vertex.needs.filter((need) => kept.has(need)) }));
  return { ...node, vertices };
}
