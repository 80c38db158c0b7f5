import { describe, expect, it } from "vitest";
import type { LifecycleEvent } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { child, define, delay, forEach, parallel, retry, saga, step, wait, whileDo } from "./definitions.ts";
import { hostOf } from "./hosts.ts";

describe("a workflow in hand", () => {
  it("runs its steps one after the other and ends with its data", async () => {
    const calls: string[] = [];
    const definition = define("order", [
      step("a", (data) => (calls.push(`a:${data.n}`), data.n + 1)),
      step("b", async (data) => (calls.push(`b:${data.a}`), data.a * 2)),
    ]);
    const { host } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, { n: 1 });
    expect(await handle.result()).toEqual({ n: 1, a: 2, b: 4 });
    expect(calls).toEqual(["a:1", "b:2"]);
  });

  it("decides branches that end at once in one turn", async () => {
    const branches = Array.from({ length: 100 }, (_, index) => [step(`s${index}`, async () => index)]);
    const definition = define("wide", [parallel("all", branches)]);
    const { host } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {});
    const data = (await handle.result()) as Record<string, number>;
    expect(data["s99"]).toBe(99);
    const items = (await host.history(handle.id, { limit: 500 })).items;
    expect(new Set(items.map(({ seq }) => seq)).size).toBe(2);
  });

  it("waits for its delay without being in hand", async () => {
    const definition = define("late", [delay("pause", "3d"), step("a", () => "done")]);
    const { host, clock } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {});
    await clock.advance("2d");
    expect((await handle.get())?.status).toBe("waiting");
    expect((await host.health()).inHand).toBe(0);
    await clock.advance("1d");
    expect(await handle.result()).toEqual({ a: "done" });
  });

  it("retries a failing step after its pauses and tells of each attempt once", async () => {
    let attempts = 0;
    const definition = define("flaky", [
      step(
        "a",
        () => {
          attempts += 1;
          if (attempts < 3) throw new Error("not yet");
          return attempts;
        },
        { onError: retry() },
      ),
    ]);
    const { host, clock } = await hostOf([definition]);
    const events: LifecycleEvent[] = [];
    for (const type of [
      "step.started",
      "step.retrying",
      "step.failed",
      "step.completed",
      "workflow.completed",
    ] as const)
      host.on(type, (event) => void events.push(event));
    const handle = await host.startWorkflow(definition, {});
    await clock.advance("10s");
    expect(await handle.result()).toEqual({ a: 3 });
    expect(events.map(({ type }) => type)).toEqual([
      "step.started",
      "step.retrying",
      "step.started",
      "step.retrying",
      "step.started",
      "step.completed",
      "workflow.completed",
    ]);
  });

  it("delivers events that come before and after the wait, in order", async () => {
    const definition = define("loop", [
      whileDo("twice", (data) => (data.n ?? 0) < 3, [wait("got", "tick", "k"), step("n", (data) => (data.n ?? 0) + 1)]),
    ]);
    const { host, clock } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent("tick", "k", 1);
    await host.publishEvent("tick", "k", 2);
    await clock.settle();
    await host.publishEvent("tick", "k", 3);
    expect(await handle.result()).toEqual({ got: 3, n: 3 });
  });

  it("lets an event that was in time win over the deadline, and the deadline over a late one", async () => {
    const definition = define("timed", [
      wait("got", "tick", (data) => data.k, { timeout: "1h", onTimeout: { nodes: [step("missed", () => true)] } }),
    ]);
    const { host, clock } = await hostOf([definition]);
    const first = await host.startWorkflow(definition, { k: "a" });
    const second = await host.startWorkflow(definition, { k: "b" });
    await clock.advance("59m");
    await host.publishEvent("tick", "a", "in time");
    await clock.advance("2m");
    await host.publishEvent("tick", "b", "late");
    expect(await first.result()).toMatchObject({ got: "in time" });
    expect(await second.result()).toMatchObject({ missed: true });
  });

  it("fails an attempt at its time-out although the body never returns", async () => {
    let reason: unknown;
    const definition = define("slow", [
      step(
        "a",
        (_, ctx) =>
          new Promise(() => {
            ctx.signal.addEventListener("abort", () => (reason = ctx.signal.reason));
          }),
        { timeoutMs: 5000 },
      ),
    ]);
    const { host, clock } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {});
    const result = handle.result();
    await clock.advance("6s");
    await expect(result).rejects.toMatchObject({ cause: { name: "StepTimeoutError", stepId: "a" } });
    expect(reason).toMatchObject({ code: "STEP_ABORTED", reason: "timeout" });
    expect((await host.health()).bodiesLeftBehind).toBe(1);
  });

  it("refuses what cannot be stored without running the body again", async () => {
    let runs = 0;
    const definition = define("bad", [step("a", () => ((runs += 1), { f: () => 1 }), { onError: retry() })]);
    const { host } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {});
    await expect(handle.result()).rejects.toMatchObject({ cause: { code: "INVALID_VALUE" } });
    expect(runs).toBe(1);
  });

  it("runs a child, gives it its data, and goes on with its result", async () => {
    const inner = define("inner", [step("b", (data) => data.n * 2)]);
    const outer = define("outer", [child("c", "inner", { input: (data) => ({ n: data.n + 1 }) })]);
    const { host } = await hostOf([inner, outer]);
    const handle = await host.startWorkflow(outer, { n: 1 });
    expect(await handle.result()).toEqual({ n: 1, c: { n: 2, b: 4 } });
  });

  it("fails the step whose child is not registered", async () => {
    const outer = define("outer", [child("c", "nowhere")]);
    const { host } = await hostOf([outer]);
    const handle = await host.startWorkflow(outer, {});
    await expect(handle.result()).rejects.toMatchObject({ cause: { code: "DEFINITION_NOT_FOUND", stepId: "c" } });
  });

  it("terminates a child with its parent", async () => {
    const inner = define("inner", [wait("w", "never", "k")]);
    const outer = define("outer", [child("c", "inner")]);
    const { host, clock } = await hostOf([inner, outer]);
    const handle = await host.startWorkflow(outer, {}, { id: "p" });
    await clock.settle();
    await (await host.terminateWorkflow("p", { reason: "enough" })).applied();
    await clock.settle();
    await expect(handle.result()).rejects.toMatchObject({ code: "WORKFLOW_TERMINATED" });
    const { items } = await host.listWorkflows({});
    expect(items.map(({ status }) => status)).toEqual(["terminated", "terminated"]);
  });

  it("undoes a saga from the journal, newest first", async () => {
    const undone: string[] = [];
    const undo = (id: string) => ({
      compensation: { nodes: [step(`undo-${id}`, (_, ctx) => void undone.push(`${id}:${ctx.undoing.output}`))] },
    });
    const definition = define("trip", [
      saga("s", [
        step("flight", () => "f1", undo("flight")),
        step("hotel", () => "h1", undo("hotel")),
        step("car", () => Promise.reject(new Error("no car"))),
      ]),
    ]);
    const { host } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {});
    await expect(handle.result()).rejects.toMatchObject({ cause: { message: "no car" } });
    expect(undone).toEqual(["hotel:h1", "flight:f1"]);
  });

  it("cancels the other branches of a failing parallel, and their bodies hear of it", async () => {
    const reasons: unknown[] = [];
    const definition = define("both", [
      parallel("p", [
        [
          step(
            "slow",
            (_, ctx) =>
              new Promise((_resolve, reject) =>
                ctx.signal.addEventListener(
                  "abort",
                  () => (reasons.push(ctx.signal.reason.reason), reject(ctx.signal.reason as Error)),
                ),
              ),
          ),
        ],
        [step("bad", async () => Promise.reject(new Error("bad")))],
      ]),
    ]);
    const { host } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {});
    await expect(handle.result()).rejects.toMatchObject({ cause: { message: "bad" } });
    expect(reasons).toEqual(["cancelled"]);
  });

  it("runs a fan-out of 1,000 and collects its outputs in order", async () => {
    const definition = define("fan", [
      forEach(
        "each",
        () => Array.from({ length: 1000 }, (_, index) => index),
        [step("x", async (_, ctx) => ctx.item * 2)],
        { concurrency: 1000, as: "out" },
      ),
    ]);
    const { host } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {});
    const { out } = (await handle.result()) as { out: number[] };
    expect(out.length).toBe(1000);
    expect(out[999]).toBe(1998);
  });
});

