import { indexDefinition } from "../../../src/definition/index-definition.ts";
import type { WorkflowDefinition } from "../../../src/definition/definition.ts";
import type { DefinitionNode, StepNode, WaitNode } from "../../../src/definition/nodes.ts";
import type { StandardSchema } from "../../../src/definition/standard-schema.ts";

/** Definitions as the builder makes them, without the builder. The hash is of kinds and ids. */
export function define<Data = any, Result = any>(
  id: string,
  nodes: readonly DefinitionNode[],
  options: { readonly version?: number; readonly dataSchema?: StandardSchema } = {},
): WorkflowDefinition<Data, Result> {
  const body = { nodes };
  const { version = 1, dataSchema } = options;
  return {
    id,
    version,
    hash: nodes.map((node) => `${node.kind}:${node.id}`).join(),
    body,
    index: indexDefinition(body),
    toMermaid: () => "",
    toJSON: () => ({}),
    ...(dataSchema === undefined ? {} : { dataSchema }),
  };
}

export function step(id: string, body: StepNode["body"], more: Partial<StepNode> = {}): StepNode {
  return { kind: "step", id, name: id, body, isClass: false, as: id, ...more };
}

export function wait(id: string, name: string, key: string, more: Partial<WaitNode> = {}): WaitNode {
  return {
    kind: "wait",
    id,
    name: id,
    mode: "one",
    events: [{ label: "", name, key }],
    asOf: "start",
    as: id,
    ...more,
  };
}

/** A schema that accepts objects in which these keys are numbers. */
export function numbers(...keys: string[]): StandardSchema<any, any> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => {
        const object = value as Record<string, unknown>;
        const wrong = keys.filter((key) => typeof object[key] !== "number");
        return wrong.length === 0
          ? { value }
          : { issues: wrong.map((key) => ({ message: "must be a number", path: [key] })) };
      },
    },
  };
}

/** The same, asynchronous. */
export function laterNumbers(...keys: string[]): StandardSchema<any, any> {
  const { validate } = numbers(...keys)["~standard"];
  return { "~standard": { version: 1, vendor: "test", validate: async (value) => validate(value) } };
}
