import { createHash } from "node:crypto";
import type { WorkflowDefinition } from "./definition.ts";
import { indexDefinition } from "./index-definition.ts";
import { toMermaid } from "./mermaid.ts";
import type { Block } from "./nodes.ts";
import type { StandardSchema } from "./standard-schema.ts";
import { canonicalText, describeStructure, fingerprintOf } from "./structure.ts";

/** What a definition is made of. */
export interface DefinitionParts {
  readonly id: string;
  readonly version: number;
  /** Checked and frozen by whoever made it, with ids that are unique. */
  readonly body: Block;
  readonly description?: string;
  readonly dataSchema?: StandardSchema;
  /**
   * What the hash is made of in place of the nodes, for front ends whose steps have options of their own, or whose nodes hold
   * what may differ from host to host. Plain JSON.
   */
  readonly fingerprint?: unknown;
}

/** Makes a definition of finished nodes: where builder and YAML meet. */
export function defineWorkflow(parts: DefinitionParts): WorkflowDefinition {
  const { id, version, body, description, dataSchema, fingerprint } = parts;
  const hash = createHash("sha256")
    .update(fingerprint === undefined ? fingerprintOf(body) : canonicalText(fingerprint))
    .digest("hex");
  const definition: WorkflowDefinition = {
    id,
    version,
    hash,
    ...(description === undefined ? {} : { description }),
    body,
    index: indexDefinition(body),
    ...(dataSchema === undefined ? {} : { dataSchema }),
    toMermaid: () => toMermaid(id, version, body),
    toJSON: () => ({
      id,
      version,
      hash,
      ...(description === undefined ? {} : { description }),
      nodes: describeStructure(body),
    }),
  };
  return Object.freeze(definition);
}
