import { ExecutionResult, type StepContext, workflow, type WorkflowDefinition, WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { describe, expect, it, vi } from "vitest";
import { wholeHistory } from "../crash/audit.ts";
import { quiet } from "../crash/quiet.ts";
import { Child } from "../processes/support/child.ts";
import { StoreFile } from "../processes/support/store-file.ts";
import { until } from "../processes/support/until.ts";
import { rudeWorksOf } from "./rude-works.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Runs one body in a workflow of its own, next to one that behaves, and gives the error of the first. */
async function failureOf(body: (input: object, ctx: StepContext) => unknown): Promise<unknown> {
  using store = new StoreFile();
  const rude = workflow()
    .startWith(body as () => number)
    .id("rude")
    .as("out")
    .build("rude", 1);
  const polite = workflow()
    .startWith(() => "done")
    .as("out")
    .build("polite", 1);
  await using host = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [rude, polite], log: quiet() });
  await host.start();
  const [failing, neighbour] = await host.startWorkflows([
    { definition: rude, data: {}, options: { id: "rude-1" } },
    { definition: polite, data: {} },
  ]);
  const error = await failing.result({ timeout: "10s" }).catch((thrown: unknown) => thrown);
  expect(await neighbour.result({ timeout: "10s" })).toEqual({ out: "done" });
  expect(error).toMatchObject({ code: "WORKFLOW_FAILED", workflowId: "rude-1" });
  return (error as Error).cause;
}

const thrower = (value: unknown) => () => {
  throw value;
};

describe("a body that misbehaves fails its own step", () => {
  const values: readonly [string, () => unknown, string, RegExp][] = [
    ["gives a function", () => () => 1, "INVALID_VALUE", /output/],
    ["gives a function deep inside", () => ({ a: [{ b: () => 1 }] }), "INVALID_VALUE", /a\[0\]\.b/],
    ["gives a symbol", () => Symbol("s"), "INVALID_VALUE", /symbol/i],
    ["gives a class instance", () => ({ url: new URL("http://a") }), "INVALID_VALUE", /url/],
    ["gives a cycle", () => cyclic(), "INVALID_VALUE", /which contains it/],
    ["gives too much", () => "x".repeat(2 * 1024 * 1024), "LIMIT_EXCEEDED", /1 MiB|1,?048,?576|bytes/],
    [
      "gives something that throws when it is read",
      () => ({
        get a(): number {
          throw new Error("no");
        },
      }),
      "INVALID_VALUE",
      /a/,
    ],
  ];
  it.each(values)("when it %s, with the path and no retry", async (_, body, code, says) => {
    const cause = await failureOf(body);
    expect(cause).toMatchObject({ code, stepId: "rude", attempt: 1 });
    expect((cause as Error).message).toMatch(says);
  });

  const throws: readonly [string, unknown, RegExp][] = [
    ["a text", "out of stock", /out of stock/],
    ["nothing", undefined, /undefined/],
    ["null", null, /null/],
    ["an object", { code: 5, reason: "no" }, /no/],
    ["a function", () => 1, /=> 1/],
    [
      "an error that cannot be stored whole",
      Object.assign(new Error("bad"), { socket: new URL("http://a"), self: cyclic() }),
      /bad/,
    ],
    [
      "an error with a getter that throws",
      Object.defineProperty(new Error("bad"), "extra", { enumerable: true, get: () => thrower(new Error("no"))() }),
      /bad/,
    ],
    ["an error with half a character", new Error("half \ud800 of it"), /half/],
    ["an error with NUL", new Error("a\0b"), /a.b/s],
  ];
  it.each(throws)("when it throws %s", async (_, value, says) => {
    const cause = await failureOf(thrower(value));
    expect(cause).toBeInstanceOf(Error);
    expect(cause).toMatchObject({ stepId: "rude", attempt: 1 });
    expect((cause as Error).message).toMatch(says);
  });

  it("when its promise is of another kind", async () => {
    const cause = await failureOf(() => ({
      then: (_: unknown, reject: (error: Error) => void) => reject(new Error("thenable")),
    }));
    expect(cause).toMatchObject({ message: "thenable" });
  });
});