describe("control", () => {
  it("suspends a workflow whose step runs, and runs the step again under the same key when it is resumed", async () => {
    const keys: string[] = [];
    let release = (): void => {};
    const definition = define("held", [
      step("a", (_, ctx) => {
        keys.push(`${ctx.idempotencyKey}#${ctx.step.attempt}`);
        return new Promise((resolve, reject) => {
          release = () => resolve("ok");
          ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error));
        });
      }),
    ]);
    const { host, clock } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {}, { id: "w" });
    await clock.settle();
    await (await host.suspendWorkflow("w")).applied();
    await clock.settle();
    expect((await handle.get())?.status).toBe("suspended");
    await (await host.resumeWorkflow("w")).applied();
    await clock.settle();
    release();
    expect(await handle.result()).toEqual({ a: "ok" });
    expect(keys.length).toBe(2);
    expect(keys[0]).toBe(keys[1]);
  });

  it("retries a failed workflow from its failed step", async () => {
    let broken = true;
    const runs: string[] = [];
    const definition = define("mend", [
      step("a", () => void runs.push("a")),
      step("b", () => {
        runs.push("b");
        if (broken) throw new Error("broken");
        return "mended";
      }),
    ]);
    const { host } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {}, { id: "w" });
    await expect(handle.result()).rejects.toThrow("broken");
    broken = false;
    await (await host.retryWorkflow("w")).applied();
    expect(await handle.result()).toMatchObject({ b: "mended" });
    expect(runs).toEqual(["a", "b", "b"]);
  });
});

