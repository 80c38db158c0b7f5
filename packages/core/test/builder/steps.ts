import { workflow } from "../../src/builder/workflow.ts";
import type { WorkflowDefinition } from "../../src/definition/definition.ts";
import type { DefinitionNode } from "../../src/definition/nodes.ts";
import { type DefinitionProblem, InvalidDefinitionError } from "../../src/errors.ts";

/** The steps of the tests: what they do is of no concern, what they are called is. */
export async function pack(): Promise<number> {
  return 1;
}
export async function ship(): Promise<string> {
  return "";
}
export async function bill(): Promise<string> {
  return "";
}

/** A chain without types, as a JavaScript caller has it. */
export function untyped(): any {
  return workflow<any>();
}

export interface Data {
  n: number;
  items: string[];
}
export const begin = workflow<Data>();

/** The ids of a definition, in the order of their nesting. */
export function idsOf(definition: WorkflowDefinition): string[] {
  return [...definition.index.places.keys()].toSorted();
}

/** The only node of a definition of one. */
export function onlyNode(definition: WorkflowDefinition): DefinitionNode {
  const [node, ...others] = definition.body.nodes;
  if (node === undefined || others.length > 0) throw new Error("the definition must have one node");
  return node;
}

/** What `build` has against a chain. */
export function problemsOf(chain: { build(id: string, version: number): unknown }): readonly DefinitionProblem[] {
  try {
    chain.build("w", 1);
  } catch (error) {
    if (error instanceof InvalidDefinitionError) return error.problems;
    throw error;
  }
  return [];
}
