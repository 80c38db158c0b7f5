import { join } from "node:path";
import { workflow, WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { inFolder, median, row, timed } from "./measure.ts";

const branches = 1000;

/** One workflow with 1,000 steps at the same time, beside 1,000 steps one after the other. */
export async function fanOut(): Promise<void> {
  const items = Array.from({ length: branches }, (_, n) => n);
  const wide = workflow<{ items: number[] }>()
    .forEach(
      (data) => data.items,
      (b) => b.then((_, ctx) => ctx.item),
      { concurrency: branches, as: "out" },
    )
    .build("wide", 1);
  const narrow = workflow<{ items: number[] }>()
    .forEach(
      (data) => data.items,
      (b) => b.then((_, ctx) => ctx.item),
      { concurrency: 1, as: "out" },
    )
    .build("narrow", 1);
  const times: number[][] = [[], []];
  for (let round = 0; round < 4; round++) {
    for (const [index, definition] of [wide, narrow].entries()) {
      await inFolder(async (folder) => {
        const host = new WorkflowHost({ providers: [sqlite(join(folder, "wfe.db"))], workflows: [definition] });
        await host.start();
        const ms = await timed(async () => (await host.startWorkflow(definition, { items })).result());
        await host.stop();
        if (round > 0) times[index]?.push(ms);
      });
    }
  }
  row(`${branches} steps at the same time`, `${median(times[0] ?? []).toFixed(0)} ms`);
  row(`${branches} steps one after the other`, `${median(times[1] ?? []).toFixed(0)} ms`);
}
