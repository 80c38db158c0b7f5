import { join } from "node:path";
import { event, workflow, WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { heapMiB, inFolder, row, timed } from "./measure.ts";

const count = 10_000;
const batch = 500;

/** 10,000 workflows that wait, the memory they take meanwhile, a restart beside them, and 10,000 events that release them. */
export async function waiting(): Promise<void> {
  const go = event<{ n: number }>("go");
  const definition = workflow<{ key: string }>()
    .waitFor(go, (data) => data.key)
    .as("got")
    .build("waiter", 1);
  await inFolder(async (folder) => {
    const open = (): WorkflowHost =>
      new WorkflowHost({ providers: [sqlite(join(folder, "wfe.db"))], workflows: [definition] });
    let host = open();
    await host.start();
    const heapBefore = heapMiB();
    const parking = await timed(async () => {
      for (let n = 0; n < count; n += batch) {
        await host.startWorkflows(
          Array.from({ length: batch }, (_, i) => ({
            definition,
            data: { key: `k-${n + i}` },
            options: { id: `w-${n + i}` },
          })),
        );
      }
      while ((await host.countWorkflows({ status: "waiting" })) < count)
        await new Promise((resolve) => setTimeout(resolve, 20));
    });
    row(`start and park ${count} workflows`, `${parking.toFixed(0)} ms`);
    row("heap they take while they wait", `${(heapMiB() - heapBefore).toFixed(1)} MiB`);
    await host.stop();
    host = open();
    row(`restart beside ${count} parked workflows`, `${(await timed(() => host.start())).toFixed(0)} ms`);
    const release = await timed(async () => {
      for (let n = 0; n < count; n += batch) {
        await host.publishEvents(
          Array.from({ length: batch }, (_, i) => ({ event: go, key: `k-${n + i}`, payload: { n: n + i } })),
        );
      }
      while ((await host.countWorkflows({ status: "completed" })) < count)
        await new Promise((resolve) => setTimeout(resolve, 20));
    });
    row(`release them by ${count} events`, `${release.toFixed(0)} ms`, `${Math.round((count * 1000) / release)}/s`);
    await host.stop();
  });
}
