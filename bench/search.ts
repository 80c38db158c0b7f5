import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { workflow, WorkflowHost, type SearchOptions } from "@wfe/core";
import type { Provider } from "@wfe/core/providers";
import { postgres } from "@wfe/postgres";
import { sqlite } from "@wfe/sqlite";
import { sharedPostgresIfAny } from "../tests/services/postgres.ts";
import { inFolder, median, row, timed } from "./measure.ts";
import { noOps } from "./steps.ts";

/** `WFE_BENCH_WORKFLOWS=20000` makes a quick run of it. */
const count = Number(process.env["WFE_BENCH_WORKFLOWS"] ?? 200_000);
const batch = 500;
const runsEach = 41;

/** Searching among 200,000 finished workflows, and what they, and indexing, cost the engine. */
export async function search(): Promise<void> {
  await indexingCost();
  await inFolder((folder) => searching("SQLite", (name) => sqlite(join(folder, `${name}.db`))));
  const server = await sharedPostgresIfAny();
  if (server === undefined) return;
  const made = (name: string): string => `bench_search_${process.pid}_${name}`;
  await searching("PostgreSQL", (name) => postgres(server.url, { schema: made(name) }));
}

async function searching(store: string, open: (name: string) => Provider): Promise<void> {
  const definition = workflow<{ n: number; customer: string; note: string }>()
    .startWith(function record(data: { n: number }) {
      return { doubled: data.n * 2 };
    })
    .as("record")
    .build("record", 1);
  const work = noOps(10);
  const host = new WorkflowHost({ providers: [open("full")], workflows: [definition, work], concurrency: 1_000 });
  const empty = new WorkflowHost({ providers: [open("empty")], workflows: [work], concurrency: 1_000 });
  await host.start();
  await empty.start();

  const filling = await timed(async () => {
    for (let n = 0; n < count; n += batch) {
      const handles = await host.startWorkflows(
        Array.from({ length: batch }, (_, i) => ({
          definition,
          data: { n: n + i, customer: `customer-${(n + i) % 5_000}`, note: `unique${n + i} of some common words` },
          options: { id: `w-${n + i}`, tags: (n + i) % 100 === 0 ? ["rare"] : [] },
        })),
      );
      await Promise.all(handles.map((handle) => handle.result()));
    }
  });
  row(`${store}: run ${count} workflows`, `${(filling / 1_000).toFixed(0)} s`);
  const indexing = await timed(() => caughtUp(host));
  row(`${store}: index what was left of them then`, `${(indexing / 1_000).toFixed(0)} s`);

  const last = `unique${count - 3}`;
  const middle = await host.searchWorkflows({ limit: 1, words: `unique${Math.floor(count / 2)}` });
  const half = middle.items[0]?.createdAt ?? 0;
  const queries: readonly (readonly [string, SearchOptions])[] = [
    ["filtered page: status, definition", { status: "completed", definitionId: "record" }],
    ["filtered page: tag (1 in 100), oldest first", { tag: "rare", sort: "oldest" }],
    ["filtered page: status, before a time", { status: "completed", createdBefore: half }],
    ["filtered page: a value of the data (1 in 5,000)", { data: { customer: "customer-17" } }],
    ["text: a word that one has", { words: last }],
    ["text: words that all have", { words: "some common words" }],
    ["text: words of 1 in 5,000", { words: "customer 4321 common" }],
    ["text and filters", { words: "common words", status: "completed", tag: "rare" }],
    ["text: nothing", { words: "nowhere" }],
  ];
  for (const [name, query] of queries) {
    const times: number[] = [];
    let found = 0;
    for (let run = 0; run < runsEach; run++)
      times.push(await timed(async () => (found = (await host.searchWorkflows({ limit: 50, ...query })).items.length)));
    const slow = times.toSorted((a, b) => a - b)[Math.floor(runsEach * 0.95)] ?? 0;
    row(`${store}: ${name}`, `${found} found`, `${median(times).toFixed(1)} ms`, `p95 ${slow.toFixed(1)} ms`);
  }
  const counting = await timed(() => host.countSearch("", ["status", "tag"]));
  row(`${store}: count all by two facets`, `${counting.toFixed(0)} ms`);

  const shares: number[] = [];
  for (let round = 0; round < 12; round++) {
    const [first, second] = round % 2 === 0 ? [host, empty] : [empty, host];
    const one = await timed(() => runSteps(first, work, `${store}-${round}-a`));
    const other = await timed(() => runSteps(second, work, `${store}-${round}-b`));
    const [full, without] = round % 2 === 0 ? [one, other] : [other, one];
    if (round > 1) shares.push(without / full);
  }
  row(`${store}: throughput beside them, as a share of that without`, `${(median(shares) * 100).toFixed(0)} %`);
  await host.stop();
  await empty.stop();
}

/** The engine with an index in its store, beside the engine without one: processor time, which other work on the machine does not change. */
async function indexingCost(): Promise<void> {
  const work = noOps(10);
  const folder = mkdtempSync(join(tmpdir(), "wfe-bench-"));
  const hosts = await Promise.all(
    [true, false].map(async (search) => {
      const providers = [sqlite(join(folder, `${search}.db`), { search })];
      const host = new WorkflowHost({ providers, workflows: [work], concurrency: 1_000 });
      await host.start();
      return host;
    }),
  );
  const [indexed, plain] = hosts;
  if (indexed === undefined || plain === undefined) return;
  const times: readonly [number[], number[]] = [[], []];
  const processor: readonly [number[], number[]] = [[], []];
  for (let round = 0; round < 30; round++) {
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    for (const place of order) {
      const host = place === 0 ? indexed : plain;
      const before = process.cpuUsage();
      const ms = await timed(() => runSteps(host, work, `cost-${round}`));
      const { user, system } = process.cpuUsage(before);
      if (round < 4) continue;
      times[place]?.push(ms);
      processor[place]?.push((user + system) / 1_000);
      // What is left is indexed apart, so that no round pays for the one before.
      if (place === 0) await caughtUp(host);
    }
  }
  const share = ([one, other]: readonly [number[], number[]]): string =>
    `${(((median(one) - median(other)) / median(other)) * 100).toFixed(1)} %`;
  row("an index costs a busy engine, of time", share(times));
  row("an index costs a busy engine, of processor time", share(processor));
  for (const host of hosts) await host.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function runSteps(host: WorkflowHost, definition: ReturnType<typeof noOps>, prefix: string): Promise<void> {
  const start = (from: number): Promise<readonly { result(): Promise<unknown> }[]> =>
    host.startWorkflows(
      Array.from({ length: batch }, (_, n) => ({ definition, data: {}, options: { id: `${prefix}-${from + n}` } })),
    );
  const handles = (await Promise.all([start(0), start(batch)])).flat();
  await Promise.all(handles.map((handle) => handle.result()));
}

async function caughtUp(host: WorkflowHost): Promise<void> {
  for (;;) {
    const { search: index } = await host.health();
    if (index?.pending === 0 && !index.rebuilding) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
