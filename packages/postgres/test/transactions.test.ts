import { event, retry, workflow, type WorkflowDefinition, WorkflowHost } from "@wfe/core";
import { Kysely, PostgresDialect, type Transaction } from "kysely";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { inTransaction, postgres, type PostgresSource } from "../src/index.ts";
import { admin, schemas, server, url } from "./support/server.ts";

const paid = event<{ by: string }>("paid");
const order = workflow<{ n: number }>()
  .waitFor(paid, (_, at) => at.workflow.id)
  .as("paid")
  .build("order", 1);

/** What an application begins a transaction with, writes by, and ends. */
interface Transactions {
  readonly name: string;
  /** `body` gets what goes to WFE as `tx`, and a way to run its own SQL in it. What it throws rolls all back. */
  run(body: (tx: unknown, sql: (text: string) => Promise<unknown>) => Promise<void>): Promise<void>;
}

const byPg: Transactions = {
  name: "a client of pg",
  run: async (body) => {
    const client = await admin.connect();
    try {
      await client.query("BEGIN");
      await body(client, (text) => client.query(text));
      await client.query("COMMIT");
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    } finally {
      client.release();
    }
  },
};

const byKysely: Transactions = {
  name: "a transaction of Kysely",
  run: async (body) => {
    const db = kyselyOf(1);
    await db.transaction().execute((tx) => body(tx, (text) => runIn(tx, text)));
  },
};

describe.skipIf(server === undefined).each([byPg, byKysely])("with $name", ({ run }) => {
  it("a host starts and publishes when the application commits, and never did when it does not", async () => {
    const { host, schema } = await hostOf(url, [order]);
    await admin.query(`CREATE TABLE ${schema}.orders (id text)`);
    const place = (id: string, fails: boolean): Promise<void> =>
      run(async (tx, sql) => {
        await sql(`INSERT INTO ${schema}.orders VALUES ('${id}')`);
        const handle = await host.startWorkflow(order, { n: 1 }, { id, tx });
        expect(handle).toMatchObject({ id, created: true });
        await host.startWorkflows([{ definition: order, data: { n: 2 }, options: { id: `${id}-b` } }], { tx });
        await host.publishEvents([{ event: paid, key: `${id}-b`, payload: { by: "bob" } }], { tx });
        await host.publishEvent(paid, id, { by: "ann" }, { tx });
        expect(await host.getWorkflow(id)).toBeUndefined();
        if (fails) throw new Error("changed my mind");
      });
    await expect(place("o-1", true)).rejects.toThrow("changed my mind");
    await place("o-2", false);
    expect(await host.handle(order, "o-2").result({ timeout: "20s" })).toEqual({ n: 1, paid: { by: "ann" } });
    expect(await host.handle(order, "o-2-b").result({ timeout: "20s" })).toEqual({ n: 2, paid: { by: "bob" } });
    expect(await host.getWorkflow("o-1")).toBeUndefined();
    expect((await admin.query(`SELECT id FROM ${schema}.orders`)).rows).toEqual([{ id: "o-2" }]);
    // The id is as free as before, and the event that was taken back is heard by nobody.
    await host.startWorkflow(order, { n: 3 }, { id: "o-1" });
    await host.publishEvent(paid, "o-1", { by: "cid" });
    expect(await host.handle(order, "o-1").result({ timeout: "20s" })).toEqual({ n: 3, paid: { by: "cid" } });
  });
});

describe.skipIf(server === undefined).each([
  { name: "a URL", source: (): PostgresSource => url },
  { name: "a Pool", source: (): PostgresSource => poolOf(4) },
  { name: "a Kysely instance", source: (): PostgresSource => kyselyOf(5) },
])("transactional steps of a host by $name", ({ source }) => {
  it("write once and with their result; what throws leaves nothing", async () => {
    const table = `bookings_${process.pid}_${Math.random().toString(36).slice(2)}`;
    await admin.query(`CREATE TABLE ${table} (n integer, attempt integer)`);
    onTestFinished(async () => void (await admin.query(`DROP TABLE ${table}`)));
    const book = inTransaction<{ n: number }, number, pg.ClientBase | Transaction<any>>(async ({ n }, ctx) => {
      await runIn(ctx.tx, `INSERT INTO ${table} VALUES (${n}, ${ctx.step.attempt})`);
      if (n === 2 && ctx.step.attempt < 3) throw new Error("not yet");
      return n * 10;
    });
    const booking = workflow<{ n: number }>()
      .then(book)
      .as("booked")
      .onError(retry({ interval: "1ms" }))
      .build("booking", 1);
    const { host } = await hostOf(source(), [booking]);
    const handles = await host.startWorkflows([1, 2, 3].map((n) => ({ definition: booking, data: { n } })));
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })));
    expect(results.map((data) => (data as { booked: number }).booked)).toEqual([10, 20, 30]);
    const { rows } = await admin.query(`SELECT n, attempt FROM ${table} ORDER BY n`);
    expect(rows).toEqual([
      { n: 1, attempt: 1 },
      { n: 2, attempt: 3 },
      { n: 3, attempt: 1 },
    ]);
  });
});

it.skipIf(server === undefined)("a start that a snapshot does not allow says who has to repeat it", async () => {
  const { host } = await hostOf(url, [order]);
  const client = await admin.connect();
  onTestFinished(() => client.release());
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  await client.query("SELECT 1");
  await host.startWorkflow(order, { n: 1 }, { id: "taken" });
  await expect(host.startWorkflow(order, { n: 2 }, { id: "taken", tx: client })).rejects.toMatchObject({
    code: "STORE_BUSY",
    outcome: "not-applied",
    message: expect.stringMatching(/could not serialize .*: roll your transaction back, and repeat all of it/u),
  });
  await client.query("ROLLBACK");
});

async function hostOf(
  source: PostgresSource,
  workflows: readonly WorkflowDefinition[],
): Promise<{ readonly host: WorkflowHost; readonly schema: string }> {
  const schema = schemas.take();
  const host = new WorkflowHost({ providers: [postgres(source, { schema })], workflows });
  await host.start();
  onTestFinished(() => host.stop({ timeout: 0 }));
  return { host, schema };
}

function poolOf(max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max });
  onTestFinished(() => pool.end());
  return pool;
}

function kyselyOf(max: number): Kysely<any> {
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max }) }) });
  onTestFinished(() => db.destroy());
  return db;
}

async function runIn(tx: unknown, statement: string): Promise<unknown> {
  if (!(tx instanceof Kysely)) return (tx as pg.ClientBase).query(statement);
  return tx.executeQuery({ sql: statement, parameters: [], query: {} as never, queryId: {} as never });
}
