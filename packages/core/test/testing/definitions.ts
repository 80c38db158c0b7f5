import type { WorkflowDefinition } from "../../src/definition/definition.ts";
import { indexDefinition } from "../../src/definition/index-definition.ts";
import type {
  DefinitionNode,
  DelayNode,
  ParallelNode,
  RunWorkflowNode,
  StepNode,
  WaitNode,
} from "../../src/definition/nodes.ts";

/** Definitions as the builder makes them, without the builder. */
export function define(id: string, nodes: readonly DefinitionNode[]): WorkflowDefinition {
  const body = { nodes };
  const hash = nodes.map((node) => `${node.kind}:${node.id}`).join();
  return { id, version: 1, hash, body, index: indexDefinition(body), toMermaid: () => "", toJSON: () => ({}) };
}

export function step(id: string, body: StepNode["body"], more: Partial<StepNode> = {}): StepNode {
  return { kind: "step", id, name: id, body, isClass: false, as: id, ...more };
}

export function delay(id: string, duration: DelayNode["duration"]): DelayNode {
  return { kind: "delay", id, name: id, duration };
}

export function wait(id: string, name: string, key: string): WaitNode {
  return { kind: "wait", id, name: id, mode: "one", events: [{ label: "", name, key }], asOf: "start", as: id };
}

export function child(id: string, definitionId: string): RunWorkflowNode {
  return { kind: "run-workflow", id, name: id, definitionId, as: id };
}

export function parallel(id: string, branches: readonly (readonly DefinitionNode[])[]): ParallelNode {
  return { kind: "parallel", id, name: id, branches: branches.map((nodes) => ({ nodes })), onBranchFailure: "cancel" };
}
