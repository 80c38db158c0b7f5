import { availableParallelism } from "node:os";
import { WorkflowHost } from "@wfe/core";
import { postgres } from "@wfe/postgres";
import pg from "pg";
import { Child } from "../tests/processes/support/child.ts";
import { startPostgres } from "../tests/services/postgres.ts";
import { median, row } from "./measure.ts";
import { noOps } from "./steps.ts";

const workflows = 2_000;
const stepsEach = 10;
const batch = 500;
const rounds = 3;
/** From the start of the first workflow until all of them are due. */
const leadMs = 5_000;
/** Each of two hosts keeps one busy, and so do the connections of each. */
const coresWanted = 4;

/** Steps in a second of one host process on PostgreSQL, and of two that share the work. */
export async function hosts(): Promise<void> {
  await using server = await startPostgres({ durable: true });
  const script = new URL("./host-process.ts", import.meta.url);
  await using first = await Child.spawn(script, { url: server.url, stepsEach });
  await using second = await Child.spawn(script, { url: server.url, stepsEach });
  const client = new pg.Client(server.url);
  client.on("error", () => {});
  await client.connect();
  const definition = noOps(stepsEach);
  const starter = new WorkflowHost({ providers: [postgres(server.url, { search: false })], workflows: [definition] });

  let started = 0;

  /** Steps in a second. All is due at one moment that is still to come: whoever starts the workflows takes no part in the rest. */
  const run = async (processes: readonly Child[]): Promise<number> => {
    await Promise.all(processes.map((child) => child.call("run")));
    const startAt = Date.now() + leadMs;
    for (const last = started + workflows; started < last; started += batch) {
      const starts = Array.from({ length: batch }, (_, i) => ({
        definition,
        data: {},
        options: { id: `w-${started + i}`, startAt },
      }));
      await starter.startWorkflows(starts);
    }
    if (Date.now() > startAt)
      throw new Error("this machine is too busy: the workflows were due before they were stored");
    while ((await starter.countWorkflows({ status: "completed" })) < started) await pause(100);
    const { rows } = await client.query<{ last: string }>(
      "SELECT max(completed_at)::text AS last FROM wfe.wfe_workflows",
    );
    await Promise.all(processes.map((child) => child.call("rest")));
    return (workflows * stepsEach * 1_000) / (Number(rows[0]?.last) - startAt);
  };

  const alone: number[] = [];
  const together: number[] = [];
  for (let round = -1; round < rounds; round += 1) {
    const [one, two] = [await run([first]), await run([first, second])];
    // The first time the compilers are at work.
    if (round < 0) continue;
    alone.push(one);
    together.push(two);
  }
  const perSecond = (rates: readonly number[]): string => `${Math.round(median(rates))} steps/s`;
  row("one host process", perSecond(alone));
  row("two host processes", perSecond(together));
  const ratio = median(together.map((rate, at) => rate / (alone[at] ?? Number.NaN)));
  const cores = availableParallelism();
  const enough = cores >= coresWanted ? "" : ", too few for more";
  row(`ratio (median of interleaved rounds; ${cores} cores${enough})`, ratio.toFixed(2));
  await starter.stop();
  await client.end();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
