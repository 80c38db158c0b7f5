import type { Block, DefinitionNode } from "./nodes.ts";
import type { StandardSchema } from "./standard-schema.ts";

/**
 * A workflow's definition: immutable, identified by `id` and `version`.
 *
 * `Data` is what it is started with, `Result` the data it ends with.
 */
export interface WorkflowDefinition<Data = any, Result = any> {
  readonly id: string;
  readonly version: number;
  /** Of the structure: ids, kinds, options and their order; never of function text. */
  readonly hash: string;
  readonly description?: string;
  readonly body: Block;
  /** Every node and block by its place; what the engine looks things up in. */
  readonly index: DefinitionIndex;
  readonly dataSchema?: StandardSchema;
  /** The graph as a Mermaid flowchart. */
  toMermaid(): string;
  /** The structure without functions, for tools. */
  toJSON(): unknown;
  /** Only types: nothing is there at run time. */
  readonly "~types"?: { readonly data: (data: Data) => void; readonly result: Result };
}

/**
 * Which block of its owner a branch runs. `case:<text>` and `branch:<n>` count from the definition; a graph's vertex is
 * `vertex:<step id>`.
 */
export type Slot = string;

/** Where a node stands. */
export interface NodePlace {
  readonly node: DefinitionNode;
  /** The step id of the container, or null at the top. */
  readonly owner: string | null;
  readonly slot: Slot;
  readonly position: number;
  readonly block: Block;
}

export interface DefinitionIndex {
  /** By step id. */
  readonly places: ReadonlyMap<string, NodePlace>;
  /** The block of an owner's slot; the whole definition is `block(null, "body")`. */
  block(owner: string | null, slot: Slot): Block | undefined;
}
