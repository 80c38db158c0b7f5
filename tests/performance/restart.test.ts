import { event, workflow, WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import type Database from "better-sqlite3";
import { expect, it, vi } from "vitest";
import { quiet } from "../crash/quiet.ts";
import { StoreFile } from "../processes/support/store-file.ts";
import { until } from "../processes/support/until.ts";
import { bestOf } from "./ratio.ts";

vi.setConfig({ testTimeout: 180_000 });

const go = event("go");
const patient = workflow<{ n: number }>()
  .startWith(({ n }: { n: number }) => n)
  .as("first")
  .waitFor(go, (data) => `key-${data.n}`)
  .then(() => "gone")
  .as("last")
  .build("patient", 1);

/** Parks so many workflows that wait for an event each, and stops. */
async function parked(store: StoreFile, count: number): Promise<void> {
  await using host = hostOf(store);
  await host.start();
  for (let from = 0; from < count; from += 500) {
    const items = Array.from({ length: Math.min(500, count - from) }, (_, n) => ({
      definition: patient,
      data: { n: from + n },
      options: { id: `patient-${from + n}` },
    }));
    await host.startWorkflows(items);
  }
  await until(
    { what: "all are parked", withinMs: 120_000 },
    async () => (await host.countWorkflows({ status: "waiting" })) === count,
  );
}

function hostOf(store: StoreFile): WorkflowHost {
  const provider = sqlite(store.file, { synchronous: "normal" });
  return new WorkflowHost({ providers: [provider], workflows: [patient], log: quiet() });
}

interface Restart {
  /** Until the host is started. */
  readonly readyMs: number;
  /** Until a workflow that the host has woken has ended. */
  readonly firstMs: number;
}

let lastWoken = -1;

async function restart(store: StoreFile): Promise<Restart> {
  const since = performance.now();
  await using host = hostOf(store);
  await host.start();
  const readyMs = performance.now() - since;
  lastWoken += 1;
  await host.publishEvent(go, `key-${lastWoken}`);
  await host.handle(`patient-${lastWoken}`).result({ timeout: "20s" });
  return { readyMs, firstMs: performance.now() - since };
}

it("is ready as fast with 10,000 parked workflows as with 100, since it does not read them", async () => {
  using few = new StoreFile();
  using many = new StoreFile();
  await parked(few, 100);
  await parked(many, 10_000);

  // One after the other, so that what the machine does beside hits both.
  const measured = await bestOf(
    async () => {
      await restart(few);
      const small = await restart(few);
      await restart(many);
      const large = await restart(many);
      return { small, large };
    },
    ({ small, large }) => Math.max(large.firstMs / 1_000, large.firstMs / (small.firstMs + 50)),
    1,
  );
  const { small, large } = measured;
  console.log(
    `restart: ready after ${small.readyMs.toFixed(0)} ms with 100 parked, ${large.readyMs.toFixed(0)} with 10,000; the first one ended after ${small.firstMs.toFixed(0)} and ${large.firstMs.toFixed(0)}`,
  );
  expect(large.readyMs).toBeLessThan(1_000);
  expect(large.readyMs).toBeLessThan(2 * small.readyMs + 100);
  expect(large.firstMs).toBeLessThan(2 * small.firstMs + 150);
});

it("reads no table of workflows from end to end, neither at a restart nor for an event", async () => {
  using store = new StoreFile();
  await parked(store, 200);
  const statements = new Set<string>();
  await using host = new WorkflowHost({
    providers: [sqlite(store.file, { onConnect: (connection) => listen(connection, statements) })],
    workflows: [patient],
    log: quiet(),
  });
  await host.start();
  await host.publishEvent(go, "key-7");
  await host.handle("patient-7").result({ timeout: "20s" });
  await host.history("patient-7");
  await host.listWorkflows({ limit: 10 });
  await host.suspendWorkflow("patient-8");
  await host.terminateWorkflow("patient-8");
  await until({ what: "it is terminated" }, async () => (await host.getWorkflow("patient-8"))?.status === "terminated");

  using opened = store.open();
  const plans = [...statements].map((sql) => ({ sql, plan: planOf(opened.database, sql) }));
  expect(plans.filter(({ plan }) => plan.length > 0).length).toBeGreaterThan(20);
  expect(plans.filter(({ plan }) => plan.some(readsAll))).toEqual([]);
});

/** Keeps in mind what is prepared on the connection. */
function listen(connection: Database.Database, statements: Set<string>): void {
  const prepare = connection.prepare.bind(connection);
  connection.prepare = (sql: string) => {
    statements.add(sql);
    return prepare(sql);
  };
}

/** Whether it goes through a whole table: lists of values, the schema, and what is kept small, are no such tables. */
function readsAll(detail: string): boolean {
  const small =
    /VIRTUAL TABLE|SCAN (sqlite_schema|wfe_(listeners|meta|definitions|outbox))\b|INDEX wfe_streams_pending/;
  return detail.startsWith("SCAN") && !small.test(detail);
}

/** How SQLite goes about a statement; nothing for what is no query. */
function planOf(database: Database.Database, sql: string): string[] {
  if (!/^\s*(SELECT|UPDATE|DELETE|INSERT|WITH)/i.test(sql)) return [];
  const plan = database.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`);
  // Values do not matter, but how many there are does.
  for (let count = 0; count < 300; count += 1) {
    try {
      return plan.all(...Array.from({ length: count }, () => null)).map(({ detail }) => detail);
    } catch (error) {
      if (!(error instanceof RangeError)) return [];
    }
  }
  return [];
}
