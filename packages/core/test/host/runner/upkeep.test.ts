import { describe, expect, it } from "vitest";
import type { LifecycleEvent } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, delay, parallel, step, wait } from "./definitions.ts";
import { faulty } from "./faulty.ts";
import { hostOf } from "./hosts.ts";

describe("upkeep", () => {
  it("deletes what retention no longer keeps, and nothing else", async () => {
    const definition = define("short", [step("a", () => 1)]);
    const waiting = define("waiting", [wait("w", "go", "k")]);
    const { host, clock } = await hostOf([definition, waiting], { retention: { workflows: "1d" } });
    await host.startWorkflow(definition, {}, { id: "old" });
    await host.startWorkflow(waiting, {}, { id: "patient" });
    await clock.advance("23h");
    await host.startWorkflow(definition, {}, { id: "young" });
    await clock.advance("2h");
    expect(await host.getWorkflow("old")).toBeUndefined();
    expect((await host.getWorkflow("young"))?.status).toBe("completed");
    expect((await host.getWorkflow("patient"))?.status).toBe("waiting");
  });

  it("tells whoever still waits for the answer to a call that the workflow has been deleted with it", async () => {
    const definition = define("short", [step("a", () => 1)]);
    const { host, clock, store } = await hostOf([definition]);
    await host.startWorkflow(definition, {}, { id: "w" });
    await clock.advance("1s");
    // Somebody far away, who is too slow to read it.
    const slow = new Proxy(store.persistence!, {
      get: (target, name) =>
        name === "deliveryOutcomes"
          ? (asked: readonly unknown[]) => Promise.resolve(asked.map(() => undefined))
          : Reflect.get(target, name),
    });
    const far = await hostOf([], { store: { ...store, persistence: slow }, clock });
    const answer = far.host.suspendWorkflow("w").then((accepted) => accepted.applied());
    const told = answer.catch((error: unknown) => error);
    await clock.advance("1s");
    expect((await store.persistence!.purge({ workflowsBefore: clock.now(), limit: 9 })).workflows).toBe(1);
    await clock.advance("5s");
    expect(await told).toMatchObject({ code: "WORKFLOW_NOT_FOUND", workflowId: "w" });
  });

  it("lets an event with a time of its own come when its time has come", async () => {
    const definition = define("later", [wait("w", "go", "k")]);
    const { host, clock } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent("go", "k", "now", { effectiveAt: new Date(clock.now() + 3_600_000) });
    await clock.advance("59m");
    expect((await handle.get())?.status).toBe("waiting");
    await clock.advance("2m");
    expect(await handle.result()).toEqual({ w: "now" });
  });

  it("refuses to start with another lock provider than the other hosts of the store", async () => {
    const clock = new TestClock();
    const store = memory({ clock });
    await hostOf([], { store, clock });
    const other = { ...store, lock: { ...store.lock!, name: "other" } };
    await expect(hostOf([], { store: other, clock })).rejects.toThrow(/lock provider `memory`.*`other`/);
  });

  it("wakes many waiters of one event, in batches", async () => {
    const clock = new TestClock();
    const store = memory({ clock, fanOut: 10 });
    const definition = define("crowd", [wait("w", "go", "k")]);
    const { host } = await hostOf([definition], { store, clock, concurrency: 20 });
    const handles = await host.startWorkflows(Array.from({ length: 150 }, () => ({ definition, data: {} })));
    await clock.settle();
    await host.publishEvent("go", "k", 1);
    await clock.advance("10s");
    for (const handle of handles) expect(await handle.result()).toEqual({ w: 1 });
  });
});

describe("stop", () => {
  it("is harmless a second time, and resolves when the first has", async () => {
    const definition = define("d", [delay("d", "1h")]);
    const { host } = await hostOf([definition]);
    await host.startWorkflow(definition, {});
    await Promise.all([host.stop(), host.stop()]);
    await host.stop();
  });

  it("ends although the store does not answer any more, and others take over when the lease has run out", async () => {
    const clock = new TestClock();
    const store = memory({ clock });
    const cut = faulty(store);
    let runs = 0;
    const definition = define("cut", [step("a", () => ((runs += 1), runs === 1 ? new Promise(() => {}) : "done"))]);
    const first = await hostOf([definition], { store: cut, clock });
    await first.host.startWorkflow(definition, {}, { id: "w" });
    await clock.settle();
    cut.isCut = true;
    const stopped = first.host.stop({ timeout: "1s" });
    await clock.advance("10s");
    await stopped;
    const second = await hostOf([definition], { store, clock });
    await clock.advance("30s");
    expect(await second.host.handle("w").result()).toEqual({ a: "done" });
  });

  it("begins no step after it was called", async () => {
    const begun: string[] = [];
    const clock = new TestClock();
    const store = memory({ clock });
    await hostOf([], { store, clock });
    const definition = define("two", [
      step("a", () => new Promise((resolve) => (begun.push("a"), clock.setTimer(1000, () => resolve(1))))),
      step("b", () => void begun.push("b")),
    ]);
    const { host } = await hostOf([definition], { store, clock });
    await host.startWorkflows(Array.from({ length: 5 }, () => ({ definition, data: {} })));
    await clock.settle();
    const stopped = host.stop();
    await clock.advance("2s");
    await stopped;
    expect(begun).toEqual(["a", "a", "a", "a", "a"]);
    const { items } = await store.persistence!.list({ namespace: "default" }, { limit: 10 });
    for (const row of items) expect(row).toMatchObject({ owner: null, status: "runnable" });
    for (const row of items) expect(row.dueAt).toBeLessThanOrEqual(clock.now());
  });
});

describe("lifecycle events", () => {
  it("tell each end once, on every path to one", async () => {
    const fails = define("fails", [step("a", () => Promise.reject(new Error("no")))]);
    const waits = define("waits", [
      parallel("p", [[wait("w", "go", "k", { timeout: "1h" })], [step("s", () => new Promise(() => {}))]]),
    ]);
    const completes = define("completes", [delay("d", "1s"), step("a", () => 1)]);
    const { host, clock } = await hostOf([fails, waits, completes]);
    const events: LifecycleEvent[] = [];
    for (const type of [
      "workflow.started",
      "workflow.suspended",
      "workflow.resumed",
      "workflow.completed",
      "workflow.failed",
      "workflow.terminated",
    ] as const) {
      host.on(type, (event) => void events.push(event));
    }
    await host.startWorkflow(fails, {}, { id: "f" });
    await host.startWorkflow(waits, {}, { id: "w" });
    await host.startWorkflow(completes, {}, { id: "c" });
    await clock.advance("10s");
    await host.suspendWorkflow("w");
    await clock.settle();
    await host.resumeWorkflow("w");
    await clock.settle();
    await host.terminateWorkflow("w");
    await clock.advance("1m");
    const of = (id: string): string[] => events.filter(({ workflowId }) => workflowId === id).map(({ type }) => type);
    expect(of("f")).toEqual(["workflow.started", "workflow.failed"]);
    expect(of("c")).toEqual(["workflow.started", "workflow.completed"]);
    expect(of("w")).toEqual(["workflow.started", "workflow.suspended", "workflow.resumed", "workflow.terminated"]);
  });
});
