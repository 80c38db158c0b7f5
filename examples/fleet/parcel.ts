import { setTimeout as pause } from "node:timers/promises";
import { type StepContext, workflow } from "@wfe/core";

/** A parcel on its way. Each result names the host that brought it about. */
export interface Parcel {
  readonly number: number;
}

/** Which of the hosts this process is. */
const me = process.env["FLEET_HOST"] ?? "nobody";

/** A step that takes its time, and lets go of the parcel when it is told to. */
function take(ms: number) {
  return async (_: unknown, ctx: StepContext): Promise<string> => {
    const letGo = (): void => console.log(`   ${me} lets go of ${ctx.workflow.id}, ${ctx.step.name}: ${reasonOf(ctx)}`);
    ctx.signal.addEventListener("abort", letGo, { once: true });
    await pause(ms * (0.7 + Math.random() * 0.6), undefined, { signal: ctx.signal });
    ctx.signal.removeEventListener("abort", letGo);
    return me;
  };
}

function reasonOf({ signal }: Pick<StepContext, "signal">): string {
  const { reason } = signal.reason as { readonly reason?: string };
  return reason ?? "aborted";
}

export const steps = ["sort", "load", "drive", "deliver"] as const;

export const parcel = workflow<Parcel>()
  .then(take(300))
  .name("sort")
  .as("sort")
  .then(take(400))
  .name("load")
  .as("load")
  .then(take(1_500))
  .name("drive")
  .as("drive")
  .then(take(300))
  .name("deliver")
  .as("deliver")
  .build("parcel", 1);
