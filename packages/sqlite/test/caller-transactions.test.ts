import { InvalidOptionError } from "@wfe/core/providers";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { connect, event, open, row, runtime, temporaryFile, turn, workflow } from "./stage.ts";

describe("createIn and publishIn", () => {
  it("are done before the call returns, in the application's transaction", async () => {
    const file = temporaryFile();
    const { store, claim } = await open(file);
    const application = connect(file);
    application.exec("CREATE TABLE orders (id TEXT)");

    application.transaction(() => {
      application.prepare("INSERT INTO orders VALUES ('o-1')").run();
      void store.createIn?.(application, [workflow({ id: "o-1" })]);
      void store.publishIn?.(application, [event({ eventId: "e-1" })]);
    })();

    expect((await claim()).map((claimed) => claimed.row.id)).toEqual(["o-1"]);
    expect(await store.publish([event({ eventId: "e-1" })])).toEqual([{ number: 1, duplicate: true }]);
  });

  it("are undone with it", async () => {
    const file = temporaryFile();
    const { store, claim } = await open(file);
    const application = connect(file);
    const placeOrder = application.transaction(() => {
      void store.createIn?.(application, [workflow({ id: "o-1", definitionHash: "other" })]);
      void store.publishIn?.(application, [event({ eventId: "e-1" })]);
      throw new Error("no money");
    });
    expect(placeOrder).toThrow("no money");

    expect(await claim()).toEqual([]);
    expect(await store.find("default", ["o-1"])).toEqual([undefined]);
    // Also what the connection has noted about definitions meanwhile.
    application.exec("BEGIN");
    await store.createIn?.(application, [workflow({ id: "o-2", definitionHash: "other" })]);
    application.exec("COMMIT");
    expect((await store.find("default", ["o-2"]))[0]?.definitionHash).toBe("other");
    expect(await store.publish([event({ eventId: "e-1" })])).toEqual([{ number: 1, duplicate: false }]);
  });

  it("describe what is there, and know a repeated start", async () => {
    const file = temporaryFile();
    const { store } = await open(file);
    const first = workflow({ id: "o-1" });
    const [created] = await store.create([first]);
    const application = connect(file);
    application.exec("BEGIN");
    const again = await store.createIn?.(application, [first, workflow({ id: "o-1" }), workflow({ id: "o-2" })]);
    application.exec("COMMIT");
    expect(again?.map((one) => [one.created, one.uid === first.uid])).toEqual([
      [true, true],
      [false, true],
      [true, false],
    ]);
    expect(again?.[1]?.run).toBe(created?.run);
  });

  it("wake who waits, when the application commits", async () => {
    const file = temporaryFile();
    const { store, hold, claim } = await open(file);
    const [run = 0] = await hold(1);
    const subscribe = [{ pointer: 1, name: "paid", key: "o-1", after: 0 }];
    await store.commit([turn(run, 0, { subscribe, row: row() })]);
    const hinted = new Promise((resolve) => store.hints(resolve));
    const application = connect(file);
    application.exec("BEGIN");
    await store.publishIn?.(application, [event()]);
    expect(await claim()).toEqual([]);
    application.exec("COMMIT");
    await hinted;
    expect((await claim()).map((claimed) => claimed.row.run)).toEqual([run]);
  });

  it("take a connection whose numbers are BigInt", async () => {
    const file = temporaryFile();
    const { store } = await open(file);
    const application = connect(file).defaultSafeIntegers(true);
    application.exec("BEGIN");
    expect((await store.createIn?.(application, [workflow()]))?.[0]?.run).toBe(1);
    expect((await store.publishIn?.(application, [event()]))?.[0]?.number).toBe(1);
    application.exec("COMMIT");
  });

  it("do all of a list or nothing of it", async () => {
    const file = temporaryFile();
    const { store } = await open(file);
    const application = connect(file);
    application.exec("BEGIN");
    const bad = workflow({ id: "b", tags: ["a", 7 as unknown as string] });
    await expect(store.createIn?.(application, [workflow({ id: "a" }), bad])).rejects.toThrow();
    application.exec("COMMIT");
    expect(await store.count({ namespace: "default" })).toBe(0);
  });

  it("say what to do where the transaction cannot write", async () => {
    const file = temporaryFile();
    const { store } = await open(file);
    const application = connect(file);
    application.exec("BEGIN");
    application.prepare("SELECT count(*) FROM wfe_workflows").get();
    await store.create([workflow()]);
    const late = store.createIn?.(application, [workflow()]);
    await expect(late).rejects.toMatchObject({ code: "STORE_BUSY", outcome: "not-applied", transient: true });
    await expect(late).rejects.toThrow(/BEGIN IMMEDIATE/);
    application.exec("ROLLBACK");
  });

  it("refuse what is no transaction on this database", async () => {
    const file = temporaryFile();
    const { store } = await open(file);
    const application = connect(file);
    const elsewhere = connect(temporaryFile());
    elsewhere.exec("BEGIN");
    const inMemory = connect(":memory:");
    inMemory.exec("BEGIN");
    for (const tx of [undefined, null, "tx", {}, application, elsewhere, inMemory]) {
      await expect(store.createIn?.(tx, [workflow()])).rejects.toThrow(InvalidOptionError);
      await expect(store.publishIn?.(tx, [event()])).rejects.toThrow(InvalidOptionError);
    }
  });

  it("join a transaction on the database in memory that the store shares", async () => {
    const application = new Database(":memory:");
    const { store, claim, provider } = await open(application);
    const hints: unknown[] = [];
    store.hints((hint) => hints.push(hint));
    application.exec("BEGIN");
    await store.createIn?.(application, [workflow({ id: "a" })]);
    // Nothing of the store's own may run in the application's transaction.
    const waiting = store.create([workflow({ id: "b" })]);
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(hints).toEqual([]);
    application.exec("ROLLBACK");
    expect((await waiting)[0]?.created).toBe(true);
    expect((await claim()).map((claimed) => claimed.row.id)).toEqual(["b"]);

    application.exec("BEGIN");
    await store.createIn?.(application, [workflow({ id: "c" })]);
    application.exec("COMMIT");
    await expect.poll(() => hints.some((hint) => Object.keys(hint as object).length === 0)).toBe(true);
    expect(runtime.clock.now()).toBeGreaterThan(0);
    await provider.ping();
  });
});
