import { indexDefinition } from "../../../src/definition/index-definition.ts";
import type { WorkflowDefinition } from "../../../src/definition/definition.ts";
import type {
  Block,
  DefinitionNode,
  DelayNode,
  ForEachNode,
  ParallelNode,
  RunWorkflowNode,
  SagaNode,
  StepNode,
  WaitNode,
  WhileNode,
} from "../../../src/definition/nodes.ts";
import type { RetryBehavior } from "../../../src/definition/error-behavior.ts";

/** Definitions as the builder makes them, without the builder. */
export function define(id: string, nodes: readonly DefinitionNode[], version = 1): WorkflowDefinition {
  const body: Block = { nodes };
  return {
    id,
    version,
    hash: nodes.map((node) => `${node.kind}:${node.id}`).join(),
    body,
    index: indexDefinition(body),
    toMermaid: () => "",
    toJSON: () => ({}),
  };
}

export function step(id: string, body: StepNode["body"], more: Partial<StepNode> = {}): StepNode {
  return { kind: "step", id, name: id, body, isClass: false, as: id, ...more };
}

export function wait(
  id: string,
  name: string,
  key: WaitNode["events"][number]["key"],
  more: Partial<WaitNode> = {},
): WaitNode {
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

export function delay(id: string, duration: DelayNode["duration"]): DelayNode {
  return { kind: "delay", id, name: id, duration };
}

export function parallel(
  id: string,
  branches: readonly (readonly DefinitionNode[])[],
  more: Partial<ParallelNode> = {},
): ParallelNode {
  return {
    kind: "parallel",
    id,
    name: id,
    branches: branches.map((nodes) => ({ nodes })),
    onBranchFailure: "cancel",
    ...more,
  };
}

export function forEach(
  id: string,
  items: ForEachNode["items"],
  nodes: readonly DefinitionNode[],
  more: Partial<ForEachNode> = {},
): ForEachNode {
  return {
    kind: "for-each",
    id,
    name: id,
    items,
    body: { nodes },
    concurrency: 16,
    onBranchFailure: "cancel",
    ...more,
  };
}

export function whileDo(id: string, condition: WhileNode["condition"], nodes: readonly DefinitionNode[]): WhileNode {
  return { kind: "while", id, name: id, condition, body: { nodes } };
}

export function saga(id: string, nodes: readonly DefinitionNode[]): SagaNode {
  return { kind: "saga", id, name: id, body: { nodes } };
}

export function child(id: string, definitionId: string, more: Partial<RunWorkflowNode> = {}): RunWorkflowNode {
  return { kind: "run-workflow", id, name: id, definitionId, as: id, ...more };
}

export function retry(more: Partial<RetryBehavior> = {}): RetryBehavior {
  return {
    kind: "retry",
    intervalMs: 1000,
    maxRetries: 3,
    backoff: 2,
    maxIntervalMs: 60_000,
    jitter: false,
    then: "fail",
    ...more,
  };
}
