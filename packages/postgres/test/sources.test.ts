import { InvalidOptionError, type PersistenceProvider, systemRuntime } from "@wfe/core/providers";
import { Kysely, PostgresDialect, type Transaction } from "kysely";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { postgres } from "../src/index.ts";
import type { PostgresSource } from "../src/index.ts";
import { definition, event, turn, waitingRow, workflow } from "./support/records.ts";
import { admin, schemas, server, url } from "./support/server.ts";

const words = `source_words_${process.pid}`;

describe.skipIf(server === undefined).each([
  { name: "a URL", source: (): PostgresSource => url },
  { name: "a Pool", source: (): PostgresSource => poolOf(3) },
  { name: "a Kysely instance", source: (): PostgresSource => kyselyOf(4) },
])("a store by $name", ({ source }) => {
  it("stores, claims, commits and takes transactional steps", async () => {
    const store = await open(source());
    await admin.query(`CREATE TABLE IF NOT EXISTS ${words} (word text)`);
    const [created] = await store.create([workflow()]);
    const run = created?.run ?? 0;
    const word = systemRuntime().randomId();
    const [claimed] = await store.claim({ lease: "lease", limit: 10, definitions: [definition], format: 1 });
    expect(claimed).toMatchObject({ row: { run, claim: 1, owner: "lease" }, headSeq: -1, orphaned: false });
    expect(await store.commit([turn(run, 0)])).toMatchObject([{ outcome: "applied" }]);
    const execute = async (tx: unknown): Promise<ReturnType<typeof turn>> => {
      await runIn(tx, `INSERT INTO ${words} VALUES ('${word}')`);
      return turn(run, 1);
    };
    expect(await store.commit([{ run, seq: 1, execute }])).toMatchObject([{ outcome: "applied" }]);
    // Its turn is taken by now: what the body writes is undone, or the body is not begun.
    expect(await store.commit([{ run, seq: 1, execute }])).toMatchObject([{ outcome: "conflict" }]);
    expect((await admin.query(`SELECT 1 FROM ${words} WHERE word = '${word}'`)).rowCount).toBe(1);
  });

  it("refuses a step that ends its transaction, and one that goes on after an error", async () => {
    const store = await open(source());
    const [created] = await store.create([workflow()]);
    const run = created?.run ?? 0;
    const ends = async (tx: unknown): Promise<ReturnType<typeof turn>> => {
      await runIn(tx, "COMMIT");
      return turn(run, 0);
    };
    const fails = async (tx: unknown): Promise<ReturnType<typeof turn>> => {
      await runIn(tx, "SELECT 1 / 0").catch(() => undefined);
      return turn(run, 0);
    };
    for (const [execute, message] of [
      [ends, /leave COMMIT and ROLLBACK out/],
      [fails, /a statement of the step failed/],
    ] as const) {
      const [result] = await store.commit([{ run, seq: 0, execute }]);
      expect(result).toMatchObject({ outcome: "body-failed", error: { code: "TRANSACTIONAL_STEP" } });
      expect(String((result as { error: unknown }).error)).toMatch(message);
    }
    expect(await store.turns(run, { from: 0, limit: 10 })).toEqual([]);
  });
});