describe("stop", () => {
  it("commits what bodies return within its time, and leaves the rest to the next host", async () => {
    const calls: string[] = [];
    let finish = (): void => {};
    const definition = define("handover", [
      step("a", () => new Promise<string>((resolve) => ((finish = () => resolve("done")), calls.push("a")))),
      step("b", () => void calls.push("b")),
    ]);
    const store = memory();
    const clock = new TestClock();
    const first = await hostOf([definition], { store, clock });
    const handle = await first.host.startWorkflow(definition, {}, { id: "w" });
    await clock.settle();
    const stopped = first.host.stop();
    await clock.settle();
    finish();
    await stopped;
    expect(calls).toEqual(["a"]);
    void handle;
    const second = await hostOf([definition], { store, clock });
    expect(await second.host.handle("w").result()).toMatchObject({ a: "done" });
    expect(calls).toEqual(["a", "b"]);
    const { items } = await second.host.history("w");
    expect(items.some(({ kind }) => kind === "taken-over" || kind === "attempts-abandoned")).toBe(false);
  });

  it("leaves a body behind that takes no notice, and puts that on record", async () => {
    const attempts: number[] = [];
    const definition = define("deaf", [
      step(
        "a",
        (_, ctx) => (attempts.push(ctx.step.attempt), attempts.length === 1 ? new Promise(() => {}) : "second"),
      ),
    ]);
    const store = memory();
    const clock = new TestClock();
    const first = await hostOf([definition], { store, clock });
    await first.host.startWorkflow(definition, {}, { id: "w" });
    await clock.settle();
    const stopped = first.host.stop({ timeout: "5s" });
    await clock.advance("10s");
    await stopped;
    const second = await hostOf([definition], { store, clock });
    expect(await second.host.handle("w").result()).toEqual({ a: "second" });
    expect(attempts).toEqual([1, 2]);
    const { items } = await second.host.history("w");
    expect(items.filter(({ kind }) => kind === "attempts-abandoned").length).toBe(1);
  });
});
