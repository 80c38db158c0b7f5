import { type StepContext, workflow, type WorkflowDefinition } from "@wfe/core";
import type { Kind } from "../mix.ts";
import { effectOf, type StoreSpec } from "../stores/crash-store.ts";

/** What a process hears of the bodies that it is frozen in. */
export interface Hearing {
  began(workflow: string): void;
  aborted(workflow: string): void;
}

/**
 * A body whose first attempt goes on until its signal aborts it, and whose second one returns at once. `survived`: workflows whose
 * host got over its doubts about its lease, so that the first attempt's result counts.
 */
export function heldOf(store: StoreSpec, hearing: Hearing, survived: ReadonlySet<string> = new Set()): Kind {
  const label = (id: string): string => (survived.has(id) ? "too late" : "at last");
  const hold = async (_: unknown, ctx: StepContext): Promise<string> => {
    if (ctx.step.attempt > 1) return "at last";
    hearing.began(ctx.workflow.id);
    await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve(), { once: true }));
    hearing.aborted(ctx.workflow.id);
    return "too late";
  };
  const effect = effectOf(store, { before: () => {}, after: () => {} });
  const definition: WorkflowDefinition = workflow<{ n: number }>()
    .startWith(hold)
    .as("held")
    .then(effect, (data, at) => ({ owner: at.workflow.id, label: data.held }))
    .build("held", 1);
  return {
    definition,
    data: () => ({ n: 0 }),
    result: (id) => ({ held: label(id) }),
    effects: (id) => [label(id)],
  };
}