describe.skipIf(server === undefined)("a caller's transaction", () => {
  it("of Kysely starts and publishes when it is committed, and nothing when it is not", async () => {
    const store = await open(url);
    const db = kyselyOf(2);
    const inside = async (tx: Transaction<any>): Promise<void> => {
      await store.createIn?.(tx, [workflow({ id: "mine" })]);
      await store.publishIn?.(tx, [event({ eventId: "e-1" })]);
    };
    await expect(
      db.transaction().execute(async (tx) => {
        await inside(tx);
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(await store.find("default", ["mine"])).toEqual([undefined]);
    await db.transaction().execute(inside);
    expect(await store.find("default", ["mine"])).toMatchObject([{ id: "mine" }]);
    while (await store.advanceEvents(100));
    expect(await store.publish([event({ eventId: "e-1" })])).toEqual([{ number: 1, duplicate: true }]);
  });

  it("is refused where it is none, or on another database", async () => {
    const store = await open(url);
    const client = await admin.connect();
    onTestFinished(() => client.release(true));
    await expect(store.createIn?.(client, [workflow()])).rejects.toThrow(/not in a transaction/);
    await expect(store.createIn?.(admin, [workflow()])).rejects.toThrow(InvalidOptionError);
    await expect(store.createIn?.({}, [workflow()])).rejects.toThrow(InvalidOptionError);
    const other = new pg.Client(url.replace(/\/postgres$/, "/template1"));
    await other.connect();
    onTestFinished(() => other.end());
    await other.query("BEGIN");
    await expect(store.createIn?.(other, [workflow()])).rejects.toThrow(/another database/);
    // It can go on: only what was asked here is undone.
    await other.query("SELECT 1");
  });

  it("that stays open stops no flush", async () => {
    const store = await open(url);
    const [created] = await store.create([workflow()]);
    const client = await admin.connect();
    onTestFinished(() => client.release(true));
    await client.query("BEGIN");
    await store.createIn?.(client, [workflow({ id: "held" })]);
    await store.publishIn?.(client, [event()]);
    expect(await store.commit([turn(created?.run ?? 0, 0)])).toMatchObject([{ outcome: "applied" }]);
    expect(await store.publish([event()])).toEqual([{ number: 1, duplicate: false }]);
    // Its own id is what it holds; whoever wants that waits no longer than a flush may, and its neighbours get through.
    const neighbour = (await store.create([workflow()]))[0]?.run ?? 0;
    const parent = (await store.create([workflow()]))[0]?.run ?? 0;
    const both = [turn(parent, 0, { create: [workflow({ id: "held" })] }), turn(neighbour, 0)];
    await expect(store.commit(both)).rejects.toMatchObject({ code: "STORE_BUSY", outcome: "unknown", transient: true });
    expect(await store.turns(neighbour, { from: 0, limit: 1 })).toHaveLength(1);
    expect(await store.turns(parent, { from: 0, limit: 1 })).toHaveLength(0);
    await client.query("COMMIT");
    expect(await store.commit([both[0] as ReturnType<typeof turn>])).toMatchObject([{ outcome: "applied" }]);
  });
});

describe.skipIf(server === undefined)("events", () => {
  it("wake whoever subscribes at the same time: of thousands of pairs none is lost", async () => {
    const publisher = await open(url);
    const subscriber = await open(url, schemaOf.get(publisher));
    const pairs = Number(process.env["WFE_PAIRS"] ?? 2_000);
    const runs: number[] = [];
    for (let from = 0; from < pairs; from += 500) {
      runs.push(...(await publisher.create(Array.from({ length: 500 }, () => workflow()))).map(({ run }) => run));
    }
    const claimed: number[] = [];
    while (claimed.length < pairs) {
      const some = await subscriber.claim({ lease: "lease", limit: 500, definitions: [definition], format: 1 });
      claimed.push(...some.map(({ row: { run } }) => run));
    }
    const chunks = Array.from({ length: pairs / 50 }, (_, place) => runs.slice(place * 50, place * 50 + 50));
    await Promise.all(
      chunks.flatMap((chunk) => [
        subscriber.commit(
          chunk.map((run) =>
            turn(run, 0, { subscribe: [{ pointer: 1, name: "paid", key: `${run}`, after: 0 }], row: waitingRow() }),
          ),
        ),
        publisher.publish(chunk.map((run) => event({ key: `${run}` }))),
      ]),
    );
    const rows = await subscriber.load(runs);
    expect(rows.filter((loaded) => loaded?.row.dueAt === null)).toEqual([]);
  });
});

const schemaOf = new Map<PersistenceProvider, string>();

async function open(source: PostgresSource, schema = schemas.take()): Promise<PersistenceProvider> {
  const provider = postgres(source, { schema });
  await provider.open({ runtime: systemRuntime() });
  onTestFinished(() => provider.close());
  const store = provider.persistence as PersistenceProvider;
  schemaOf.set(store, schema);
  return store;
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

async function runIn(tx: unknown, statement: string): Promise<void> {
  if (tx instanceof Kysely)
    await tx.executeQuery({ sql: statement, parameters: [], query: {} as never, queryId: {} as never });
  else await (tx as pg.ClientBase).query(statement);
}
