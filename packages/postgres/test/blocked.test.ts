import { type PersistenceProvider, systemRuntime } from "@wfe/core/providers";
import { workflow as define, WorkflowHost } from "@wfe/core";
import type { PoolClient } from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { postgres } from "../src/index.ts";
import { event, waitingRow, workflow } from "./support/records.ts";
import { admin, schemas, server, url } from "./support/server.ts";

const order = define<{ n: number }>()
  .startWith(() => Promise.resolve("done"))
  .as("done")
  .build("order", 1);

describe.skipIf(server === undefined)(
  "a start whose id another transaction holds, which stays open",
  { timeout: 60_000 },
  () => {
    it("waits alone: others of the same moment, and later ones, are stored", async () => {
      const { host } = await started();
      const tx = await begun();
      await host.startWorkflow(order, { n: 1 }, { id: "held", tx });
      const held = host.startWorkflow(order, { n: 1 }, { id: "held" });
      let isOver = false;
      const over = (): void => void (isOver = true);
      held.then(over, over);
      const neighbours = [1, 2, 3].map((n) => host.startWorkflow(order, { n }, { id: `neighbour-${n}` }));
      const batch = host.startWorkflows([
        { definition: order, data: { n: 4 }, options: { id: "batch-1" } },
        { definition: order, data: { n: 5 }, options: { id: "batch-2" } },
      ]);
      await Promise.all([...neighbours, batch]);
      for (let n = 0; n < 3; n += 1) await host.startWorkflow(order, { n }, { id: `later-${n}` });
      expect(isOver).toBe(false);
      await tx.query("COMMIT");
      await expect(held).resolves.toMatchObject({ id: "held" });
    });

    it("fails with what to do about it, and is not stored behind its caller's back", async () => {
      const { store, schema } = await started();
      await store.create([workflow({ id: "other", definitionId: "nobody-runs-it" })]);
      const tx = await begun();
      await store.createIn!(tx, [workflow({ id: "held" })]);
      const before = performance.now();
      await expect(store.create([workflow({ id: "held" })])).rejects.toMatchObject({
        code: "STORE_BUSY",
        outcome: "not-applied",
        transient: true,
        blocked: true,
        message: expect.stringMatching(/"held".*pg_stat_activity/),
      });
      // Beside the lock's time: what a busy machine takes.
      expect(performance.now() - before).toBeLessThan(20_000);
      await tx.query("ROLLBACK");
      const { rows } = await admin.query<{ id: string }>(`SELECT id FROM ${schema}.wfe_workflows`);
      expect(rows).toEqual([{ id: "other" }]);
    });
  },
);

describe.skipIf(server === undefined)("what waits for a row that somebody keeps locked", { timeout: 60_000 }, () => {
  it("is told so after seconds: deliveries, events, rows without a turn", async () => {
    const { store, schema } = await started();
    const [kept] = await store.create([workflow({ startAt: Date.now() + 600_000 })]);
    const run = kept?.run ?? 0;
    await store.publish([event({ eventId: "e-1" })]);
    const tx = await begun();
    await tx.query(`SELECT 1 FROM ${schema}.wfe_workflows FOR UPDATE`);
    await tx.query(`SELECT 1 FROM ${schema}.wfe_streams FOR UPDATE`);
    const delivery = { deliveryId: "d", to: run, kind: "signal", bodyText: "{}", keepOutcome: false, exempt: false };
    const calls = [
      store.deliver([delivery], 10),
      store.publish([event({ eventId: "e-2" })]),
      store.writeRows([{ run, claim: 0, row: waitingRow() }]),
    ];
    for (const outcome of await Promise.allSettled<unknown>(calls)) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { code: "STORE_BUSY", transient: true, blocked: true },
      });
    }
    await tx.query("ROLLBACK");
    expect(await store.deliver([delivery], 10)).toEqual([{ outcome: "accepted", number: 1 }]);
  });
});

/** A transaction of the application's own. */
async function begun(): Promise<PoolClient> {
  const tx = await admin.connect();
  // Before the hosts that may wait for it are stopped.
  onTestFinished(async () => {
    await tx.query("ROLLBACK");
    tx.release();
  });
  await tx.query("BEGIN");
  return tx;
}

async function started(): Promise<{ host: WorkflowHost; store: PersistenceProvider; schema: string }> {
  const schema = schemas.take();
  const host = new WorkflowHost({ providers: [postgres(url, { schema })], workflows: [order] });
  await host.start();
  onTestFinished(() => host.stop());
  const provider = postgres(url, { schema });
  await provider.open({ runtime: systemRuntime() });
  onTestFinished(() => provider.close());
  return { host, store: provider.persistence!, schema };
}