describe("a key that no store can keep fails the wait", () => {
  const keys: readonly [string, unknown, RegExp][] = [
    ["half a character", "a\ud800", /half of a surrogate pair/],
    ["NUL", "a\0", /NUL/],
    ["too much", "é".repeat(257), /at most 512 bytes, got 514/],
    ["a number", 7, /text, got number/],
  ];
  const known = (key: unknown) => () => key as string;
  const waits: readonly [string, (key: unknown) => WorkflowDefinition][] = [
    ["waitFor", (key) => workflow().waitFor("go", known(key)).build("waits", 1)],
    [
      "waitForAny",
      (key) =>
        workflow()
          .waitForAny({ go: { event: "go", key: known(key) } })
          .build("waits", 1),
    ],
    [
      "ExecutionResult.waitForEvent",
      (key) =>
        workflow()
          .startWith(() => ExecutionResult.waitForEvent("go", key as string))
          .build("waits", 1),
    ],
  ];
  it.each(waits)("%s", async (_, build) => {
    for (const [what, key, says] of keys) {
      using store = new StoreFile();
      const definition = build(key);
      await using host = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [definition], log: quiet() });
      await host.start();
      const handle = await host.startWorkflow("waits", {}, { id: "waits-1" });
      const error = await handle.result({ timeout: "10s" }).catch((thrown: unknown) => thrown);
      expect(error, what).toMatchObject({ code: "WORKFLOW_FAILED", cause: { message: expect.stringMatching(says) } });
    }
  });
});

describe("a body that never returns", () => {
  const never = (): Promise<never> => new Promise(() => {});

  it("fails by its time-out", async () => {
    using store = new StoreFile();
    const stuck = workflow().startWith(never).id("stuck").timeout("50ms").build("stuck", 1);
    await using host = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [stuck], log: quiet() });
    await host.start();
    const handle = await host.startWorkflow(stuck, {}, { id: "stuck-1" });
    const error = await handle.result({ timeout: "10s" }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ cause: { code: "STEP_TIMEOUT", stepId: "stuck", attempt: 1 } });
    expect((await host.health()).bodiesLeftBehind).toBe(1);
  });

  it("does not keep a host from stopping, and is attempted again by the next one", async () => {
    using store = new StoreFile();
    const keys: string[] = [];
    const stuck = (second: boolean) =>
      workflow()
        .startWith((_input: object, ctx) => {
          keys.push(ctx.idempotencyKey);
          return second ? `attempt ${ctx.step.attempt}` : never();
        })
        .id("stuck")
        .as("out")
        .build("stuck", 1);
    const first = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [stuck(false)], log: quiet() });
    await first.start();
    await first.startWorkflow("stuck", {}, { id: "stuck-1" });
    await until({ what: "the body has begun" }, () => keys.length === 1);
    const since = performance.now();
    await first.stop({ timeout: "100ms" });
    expect(performance.now() - since).toBeLessThan(5_000);

    await using next = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [stuck(true)], log: quiet() });
    await next.start();
    expect(await next.handle("stuck-1").result({ timeout: "10s" })).toEqual({ out: "attempt 2" });
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });
});

