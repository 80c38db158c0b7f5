import { randomUUID } from "node:crypto";
import { WorkflowHost } from "@wfe/core";
import pg from "pg";
import { quiet } from "../crash/quiet.ts";
import { Child } from "../processes/support/child.ts";
import { pause, until } from "../processes/support/until.ts";
import { machineTime, pinged, providersOf, sleeperOf, type Ways, type Woken } from "./waking-host.ts";

const script = new URL("./waking-host.ts", import.meta.url);

export function newSchema(): string {
  return `wake_${randomUUID().replaceAll("-", "")}`;
}

export async function dropSchema(url: string, schema: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  await client.end();
}

/** How long it takes from here to a process that waits for it. */
export interface Pair extends AsyncDisposable {
  /** Milliseconds of one more time. */
  wake(): Promise<number>;
}

/** Two hosts: this process's, which knows no workflow, publishes; another process's has the workflow that waits. */
export async function pairOf(ways: Ways): Promise<Pair> {
  const child = await Child.spawn(script, ways);
  await child.call("start");
  const host = new WorkflowHost({ providers: providersOf(ways), workflows: [], log: quiet() });
  await host.start();
  // A client: the host that publishes is not to be one that could take the workflow itself.
  const starter = new WorkflowHost({ providers: providersOf(ways), workflows: [sleeperOf(() => {})], log: quiet() });
  let wakes = 0;
  return {
    wake: async () => {
      wakes += 1;
      const id = `sleeper-${wakes}`;
      await starter.startWorkflow("sleeper", {}, { id });
      await until({ what: "it waits" }, async () => (await starter.getWorkflow(id))?.waitingFor?.length === 1);
      // What its parking has still to do is not counted.
      await pause(50);
      const since = machineTime();
      await host.publishEvent(pinged, id, { n: 1 });
      return (await tellsOf(child, id)) - since;
    },
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await Promise.all([host.stop({ timeout: 0 }), starter.stop()]);
    },
  };
}

/** As many round trips by hand: two to publish and to notify, and those of a process that listens. */
export async function barePair(url: string): Promise<Pair> {
  const channel = newSchema();
  const child = await Child.spawn(script, { url, schema: "none", notify: true } satisfies Ways);
  await child.call("listen", channel);
  const client = new pg.Client(url);
  await client.connect();
  let wakes = 0;
  return {
    wake: async () => {
      wakes += 1;
      const since = machineTime();
      await client.query("SELECT 1");
      await client.query("SELECT pg_notify($1, $2)", [channel, `${wakes}`]);
      return (await tellsOf(child, `${wakes}`)) - since;
    },
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await client.end();
    },
  };
}

async function tellsOf(child: Child, id: string): Promise<number> {
  const woken = await until({ what: `${id} wakes`, otherwise: () => child.errors }, () =>
    child.told<Woken>("woken").find((each) => each.id === id),
  );
  return woken.at;
}

export interface RushReport {
  readonly pairs: number;
  readonly seconds: number;
  readonly completed: number;
}

/** Starts workflows that wait for one event each, on two processes, while those events are published: before, while and after they subscribe. */
export async function rush(ways: Ways, pairs: number): Promise<RushReport> {
  await using children = new AsyncDisposableStack();
  for (let host = 0; host < 2; host += 1) {
    const child = children.use(await Child.spawn(script, ways));
    await child.call("start");
  }
  const host = new WorkflowHost({ providers: providersOf(ways), workflows: [sleeperOf(() => {})], log: quiet() });
  const since = performance.now();
  const batch = 100;
  const publishing: Promise<unknown>[] = [];
  for (let from = 0; from < pairs; from += batch) {
    const ids = Array.from({ length: Math.min(batch, pairs - from) }, (_, n) => `rush-${from + n}`);
    await host.startWorkflows(ids.map((id) => ({ definition: "sleeper", data: {}, options: { id } })));
    for (const id of ids) {
      publishing.push(pause(Math.random() * 30).then(() => host.publishEvent(pinged, id, { n: 1 })));
    }
  }
  await Promise.all(publishing);
  const completed = (): Promise<number> => host.countWorkflows({ status: "completed" });
  // What is left then was lost: its wait has no other end.
  await until(
    { what: "all have ended", withinMs: 30_000 + pairs * 30 },
    async () => (await completed()) === pairs,
  ).catch(() => {});
  const report = { pairs, seconds: (performance.now() - since) / 1_000, completed: await completed() };
  await host.stop();
  return report;
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
