import { StoreError } from "@wfe/core/providers";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { FlushRepeat, storeError } from "../src/errors.ts";
import { Session } from "../src/session.ts";
import { Transactions } from "../src/transactions.ts";
import { connect, delivery, event, open, startChild, temporaryFile, turn, workflow } from "./stage.ts";

describe("a lock that another connection holds", { timeout: 60_000 }, () => {
  it("is waited for without blocking the thread", async () => {
    const file = temporaryFile();
    const { store } = await open(file);
    const application = connect(file);
    application.exec("BEGIN IMMEDIATE");
    setTimeout(() => application.exec("COMMIT"), 400);

    let longest = 0;
    let last = performance.now();
    const ticker = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    const [created] = await store.create([workflow()]);
    clearInterval(ticker);
    expect(created?.created).toBe(true);
    expect(longest).toBeLessThan(200);
  });

  it("does not turn the order of the calls round", async () => {
    const file = temporaryFile();
    const { store } = await open(file);
    const application = connect(file);
    application.exec("BEGIN IMMEDIATE");
    const published = Promise.all(Array.from({ length: 30 }, () => store.publish([event()])));
    setTimeout(() => application.exec("COMMIT"), 100);
    expect((await published).map(([one]) => one?.number)).toEqual(Array.from({ length: 30 }, (_, place) => place + 1));
  });

  it("does not keep anyone from reading", async () => {
    const file = temporaryFile();
    const { store } = await open(file);
    await store.create([workflow({ id: "a" })]);
    const application = connect(file);
    application.exec("BEGIN IMMEDIATE");
    expect((await store.find("default", ["a"]))[0]?.id).toBe("a");
    expect(await store.nextDueAt([{ id: "order", version: 1 }])).toBeTypeOf("number");
    application.exec("COMMIT");
  });

  it("is given up when the store is closed", async () => {
    const file = temporaryFile();
    const { provider, store } = await open(file);
    const application = connect(file);
    application.exec("BEGIN IMMEDIATE");
    const waiting = store.create([workflow()]).catch((error: unknown) => error);
    await provider.close();
    application.exec("COMMIT");
    expect(await waiting).toMatchObject({ code: "STORE_CLOSED", outcome: "not-applied", transient: false });
  });

  it("never reaches a user as an error, with twenty processes at it", async () => {
    const file = temporaryFile();
    const { store } = await open(file);
    const children = Array.from({ length: 20 }, (_, place) =>
      startChild(new URL("./children/write-for-a-while.ts", import.meta.url), file, place, 3_000),
    );
    const lines = (await Promise.all(children.map((child) => child.ended))).flat();
    const reports = lines.map((line) => JSON.parse(line) as { readonly workflows: number; readonly events: number });
    expect(reports).toHaveLength(20);
    const sum = (of: (report: (typeof reports)[number]) => number): number =>
      reports.reduce((total, report) => total + of(report), 0);
    expect(Math.min(...reports.map(({ workflows }) => workflows))).toBeGreaterThan(0);
    expect(await store.count({ namespace: "default" })).toBe(sum(({ workflows }) => workflows));

    const db = connect(file);
    expect(db.prepare("SELECT count(*), max(number) FROM wfe_events").raw().get()).toEqual([
      sum(({ events }) => events),
      sum(({ events }) => events),
    ]);
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
  });
});

describe("a disk that is full", () => {
  it("applies nothing, says so, and goes on when there is space", async () => {
    let ours: Database.Database | undefined;
    const { store, hold } = await open(temporaryFile(), { onConnect: (db) => void (ours = db) });
    const [run = 0] = await hold(1);
    ours?.pragma(`max_page_count = ${String(ours.pragma("page_count", { simple: true }))}`);
    const large = turn(run, 0, { entriesText: "x".repeat(1_000_000) });
    const error: unknown = await store.commit([large]).catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: "STORE_FULL", outcome: "not-applied", transient: true });
    expect((error as Error).message).toMatch(/free some space/);
    expect(await store.turns(run, { from: 0, limit: 9 })).toEqual([]);

    ours?.pragma("max_page_count = 1000000");
    expect(await store.commit([large])).toMatchObject([{ outcome: "applied" }]);
  });
});

