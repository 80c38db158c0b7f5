import { setTimeout as realSleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { memory, runToEnd, TestClock } from "../../src/testing/index.ts";
import { child, define, delay, parallel, step, wait } from "./definitions.ts";

const hourly = {
  kind: "retry",
  intervalMs: 3_600_000,
  maxRetries: 5,
  backoff: 1,
  maxIntervalMs: 3_600_000,
  jitter: false,
  then: "fail",
} as const;
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe("runToEnd", () => {
  it("gives the final data", async () => {
    const definition = define("order", [step("double", (data) => data.n * 2)]);
    await expect(runToEnd(definition, { n: 2 }, { log })).resolves.toEqual({ n: 2, double: 4 });
  });

  it("takes no real time for delays, however long, and passes them on its clock", async () => {
    const clock = new TestClock();
    const began = clock.now();
    const definition = define("slow", [delay("a", "30d"), step("x", () => 1), delay("b", "60d"), step("y", () => 2)]);
    const before = performance.now();
    await expect(runToEnd(definition, {}, { log, clock })).resolves.toEqual({ x: 1, y: 2 });
    expect(performance.now() - before).toBeLessThan(30_000);
    expect(clock.now() - began).toBeGreaterThanOrEqual(90 * 86_400_000);
    expect(clock.now() - began).toBeLessThan(91 * 86_400_000);
  }, 60_000);

  it("takes no real time for retries", async () => {
    let attempts = 0;
    const definition = define("flaky", [
      step(
        "try",
        () => {
          attempts += 1;
          if (attempts < 4) throw new Error("not yet");
          return attempts;
        },
        { onError: hourly },
      ),
    ]);
    await expect(runToEnd(definition, {}, { log })).resolves.toEqual({ try: 4 });
  });

  it("publishes the events it is given, in their order, some of them later", async () => {
    const definition = define("approval", [
      wait("first", "paid", "o-1"),
      wait("second", "paid", "o-1"),
      wait("last", "sent", ""),
    ]);
    const data = await runToEnd(
      definition,
      {},
      {
        log,
        events: [
          { event: "sent", key: "", payload: 3, after: "7d" },
          { event: { name: "paid" }, key: "o-1", payload: 1 },
          { event: "paid", key: "o-1", payload: 2 },
        ],
      },
    );
    expect(data).toEqual({ first: 1, second: 2, last: 3 });
  });

  it("runs children that are given as `workflows`", async () => {
    const inner = define("inner", [delay("pause", "1d"), step("answer", () => 42)]);
    const outer = define("outer", [child("result", "inner")]);
    const data = await runToEnd(outer, {}, { log, workflows: [inner] });
    expect(data).toMatchObject({ result: { answer: 42 } });
  });

  it("waits for steps that do real work beside a timer", async () => {
    const definition = define("real", [
      parallel("both", [
        [
          step(
            "work",
            async () => {
              await realSleep(60);
              return "done";
            },
            { timeoutMs: 30_000 },
          ),
        ],
        [delay("pause", "1h"), step("after", () => "waited")],
      ]),
    ]);
    await expect(runToEnd(definition, {}, { log })).resolves.toMatchObject({ work: "done", after: "waited" });
  });

  it("waits for a step that takes longer than its patience where nothing else is to come", async () => {
    const definition = define("long", [
      step("work", async () => {
        await realSleep(500);
        return "done";
      }),
    ]);
    await expect(runToEnd(definition, {}, { log })).resolves.toEqual({ work: "done" });
  });

  it("rejects with what the workflow failed with", async () => {
    const definition = define("broken", [
      step("fail", () => {
        throw new Error("no money");
      }),
    ]);
    const failing = runToEnd(definition, {}, { log, id: "order-1" });
    await expect(failing).rejects.toMatchObject({ code: "WORKFLOW_FAILED", workflowId: "order-1" });
    await expect(failing).rejects.toHaveProperty("cause.message", "no money");
  });

  it("rejects a workflow that waits for an event that does not come, and says for which", async () => {
    const definition = define("stuck", [step("a", () => 1), wait("approval", "order.approved", "o-7")]);
    const stuck = runToEnd(definition, {}, { log, id: "stuck-1", events: [{ event: "order.approved", key: "other" }] });
    await expect(stuck).rejects.toMatchObject({ code: "NEVER_ENDS", workflowId: "stuck-1" });
    await expect(stuck).rejects.toThrow('`stuck-1` waits for event `order.approved` with key "o-7"');
  });

  it("names the child that its parent waits for", async () => {
    const inner = define("inner", [wait("w", "never", "k")]);
    const outer = define("outer", [child("result", "inner")]);
    await expect(runToEnd(outer, {}, { log, workflows: [inner] })).rejects.toThrow(
      'waits for event `never` with key "k"',
    );
  });

  it("says of a suspended workflow why it was suspended", async () => {
    const definition = define("careful", [
      step(
        "check",
        () => {
          throw new Error("look at this");
        },
        { onError: "suspend" },
      ),
    ]);
    await expect(runToEnd(definition, {}, { log, id: "c" })).rejects.toThrow("`c` is suspended: look at this");
  });

  it("runs on the providers it is given, and leaves there what it has done", async () => {
    const store = memory();
    const definition = define("kept", [step("a", () => 1)]);
    const clock = new TestClock();
    await runToEnd(definition, {}, { log, providers: [store], clock, id: "one" });
    await expect(runToEnd(definition, {}, { log, providers: [store], clock, id: "one" })).resolves.toEqual({ a: 1 });
  });

  it("stops its host although a step never returns", async () => {
    const definition = define("endless", [
      parallel("both", [
        [step("never", () => new Promise(() => {}))],
        [step("fail", () => Promise.reject(new Error("no")))],
      ]),
    ]);
    await expect(runToEnd(definition, {}, { log })).rejects.toMatchObject({ code: "WORKFLOW_FAILED" });
  });
});
