import { writeFileSync } from "node:fs";
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { expect, it, vi } from "vitest";
import { wholeHistory } from "../crash/audit.ts";
import { quiet } from "../crash/quiet.ts";
import { Child } from "./support/child.ts";
import { StoreFile } from "./support/store-file.ts";
import { pause, until } from "./support/until.ts";
import type { WorkerOptions } from "./worker.ts";
import { type Began, worksOf } from "./works.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Longer than any test: work that is handed over within it was not waited for. */
const longLease = "10m";
const works = worksOf(() => {});

function worker(store: StoreFile, options: Omit<WorkerOptions, "file">): Promise<Child> {
  return Child.spawn(new URL("./worker.ts", import.meta.url), { file: store.file, ...options });
}

/** A host of this process that only asks. */
function asking(store: StoreFile): WorkflowHost {
  return new WorkflowHost({ providers: [sqlite(store.file)], workflows: Object.values(works), log: quiet() });
}

function begins(child: Child, workflow: string): Promise<Began> {
  return until({ what: `${workflow} begins`, otherwise: () => child.facts }, () =>
    child.told<Began>("began").find((began) => began.workflow === workflow),
  );
}

it("shares the work of one file between two processes", async () => {
  using store = new StoreFile();
  await using host = asking(store);
  await using one = await worker(store, { concurrency: 4 });
  await using two = await worker(store, { concurrency: 4 });
  await Promise.all([one.call("start"), two.call("start")]);

  const handles = await host.startWorkflows(
    Array.from({ length: 120 }, (_, n) => ({ definition: works.brief, data: { n }, options: { id: `brief-${n}` } })),
  );
  const results = await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })));

  const by = results.map(({ first }) => first.by);
  expect(new Set(by)).toEqual(new Set([one.pid, two.pid]));
  for (const { pid } of [one, two]) expect(by.filter((each) => each === pid).length).toBeGreaterThan(12);
  expect(results.map(({ second }) => second.n)).toEqual(Array.from({ length: 120 }, (_, n) => n + 1));
});

it("hands its work over within a second when it is stopped", async () => {
  using store = new StoreFile();
  await using host = asking(store);
  await using one = await worker(store, { lease: longLease });
  await using two = await worker(store, { lease: longLease });
  await one.call("start");
  const handle = await host.startWorkflow(works.held, { file: store.path("go") }, { id: "held" });
  const first = await begins(one, "held");
  await two.call("start");

  await one.call("stop", { timeout: 50 });
  const since = performance.now();
  const second = await begins(two, "held");
  expect(performance.now() - since).toBeLessThan(1_000);

  expect(one.told("aborted")).toEqual([{ workflow: "held", reason: "stopping" }]);
  // It was interrupted, and has not failed.
  expect(second.key).toBe(first.key);
  writeFileSync(store.path(`go.${second.attempt}`), "");
  expect(await handle.result({ timeout: "10s" })).toMatchObject({ stay: { by: two.pid }, last: two.pid });
});

it("takes the work of a killed process over at once, where both run on one machine", async () => {
  using store = new StoreFile();
  await using host = asking(store);
  await using one = await worker(store, { lease: longLease });
  await using two = await worker(store, { lease: longLease });
  await one.call("start");
  const handle = await host.startWorkflow(works.held, { file: store.path("go") }, { id: "held" });
  const first = await begins(one, "held");
  await two.call("start");

  one.kill("SIGKILL");
  await one.ended;
  const second = await begins(two, "held");

  expect(second).toMatchObject({ key: first.key, attempt: first.attempt + 1 });
  writeFileSync(store.path("go.2"), "");
  expect(await handle.result({ timeout: "10s" })).toMatchObject({ stay: { by: two.pid } });
  const kinds = (await wholeHistory(host, "held")).map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === "taken-over")).toHaveLength(1);
});

it("takes a frozen process's work over when its lease is over, and the thawed one commits nothing", async () => {
  using store = new StoreFile();
  await using host = asking(store);
  await using one = await worker(store, { lease: "1s" });
  await using two = await worker(store, { lease: "1s" });
  await one.call("start");
  // The body goes on whatever it is told, and returns a result that must not count.
  const handle = await host.startWorkflow(works.held, { file: store.path("go"), deaf: true }, { id: "held" });
  const first = await begins(one, "held");
  await two.call("start");

  one.kill("SIGSTOP");
  const since = performance.now();
  const second = await begins(two, "held");
  // By its lease, and not before: it might have been at work.
  expect(performance.now() - since).toBeGreaterThan(300);
  expect(second).toMatchObject({ key: first.key, attempt: first.attempt + 1 });
  writeFileSync(store.path("go.2"), "");
  expect(await handle.result({ timeout: "10s" })).toMatchObject({ stay: { by: two.pid }, last: two.pid });
  const before = await wholeHistory(host, "held");

  one.kill("SIGCONT");
  await until({ what: "the thawed body hears of it" }, () => one.told("aborted").length > 0);
  writeFileSync(store.path("go.1"), "");
  await until({ what: "the thawed body returns" }, () => one.told("returned").length > 0);
  const [aborted] = one.told<{ workflow: string; reason: string }>("aborted");
  expect(aborted?.workflow).toBe("held");
  expect(["lease-lost", "conflict"]).toContain(aborted?.reason);

  // It is a host again, with a new lease: what it does now counts, and what it did then does not.
  two.kill("SIGKILL");
  await two.ended;
  const after = await host.startWorkflow(works.brief, { n: 1 }, { id: "after" });
  expect(await after.result({ timeout: "10s" })).toMatchObject({ second: { by: one.pid } });
  expect(await wholeHistory(host, "held")).toEqual(before);
});

it("keeps the work of a process that is frozen for less than its lease", async () => {
  using store = new StoreFile();
  await using host = asking(store);
  await using one = await worker(store, { lease: "5s" });
  await using two = await worker(store, { lease: "5s" });
  await one.call("start");
  const handle = await host.startWorkflow(works.held, { file: store.path("go") }, { id: "held" });
  await begins(one, "held");
  await two.call("start");

  one.kill("SIGSTOP");
  await pause(700);
  one.kill("SIGCONT");
  writeFileSync(store.path("go.1"), "");
  expect(await handle.result({ timeout: "10s" })).toMatchObject({ stay: { by: one.pid } });
  expect(two.told("began")).toEqual([]);
});
