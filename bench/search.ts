import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { workflow, WorkflowHost, type SearchOptions } from "@wfe/core";
import type { Provider } from "@wfe/core/providers";
import { opensearch } from "@wfe/opensearch";
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
    const fill = async (from: number): Promise<void> => {
      const handles = await host.startWorkflows(
        Array.from({ length: Math.min(batch, count - from) }, (_, i) => ({
          definition,
          data: {
            n: from + i,
            customer: `customer-${(from + i) % 5_000}`,
            note: `unique${from + i} of some common words`,
          },
          options: { id: `w-${from + i}`, tags: (from + i) % 100 === 0 ? ["rare"] : [] },
        })),
      );
      await Promise.all(handles.map((handle) => handle.result()));
    };
    let next = 0;
    // Several batches at a time: else the host waits for the last of each.
    const filler = async (): Promise<void> => {
      for (let from = next; from < count; from = next) {
        next += batch;
        await fill(from);
      }
    };
    await Promise.all(Array.from({ length: 4 }, filler));
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
    // Of a page, 20 ms are promised, of words, 50 ms.
    const limit = name.startsWith("text") ? 50 : 20;
    const kept = median(times) < limit ? `< ${limit} ms` : `NOT < ${limit} ms`;
    row(`${store}: ${name}`, `${found} found`, `${median(times).toFixed(1)} ms`, `p95 ${slow.toFixed(1)} ms`, kept);
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

/**
 * The engine that feeds an index, in its store or elsewhere, beside the engine without one. Processor time is that of the engine's
 * thread, which other work on the machine changes little.
 */
async function indexingCost(): Promise<void> {
  const work = noOps(10);
  const folder = mkdtempSync(join(tmpdir(), "wfe-bench-"));
  // Nobody is there: what is measured is the outbox, which grows all the time.
  const away = opensearch("http://127.0.0.1:1");
  const kinds = {
    "no index": [sqlite(join(folder, "plain.db"), { search: false })],
    "an index in the store": [sqlite(join(folder, "indexed.db"))],
    "an outbox for OpenSearch": [sqlite(join(folder, "outbox.db")), away],
  };
  const hosts = Object.values(kinds).map(
    (providers) => new WorkflowHost({ providers, workflows: [work], concurrency: 1_000, log: silent }),
  );
  for (const host of hosts) await host.start();
  const costs = hosts.map((): { readonly ms: number; readonly processor: number }[] => []);
  for (let round = -3; round < 15; round++) {
    for (const place of round % 2 === 0 ? [0, 1, 2] : [2, 1, 0]) {
      const host = hosts[place];
      if (host === undefined) continue;
      const before = process.threadCpuUsage();
      const ms = await timed(() => runSteps(host, work, `cost-${round}`));
      const { user, system } = process.threadCpuUsage(before);
      if (round >= 0) costs[place]?.push({ ms, processor: (user + system) / 1_000 });
      // What is left is indexed apart, so that no round pays for the one before.
      if (place === 1) await caughtUp(host);
    }
  }
  const [plain = []] = costs;
  for (const [place, name] of Object.keys(kinds).entries()) {
    if (place === 0) continue;
    const less = (part: "ms" | "processor"): string =>
      `${(100 * (1 - median((costs[place] ?? []).map((cost, round) => (plain[round]?.[part] ?? Number.NaN) / cost[part])))).toFixed(1)} %`;
    row(`throughput that ${name} costs, of time, of processor`, less("ms"), less("processor"));
  }
  for (const host of hosts) await host.stop();
  rmSync(folder, { recursive: true, force: true });
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

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
