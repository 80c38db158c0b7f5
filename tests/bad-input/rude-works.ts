import { setTimeout as pause } from "node:timers/promises";
import { type StepContext, workflow } from "@wfe/core";

/** Workflows whose bodies harm their process, and one that only wants to get done. */
export function rudeWorksOf(tell: (fact: string, value: unknown) => void) {
  async function deadly(): Promise<void> {
    await pause(20);
    process.exit(1);
  }
  const poison = workflow().startWith(deadly).build("poison", 1);

  const neighbour = workflow<{ steps: number; done?: number }>()
    .whileDo(
      (data) => (data.done ?? 0) < data.steps,
      (b) =>
        b
          .then(async (data: { done?: number }) => {
            await pause(15);
            return (data.done ?? 0) + 1;
          })
          .output((_, done) => ({ done })),
    )
    .build("neighbour", 1);

  const blocking = workflow<{ forMs: number }>()
    .startWith(({ forMs }: { forMs: number }, ctx: StepContext) => {
      if (ctx.step.attempt === 1) {
        tell("blocks", ctx.workflow.id);
        const until = performance.now() + forMs;
        while (performance.now() < until);
        tell("unblocked", ctx.workflow.id);
      }
      return { pid: process.pid, attempt: ctx.step.attempt };
    })
    .as("by")
    .build("blocking", 1);

  return { poison, neighbour, blocking };
}
