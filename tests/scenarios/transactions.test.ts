import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { retry, workflow, WorkflowHost } from "@wfe/core";
import { TestClock } from "@wfe/core/testing";
import { inTransaction, sqlite } from "@wfe/sqlite";
import Database from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import { recorder } from "../support/recorder.ts";
import { inMemory, inSqlite } from "../support/local-stores.ts";
import { World } from "../support/world.ts";

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** A step that writes a row of its own into the store's database. */
const insert = (name: string) =>
  inTransaction((input: { n: number }, ctx) => {
    ctx.tx.exec("create table if not exists bookings (name text, n integer, key text)");
    ctx.tx.prepare("insert into bookings values (?, ?, ?)").run(name, input.n, ctx.idempotencyKey);
    return ctx.tx.prepare("select count(*) from bookings").pluck().get() as number;
  });

const rows = inTransaction(
  (_: unknown, ctx) =>
    ctx.tx.prepare("select name, n from bookings order by rowid").all() as { name: string; n: number }[],
);

describe("transactional steps on sqlite", () => {
  it("commit their writes and their result together", async () => {
    await using world = new World(inSqlite);
    const definition = workflow<{ n: number }>()
      .then(insert("a"))
      .as("first")
      .then(insert("b"))
      .as("second")
      .then(rows)
      .as("rows")
      .build("w", 1);
    expect((await world.run(definition, { n: 7 })).data).toEqual({
      n: 7,
      first: 1,
      second: 2,
      rows: [
        { name: "a", n: 7 },
        { name: "b", n: 7 },
      ],
    });
  });

  it("leave nothing behind of an attempt that threw, and are retried like any other", async () => {
    await using world = new World(inSqlite);
    let attempts = 0;
    const shaky = inTransaction((_: unknown, ctx) => {
      ctx.tx.exec("create table if not exists bookings (name text, n integer, key text)");
      ctx.tx.prepare("insert into bookings values ('shaky', ?, '')").run((attempts += 1));
      if (attempts < 3) throw new Error("not yet");
      return attempts;
    });
    const definition = workflow()
      .then(shaky)
      .as("attempts")
      .onError(retry({ interval: "1s" }))
      .then(rows)
      .as("rows")
      .build("w", 1);
    expect((await world.run(definition, {})).data).toEqual({ attempts: 3, rows: [{ name: "shaky", n: 3 }] });
  });

  it("fail alone where COMMIT refuses what one of them has written, though they are committed together", async () => {
    await using world = new World(inSqlite);
    const insertItem = inTransaction(({ n }: { n: number }, ctx) => {
      ctx.tx.exec(`
        create table if not exists orders (id integer primary key);
        create table if not exists items (n integer, id integer references orders deferrable initially deferred);
      `);
      ctx.tx.prepare("insert into items values (?, ?)").run(n, n === 2 ? 99 : null);
      return ctx.tx.prepare("select n from items").pluck().all() as number[];
    });
    const definition = workflow<{ n: number }>().then(insertItem).as("items").build("w", 1);
    const host = await world.start([definition]);
    const handles = await host.startWorkflows([0, 1, 2, 3, 4].map((n) => ({ definition, data: { n } })));
    await world.settle();
    const results = await Promise.allSettled(handles.map((handle) => handle.result()));
    expect(results.map(({ status }, n) => (status === "fulfilled" ? n : "refused"))).toEqual([0, 1, "refused", 3, 4]);
    expect(results[2]).toMatchObject({ reason: { cause: { message: expect.stringContaining("FOREIGN KEY") } } });
    const written = results.flatMap((result) => (result.status === "fulfilled" ? [result.value.items] : []));
    expect(Math.max(...written.map(({ length }) => length))).toBe(4);
  });

  it("count once although the answer to the commit is lost, or the host dies", async () => {
    await using world = new World(inSqlite);
    const { step, count } = recorder();
    const definition = workflow<{ n: number }>()
      .waitFor("go", "")
      .then(insert("once"), (data) => data)
      .then(step("after"))
      .then(rows)
      .as("rows")
      .build("w", 1);
    const first = await world.start([definition]);
    const client = world.host([definition]);
    const { id } = await client.startWorkflow(definition, { n: 1 });
    await world.settle();
    world.setLine(first, "deaf");
    await client.publishEvent("go", "", 1);
    await world.clock.advance("2s");
    world.kill(first);
    const second = await world.start([definition]);
    await world.clock.advance("1m");
    expect(await second.handle(definition, id).result()).toMatchObject({ rows: [{ name: "once", n: 1 }] });
    expect(count("after")).toBeGreaterThanOrEqual(1);
  });

  it("work in items and branches at the same time, each once", async () => {
    await using world = new World(inSqlite);
    const definition = workflow()
      .forEach(
        () => Array.from({ length: 20 }, (_, n) => n),
        (b) => b.then(insert("item"), (_, at) => ({ n: at.item })),
      )
      .then(rows)
      .as("rows")
      .build("w", 1);
    const { rows: stored } = (await world.run(definition, {})).data;
    expect(stored.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  it("fail with what their transaction refuses, and undo like any other", async () => {
    await using world = new World(inSqlite);
    const { step, ran } = recorder();
    const broken = inTransaction((_: unknown, ctx) => {
      ctx.tx.exec("insert into nowhere values (1)");
    });
    const definition = workflow<{ n: number }>()
      .then(insert("a"))
      .compensateWith(inTransaction((_: unknown, ctx) => void ctx.tx.exec("delete from bookings where name = 'a'")))
      .then(step("between"))
      .then(broken)
      .build("w", 1);
    const reader = workflow().then(rows).as("rows").build("reader", 1);
    const host = await world.start([definition, reader]);
    const failed = await world.ended(await host.startWorkflow(definition, { n: 1 }));
    expect(failed).toMatchObject({ status: "failed", error: { message: expect.stringContaining("nowhere") } });
    expect(ran).toEqual(["between"]);
    expect(await (await host.startWorkflow(reader, {})).result()).toEqual({ rows: [] });
  });

  it("are refused on a store without transactions of theirs", async () => {
    await using world = new World(inMemory);
    const definition = workflow<{ n: number }>().then(insert("a")).build("w", 1);
    const outcome = await world.run(definition, { n: 1 }).then(
      ({ status }) => status,
      () => "refused",
    );
    expect(["failed", "refused"]).toContain(outcome);
  });
});

describe("starts and events in a transaction of the caller's, on sqlite", () => {
  it("go into the function of `db.transaction`, which awaits nothing; late or outside they say how", async () => {
    const directory = mkdtempSync(join(tmpdir(), "wfe-tx-"));
    directories.push(directory);
    const file = join(directory, "app.db");
    const definition = workflow()
      .then(() => 1)
      .build("w", 1);
    const host = new WorkflowHost({ providers: [sqlite(file)], workflows: [definition], clock: new TestClock() });
    await host.start();
    const database = new Database(file);
    const start = (id: string): Promise<unknown> => host.startWorkflow(definition, {}, { id, tx: database });
    let started: Promise<unknown> | undefined;
    database
      .transaction(() => {
        started = start("kept");
      })
      .immediate();
    expect(await started).toMatchObject({ id: "kept", created: true });

    expect(() => database.transaction(() => start("returned")).immediate()).toThrow(/cannot return a promise/);
    let late: Promise<unknown> | undefined;
    const awaits = async (): Promise<unknown> => {
      await Promise.resolve();
      return start("late");
    };
    database.transaction(() => void (late = awaits())).immediate();
    await expect(late).rejects.toThrow(/keep the one that this call gives, and await it after the transaction/);
    for (const id of ["returned", "late"]) expect(await host.getWorkflow(id)).toBeUndefined();
    database.close();
    await host.stop();
  });

  it("are there when it commits, and never were when it does not", async () => {
    const directory = mkdtempSync(join(tmpdir(), "wfe-tx-"));
    directories.push(directory);
    const clock = new TestClock();
    const file = join(directory, "app.db");
    const definition = workflow<{ n: number }>()
      .waitFor<string>("paid", (data) => `o-${data.n}`)
      .as("paid")
      .build("w", 1);
    const host = new WorkflowHost({ providers: [sqlite(file)], workflows: [definition], clock });
    await host.start();
    const database = new Database(file);
    database.exec("create table orders (n integer)");
    for (const [n, ending] of [
      [1, "commit"],
      [2, "rollback"],
    ] as const) {
      database.exec("begin immediate");
      database.prepare("insert into orders values (?)").run(n);
      await host.startWorkflow(definition, { n }, { id: `w-${n}`, tx: database });
      await host.publishEvent("paid", `o-${n}`, "by card", { tx: database });
      database.exec(ending);
    }
    await clock.advance("10s");
    expect(await host.getWorkflow("w-1")).toMatchObject({ status: "completed", data: { n: 1, paid: "by card" } });
    expect(await host.getWorkflow("w-2")).toBeUndefined();
    expect(database.prepare("select n from orders").pluck().all()).toEqual([1]);
    await expect(host.startWorkflow(definition, { n: 3 }, { tx: database })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
    database.close();
    await host.stop();
  });
});
