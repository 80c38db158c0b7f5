import { InvalidOptionError, WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import Database from "better-sqlite3";
import { expect, it, vi } from "vitest";
import { quiet } from "../crash/quiet.ts";
import { Child } from "./support/child.ts";
import { StoreFile } from "./support/store-file.ts";
import { until } from "./support/until.ts";
import { said, worksOf } from "./works.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const works = worksOf(() => {});

/** The application's own database, with a table of its own. WFE lives in the same file. */
class Application implements AsyncDisposable {
  readonly store: StoreFile = new StoreFile();
  readonly database: Database.Database;
  readonly host: WorkflowHost;

  constructor() {
    this.database = new Database(this.store.file, { timeout: 10_000 });
    this.database.exec("CREATE TABLE orders (id TEXT PRIMARY KEY)");
    this.host = new WorkflowHost({
      providers: [sqlite(this.store.file)],
      workflows: Object.values(works),
      log: quiet(),
    });
  }

  worker(): Promise<Child> {
    return Child.spawn(new URL("./worker.ts", import.meta.url), { file: this.store.file });
  }

  /** As an application that has asked WFE something before. */
  static async inUse(): Promise<Application> {
    const app = new Application();
    await app.host.getWorkflow("nobody");
    return app;
  }

  /** An order, the workflow for it and what it waits for, together. */
  async order(id: string, how: "COMMIT" | "ROLLBACK"): Promise<void> {
    const { database: tx, host } = this;
    tx.exec("BEGIN IMMEDIATE");
    tx.prepare("INSERT INTO orders (id) VALUES (?)").run(id);
    await host.startWorkflow(works.listener, { texts: 1, heard: [] }, { id, tx });
    await host.publishEvent(said, id, { text: `for ${id}` }, { tx });
    tx.exec(how);
  }

  orders(): string[] {
    return this.store.query<{ id: string }>("SELECT id FROM orders ORDER BY id").map(({ id }) => id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host.stop();
    this.database.close();
    this.store[Symbol.dispose]();
  }
}

it("lives in the application's own file, beside its tables", async () => {
  await using app = new Application();
  await app.host.start();
  const handle = await app.host.startWorkflow(works.brief, { n: 1 });
  await handle.result({ timeout: "10s" });

  const tables = app.store.query<{ name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  );
  expect(tables.map(({ name }) => name).filter((name) => !name.startsWith("wfe_"))).toEqual(["orders"]);
});

it("starts and publishes when the application's transaction commits, and not before", async () => {
  await using app = new Application();
  await app.host.start();
  app.database.exec("BEGIN IMMEDIATE");
  app.database.prepare("INSERT INTO orders (id) VALUES (?)").run("o-1");
  await app.host.startWorkflow(works.listener, { texts: 1, heard: [] }, { id: "o-1", tx: app.database });
  await app.host.publishEvent(said, "o-1", { text: "hello" }, { tx: app.database });
  expect(await app.host.getWorkflow("o-1")).toBeUndefined();
  app.database.exec("COMMIT");

  expect(await app.host.handle("o-1").result({ timeout: "10s" })).toMatchObject({ heard: ["hello"] });
  expect(app.orders()).toEqual(["o-1"]);
});

it("has started and published nothing when the application's transaction is rolled back", async () => {
  await using app = new Application();
  await app.host.start();
  await app.order("o-1", "ROLLBACK");
  await app.order("o-2", "COMMIT");
  await app.host.handle("o-2").result({ timeout: "10s" });

  expect(await app.host.getWorkflow("o-1")).toBeUndefined();
  expect(app.orders()).toEqual(["o-2"]);
  // The id is as free as before, and the event that was taken back is heard by nobody.
  await app.host.startWorkflow(works.listener, { texts: 1, heard: [] }, { id: "o-1" });
  await app.host.publishEvent(said, "o-1", { text: "the first one" });
  expect(await app.host.handle("o-1").result({ timeout: "10s" })).toMatchObject({ heard: ["the first one"] });
});

it("runs in another process what the application's transaction started in this one", async () => {
  await using app = await Application.inUse();
  await using other = await app.worker();
  await other.call("start");
  await app.order("o-1", "ROLLBACK");
  await app.order("o-2", "COMMIT");
  await app.order("o-3", "COMMIT");

  for (const id of ["o-2", "o-3"]) {
    expect(await app.host.handle(id).result({ timeout: "10s" })).toMatchObject({ heard: [`for ${id}`] });
  }
  expect(await app.host.getWorkflow("o-1")).toBeUndefined();
});

it("runs here what the application's transaction started in another process", async () => {
  await using app = new Application();
  await using other = await app.worker();
  await app.host.start();
  await other.call("beginOwn", { id: "o-1", text: "first" });
  await other.call("endOwn", "ROLLBACK");
  await other.call("beginOwn", { id: "o-2", text: "second" });
  expect(await app.host.getWorkflow("o-2")).toBeUndefined();
  await other.call("endOwn", "COMMIT");

  expect(await app.host.handle("o-2").result({ timeout: "10s" })).toMatchObject({ heard: ["second"] });
  expect(app.orders()).toEqual(["o-2"]);
  expect(await app.host.getWorkflow("o-1")).toBeUndefined();
});

it("keeps an order and its workflow together when the process is killed in the middle of a transaction", async () => {
  await using app = new Application();
  await app.host.start();
  await using other = await app.worker();
  await other.call("beginOwn", { id: "o-1", text: "first" });
  other.kill("SIGKILL");
  await other.ended;

  expect(app.orders()).toEqual([]);
  expect(await app.host.getWorkflow("o-1")).toBeUndefined();
  const handle = await app.host.startWorkflow(works.brief, { n: 1 });
  await handle.result({ timeout: "10s" });
});

it("goes on when the application's transaction holds the file's lock for a while", async () => {
  await using app = new Application();
  await using other = await app.worker();
  await app.host.start();
  await other.call("beginOwn", { id: "o-1", text: "late" });
  const started = app.host.startWorkflow(works.brief, { n: 1 });
  // The lock is another process's: this one's timers go on, so a heartbeat would.
  let ticks = 0;
  const ticking = setInterval(() => (ticks += 1), 5);
  await until({ what: "this thread has not been blocked" }, () => ticks >= 40);
  clearInterval(ticking);
  await other.call("endOwn", "COMMIT");

  const handle = await started;
  expect(await handle.result({ timeout: "10s" })).toMatchObject({ second: { n: 2 } });
  expect(await app.host.handle("o-1").result({ timeout: "10s" })).toMatchObject({ heard: ["late"] });
});

it("starts in a transaction of the application also with a host that nobody has used before", async () => {
  await using app = await Application.inUse();
  await using fresh = new WorkflowHost({ providers: [sqlite(app.store.file)], workflows: [works.brief], log: quiet() });
  app.database.exec("BEGIN IMMEDIATE");
  await fresh.startWorkflow(works.brief, { n: 1 }, { id: "first", tx: app.database });
  app.database.exec("COMMIT");
  expect(await app.host.getWorkflow("first")).toMatchObject({ status: "runnable" });
});

it("refuses a connection that is in no transaction, and one to another file", async () => {
  await using app = await Application.inUse();
  using elsewhere = new StoreFile();
  using opened = elsewhere.open();
  const start = (tx: unknown): Promise<unknown> => app.host.startWorkflow(works.brief, { n: 1 }, { id: "never", tx });

  await expect(start(app.database)).rejects.toThrow(InvalidOptionError);
  await expect(start({})).rejects.toThrow(InvalidOptionError);
  opened.database.exec("BEGIN IMMEDIATE");
  await expect(start(opened.database)).rejects.toThrow(InvalidOptionError);
  opened.database.exec("ROLLBACK");
  expect(await app.host.getWorkflow("never")).toBeUndefined();
});
