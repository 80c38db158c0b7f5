import { workflow, WorkflowHost } from "@wfe/core";
import { postgres } from "@wfe/postgres";
import { startPostgres } from "../tests/services/postgres.ts";
import { heapMiB, row, timed } from "./measure.ts";

const count = 100_000;
const batch = 500;
/** Parked first, to learn how long it takes to park all of them. */
const trial = 5_000;
/** Bodies between two measurements of the heap. */
const measuredEvery = 5_000;

/**
 * 100,000 workflows on PostgreSQL that sleep until the same moment: when the first of them goes on and when the last, and what
 * memory that takes.
 */
export async function timers(): Promise<void> {
  await using server = await startPostgres({ durable: true });
  const heap: number[] = [];
  /** When bodies began. */
  const woken: number[] = [];
  const sleeper = workflow<{ until: number }>()
    .sleepUntil((data) => data.until)
    .then(() => {
      woken.push(Date.now());
      if (woken.length % measuredEvery === 0) heap.push(heapMiB());
    })
    .build("sleeper", 1);
  const host = new WorkflowHost({ providers: [postgres(server.url, { search: false })], workflows: [sleeper] });
  await host.start();
  const park = async (from: number, to: number, until: number): Promise<void> => {
    for (let n = from; n < to; n += batch) {
      await host.startWorkflows(
        Array.from({ length: batch }, (_, i) => ({
          definition: sleeper,
          data: { until },
          options: { id: `w-${until}-${n + i}` },
        })),
      );
    }
    while ((await host.countWorkflows({ status: "waiting" })) < to && Date.now() < until) await pause(100);
  };
  const aDay = Date.now() + 86_400_000;
  const trialMs = await timed(() => park(0, trial, aDay));
  const until = Date.now() + 5_000 + (1.5 * trialMs * count) / trial;
  const parking = await timed(() => park(trial, trial + count, until));
  const asleep = await host.countWorkflows({ status: "waiting" });
  row(`park ${count} workflows`, `${parking.toFixed(0)} ms`, `${asleep - trial} asleep`);
  const before = heapMiB();
  while (woken.length < count) await pause(20);
  row("all due at once: the first one goes on after", `${(woken[0] ?? Number.NaN) - until} ms`);
  const tookMs = (woken.at(-1) ?? Number.NaN) - until;
  row("the last one", `${tookMs} ms`, `${Math.round((count * 1_000) / tookMs)}/s`);
  const quarter = Math.floor(heap.length / 4);
  const most = (values: readonly number[]): string => `${Math.max(...values).toFixed(1)} MiB`;
  row(
    "heap before, at most in the first and last quarter",
    `${before.toFixed(1)} MiB`,
    most(heap.slice(0, quarter)),
    most(heap.slice(-quarter)),
  );
  while ((await host.countWorkflows({ status: "completed" })) < count) await pause(20);
  await host.stop();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
