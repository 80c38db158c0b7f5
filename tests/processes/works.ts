import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { event, type StepAbortedError, type StepContext, workflow } from "@wfe/core";

export const said = event<{ text: string }>("said");

/** What a body tells when it begins. */
export interface Began {
  readonly workflow: string;
  readonly attempt: number;
  readonly key: string;
  readonly pid: number;
}

type Tell = (fact: string, value: unknown) => void;

/** Workflows whose bodies tell what happens to them. */
export function worksOf(tell: Tell) {
  const began = (ctx: StepContext): void => {
    const { workflow: of, step, idempotencyKey } = ctx;
    tell("began", { workflow: of.id, attempt: step.attempt, key: idempotencyKey, pid: process.pid } satisfies Began);
  };

  /** Stays in its body until the file is there, one for each attempt. It ends when it is told to, and with `deaf` it does not. */
  async function stay(input: { file: string; deaf?: boolean }, ctx: StepContext): Promise<{ by: number }> {
    began(ctx);
    ctx.signal.addEventListener("abort", () => {
      tell("aborted", { workflow: ctx.workflow.id, reason: (ctx.signal.reason as StepAbortedError).reason });
    });
    while (!existsSync(`${input.file}.${ctx.step.attempt}`)) {
      if (input.deaf !== true) ctx.signal.throwIfAborted();
      await pause(5);
    }
    tell("returned", { workflow: ctx.workflow.id });
    return { by: process.pid };
  }

  const held = workflow<{ file: string; deaf?: boolean }>()
    .startWith(stay)
    .as("stay")
    .thenFn((_, ctx) => {
      began(ctx);
      return process.pid;
    })
    .as("last")
    .build("held", 1);

  const brief = workflow<{ n: number }>()
    .startWith(async ({ n }: { n: number }) => {
      await pause(10);
      return { n, by: process.pid };
    })
    .as("first")
    .then(async (data: { n: number }) => ({ n: data.n + 1, by: process.pid }))
    .as("second")
    .build("brief", 1);

  const listener = workflow<{ texts: number; heard: string[] }>()
    .whileDo(
      (data) => data.heard.length < data.texts,
      (b) => b.waitFor(said, (_, at) => at.workflow.id).output((data, { text }) => ({ heard: [...data.heard, text] })),
    )
    .build("listener", 1);

  return { held, brief, listener };
}
