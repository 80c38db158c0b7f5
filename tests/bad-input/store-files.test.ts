import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { workflow, WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import Database from "better-sqlite3";
import { describe, expect, it, vi } from "vitest";
import { quiet } from "../crash/quiet.ts";
import { Child } from "../processes/support/child.ts";
import { StoreFile } from "../processes/support/store-file.ts";
import { until } from "../processes/support/until.ts";
import { expectRefused } from "./says.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const steps = workflow<{ steps: number; done: number }>()
  .whileDo(
    (data) => data.done < data.steps,
    (b) => b.then((data: { done: number }) => data.done + 1).output((_, done) => ({ done })),
  )
  .build("steps", 1);

function hostOf(file: string): WorkflowHost {
  return new WorkflowHost({ providers: [sqlite(file)], workflows: [steps], log: quiet() });
}

/** A file with a schema and a workflow in it, which nobody has run. */
async function used(store: StoreFile): Promise<void> {
  await using host = hostOf(store.file);
  await host.startWorkflow(steps, { steps: 1, done: 0 }, { id: "first" });
}

describe("a file that cannot be used", () => {
  it("is refused where a newer WFE has made its schema", async () => {
    using store = new StoreFile();
    await used(store);
    store.change("UPDATE wfe_meta SET value = value + 900 WHERE name = 'schema'");
    await using host = hostOf(store.file);
    for (const call of [() => host.start(), () => host.startWorkflow(steps, { steps: 1, done: 0 })]) {
      await expectRefused(call, { code: "NEWER_FORMAT", says: /schema version 9\d\d.*upgrade this process/ });
    }
    expect((await host.health()).ok).toBe(false);

    // When it has been put right the same host starts.
    store.change("UPDATE wfe_meta SET value = value - 900 WHERE name = 'schema'");
    await host.start();
    expect(await host.handle("first").result({ timeout: "10s" })).toEqual({ steps: 1, done: 1 });
  });

  it("is refused where its schema has no version that makes sense", async () => {
    using store = new StoreFile();
    await used(store);
    store.change("UPDATE wfe_meta SET value = 'new' WHERE name = 'schema'");
    await using host = hostOf(store.file);
    await expectRefused(() => host.start(), { code: "INVALID_OPTION", says: /backup/ });
  });

  it("is refused where it is no database", async () => {
    using store = new StoreFile();
    writeFileSync(store.file, "this is a text, and a long one, so that it is no empty database either. ".repeat(20));
    await using host = hostOf(store.file);
    await expectRefused(() => host.start(), { code: "STORE_NOT_A_DATABASE", says: /name another file/ });
  });

  it("is refused where its directory is not there", async () => {
    using store = new StoreFile();
    await using host = hostOf(store.path("nowhere/app.db"));
    await expectRefused(() => host.start(), { code: "STORE_UNREACHABLE", says: /does not exist: create it/ });
    // It can be created, and the same host then starts.
    mkdirSync(store.path("nowhere"));
    await host.start();
  });

  it("is refused where it is a directory", async () => {
    using store = new StoreFile();
    await using host = hostOf(store.directory);
    await expectRefused(() => host.start(), { code: "STORE_UNREACHABLE", says: /check the path/ });
  });

  it("is refused where the application's connection only reads", async () => {
    using store = new StoreFile();
    await used(store);
    const database = new Database(store.file, { readonly: true });
    await expectRefused(() => sqlite(database), { code: "INVALID_OPTION", says: /read-only.*open it for writing/ });
    database.close();
  });

  it("is refused where the process may not write it", async () => {
    using store = new StoreFile();
    await used(store);
    // The log must be gone, or a reader would have to write it back.
    using opened = store.open();
    opened.database.pragma("wal_checkpoint(TRUNCATE)");
    opened.database.close();
    chmodSync(store.directory, 0o555);
    chmodSync(store.file, 0o444);
    try {
      await using child = await Child.spawn(new URL("./unprivileged.ts", import.meta.url), { file: store.file });
      await expect(child.call("start")).rejects.toMatchObject({
        code: expect.stringMatching(/^STORE_(READ_ONLY|UNREACHABLE)$/) as string,
        message: expect.stringMatching(/right/) as string,
      });
    } finally {
      chmodSync(store.directory, 0o755);
    }
  });

  it("is refused where another host uses another lock for it", async () => {
    using store = new StoreFile();
    using elsewhere = new StoreFile();
    await used(store);
    await using first = hostOf(store.file);
    await first.start();
    const both = new WorkflowHost({
      providers: [sqlite(store.file), lockOf(elsewhere.file)],
      workflows: [steps],
      log: silent,
    });
    await expectRefused(() => both.start(), { code: expect.any(String) as string, says: /lock/ });
    await both.stop();
  });
});

describe("a file that is damaged", () => {
  it("is told of, and does no harm to the process", async () => {
    using store = new StoreFile();
    await used(store);
    using opened = store.open();
    opened.database.pragma("wal_checkpoint(TRUNCATE)");
    opened.database.close();
    const pages = Buffer.alloc(4096 * 6, 0x5a);
    const file = store.path("damaged.db");
    copyFileSync(store.file, file);
    const { openSync, writeSync, closeSync } = await import("node:fs");
    const descriptor = openSync(file, "r+");
    writeSync(descriptor, pages, 0, pages.length, 4096);
    closeSync(descriptor);

    await using host = hostOf(file);
    await expectRefused(() => host.start(), { code: "STORE_CORRUPTED", says: /integrity_check.*backup/ });
  });
});

describe("a disk that is full", () => {
  it("refuses what it cannot store, keeps what it has acknowledged, and goes on when there is room", async () => {
    using store = new StoreFile();
    let connection: Database.Database | undefined;
    const room = (pages: number): void => void connection?.pragma(`max_page_count = ${pages}`);
    const provider = sqlite(store.file, { onConnect: (opened) => (connection = opened) });
    await using host = new WorkflowHost({ providers: [provider], workflows: [steps], lease: "1s", log: silent });
    await host.start();
    const ids: string[] = [];
    const start = async (id: string, data: object = {}): Promise<void> => {
      await host.startWorkflow(steps, { steps: 30, done: 0, ...data }, { id });
      ids.push(id);
    };
    for (let n = 0; n < 5; n += 1) await start(`before-${n}`);

    const used = connection?.pragma("page_count", { simple: true }) as number;
    room(used + 3);
    // Large enough that some will not fit.
    const attempts = Array.from({ length: 12 }, async (_, n) => start(`full-${n}`, { filling: "x".repeat(20_000) }));
    const first = await Promise.race(
      attempts.map(async (attempt) =>
        attempt.then(
          () => undefined,
          (error: unknown) => error,
        ),
      ),
    );
    void first;
    const refusals = (await Promise.allSettled(attempts)).filter((result) => result.status === "rejected");
    expect(refusals.length).toBeGreaterThan(0);
    for (const { reason } of refusals) {
      expect(reason).toMatchObject({ code: "STORE_FULL", message: expect.stringMatching(/free some space/) as string });
    }
    // It can still be asked.
    expect(await host.getWorkflow("before-0")).toMatchObject({ id: "before-0" });

    room(1_000_000);
    await start("after");
    for (const id of ids) expect(await host.handle(id).result({ timeout: "20s" })).toMatchObject({ done: 30 });
    expect(store.query("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
    await until({ what: "it is well" }, async () => (await host.health()).ok);
  });

  it("lets steps that are under way finish when there is room again, each recorded once", async () => {
    using store = new StoreFile();
    let connection: Database.Database | undefined;
    const provider = sqlite(store.file, { onConnect: (opened) => (connection = opened) });
    let ran = 0;
    const heavy = workflow()
      .startWith(async () => {
        ran += 1;
        return "x".repeat(200_000);
      })
      .as("heavy")
      .then(() => "done")
      .as("end")
      .build("heavy", 1);
    await using host = new WorkflowHost({ providers: [provider], workflows: [heavy], log: silent });
    await host.start();
    const used = connection?.pragma("page_count", { simple: true }) as number;
    const handle = await host.startWorkflow(heavy, {}, { id: "heavy" });
    connection?.pragma(`max_page_count = ${used + 10}`);
    await until({ what: "the step has run" }, () => ran === 1);
    await expect(handle.result({ timeout: "400ms" })).rejects.toMatchObject({ code: "RESULT_TIMEOUT" });

    connection?.pragma("max_page_count = 1000000");
    expect(await handle.result({ timeout: "20s" })).toMatchObject({ end: "done" });
    // What it gave was kept and stored as soon as that could be: the body did not run again.
    expect(ran).toBe(1);
  });
});

/** The lock of another file, for the same store. */
function lockOf(file: string) {
  const { name, lock, open, close, ping } = sqlite(file);
  return { name, lock: lock!, open, close, ping };
}
