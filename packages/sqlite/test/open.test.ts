import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InvalidOptionError, NewerFormatError, StoreError, systemClock, systemRuntime } from "@wfe/core/providers";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { checkVersion } from "../src/connection.ts";
import { sqlite } from "../src/index.ts";
import { connect, open, runtime, startChild, temporaryDirectory, temporaryFile, workflow } from "./stage.ts";

async function refusal(file: string): Promise<StoreError> {
  const error: unknown = await sqlite(file)
    .open({ runtime })
    .then(
      () => undefined,
      (refused: unknown) => refused,
    );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}

describe("open", () => {
  it("says that the directory does not exist", async () => {
    const error = await refusal(join(temporaryDirectory(), "nowhere", "app.db"));
    expect(error.code).toBe("STORE_UNREACHABLE");
    expect(error.message).toMatch(/nowhere does not exist: create it$/);
    expect(error.outcome).toBe("not-applied");
  });

  it("says that a directory is no file", async () => {
    const directory = join(temporaryDirectory(), "app.db");
    mkdirSync(directory);
    expect((await refusal(directory)).code).toBe("STORE_UNREACHABLE");
  });

  it("says that the file is not a database, and leaves it as it is", async () => {
    const file = temporaryFile();
    writeFileSync(file, "Dear diary, ".repeat(1_000));
    expect((await refusal(file)).code).toBe("STORE_NOT_A_DATABASE");
  });

  it("refuses the schema of a newer version", async () => {
    const file = temporaryFile();
    const { provider } = await open(file);
    await provider.close();
    connect(file).exec("UPDATE wfe_meta SET value = '99' WHERE name = 'schema'");
    await expect(sqlite(file).open({ runtime })).rejects.toThrow(NewerFormatError);
    await expect(sqlite(file).open({ runtime })).rejects.toThrow(/upgrade this process/);
  });

  it.runIf(process.getuid?.() === 0)("says that the file cannot be written", async () => {
    const file = temporaryFile();
    const { provider } = await open(file);
    await provider.close();
    // The one who may not write is another user: root may.
    const [answer] = await startChild(new URL("./children/open-as-nobody.ts", import.meta.url), file).ended;
    expect(JSON.parse(answer ?? "")).toMatchObject({ code: "STORE_READ_ONLY", outcome: "not-applied" });
  });

  it("can be repeated after it has failed", async () => {
    const directory = join(temporaryDirectory(), "later");
    const provider = sqlite(join(directory, "app.db"));
    await expect(provider.open({ runtime })).rejects.toThrow(StoreError);
    mkdirSync(directory);
    await provider.open({ runtime });
    await provider.ping();
    await provider.close();
  });

  it("lives beside the tables of the application, in a file of its own choosing", async () => {
    const file = temporaryFile();
    const application = connect(file);
    application.exec("CREATE TABLE orders (id TEXT); INSERT INTO orders VALUES ('o-1')");
    await open(file);
    const tables = application
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'wfe\\_%' ESCAPE '\\'")
      .pluck()
      .all();
    expect(tables.filter((name) => !String(name).startsWith("sqlite_"))).toEqual(["orders"]);
    expect(application.prepare("SELECT count(*) FROM orders").pluck().get()).toBe(1);
  });

  it("syncs every commit by default, and leaves that to the machine when told", async () => {
    const modes: unknown[] = [];
    const onConnect = (db: Database.Database): void => {
      modes.push(db.pragma("synchronous", { simple: true }), db.pragma("journal_mode", { simple: true }));
    };
    await open(temporaryFile(), { onConnect });
    await open(temporaryFile(), { onConnect, synchronous: "normal" });
    expect(modes).toEqual([2, "wal", 1, "wal"]);
    expect(() => sqlite("app.db", { synchronous: "off" as "full" })).toThrow(InvalidOptionError);
  });

  it("waits for who is opening the file, or holds its lock", async () => {
    const file = temporaryFile();
    const application = connect(file);
    application.exec("CREATE TABLE t (x); BEGIN EXCLUSIVE");
    setTimeout(() => application.exec("COMMIT"), 200);
    const { store } = await open(file);
    expect(await store.owners()).toEqual([]);
  });

  it("goes on with a copy of the file", async () => {
    const file = temporaryFile();
    const { provider, store } = await open(file);
    await store.create([workflow({ id: "a" })]);
    await provider.close();
    const copy = temporaryFile();
    copyFileSync(file, copy);
    const again = await open(copy);
    expect((await again.store.find("default", ["a"]))[0]?.id).toBe("a");
  });

  it("refuses a SQLite that can damage its file", () => {
    expect(() => checkVersion("3.51.2")).toThrow(StoreError);
    expect(() => checkVersion("3.50.9")).toThrow(/better-sqlite3 13/);
    expect(() => checkVersion("2.99.99")).toThrow(StoreError);
    for (const fine of ["3.51.3", "3.52.0", "3.100.0", "4.0.0"]) expect(() => checkVersion(fine)).not.toThrow();
  });
});

