import { event, workflow, type WorkflowDefinition, WorkflowHost } from "@wfe/core";
import { type PersistenceProvider, type Provider, type Run, systemRuntime, type TurnCommit } from "@wfe/core/providers";
import { Kysely, PostgresDialect, type Transaction } from "kysely";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { inTransaction, postgres, type PostgresOptions, type PostgresSource } from "../src/index.ts";
import { turn, workflow as record } from "./support/records.ts";
import { admin, schemas, server, url } from "./support/server.ts";

const quick = workflow<{ n: number }>()
  .then(async ({ n }) => n + 1)
  .as("more")
  .build("quick", 1);

describe.skipIf(server === undefined)("transactional steps of one burst", () => {
  it("fail alone where the COMMIT of one is refused", async () => {
    const schema = schemas.take();
    const bodies: number[] = [];
    const insert = inTransaction<{ n: number }, string>(async ({ n }, { tx }) => {
      bodies.push(n);
      if (n === 2) await tx.query(`INSERT INTO ${schema}.items VALUES (99)`);
      return "done";
    });
    const order = workflow<{ n: number }>().then(insert).as("inserted").build("order", 1);
    const host = await hostOf(url, [order], { schema });
    await admin.query(`CREATE TABLE ${schema}.orders (id integer PRIMARY KEY)`);
    await admin.query(
      `CREATE TABLE ${schema}.items (item integer REFERENCES ${schema}.orders DEFERRABLE INITIALLY DEFERRED)`,
    );
    const handles = await host.startWorkflows([0, 1, 2, 3, 4].map((n) => ({ definition: order, data: { n } })));
    const results = await Promise.allSettled(handles.map((handle) => handle.result({ timeout: "20s" })));
    expect(results.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
    expect(results[2]).toMatchObject({ reason: { cause: { message: expect.stringContaining("foreign key") } } });
    // Each once: nobody's transaction was begun again for the sake of another's.
    expect(bodies.toSorted()).toEqual([0, 1, 2, 3, 4]);
  });

  it("do not wait for one that takes its time, whichever is first", async () => {
    const gate = gateOf();
    const hold = inTransaction<{ n: number }, number>(async ({ n }) => {
      if (n === 0) await gate.opened;
      return n;
    });
    const order = workflow<{ n: number }>().then(hold).as("held").build("order", 1);
    const host = await hostOf(url, [order]);
    const [slow, ...others] = await host.startWorkflows([0, 1, 2, 3].map((n) => ({ definition: order, data: { n } })));
    const results = await Promise.all(others.map((handle) => handle.result({ timeout: "20s" })));
    expect(results).toEqual([1, 2, 3].map((n) => ({ n, held: n })));
    expect(await host.getWorkflow(slow!.id)).not.toMatchObject({ status: "completed" });
    gate.open();
    expect(await slow!.result({ timeout: "20s" })).toEqual({ n: 0, held: 0 });
  });
});

describe.skipIf(server === undefined)("a small pool", () => {
  it.each([
    { name: "by URL", source: (): PostgresSource => url, poolSize: 1 },
    { name: "that was given", source: (): PostgresSource => poolOf({ max: 1 }), poolSize: 1 },
    { name: "of a Kysely instance", source: (): PostgresSource => kyselyOf(3), poolSize: 3 },
  ])(
    "$name lets a transactional step be followed by children that the process has not met",
    async ({ source, poolSize }) => {
      const write = inTransaction<unknown, number, pg.ClientBase | Transaction<any>>(async () => 1);
      const order = workflow<{ n: number }>()
        .then(write)
        .as("written")
        .runWorkflow(quick, ({ n }) => ({ n }))
        .as("child")
        .build("order", 1);
      const host = await hostOf(source(), [order, quick], { poolSize });
      const handles = await host.startWorkflows([1, 2, 3].map((n) => ({ definition: order, data: { n } })));
      const results = await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })));
      expect(results).toMatchObject([1, 2, 3].map((n) => ({ written: 1, child: { more: n + 1 } })));
    },
  );

  it.each([
    { name: "by URL", source: (): PostgresSource => url, poolSize: 4, most: 2 },
    { name: "that was given", source: (): PostgresSource => poolOf({ max: 3 }), poolSize: 10, most: 1 },
    { name: "of a Kysely instance", source: (): PostgresSource => kyselyOf(6), poolSize: 6, most: 2 },
  ])(
    "$name keeps connections for everything else while the bodies of steps take their time",
    async ({ source, poolSize, most }) => {
      const gate = gateOf();
      const bodies = { now: 0, most: 0 };
      const hold = inTransaction<unknown, boolean, pg.ClientBase | Transaction<any>>(async () => {
        bodies.now += 1;
        bodies.most = Math.max(bodies.most, bodies.now);
        await gate.opened;
        bodies.now -= 1;
        return true;
      });
      const slow = workflow<{ n: number }>().then(hold).as("held").build("slow", 1);
      const host = await hostOf(source(), [slow, quick], { poolSize });
      const handles = await host.startWorkflows([1, 2, 3, 4, 5].map((n) => ({ definition: slow, data: { n } })));
      await expect.poll(() => bodies.now, { timeout: 20_000 }).toBe(most);
      const others = await Promise.all([1, 2, 3].map((n) => host.startWorkflow(quick, { n })));
      const results = await Promise.all(others.map((handle) => handle.result({ timeout: "20s" })));
      expect(results).toMatchObject([{ more: 2 }, { more: 3 }, { more: 4 }]);
      expect(bodies.now).toBe(most);
      gate.open();
      await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })));
      expect(bodies.most).toBe(most);
    },
  );

  it("that is used up says so", async () => {
    const { store, leave } = await withBody(poolOf({ max: 1, connectionTimeoutMillis: 300 }));
    await expect(store.find("default", ["mine"])).rejects.toMatchObject({
      code: "STORE_BUSY",
      message: expect.stringMatching(/no connection of the pool was free.*`max`/),
      outcome: "not-applied",
      transient: true,
    });
    leave();
    expect(await store.find("default", ["mine"])).toMatchObject([{ id: "mine" }]);
  });

  it("is taken from a body that was left behind when the store is closed, and what else was asked is answered", async () => {
    const { provider, store, run } = await withBody(poolOf({ max: 1 }));
    const next = store.commit([{ run, seq: 0, execute: () => Promise.reject(new Error("begun")) }]);
    next.catch(() => {});
    const found = store.find("default", ["mine"]);
    await provider.close();
    expect(await found).toMatchObject([{ id: "mine" }]);
    await expect(next).rejects.toMatchObject({ outcome: "not-applied", message: expect.stringContaining("closed") });
  });
});

