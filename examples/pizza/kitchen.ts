import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { StepContext } from "@wfe/core";

const diary = process.env["PIZZA_DIARY"];

/** What the bodies do to the world: they say so, and write it into a diary that no database can roll back. */
export const kitchen = {
  tell(ctx: StepContext, text: string): void {
    console.log(`   ${ctx.step.name}${ctx.step.attempt > 1 ? ` (attempt ${ctx.step.attempt})` : ""}: ${text}`);
    if (diary !== undefined)
      appendFileSync(
        diary,
        `${JSON.stringify({ step: ctx.step.id, executionId: ctx.step.executionId, attempt: ctx.step.attempt })}\n`,
      );
  },

  /** Takes long the first time: long enough to be killed in the middle of it. */
  async cleanOven(_: unknown, ctx: StepContext): Promise<void> {
    kitchen.tell(ctx, "cleans the oven");
    if (ctx.step.attempt === 1) await pause(60_000, undefined, { signal: ctx.signal });
  },
};