describe("a Database instead of a path", () => {
  it("is left alone: the provider opens a connection of its own to the file", async () => {
    const file = temporaryFile();
    const application = connect(file);
    const { store } = await open(application);
    application.exec("BEGIN");
    application.prepare("SELECT 1").get();
    await store.create([workflow()]);
    application.exec("COMMIT");
    expect(application.prepare("SELECT count(*) FROM wfe_workflows").pluck().get()).toBe(1);
    expect(application.pragma("synchronous", { simple: true })).toBe(1);
  });

  it("is shared where it is in memory, and stays open", async () => {
    const application = connect(":memory:");
    const { provider, store } = await open(application);
    await store.create([workflow({ id: "a" })]);
    await provider.close();
    expect(application.prepare("SELECT id FROM wfe_workflows").pluck().all()).toEqual(["a"]);
  });

  it("may read its numbers as BigInt", async () => {
    const application = connect(":memory:");
    application.defaultSafeIntegers(true);
    const { store, hold } = await open(application);
    const [run] = await hold(1);
    expect(run).toBe(1);
    expect((await store.load([1]))[0]?.row.claim).toBe(1);
  });

  it("is refused where it cannot be written", () => {
    const file = temporaryFile();
    connect(file).exec("CREATE TABLE t (x)");
    const application = new Database(file, { readonly: true });
    expect(() => sqlite(application)).toThrow(InvalidOptionError);
    application.close();
    expect(() => sqlite({} as Database.Database)).toThrow(InvalidOptionError);
    expect(() => sqlite(" ")).toThrow(InvalidOptionError);
  });
});

describe("open and close", () => {
  it("come in pairs: only the last close lets go", async () => {
    const provider = sqlite(temporaryFile());
    await Promise.all([provider.open({ runtime }), provider.open({ runtime })]);
    await provider.close();
    await provider.ping();
    await provider.close();
    await expect(provider.ping()).rejects.toMatchObject({ code: "STORE_CLOSED" });
    await provider.close();
    await provider.open({ runtime });
    await provider.ping();
    await provider.close();
  });

  it("refuses hosts with different clocks", async () => {
    const { provider } = await open();
    const other = systemRuntime({ ...systemClock });
    await expect(provider.open({ runtime: other })).rejects.toThrow(InvalidOptionError);
  });

  it("refuses what is asked of it before, and afterwards", async () => {
    const provider = sqlite(temporaryFile());
    await expect(provider.persistence?.owners()).rejects.toMatchObject({
      code: "STORE_CLOSED",
      outcome: "not-applied",
    });
    await provider.open({ runtime });
    await provider.close();
    await expect(provider.persistence?.create([workflow()])).rejects.toMatchObject({ code: "STORE_CLOSED" });
  });

  it("tells the locks of two files apart", async () => {
    const file = temporaryFile();
    const [a, b, c] = [await open(file), await open(file), await open()];
    expect(a.provider.lock?.name).toBe(b.provider.lock?.name);
    expect(a.provider.lock?.name).not.toBe(c.provider.lock?.name);
  });
});

describe("many processes at once", { timeout: 120_000 }, () => {
  it("make one schema", async () => {
    const file = temporaryFile();
    const children = Array.from({ length: 8 }, () =>
      startChild(new URL("./children/open-and-create.ts", import.meta.url), file),
    );
    const answers = await Promise.all(children.map((child) => child.ended));
    expect(answers.flat()).toEqual(Array.from({ length: 8 }, () => "created"));
    const db = connect(file);
    expect(db.prepare("SELECT count(*) FROM wfe_workflows").pluck().get()).toBe(8);
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
  });

  it("finish what one that was killed has begun", async () => {
    for (let time = 0; time < 6; time += 1) {
      const file = temporaryFile();
      const child = startChild(new URL("./children/open-and-create.ts", import.meta.url), file);
      await new Promise((resolve) => setTimeout(resolve, 60 + time * 15));
      await child.kill();
      const { store } = await open(file);
      await store.create([workflow()]);
      expect(connect(file).pragma("integrity_check", { simple: true })).toBe("ok");
    }
  });
});
