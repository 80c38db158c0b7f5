/** For front ends: what a definition is made of, and the one way to make it. The builder is one, YAML another. */
export { blocksOf } from "./blocks.ts";
export { defineWorkflow } from "./define-workflow.ts";
export type { DefinitionParts } from "./define-workflow.ts";
export type { DefinitionIndex, NodePlace, Slot, WorkflowDefinition } from "./definition.ts";
export type { ErrorBehavior, FinalBehavior, RetryBehavior } from "./error-behavior.ts";
export type * from "./nodes.ts";
