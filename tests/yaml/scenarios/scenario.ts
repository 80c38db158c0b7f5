import type { StepContext, WorkflowBuilder, WorkflowDefinition, WorkflowHandle, WorkflowHost } from "@wfe/core";
import type { World } from "../../support/world.ts";

/** What steps do, by their names. Made anew for each run, for some count. */
export type Bodies = Readonly<Record<string, (input: unknown, ctx: StepContext) => unknown>>;

/** One workflow, said twice. */
export interface Scenario {
  readonly title: string;
  readonly bodies?: () => Bodies;
  /** By the builder. Steps whose bodies are taken from `run` have their names as ids. */
  build(run: Bodies): { build(id: string, version: number): WorkflowDefinition };
  /** The same in YAML: what stands under `workflow:`, without `id` and `version`. Steps of type `body` run what has their name. */
  readonly yaml: string;
  readonly data?: Record<string, unknown>;
  /** What happens outside. */
  drive?(parts: { host: WorkflowHost; handle: WorkflowHandle; world: World }): Promise<void>;
  readonly children?: readonly WorkflowDefinition[];
  /** How it ends; "completed" by default. */
  readonly status?: string;
}

/** A chain that says nothing about its data: the two forms are compared, not their types. */
export type AnyChain = WorkflowBuilder<any>;

/** A body that fails so many times. */
export function failing(times: number = Number.POSITIVE_INFINITY): () => unknown {
  let left = times;
  return () => {
    left -= 1;
    if (left >= 0) throw new Error("refused");
    return { fine: true };
  };
}

/** A body that gives the next of these outputs each time. */
export function giving(...outputs: readonly unknown[]): () => unknown {
  let next = 0;
  return () => outputs[next++];
}