describe("a body that ends its process", () => {
  it("is put aside as poison after it has done so again and again, and its neighbours complete", async () => {
    using store = new StoreFile();
    const { poison, neighbour } = rudeWorksOf(() => {});
    const workflows = [poison, neighbour];
    await using client = new WorkflowHost({ providers: [sqlite(store.file)], workflows, log: quiet() });
    await client.startWorkflow(poison, {}, { id: "poison" });
    const ids = Array.from({ length: 6 }, (_, n) => `neighbour-${n}`);
    for (const id of ids) await client.startWorkflow(neighbour, { steps: 3 }, { id });

    let deaths = 0;
    for (;;) {
      await using child = await Child.spawn(new URL("./rude-runner.ts", import.meta.url), { file: store.file });
      child.call("start").catch(() => {});
      const suspended = until({ what: "it is suspended or the process is dead", withinMs: 20_000 }, async () =>
        (await client.getWorkflow("poison"))?.status === "suspended" ? "suspended" : undefined,
      );
      const how = await Promise.race([suspended, child.ended.then(() => "ended")]);
      suspended.catch(() => {});
      if (how === "suspended") {
        for (const id of ids) await client.handle(id).result({ timeout: "20s" });
        break;
      }
      deaths += 1;
      expect(deaths).toBeLessThanOrEqual(8);
    }

    expect(deaths).toBe(5);
    const { error, status } = (await client.getWorkflow("poison"))!;
    expect(status).toBe("suspended");
    expect(error).toMatchObject({ code: "POISON_WORKFLOW", workflowId: "poison" });
    expect(error?.message).toMatch(/`deadly`.*process\.exit/);
    for (const id of ids) {
      expect((await client.getWorkflow(id))?.status).toBe("completed");
      expect((await wholeHistory(client, id)).some(({ kind }) => kind === "workflow-suspended")).toBe(false);
    }

    // It can be ended, or mended and resumed, like any suspended workflow.
    await client.terminateWorkflow("poison", { reason: "it kills" });
    await using next = new WorkflowHost({ providers: [sqlite(store.file)], workflows, log: quiet() });
    await next.start();
    await until({ what: "it is terminated" }, async () => (await next.getWorkflow("poison"))?.status === "terminated");
  });
});

describe("a body that blocks its thread for longer than the lease", () => {
  it("loses its workflow to another process, and has one outcome", async () => {
    using store = new StoreFile();
    const { blocking } = rudeWorksOf(() => {});
    await using client = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [blocking], log: quiet() });
    const script = new URL("./rude-runner.ts", import.meta.url);
    await using one = await Child.spawn(script, { file: store.file, lease: "1s" });
    await using two = await Child.spawn(script, { file: store.file, lease: "1s" });
    await one.call("start");
    const handle = await client.startWorkflow(blocking, { forMs: 4_000 }, { id: "blocking" });
    await until({ what: "it blocks" }, () => one.told("blocks").length === 1);
    await two.call("start");

    const result = await handle.result({ timeout: "15s" });
    expect(result).toMatchObject({ by: { pid: two.pid, attempt: 2 } });
    await until({ what: "the blocked body hears of it" }, () => one.told("unblocked").length === 1);
    const history = await wholeHistory(client, "blocking");
    expect(history.filter(({ kind }) => kind === "step-completed")).toHaveLength(1);
    expect(history.filter(({ kind }) => kind === "taken-over")).toHaveLength(1);
    // The one that was blocked is a host like any other again.
    two.kill("SIGKILL");
    await two.ended;
    const next = await client.startWorkflow(blocking, { forMs: 0 }, { id: "next" });
    expect(await next.result({ timeout: "15s" })).toMatchObject({ by: { pid: one.pid } });
  });

  it("goes on by itself where there is no other process", async () => {
    using store = new StoreFile();
    const { blocking, neighbour } = rudeWorksOf(() => {});
    await using client = new WorkflowHost({
      providers: [sqlite(store.file)],
      workflows: [blocking, neighbour],
      log: quiet(),
    });
    await using one = await Child.spawn(new URL("./rude-runner.ts", import.meta.url), {
      file: store.file,
      lease: "500ms",
    });
    await one.call("start");
    const beside = await client.startWorkflow(neighbour, { steps: 30 }, { id: "beside" });
    const handle = await client.startWorkflow(blocking, { forMs: 1_500 }, { id: "blocking" });

    expect(await handle.result({ timeout: "15s" })).toMatchObject({ by: { pid: one.pid } });
    expect(await beside.result({ timeout: "15s" })).toMatchObject({ done: 30 });
    const history = await wholeHistory(client, "blocking");
    expect(history.filter(({ kind }) => kind === "step-completed")).toHaveLength(1);
  });
});

function cyclic(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}