describe.skipIf(server === undefined)("requests that hold every connection of the pool that WFE was given", () => {
  const fresh = (): WorkflowDefinition<{ n: number }> =>
    workflow<{ n: number }>()
      .then(async ({ n }) => n)
      .as("same")
      .build("fresh", 1);

  it("start workflows of a definition that the process has not met, and publish", async () => {
    const definition = fresh();
    const pool = poolOf({ max: 3 });
    const host = await hostOf(pool, [definition]);
    const clients = await Promise.all([1, 2, 3].map(() => pool.connect()));
    try {
      await Promise.all(
        clients.map(async (client, n) => {
          await client.query("BEGIN");
          await host.startWorkflow(definition, { n }, { id: `w-${n}`, tx: client });
          await host.publishEvent(event<{ n: number }>("begun"), `w-${n}`, { n }, { tx: client });
          await client.query("COMMIT");
        }),
      );
    } finally {
      for (const client of clients) client.release();
    }
    expect(await host.handle(definition, "w-2").result({ timeout: "20s" })).toMatchObject({ same: 2 });
  });

  it("do so on a Kysely instance", async () => {
    const definition = fresh();
    const db = kyselyOf(4);
    const host = await hostOf(db, [definition], { poolSize: 4 });
    const bothOpen = gateOf();
    let open = 0;
    await Promise.all(
      [1, 2].map((n) =>
        db.transaction().execute(async (tx) => {
          open += 1;
          if (open === 2) bothOpen.open();
          await bothOpen.opened;
          await host.startWorkflow(definition, { n }, { id: `w-${n}`, tx });
        }),
      ),
    );
    expect(await host.handle(definition, "w-2").result({ timeout: "20s" })).toMatchObject({ same: 2 });
  });
});

async function hostOf(
  source: PostgresSource,
  workflows: readonly WorkflowDefinition<any>[],
  options: PostgresOptions = {},
): Promise<WorkflowHost> {
  const { schema = schemas.take() } = options;
  const host = new WorkflowHost({ providers: [postgres(source, { ...options, schema })], workflows });
  await host.start();
  onTestFinished(() => host.stop({ timeout: 0 }));
  return host;
}

/** A store with a workflow `mine`, the body of whose first step is at work until it is told to `leave`. */
async function withBody(source: PostgresSource): Promise<{
  readonly provider: Provider;
  readonly store: PersistenceProvider;
  readonly run: Run;
  readonly leave: () => void;
}> {
  const provider = postgres(source, { schema: schemas.take() });
  await provider.open({ runtime: systemRuntime() });
  onTestFinished(() => provider.close());
  const store = provider.persistence!;
  const [created] = await store.create([record({ id: "mine" })]);
  const [begun, gate] = [gateOf(), gateOf()];
  const { run } = created!;
  const execute = async (): Promise<TurnCommit> => {
    begun.open();
    await gate.opened;
    return turn(run, 0);
  };
  store.commit([{ run, seq: 0, execute }]).catch(() => {});
  await begun.opened;
  return { provider, store, run, leave: gate.open };
}

function gateOf(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  // What a failed test has left waiting goes on.
  onTestFinished(() => resolve());
  return { opened: promise, open: resolve };
}

function poolOf(options: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, ...options });
  pool.on("error", () => {});
  onTestFinished(() => pool.end());
  return pool;
}

function kyselyOf(max: number): Kysely<any> {
  const pool = new pg.Pool({ connectionString: url, max });
  pool.on("error", () => {});
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) });
  onTestFinished(() => db.destroy());
  return db;
}