describe("a disk that fails", () => {
  /** A session whose COMMIT fails as SQLite says it does. */
  function failing(code: string, on: string): { readonly transactions: Transactions; readonly heal: () => void } {
    const db = new Database(":memory:");
    db.exec("CREATE TABLE t (x)");
    const session = new Session(db, () => 0);
    const run = session.run.bind(session);
    let ill = true;
    session.run = (sql, ...values) => {
      if (ill && sql === on) throw new Database.SqliteError("disk I/O error", code);
      return run(sql, ...values);
    };
    const committed = (): void => undefined;
    return {
      transactions: new Transactions({ name: "sqlite(x)", session, reconnect: undefined, finish: () => {}, committed }),
      heal: () => void (ill = false),
    };
  }

  it.for(["SQLITE_IOERR_FSYNC", "SQLITE_IOERR_WRITE"])("writes nothing more after %s of a commit", async (code) => {
    const { transactions, heal } = failing(code, "COMMIT");
    const write = (): Promise<number> => transactions.write((session) => session.run("INSERT INTO t VALUES (1)"));
    await expect(write()).rejects.toMatchObject({ code: "STORE_IO", outcome: "unknown", transient: false });
    heal();
    await expect(write()).rejects.toMatchObject({ code: "STORE_IO", outcome: "not-applied", transient: false });
    await expect(write()).rejects.toThrow(/restart this process/);
    expect(await transactions.read((session) => session.value("SELECT count(*) FROM t"))).toBe(0);
  });

  it("goes on where a read failed", async () => {
    const { transactions, heal } = failing("SQLITE_IOERR_READ", "SELECT 1");
    const read = (): Promise<number> => transactions.write((session) => session.run("SELECT 1"));
    await expect(read()).rejects.toMatchObject({ code: "STORE_IO", outcome: "not-applied" });
    heal();
    await transactions.write((session) => session.run("INSERT INTO t VALUES (1)"));
  });
});

describe("errors", () => {
  const sqliteError = (code: string): Error => new Database.SqliteError("no", code);

  it.for([
    ["SQLITE_BUSY_SNAPSHOT", "STORE_BUSY", true],
    ["SQLITE_FULL", "STORE_FULL", true],
    ["SQLITE_READONLY", "STORE_READ_ONLY", true],
    ["SQLITE_READONLY_DBMOVED", "STORE_READ_ONLY", false],
    ["SQLITE_CORRUPT_INDEX", "STORE_CORRUPTED", false],
    ["SQLITE_NOMEM", "STORE_MEMORY", true],
    ["SQLITE_MISUSE", "STORE_FAILED", false],
  ] as const)("makes of %s a %s", ([code, name, transient]) => {
    const cause = sqliteError(code);
    expect(storeError(cause, "statement", "sqlite(x)")).toMatchObject({
      code: name,
      transient,
      outcome: "not-applied",
      cause,
    });
  });

  it("does not know of a commit that failed whether it took effect, where the disk was at fault", () => {
    expect(storeError(sqliteError("SQLITE_IOERR"), "commit", "x")).toMatchObject({ outcome: "unknown" });
    expect(storeError(sqliteError("SQLITE_FULL"), "commit", "x")).toMatchObject({ outcome: "not-applied" });
  });

  it("lets those of WFE pass", () => {
    const error = new StoreError("X", "x", { outcome: "unknown", transient: true });
    expect(storeError(error, "commit", "x")).toBe(error);
    const repeat = new FlushRepeat();
    expect(storeError(repeat, "statement", "x")).toBe(repeat);
  });
});

describe("texts that cannot be stored as they are", () => {
  it("fail their own turn alone", async () => {
    const { store, hold } = await open();
    const [a = 0, b = 0, c = 0, d = 0] = await hold(4);
    const half = "half \ud83d";
    const results = await store.commit([
      turn(a, 0),
      turn(b, 0, { entriesText: half }),
      turn(c, 0, { checkpoint: { seq: 0, stateText: half } }),
      turn(d, 0, { deliver: [delivery(a, { bodyText: half })], create: [workflow({ id: "child" })] }),
    ]);
    expect(results.map(({ outcome }) => outcome)).toEqual(["applied", "failed", "failed", "failed"]);
    expect(await store.find("default", ["child"])).toEqual([undefined]);
    for (const run of [b, c, d]) expect(await store.turns(run, { from: 0, limit: 9 })).toEqual([]);
    expect(await store.turns(a, { from: 0, limit: 9 })).toHaveLength(1);
  });

  it("fail alone among many, whatever their place", async () => {
    const { store, hold } = await open();
    const runs = await hold(100);
    const bad = new Set([0, 31, 32, 63, 99]);
    const results = await store.commit(
      runs.map((run, place) => turn(run, 0, bad.has(place) ? { turn: 1 as unknown as string } : {})),
    );
    for (const [place, { outcome }] of results.entries()) expect(outcome).toBe(bad.has(place) ? "failed" : "applied");
    const next = await store.commit(runs.map((run) => turn(run, 1)));
    for (const [place, { outcome }] of next.entries()) expect(outcome).toBe(bad.has(place) ? "hole" : "applied");
  });

  it("are refused as names", async () => {
    const { store } = await open();
    for (const id of ["", "  ", "a\0b", "x".repeat(513), "é".repeat(257), "half \ud83d"]) {
      await expect(store.create([workflow({ id })])).rejects.toMatchObject({ code: "INVALID_OPTION" });
    }
    await store.create([workflow({ id: "é".repeat(256) })]);
    expect(await store.count({ namespace: "default" })).toBe(1);
  });
});
