import { ExecutionResult, FatalError, retry, workflow, type WorkflowDefinition } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { errorsOf, historyOf } from "../support/history.ts";
import { recorder, untilStopped } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

/** Runs a workflow to its end and gives what a scenario counts. */
async function outcomeOf(world: World, definition: WorkflowDefinition, data: object = {}) {
  const host = await world.start([definition]);
  const handle = await host.startWorkflow(definition, data);
  const details = await world.ended(handle);
  return { ...details, errors: await errorsOf(host, handle.id), host, handle };
}

describe.each(stores)("what a failing step does, on $name", (store) => {
  it("fails the workflow by default, with the step's error", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const plain = workflow().then(step("first")).then(failing("bad")).then(step("tail")).build("plain", 1);
    const { status, error, errors, completedAt } = await outcomeOf(world, plain);
    expect(status).toBe("failed");
    expect(error).toMatchObject({ name: "Refused", message: "bad refused", stepId: "bad", attempt: 1 });
    expect(errors).toBe(1);
    expect(completedAt).toBeTypeOf("number");
    expect(ran).toEqual(["first", "bad"]);
  });

  it("undoes the step alone with `compensate`, and goes on after it", async () => {
    for (const throws of [false, true]) {
      await using world = new World(store);
      const { step, failing, counts } = recorder();
      const compensation = workflow()
        .then(step("first"))
        .then(throws ? failing("event") : step("event"))
        .compensateWith(step("undo"))
        .onError("compensate")
        .then(step("tail"))
        .build("compensation", 1);
      const { status, errors } = await outcomeOf(world, compensation);
      expect(status).toBe("completed");
      expect(errors).toBe(throws ? 1 : 0);
      expect(counts()).toEqual({ first: 1, event: 1, ...(throws ? { undo: 1 } : {}), tail: 1 });
    }
  });

  it("undoes the step alone with a sequence", async () => {
    for (const throws of [false, true]) {
      await using world = new World(store);
      const { step, failing, ran } = recorder();
      const compensation = workflow()
        .then(throws ? failing("event") : step("event"))
        .compensateWithSequence((b) => b.then(step("undo 1")).then(step("undo 2")))
        .onError("compensate")
        .then(step("tail"))
        .build("compensation-2", 1);
      const { status, errors } = await outcomeOf(world, compensation);
      expect(status).toBe("completed");
      expect(errors).toBe(throws ? 1 : 0);
      expect(ran).toEqual(throws ? ["event", "undo 1", "undo 2", "tail"] : ["event", "tail"]);
    }
  });

  it("undoes the failing step of an item, and goes on with the item", async () => {
    await using world = new World(store);
    const { step, failing, counts } = recorder();
    const items = workflow()
      .then(step("step1"))
      .then(step("step2"))
      .forEach(
        () => [1],
        (b) =>
          b.decide((_, at) => at.item, {
            1: (d) =>
              d
                .then(failing("step3"))
                .compensateWithSequence((u) => u.then(step("undo")))
                .onError("compensate"),
          }),
      )
      .build("for-each-compensation", 1);
    const { status, errors } = await outcomeOf(world, items);
    expect(status).toBe("completed");
    expect(errors).toBe(1);
    expect(counts()).toEqual({ step1: 1, step2: 1, step3: 1, undo: 1 });
  });

  it("goes on with `ignore`, without the step's output", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const ignoring = workflow()
      .then(failing("bad"))
      .as("output")
      .onError("ignore")
      .then(step("tail"))
      .build("ignoring", 1);
    const { status, data, errors } = await outcomeOf(world, ignoring);
    expect(status).toBe("completed");
    expect(data).toEqual({});
    expect(errors).toBe(1);
    expect(ran).toEqual(["bad", "tail"]);
  });

  it("terminates with `terminate`, undoing nothing", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const terminating = workflow()
      .then(step("paid"))
      .compensateWith(step("refund"))
      .then(failing("bad"))
      .onError("terminate")
      .then(step("tail"))
      .build("terminating", 1);
    const { status, error, completedAt, handle } = await outcomeOf(world, terminating);
    expect(status).toBe("terminated");
    expect(error).toMatchObject({ message: "bad refused", stepId: "bad" });
    expect(completedAt).toBeTypeOf("number");
    expect(ran).toEqual(["paid", "bad"]);
    await expect(handle.result()).rejects.toMatchObject({ code: "WORKFLOW_TERMINATED" });
  });

  it("suspends with `suspend`; resumed, the step runs again under the same key", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const keys: string[] = [];
    const attempts: number[] = [];
    const suspending = workflow()
      .then((_, ctx) => {
        keys.push(ctx.idempotencyKey);
        attempts.push(ctx.step.attempt);
        if (keys.length === 1) throw new Error("no such account");
      })
      .id("charge")
      .onError("suspend")
      .then(step("tail"))
      .build("suspending", 1);
    const { status, error, steps, host, handle } = await outcomeOf(world, suspending);
    expect(status).toBe("suspended");
    expect(error).toMatchObject({ message: "no such account", stepId: "charge" });
    expect(steps.find(({ id }) => id === "charge")).toMatchObject({ status: "failed", attempt: 1 });
    expect(ran).toEqual([]);

    const { applied } = await host.resumeWorkflow(handle.id);
    await applied();
    await handle.result();
    expect(ran).toEqual(["tail"]);
    expect(keys[1]).toBe(keys[0]);
    expect(attempts).toEqual([1, 2]);
  });
});

describe.each(stores)("retries on $name", (store) => {
  it("tries again after the pause, as often as asked, and then completes", async () => {
    await using world = new World(store);
    const { failing, counts } = recorder();
    const retrying = workflow()
      .then(failing("shaky", 1))
      .onError(retry({ interval: "10ms", maxRetries: Number.POSITIVE_INFINITY }))
      .build("retrying", 1);
    const { status, errors, steps } = await outcomeOf(world, retrying);
    expect(status).toBe("completed");
    expect(errors).toBe(1);
    expect(counts()).toEqual({ shaky: 2 });
    expect(steps).toMatchObject([{ id: "shaky", status: "completed", attempt: 2, runs: 1 }]);
  });

  it("pauses longer each time with `backoff`, up to `maxInterval`", async () => {
    await using world = new World(store);
    const at: number[] = [];
    const backing = workflow()
      .then(() => {
        at.push(world.clock.now());
        throw new Error("again");
      })
      .onError(retry({ interval: "1s", maxRetries: 5, backoff: 2, maxInterval: "5s" }))
      .build("backing", 1);
    const { status, errors } = await outcomeOf(world, backing);
    expect(status).toBe("failed");
    expect(errors).toBe(6);
    expect(at.slice(1).map((time, index) => time - (at[index] ?? 0))).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  it("makes three retries a second apart by default", async () => {
    await using world = new World(store);
    const at: number[] = [];
    const defaults = workflow()
      .then(() => {
        at.push(world.clock.now());
        throw new Error("again");
      })
      .onError(retry())
      .build("defaults", 1);
    await outcomeOf(world, defaults);
    expect(at.map((time) => time - (at[0] ?? 0))).toEqual([0, 1_000, 2_000, 3_000]);
  });

  it("takes 50 % to 100 % of each pause with `jitter`", async () => {
    await using world = new World(store);
    const at: number[] = [];
    const jittering = workflow()
      .then(() => {
        at.push(world.clock.now());
        throw new Error("again");
      })
      .onError(retry({ interval: "10s", maxRetries: 20, jitter: true }))
      .build("jittering", 1);
    await outcomeOf(world, jittering);
    const pauses = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    expect(pauses).toHaveLength(20);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(5_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(10_000);
    expect(new Set(pauses).size).toBeGreaterThan(10);
  });

  it("retries only the errors that `when` accepts, with the thrown error itself", async () => {
    class Busy extends Error {
      readonly retryAfter = 5;
    }
    for (const [thrown, attempts] of [
      [new Busy("busy"), 4],
      [new TypeError("wrong"), 1],
    ] as const) {
      await using world = new World(store);
      let count = 0;
      const choosy = workflow()
        .then(() => {
          count += 1;
          throw thrown;
        })
        .onError(retry({ interval: "1s", when: (error) => error instanceof Busy && error.retryAfter === 5 }))
        .build("choosy", 1);
      expect((await outcomeOf(world, choosy)).status).toBe("failed");
      expect(count).toBe(attempts);
    }
  });

  it("does after the last retry what `then` says", async () => {
    for (const [behavior, status, trace] of [
      ["fail", "failed", ["bad", "bad", "undo"]],
      ["suspend", "suspended", ["bad", "bad"]],
      ["terminate", "terminated", ["bad", "bad"]],
      ["compensate", "completed", ["bad", "bad", "undo", "tail"]],
      ["ignore", "completed", ["bad", "bad", "tail"]],
    ] as const) {
      await using world = new World(store);
      const { failing, step, ran } = recorder();
      const ending = workflow()
        .then(failing("bad"))
        .compensateWith(step("undo"))
        .onError(retry({ interval: "1s", maxRetries: 1, then: behavior }))
        .then(step("tail"))
        .build(`then-${behavior}`, 1);
      expect((await outcomeOf(world, ending)).status, behavior).toBe(status);
      expect(ran, behavior).toEqual(trace);
    }
  });

  it("counts retries anew after a suspension was resumed", async () => {
    await using world = new World(store);
    const { failing, count } = recorder();
    const suspending = workflow()
      .then(failing("bad"))
      .onError(retry({ interval: "1s", maxRetries: 2, then: "suspend" }))
      .build("again", 1);
    const { host, handle } = await outcomeOf(world, suspending);
    expect(count("bad")).toBe(3);
    await host.resumeWorkflow(handle.id);
    expect(await world.ended(handle)).toMatchObject({ status: "suspended", error: { attempt: 6 } });
    expect(count("bad")).toBe(6);
  });

  it("does not retry a FatalError, whatever else is asked", async () => {
    await using world = new World(store);
    let attempts = 0;
    const fatal = workflow()
      .then(() => {
        attempts += 1;
        throw new FatalError("card stolen", { cause: new TypeError("why") });
      })
      .onError(retry({ interval: "1s", when: () => true }))
      .build("fatal", 1);
    const { status, error } = await outcomeOf(world, fatal);
    expect(status).toBe("failed");
    expect(attempts).toBe(1);
    expect(error).toMatchObject({
      name: "FatalError",
      code: "FATAL",
      message: "card stolen",
      cause: { name: "TypeError", message: "why" },
    });
  });

  it("gives every attempt the same idempotency key and input, and another execution another key", async () => {
    await using world = new World(store);
    const keys: string[] = [];
    const inputs: number[] = [];
    let mapped = 0;
    const keyed = workflow()
      .forEach(
        () => ["a", "b"],
        (b) =>
          b
            .then(
              (input: { n: number }, ctx) => {
                keys.push(`${ctx.item} ${ctx.idempotencyKey}`);
                inputs.push(input.n);
                if (ctx.step.attempt < 3) throw new Error("again");
              },
              () => ({ n: ++mapped }),
            )
            .onError(retry({ interval: "1s" })),
        { concurrency: 1 },
      )
      .build("keyed", 1);
    expect((await outcomeOf(world, keyed)).status).toBe("completed");
    expect(inputs).toEqual([1, 1, 1, 2, 2, 2]);
    expect(new Set(keys.slice(0, 3)).size).toBe(1);
    expect(new Set(keys.slice(3)).size).toBe(1);
    expect(new Set(keys).size).toBe(2);
  });

  it("keeps what a step persisted through its retries", async () => {
    await using world = new World(store);
    const seen: unknown[] = [];
    const persisting = workflow()
      .then((_, ctx) => {
        seen.push(ctx.persisted);
        if (ctx.persisted === undefined) return ExecutionResult.persist("half");
        if (seen.length < 4) throw new Error("again");
        return "done";
      })
      .as("result")
      .onError(retry({ interval: "1s" }))
      .build("persisted-retries", 1);
    expect((await outcomeOf(world, persisting)).data).toEqual({ result: "done" });
    expect(seen).toEqual([undefined, "half", "half", "half"]);
  });
});

describe.each(stores)("time-outs of steps on $name", (store) => {
  it("fails a body that never returns, whose signal aborts", async () => {
    await using world = new World(store);
    const reasons: unknown[] = [];
    const stuck = workflow()
      .then(async (_, ctx) => {
        ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
        return new Promise<never>(() => {});
      })
      .id("stuck")
      .timeout("30s")
      .build("stuck", 1);
    const before = world.clock.now();
    const { status, error, completedAt } = await outcomeOf(world, stuck);
    expect(status).toBe("failed");
    expect(error).toMatchObject({ name: "StepTimeoutError", code: "STEP_TIMEOUT", stepId: "stuck", attempt: 1 });
    expect(completedAt).toBe(before + 30_000);
    expect(reasons).toMatchObject([{ code: "STEP_ABORTED", reason: "timeout" }]);
  });

  it("counts per attempt, retries after it, and refuses what the late body still gives", async () => {
    await using world = new World(store);
    const late = Promise.withResolvers<string>();
    const slow = workflow()
      .then(async (_, ctx) => (ctx.step.attempt === 1 ? late.promise : `attempt ${ctx.step.attempt}`))
      .as("result")
      .timeout("10s")
      .onError(retry({ interval: "5s" }))
      .then(() => ExecutionResult.sleep("1m"))
      .id("rest")
      .build("slow", 1);
    const host = await world.start([slow]);
    const handle = await host.startWorkflow(slow, {});
    await world.clock.advance("20s");
    expect((await handle.get())?.data.result).toBe("attempt 2");
    late.resolve("attempt 1, late");
    await world.settle();
    expect((await handle.get())?.data.result).toBe("attempt 2");
    const outputs = (await historyOf(host, handle.id))
      .filter(({ kind }) => kind === "step-completed")
      .map(({ output }) => output);
    expect(outputs).toEqual(["attempt 2"]);
    await host.terminateWorkflow(handle.id);
  });

  it("gives a late body its grace before it is undone, which then knows what it gave", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const undone: unknown[] = [];
    const late = Promise.withResolvers<string>();
    const charging = workflow()
      .then(step("before"))
      .compensateWith(step("undo before"))
      .then(async () => late.promise)
      .id("charge")
      .timeout("10s")
      .compensateWith((_, ctx) => void undone.push(ctx.undoing.output ?? ctx.undoing.error))
      .build("charging", 1);
    const host = await world.start([charging]);
    const handle = await host.startWorkflow(charging, {});
    await world.clock.advance("20s");
    expect((await host.explain(handle.id)).text).toContain(
      "`charge`: what goes on though its time is over to end, before undoing goes on",
    );
    late.resolve("receipt");
    expect(await world.ended(handle)).toMatchObject({ status: "failed", error: { code: "STEP_TIMEOUT" } });
    expect(undone).toEqual(["receipt"]);
    expect(ran).toEqual(["before", "undo before"]);
  });

  it.each(["fail", "compensate"] as const)(
    "knows what a late body gave that ends as soon as it is told to (%s)",
    async (behavior) => {
      await using world = new World(store);
      const undone: unknown[] = [];
      const obedient = workflow()
        .then(
          async (_, ctx) =>
            new Promise<string>((resolve) => ctx.signal.addEventListener("abort", () => resolve("receipt"))),
        )
        .id("charge")
        .timeout("10s")
        .onError(behavior)
        .compensateWith((_, ctx) => void undone.push(ctx.undoing.output ?? ctx.undoing.error))
        .build("obedient", 1);
      const before = world.clock.now();
      const { status, completedAt } = await outcomeOf(world, obedient);
      expect(status).toBe(behavior === "fail" ? "failed" : "completed");
      expect(undone).toEqual(["receipt"]);
      expect(completedAt).toBe(before + 10_000);
    },
  );

  it("compensates a late step, and what was done before a saga with one, when its body has ended", async () => {
    const late = async (): Promise<never> => new Promise<never>(() => {});
    for (const inner of ["compensated", "in a saga"] as const) {
      await using world = new World(store);
      const undone: number[] = [];
      const undo = (): void => void undone.push(world.clock.now());
      const definition =
        inner === "compensated"
          ? workflow().then(late).id("late").timeout("10s").onError("compensate").compensateWith(undo).build("w", 1)
          : workflow()
              .then(() => 1)
              .id("before")
              .compensateWith(undo)
              .saga((s) => s.then(late).id("late").timeout("10s"))
              .build("w", 1);
      const before = world.clock.now();
      await outcomeOf(world, definition);
      expect(undone).toEqual([before + 40_000]);
    }
  });

  it("does not wait for a late body longer than its grace", async () => {
    await using world = new World(store);
    const undone: unknown[] = [];
    const stuck = workflow()
      .then(async () => new Promise<never>(() => {}))
      .id("stuck")
      .timeout("10s")
      .compensateWith((_, ctx) => void undone.push(ctx.undoing.error))
      .build("stuck", 1);
    const before = world.clock.now();
    const { completedAt } = await outcomeOf(world, stuck);
    expect(undone).toMatchObject([{ code: "STEP_TIMEOUT" }]);
    expect(completedAt).toBe(before + 40_000);
  });

  it("does not count the sleeps of a step", async () => {
    await using world = new World(store);
    const sleeping = workflow()
      .then((_, ctx) =>
        ctx.persisted === undefined ? ExecutionResult.sleep("1h", true) : ExecutionResult.next("rested"),
      )
      .as("result")
      .timeout("1s")
      .build("sleeping-timeout", 1);
    expect((await outcomeOf(world, sleeping)).data).toEqual({ result: "rested" });
  });
});

describe.each(stores)("hooks of steps on $name", (store) => {
  const hooked = (first: "bad" | "good", behavior: "fail" | "ignore" | "compensate") => {
    const r = recorder();
    const definition = workflow()
      .then(first === "bad" ? r.failing("step") : r.step("step"))
      .onError(retry({ interval: "1s", maxRetries: 1, then: behavior }))
      .compensateWith(r.step("undo"))
      .onFailure((b) =>
        b
          .then(r.step("onFailure"))
          .then(() => true)
          .as("handled"),
      )
      .ensure((b) =>
        b
          .then(r.step("ensure"))
          .then(() => true)
          .as("ensured"),
      )
      .then(r.step("tail"))
      .build("hooked", 1);
    return { definition, ran: r.ran };
  };

  it("runs `ensure` alone after a step that went well", async () => {
    await using world = new World(store);
    const { definition, ran } = hooked("good", "fail");
    expect((await outcomeOf(world, definition)).data).toEqual({ ensured: true });
    expect(ran).toEqual(["step", "ensure", "tail"]);
  });

  it("runs `onFailure` after the last retry, then `ensure`, then what undoes", async () => {
    await using world = new World(store);
    const { definition, ran } = hooked("bad", "fail");
    const { status, data } = await outcomeOf(world, definition);
    expect(status).toBe("failed");
    expect(data).toEqual({ handled: true, ensured: true });
    expect(ran).toEqual(["step", "step", "onFailure", "ensure", "undo"]);
  });

  it("undoes before the hooks with `compensate`, and goes on after them", async () => {
    await using world = new World(store);
    const { definition, ran } = hooked("bad", "compensate");
    expect((await outcomeOf(world, definition)).status).toBe("completed");
    expect(ran).toEqual(["step", "step", "undo", "onFailure", "ensure", "tail"]);
  });

  it("runs both hooks with `ignore` too", async () => {
    await using world = new World(store);
    const { definition, ran } = hooked("bad", "ignore");
    expect((await outcomeOf(world, definition)).status).toBe("completed");
    expect(ran).toEqual(["step", "step", "onFailure", "ensure", "tail"]);
  });

  it("fails with the first error where a hook fails after a failure", async () => {
    for (const hook of ["onFailure", "ensure"] as const) {
      await using world = new World(store);
      const { failing, step, ran } = recorder();
      const base = workflow().then(failing("bad"));
      const definition = (
        hook === "onFailure"
          ? base.onFailure((b) => b.then(failing("hook"))).ensure((b) => b.then(step("last")))
          : base.onFailure((b) => b.then(step("last"))).ensure((b) => b.then(failing("hook")))
      ).build("hook-fails", 1);
      const { status, error } = await outcomeOf(world, definition);
      expect(status).toBe("failed");
      expect(error).toMatchObject({ message: "bad refused", stepId: "bad" });
      expect(ran).toEqual(hook === "onFailure" ? ["bad", "hook", "last"] : ["bad", "last", "hook"]);
    }
  });

  it("fails a step whose `ensure` fails after it went well", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const definition = workflow()
      .then(step("good"))
      .ensure((b) => b.then(failing("hook")))
      .then(step("tail"))
      .build("ensure-fails", 1);
    const { status, error } = await outcomeOf(world, definition);
    expect(status).toBe("failed");
    expect(error).toMatchObject({ message: "hook refused" });
    expect(ran).toEqual(["good", "hook"]);
  });

  it("runs hooks of containers and timers", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const definition = workflow()
      .delay("1s")
      .ensure((b) => b.then(step("after delay")))
      .parallel((p) => p.branch((b) => b.then(failing("bad"))).branch((b) => b.delay("1h")))
      .onFailure((b) => b.then(step("parallel failed")))
      .ensure((b) => b.then(step("parallel over")))
      .build("container-hooks", 1);
    expect((await outcomeOf(world, definition)).status).toBe("failed");
    expect(ran).toEqual(["after delay", "bad", "parallel failed", "parallel over"]);
  });

  it("runs `ensure` of a step that was cancelled or terminated around", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const definition = workflow()
      .parallel((p) =>
        p
          .branch((b) => b.delay("1s").then(failing("bad")))
          .branch((b) => b.waitFor("never", "").ensure((e) => e.then(step("ensured")))),
      )
      .build("ensure-cancelled", 1);
    expect((await outcomeOf(world, definition)).status).toBe("failed");
    expect(ran).toEqual(["bad", "ensured"]);
  });
});

describe.each(stores)("sagas on $name", (store) => {
  it("terminates after it has undone, with `terminate`", async () => {
    await using world = new World(store);
    const { step, failing, counts } = recorder();
    const failingSaga = workflow()
      .saga((s) =>
        s
          .then(step("start"))
          .ifDo(
            () => true,
            (b) => b.then(failing("event1")),
          )
          .then(step("event2")),
      )
      .onError("terminate")
      .then(step("event3"))
      .build("failing-saga", 1);
    const { status, errors } = await outcomeOf(world, failingSaga);
    expect(status).toBe("terminated");
    expect(errors).toBe(1);
    expect(counts()).toEqual({ start: 1, event1: 1 });
  });

  it("undoes newest first, the failing step included, and goes on with `ignore`", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const multistep = workflow()
      .then(step("first"))
      .saga((s) =>
        s
          .then(step("s1"))
          .compensateWith(step("undo 1"))
          .then(step("s2"))
          .compensateWithSequence((u) => u.then(step("undo 2")))
          .then(step("s3"))
          .compensateWith(step("undo 3"))
          .then(failing("s4"))
          .compensateWith(step("undo 4")),
      )
      .onError("ignore")
      .build("multistep", 1);
    const { status, errors } = await outcomeOf(world, multistep);
    expect(status).toBe("completed");
    expect(errors).toBe(1);
    expect(ran).toEqual(["first", "s1", "s2", "s3", "s4", "undo 4", "undo 3", "undo 2", "undo 1"]);
  });

  it("undoes at any depth, sequences in their own order", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const multistep = workflow()
      .saga((s) =>
        s
          .then(step("s1"))
          .compensateWithSequence((u) => u.then(step("1a")).then(step("1b")))
          .ifDo(
            () => true,
            (b) =>
              b
                .then(step("s2"))
                .compensateWithSequence((u) => u.then(step("2a")).then(step("2b")))
                .then(step("s3"))
                .compensateWith(step("3"))
                .then(failing("s4"))
                .compensateWith(step("4")),
          ),
      )
      .onError("ignore")
      .build("multistep-2", 1);
    const { status, errors } = await outcomeOf(world, multistep);
    expect(status).toBe("completed");
    expect(errors).toBe(1);
    expect(ran.slice(4)).toEqual(["4", "3", "2a", "2b", "1a", "1b"]);
  });

  it.each(["plain", "nested"])("runs again from its beginning with `retry`, undone each time: %s", async (shape) => {
    await using world = new World(store);
    const { step, failing, counts } = recorder();
    const event1 = failing("event1", 2);
    const retrying = workflow()
      .then(step("start"))
      .compensateWith(step("undo1"))
      .saga((s) => {
        const begun = s.then(step("begin")).compensateWith(step("undo2"));
        if (shape === "plain") {
          return begun
            .then(event1)
            .compensateWith(step("undo3"))
            .then(step("event2"))
            .then(step("event3"))
            .compensateWith(step("undo4"));
        }
        return begun
          .ifDo(
            () => true,
            (b) => b.then(event1).compensateWith(step("undo3")).then(step("event2")),
          )
          .then(step("event3"))
          .compensateWith(step("undo4"));
      })
      .onError(retry({ interval: "1s" }))
      .then(step("tail"))
      .build("retry-saga", 1);
    const { status, errors } = await outcomeOf(world, retrying);
    expect(status).toBe("completed");
    expect(errors).toBe(2);
    expect(counts()).toEqual({ start: 1, begin: 3, event1: 3, event2: 1, event3: 1, undo2: 2, undo3: 2, tail: 1 });
  });

  it("asks again each time that it runs again", async () => {
    await using world = new World(store);
    const { step, failing, counts } = recorder();
    const asked: string[] = [];
    const withTask = workflow()
      .saga((s) =>
        s
          .then(step("begin"))
          .compensateWith(step("undo2"))
          .then((_, ctx) => {
            asked.push(ctx.idempotencyKey);
            return ctx.idempotencyKey;
          })
          .as("task")
          .waitFor<{ option: "a" | "b" }>("answered", (data) => data.task)
          .as("answer")
          .decide((data) => data.answer.option, {
            a: (b) => b.then(failing("event1", 2)).compensateWith(step("undo3")).then(step("event2")),
            b: (b) => b.then(step("other")),
          }),
      )
      .onError(retry({ interval: "1s" }))
      .then(step("tail"))
      .build("retry-saga-task", 1);
    const host = await world.start([withTask]);
    const handle = await host.startWorkflow(withTask, {});
    for (let time = 1; time <= 3; time += 1) {
      const waiting = await world.until(async () => {
        const details = await handle.get();
        return asked.length === time && details?.waitingFor[0];
      });
      expect(waiting).toMatchObject({ event: "answered", key: asked.at(-1) });
      await host.publishEvent("answered", waiting.key, { option: "a" });
    }
    await world.ended(handle);
    expect(new Set(asked).size).toBe(3);
    expect(await errorsOf(host, handle.id)).toBe(2);
    expect(counts()).toEqual({ begin: 3, event1: 3, event2: 1, undo2: 2, undo3: 2, tail: 1 });
  });

  const booking = (r: ReturnType<typeof recorder>, throws: boolean) =>
    workflow()
      .then(r.step("start"))
      .compensateWith(r.step("undo1"))
      .saga((s) =>
        s
          .then(r.step("begin"))
          .compensateWith(r.step("undo2"))
          .then(throws ? r.failing("event1") : r.step("event1"))
          .compensateWith(r.step("undo3"))
          .then(r.step("event3"))
          .compensateWith(r.step("undo4")),
      )
      .compensateWith(r.step("undo5"));

  it("undoes nothing of what went well", async () => {
    await using world = new World(store);
    const r = recorder();
    const { status, errors } = await outcomeOf(
      world,
      booking(r, false).then(r.step("tail")).compensateWith(r.step("undo6")).build("saga", 1),
    );
    expect(status).toBe("completed");
    expect(errors).toBe(0);
    expect(r.ran).toEqual(["start", "begin", "event1", "event3", "tail"]);
  });

  it("undoes what is inside, then itself, and goes on with `ignore`", async () => {
    await using world = new World(store);
    const r = recorder();
    const definition = booking(r, true)
      .onError("ignore")
      .then(r.step("tail"))
      .compensateWith(r.step("undo6"))
      .build("saga", 1);
    const { status, errors } = await outcomeOf(world, definition);
    expect(status).toBe("completed");
    expect(errors).toBe(1);
    expect(r.ran).toEqual(["start", "begin", "event1", "undo3", "undo2", "undo5", "tail"]);
  });

  it("has failed by default after undoing, so that the workflow fails and undoes the rest", async () => {
    await using world = new World(store);
    const r = recorder();
    const { status, error } = await outcomeOf(
      world,
      booking(r, true).then(r.step("tail")).compensateWith(r.step("undo6")).build("saga", 1),
    );
    expect(status).toBe("failed");
    expect(error).toMatchObject({ message: "event1 refused", stepId: expect.stringMatching(/event1$/) });
    expect(r.ran).toEqual(["start", "begin", "event1", "undo3", "undo2", "undo5", "undo1"]);
  });

  it("gives `{ ok: true }`, or `{ ok: false, error }` where its failure is ignored", async () => {
    await using world = new World(store);
    const { step, failing } = recorder();
    const trips = workflow()
      .saga((s) => s.then(step("good", 1)).as("good"))
      .as("first")
      .onError("ignore")
      .saga((s) => s.then(failing("bad")).as("bad"))
      .as("second")
      .onError("ignore")
      .build("trips", 1);
    const { data } = await outcomeOf(world, trips);
    expect(data).toMatchObject({ good: 1, first: { ok: true }, second: { ok: false } });
    const { second } = data as { second: { error: unknown } };
    expect(second.error).toBeInstanceOf(Error);
    expect(second.error).toMatchObject({ name: "Refused", message: "bad refused" });
  });

  it("tells compensations what they undo: output or error, key, item and index", async () => {
    await using world = new World(store);
    const seen: unknown[] = [];
    const keys = new Map<string, string>();
    const telling = workflow<{ cities: string[] }>()
      .saga((s) =>
        s
          .forEach(
            (data) => data.cities,
            (b) =>
              b
                .then((_, ctx) => {
                  keys.set(ctx.item, ctx.idempotencyKey);
                  return `room in ${ctx.item}`;
                })
                .as("room")
                .compensateWith((data, ctx) => {
                  const { undoing, item, index } = ctx;
                  seen.push({
                    room: data.room,
                    output: undoing.output,
                    error: undoing.error,
                    own: undoing.idempotencyKey === keys.get(item),
                    new: ctx.idempotencyKey !== undoing.idempotencyKey,
                    item,
                    index,
                  });
                }),
            { concurrency: 1 },
          )
          .then((): { ticket: number } => {
            throw new RangeError("sold out");
          })
          .as("flight")
          .compensateWith((data, ctx) => {
            seen.push({ flight: data.flight, output: ctx.undoing.output, error: ctx.undoing.error?.message });
          }),
      )
      .build("telling", 1);
    expect((await outcomeOf(world, telling, { cities: ["rome", "oslo"] })).status).toBe("failed");
    const common = { error: undefined, own: true, new: true };
    expect(seen).toEqual([
      { flight: undefined, output: undefined, error: "sold out" },
      { room: "room in oslo", output: "room in oslo", item: "oslo", index: 1, ...common },
      { room: "room in rome", output: "room in rome", item: "rome", index: 0, ...common },
    ]);
  });

  it("maps the input of a compensation from data in which the step's own keys may be missing", async () => {
    await using world = new World(store);
    const seen: unknown[] = [];
    const mapped = workflow<{ amount: number }>()
      .then(() => ({ id: "ch-1" }))
      .as("charge")
      .compensateWith(
        (input: { id: string; amount: number }) => {
          seen.push(input);
        },
        (data) => ({ id: data.charge?.id ?? "none", amount: data.amount }),
      )
      .fail("no")
      .build("mapped-undo", 1);
    await outcomeOf(world, mapped, { amount: 5 });
    expect(seen).toEqual([{ id: "ch-1", amount: 5 }]);
  });

  it("undoes the iterations of a loop, newest first", async () => {
    await using world = new World(store);
    const undone: unknown[] = [];
    const looping = workflow()
      .saga((s) =>
        s
          .then(() => 0)
          .as("n")
          .doWhile(
            (b) =>
              b
                .then((data) => data.n + 1)
                .as("n")
                .compensateWith((_, ctx) => {
                  undone.push([ctx.undoing.output, ctx.index]);
                }),
            (data) => data.n < 3,
          )
          .fail("enough"),
      )
      .onError("ignore")
      .build("looping", 1);
    // `fail` fails the workflow, not the saga alone: nothing goes on after it, and all is undone.
    expect((await outcomeOf(world, looping)).status).toBe("failed");
    expect(undone).toEqual([
      [3, 2],
      [2, 1],
      [1, 0],
    ]);
  });

  it("undoes what a saga that had completed inside did, then that saga's own", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const nested = workflow()
      .saga((s) =>
        s
          .then(step("a"))
          .compensateWith(step("undo a"))
          .saga((inner) =>
            inner.then(step("b")).compensateWith(step("undo b")).then(step("c")).compensateWith(step("undo c")),
          )
          .compensateWith(step("undo inner"))
          .then(failing("d")),
      )
      .compensateWith(step("undo outer"))
      .onError("ignore")
      .then(step("tail"))
      .build("nested-sagas", 1);
    expect((await outcomeOf(world, nested)).status).toBe("completed");
    expect(ran).toEqual(["a", "b", "c", "d", "undo c", "undo b", "undo inner", "undo a", "undo outer", "tail"]);
  });

  it("does not undo twice what an inner saga has undone already", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const nested = workflow()
      .saga((s) =>
        s
          .then(step("a"))
          .compensateWith(step("undo a"))
          .saga((inner) => inner.then(step("b")).compensateWith(step("undo b")).then(failing("c")))
          .compensateWith(step("undo inner"))
          .onError("ignore")
          .then(failing("d")),
      )
      .build("no-twice", 1);
    expect((await outcomeOf(world, nested)).status).toBe("failed");
    expect(ran).toEqual(["a", "b", "c", "undo b", "undo inner", "d", "undo a"]);
  });

  it("stops running branches, lets their bodies return, and undoes them with what they gave", async () => {
    await using world = new World(store);
    const { failing, ran } = recorder();
    const hotel = Promise.withResolvers<string>();
    const seen: unknown[] = [];
    const parallel = workflow()
      .saga((s) =>
        s.parallel((p) =>
          p
            .branch((b) => b.delay("1s").then(failing("flight")))
            .branch((b) =>
              b
                .then(async (_, ctx) => {
                  ctx.signal.addEventListener("abort", () => ran.push("told to stop"));
                  return hotel.promise;
                })
                .as("hotel")
                .compensateWith((_, ctx) => {
                  seen.push(ctx.undoing.output, ctx.undoing.error?.message);
                }),
            ),
        ),
      )
      .build("stopping", 1);
    const host = await world.start([parallel]);
    const handle = await host.startWorkflow(parallel, {});
    await world.clock.advance("10s");
    expect(ran).toEqual(["flight", "told to stop"]);
    expect(seen).toEqual([]);
    expect((await handle.get())?.status).not.toBe("failed");

    hotel.resolve("room 7");
    expect((await world.ended(handle)).status).toBe("failed");
    expect(seen).toEqual(["room 7", undefined]);
  });

  it("undoes a stopped step whose body threw, or did not return within its grace, with an error", async () => {
    for (const body of [untilStopped, async () => new Promise<never>(() => {})]) {
      await using world = new World(store);
      const { failing } = recorder();
      const seen: unknown[] = [];
      const parallel = workflow()
        .saga((s) =>
          s.parallel((p) =>
            p
              .branch((b) => b.delay("1s").then(failing("flight")))
              .branch((b) =>
                b.then(body).compensateWith((_, ctx) => {
                  seen.push(ctx.undoing.output, ctx.undoing.error);
                }),
              ),
          ),
        )
        .build("grace", 1);
      const { status, createdAt, completedAt } = await outcomeOf(world, parallel);
      expect(status).toBe("failed");
      expect(seen).toEqual([undefined, expect.any(Error)]);
      expect((completedAt ?? 0) - createdAt).toBe(body === untilStopped ? 1_000 : 31_000);
    }
  });

  it("asks the `onCrash` of an undoing that ended beside one that failed for good", async () => {
    await using world = new World(store);
    const { failing } = recorder();
    const undone: unknown[] = [];
    const definition = workflow()
      .forEach(
        () => ["a", "b"],
        (each) =>
          each
            .saga((s) => s.then(failing("bad")))
            .compensateWithSequence((undo) =>
              undo
                .then(async (_, ctx) => {
                  undone.push(ctx.item);
                  if (undone.length <= 2) throw new Error("not undone");
                })
                .id("undo")
                .onCrash("fail"),
            ),
      )
      .build("beside", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    expect(await world.ended(handle)).toMatchObject({ status: "failed", error: { code: "COMPENSATION_FAILED" } });
    expect(undone).toEqual(["a", "b"]);
    await (await host.retryWorkflow(handle.id)).applied();
    const { status, error } = await world.ended(handle);
    expect(status).toBe("failed");
    expect(error?.cause).toMatchObject({ code: "STEP_CRASHED" });
    expect(undone).toEqual(["a", "b", "a"]);
  });

  it("undoes a step between two attempts", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const between = workflow()
      .saga((s) =>
        s.parallel((p) =>
          p
            .branch((b) => b.delay("1s").then(failing("late")))
            .branch((b) =>
              b
                .then(failing("shaky"))
                .onError(retry({ interval: "1h" }))
                .compensateWith(step("undo shaky")),
            ),
        ),
      )
      .build("between", 1);
    expect((await outcomeOf(world, between)).status).toBe("failed");
    expect(ran).toEqual(["shaky", "late", "undo shaky"]);
  });

  it("does not undo what never began", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const early = workflow()
      .saga((s) =>
        s
          .ifDo(
            () => false,
            (b) => b.then(step("skipped")).compensateWith(step("undo skipped")),
          )
          .then(failing("bad"))
          .then(step("never"))
          .compensateWith(step("undo never")),
      )
      .build("early", 1);
    await outcomeOf(world, early);
    expect(ran).toEqual(["bad"]);
  });

  it("undoes for-each items and parallel branches, newest first", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const concurrent = workflow()
      .saga((s) =>
        s
          .parallel((p) =>
            p
              .branch((b) => b.delay("2s").then(step("slow")).compensateWith(step("undo slow")))
              .branch((b) => b.delay("1s").then(step("quick")).compensateWith(step("undo quick"))),
          )
          .forEach(
            () => [2, 1],
            (b) =>
              b
                .delay((_, at) => at.item * 1000)
                .then((_, ctx) => {
                  ran.push(`item ${ctx.item}`);
                })
                .compensateWith((_, ctx) => {
                  ran.push(`undo item ${ctx.item}`);
                }),
          )
          .then(failing("bad")),
      )
      .build("concurrent", 1);
    await outcomeOf(world, concurrent);
    expect(ran).toEqual([
      "quick",
      "slow",
      "item 1",
      "item 2",
      "bad",
      "undo item 2",
      "undo item 1",
      "undo slow",
      "undo quick",
    ]);
  });

  it("retries an undoing in the sequence form", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const shaky = workflow()
      .saga((s) =>
        s
          .then(step("a"))
          .compensateWithSequence((u) =>
            u
              .then(failing("undo a", 2))
              .onError(retry({ interval: "1s" }))
              .then(step("undone")),
          )
          .then(failing("b")),
      )
      .onError("ignore")
      .then(step("tail"))
      .build("shaky-undo", 1);
    expect((await outcomeOf(world, shaky)).status).toBe("completed");
    expect(ran).toEqual(["a", "b", "undo a", "undo a", "undo a", "undone", "tail"]);
  });

  it("leaves the workflow failed where an undoing fails for good; a retry repeats it and finishes the others", async () => {
    await using world = new World(store);
    const { step, failing, ran, clear } = recorder();
    const stuck = workflow()
      .saga((s) =>
        s
          .then(step("a"))
          .compensateWith(step("undo a"))
          .then(step("b"))
          .id("book")
          .compensateWith(failing("undo b", 1))
          .then(failing("c", 1))
          .compensateWith(step("undo c")),
      )
      .then(step("tail"))
      .build("stuck-undo", 1);
    const { status, error, host, handle } = await outcomeOf(world, stuck);
    expect(status).toBe("failed");
    expect(error).toMatchObject({ code: "COMPENSATION_FAILED", stepId: "book", cause: { message: "undo b refused" } });
    expect(ran).toEqual(["a", "b", "c", "undo c", "undo b"]);

    clear();
    await (await host.retryWorkflow(handle.id)).applied();
    expect(await world.ended(handle)).toMatchObject({ status: "failed", error: { message: "c refused" } });
    expect(ran).toEqual(["undo b", "undo a"]);
  });

  it("has failed with a stuck undoing, whatever the sagas around would have made of it, and is shown so", async () => {
    for (const [inner, outer] of [
      ["ignore", "fail"],
      ["fail", "ignore"],
      ["terminate", "fail"],
    ] as const) {
      await using world = new World(store);
      const { step, failing, ran, clear } = recorder();
      const stuck = workflow()
        .saga((s) =>
          s
            .then(step("a"))
            .compensateWith(step("undo a"))
            .parallel((p) =>
              p
                .branch((b) =>
                  b
                    .saga((i) => i.then(step("b")).compensateWith(failing("undo b", 1)).then(failing("c", 1)))
                    .name("inner")
                    .onError(inner),
                )
                .branch((b) => b.waitFor("never", "").name("wait").then(step("never"))),
            )
            .name("both"),
        )
        .name("outer")
        .onError(outer)
        .then(step("tail"))
        .build("stuck-inside", 1);
      const { status, host, handle } = await outcomeOf(world, stuck);
      const shown = async () =>
        Object.fromEntries((await handle.get())?.steps.map((one) => [one.id, one.status]) ?? []);
      expect(status).toBe("failed");
      expect(await shown()).toMatchObject({ outer: "failed", both: "failed", inner: "failed", wait: "cancelled" });

      clear();
      await (await host.retryWorkflow(handle.id)).applied();
      expect(await world.ended(handle)).toMatchObject({ status: "failed", error: { message: "c refused" } });
      expect(ran).toEqual(["undo b", "undo a"]);
      expect(await shown()).toMatchObject({ inner: "failed", wait: "cancelled", tail: "pending" });

      clear();
      await (await host.retryWorkflow(handle.id)).applied();
      await world.settle();
      expect(ran).toEqual(["a", "b", "c"]);
    }
  });

  it("after a stuck undoing was finished the workflow is failed, and a further retry starts at the earliest undone step", async () => {
    await using world = new World(store);
    const { step, failing, ran, clear } = recorder();
    const keys: string[] = [];
    const stuck = workflow()
      .then(step("before"))
      .then((_, ctx) => {
        ran.push("a");
        keys.push(ctx.idempotencyKey);
      })
      .id("a")
      .compensateWith(failing("undo a", 1))
      .then(failing("b", 1))
      .then(step("tail"))
      .build("stuck-root", 1);
    const { host, handle } = await outcomeOf(world, stuck);
    clear();
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("failed");
    expect(ran).toEqual(["undo a"]);

    clear();
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran).toEqual(["a", "b", "tail"]);
    expect(keys[1]).not.toBe(keys[0]);
  });

  it("times out as a whole", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const slow = workflow()
      .saga((s) => s.then(step("a")).compensateWith(step("undo a")).waitFor("never", ""))
      .timeout("1h")
      .onError("ignore")
      .as("trip")
      .then(step("tail"))
      .build("slow-saga", 1);
    const { status, data, createdAt, completedAt } = await outcomeOf(world, slow);
    expect(status).toBe("completed");
    expect(data).toMatchObject({ trip: { ok: false, error: { name: "StepTimeoutError" } } });
    expect((completedAt ?? 0) - createdAt).toBe(3_600_000);
    expect(ran).toEqual(["a", "undo a", "tail"]);
  });

  it("begins again each time that the loop around it does", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const looping = workflow<{ n: number }>()
      .whileDo(
        (data) => data.n < 2,
        (b) =>
          b
            .saga((s) => s.then(step("a")).compensateWith(step("undo a")).then(failing("b", 1)))
            .onError("ignore")
            .then((data) => data.n + 1)
            .as("n"),
      )
      .build("saga-in-loop", 1);
    expect((await outcomeOf(world, looping, { n: 0 })).status).toBe("completed");
    expect(ran).toEqual(["a", "b", "undo a", "a", "b"]);
  });

  it("undoes the whole workflow when it fails, or is terminated with `compensate`", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const order = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .then(step("b"))
      .compensateWith(step("undo b"))
      .waitFor("never", "")
      .build("terminable", 1);
    const host = await world.start([order]);
    const handle = await host.startWorkflow(order, {});
    await world.settle();
    await (await host.terminateWorkflow(handle.id, { reason: "customer left", compensate: true })).applied();
    const details = await world.ended(handle);
    expect(details).toMatchObject({ status: "terminated", reason: "customer left" });
    expect(ran).toEqual(["a", "b", "undo b", "undo a"]);
    const statuses = Object.fromEntries(details.steps.map(({ id, status }) => [id, status]));
    expect(statuses).toMatchObject({ a: "compensated", b: "compensated" });
  });
});

describe.each(stores)("failing branches on $name", (store) => {
  it.each(["cancel", "wait"] as const)("fails the parallel around it, with `onFailure: %s`", async (onFailure) => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const branches = workflow()
      .parallel((p) => p.branch((b) => b.then(failing("bad"))).branch((b) => b.delay("1m").then(step("later"))), {
        onFailure,
      })
      .then(step("tail"))
      .build("branches", 1);
    const { status, error } = await outcomeOf(world, branches);
    expect(status).toBe("failed");
    expect(error).toMatchObject({ message: "bad refused" });
    expect(ran).toEqual(onFailure === "wait" ? ["bad", "later"] : ["bad"]);
  });

  it.each(["cancel", "wait"] as const)("fails the for-each around it, with `onFailure: %s`", async (onFailure) => {
    await using world = new World(store);
    const { ran } = recorder();
    const items = workflow()
      .forEach(
        () => [1, 2, 3, 4],
        (b) =>
          b
            .delay((_, at) => at.item * 1000)
            .then((_, ctx) => {
              ran.push(`item ${ctx.item}`);
              if (ctx.item === 2) throw new Error("not 2");
            }),
        { onFailure, concurrency: 2, as: "results" },
      )
      .build("items", 1);
    const { status, error, data } = await outcomeOf(world, items);
    expect(status).toBe("failed");
    expect(error).toMatchObject({ message: "not 2" });
    expect(data).toEqual({});
    expect(ran).toEqual(onFailure === "wait" ? ["item 1", "item 2", "item 3", "item 4"] : ["item 1", "item 2"]);
  });

  it("fails with the error of the first branch that failed", async () => {
    await using world = new World(store);
    const { failing } = recorder();
    const branches = workflow()
      .parallel(
        (p) =>
          p.branch((b) => b.delay("2s").then(failing("second"))).branch((b) => b.delay("1s").then(failing("first"))),
        { onFailure: "wait" },
      )
      .build("first-error", 1);
    expect((await outcomeOf(world, branches)).error).toMatchObject({ message: "first refused" });
  });

  it("tells running bodies of cancelled branches to stop", async () => {
    await using world = new World(store);
    const reasons: unknown[] = [];
    const { failing } = recorder();
    const branches = workflow()
      .parallel((p) =>
        p
          .branch((b) => b.delay("1s").then(failing("bad")))
          .branch((b) =>
            b.then(async (_, ctx) => {
              ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
              return untilStopped(_, ctx);
            }),
          ),
      )
      .build("cancelled-bodies", 1);
    expect((await outcomeOf(world, branches)).status).toBe("failed");
    expect(reasons).toMatchObject([{ code: "STEP_ABORTED", reason: "cancelled" }]);
  });
});

describe.each(stores)("cancelWhen on $name", (store) => {
  it.each([true, false])(
    "cancels a running step and, with `proceed: %s`, goes on after it or ends its branch",
    async (proceed) => {
      await using world = new World(store);
      const { step, ran } = recorder();
      const reasons: unknown[] = [];
      const cancelling = workflow<{ stop?: boolean }>()
        .parallel((p) =>
          p
            .branch((b) =>
              b
                .delay("5s")
                .then(() => true)
                .output((_, stop) => ({ stop })),
            )
            .branch((b) =>
              b
                .then(async (_, ctx) => {
                  ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
                  return untilStopped(_, ctx);
                })
                .cancelWhen((data) => data.stop === true, { proceed: proceed as true })
                .then(step("after")),
            ),
        )
        .then(step("join"))
        .build("cancel-when", 1);
      const { status, errors, createdAt, completedAt } = await outcomeOf(world, cancelling);
      expect(status).toBe("completed");
      expect(errors).toBe(0);
      expect(reasons).toMatchObject([{ code: "STEP_ABORTED", reason: "cancelled" }]);
      expect(ran).toEqual(proceed ? ["after", "join"] : ["join"]);
      expect((completedAt ?? 0) - createdAt).toBe(5_000);
    },
  );

  it("cancels waits, timers, children, loops and whole containers", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const child = workflow().waitFor("never", "").build("patient-child", 1);
    const stop = (data: { stop?: boolean }) => data.stop === true;
    const cancelling = workflow<{ stop?: boolean }>()
      .parallel((p) =>
        p
          .branch((b) =>
            b
              .delay("5s")
              .then(() => true)
              .output((_, out) => ({ stop: out })),
          )
          .branch((b) => b.waitFor("never", "").cancelWhen(stop, { proceed: true }).then(step("wait")))
          .branch((b) => b.delay("1w").cancelWhen(stop, { proceed: true }).then(step("delay")))
          .branch((b) =>
            b
              .runWorkflow(child, () => ({}))
              .cancelWhen(stop, { proceed: true })
              .then(step("child")),
          )
          .branch((b) =>
            b
              .whileDo(
                () => true,
                (w) => w.delay("1s"),
              )
              .cancelWhen(stop, { proceed: true })
              .then(step("loop")),
          )
          .branch((b) =>
            b
              .parallel((q) => q.branch((x) => x.delay("1w")).branch((x) => x.waitFor("never", "")))
              .cancelWhen(stop, { proceed: true })
              .then(step("parallel")),
          )
          .branch((b) =>
            b
              .forEach(
                () => [1, 2],
                (x) => x.delay("1w"),
              )
              .cancelWhen(stop, { proceed: true })
              .then(step("items")),
          ),
      )
      .then(step("join"))
      .build("cancel-all", 1);
    const host = await world.start([cancelling, child]);
    const handle = await host.startWorkflow(cancelling, {});
    const { status, completedAt, createdAt } = await world.ended(handle);
    expect(status).toBe("completed");
    expect((completedAt ?? 0) - createdAt).toBe(5_000);
    expect(ran.slice(0, -1).toSorted()).toEqual(["child", "delay", "items", "loop", "parallel", "wait"]);
    expect(ran.at(-1)).toBe("join");
    const children = await host.listWorkflows({ definitionId: "patient-child" });
    expect(children.items.map((each) => each.status)).toEqual(["terminated"]);
  });

  it("skips a step whose condition holds when its turn comes", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const skipping = workflow<{ skip: boolean }>()
      .then(step("skipped"))
      .as("out")
      .cancelWhen((data) => data.skip, { proceed: true })
      .then(step("after"))
      .build("skipping", 1);
    const { status, steps } = await outcomeOf(world, skipping, { skip: true });
    expect(status).toBe("completed");
    expect(ran).toEqual(["after"]);
    expect(steps[0]).toMatchObject({ id: "skipped", status: "cancelled" });
  });

  it("ends the workflow's own branch where nothing proceeds", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const ending = workflow<{ stop: boolean }>()
      .then(step("a"))
      .cancelWhen((data) => data.stop)
      .then(step("b"))
      .build("ending-branch", 1);
    expect((await outcomeOf(world, ending, { stop: true })).status).toBe("completed");
    expect(ran).toEqual([]);
  });
});

describe.each(stores)("errors of a definition's own functions, on $name", (store) => {
  it("fails the step whose condition, input, output, key or duration throws", async () => {
    const broken = (): never => {
      throw new RangeError("broken");
    };
    const definitions = {
      condition: workflow()
        .ifDo(broken, (b) => b.then(() => 1))
        .build("w", 1),
      input: workflow()
        .then((input: number) => input, broken)
        .build("w", 1),
      output: workflow()
        .then(() => 1)
        .output(broken)
        .onError(retry({ interval: "1s" }))
        .build("w", 1),
      key: workflow().waitFor("e", broken).build("w", 1),
      duration: workflow().delay(broken).build("w", 1),
      items: workflow()
        .forEach(
          (): number[] => broken(),
          (b) => b.then(() => 1),
        )
        .build("w", 1),
      value: workflow()
        .decide((): string => broken(), { default: (b) => b.then(() => 1) })
        .build("w", 1),
      cancel: workflow()
        .then(() => 1)
        .cancelWhen(broken)
        .build("w", 1),
    };
    for (const [name, definition] of Object.entries(definitions)) {
      await using world = new World(store);
      const { status, error } = await outcomeOf(world, definition);
      expect(status, name).toBe("failed");
      expect(error, name).toMatchObject({ name: "RangeError", message: "broken" });
    }
  });

  it("does not repeat a body whose output cannot be mapped or stored", async () => {
    await using world = new World(store);
    let bodies = 0;
    const unstorable = workflow()
      .then((): unknown => {
        bodies += 1;
        return { deep: [{ call: () => 1 }] };
      })
      .as("result")
      .onError(retry({ interval: "1s" }))
      .build("unstorable", 1);
    const { status, error } = await outcomeOf(world, unstorable);
    expect(status).toBe("failed");
    expect(bodies).toBe(1);
    expect(error).toMatchObject({ code: "INVALID_VALUE", path: expect.stringMatching(/deep\[0\]\.call$/) });
  });

  it("fails where an expression gives a promise", async () => {
    await using world = new World(store);
    const promising = workflow()
      .ifDo(
        () => Promise.resolve(true) as unknown as boolean,
        (b) => b.then(() => 1),
      )
      .build("promising", 1);
    expect((await outcomeOf(world, promising)).error).toMatchObject({ code: "EXPRESSION" });
  });
});

describe.each(stores)("thrown values on $name", (store) => {
  it("keeps names, codes, fields and the chain of causes, and names what is no error", async () => {
    class PaymentError extends Error {
      override readonly name: string = "PaymentError";
      readonly code = "E_CARD";
      readonly statusCode = 402;
      readonly card = { last4: "0007", triedAt: new Date(5) };
      readonly socket = () => {};
    }
    const throwing = workflow<{ what: string }>()
      .then((data) => {
        if (data.what === "chain")
          throw new PaymentError("declined", { cause: new Error("bank said no", { cause: new RangeError("limit") }) });
        // oxlint-disable-next-line only-throw-error -- it is the point
        throw data.what === "text" ? "just text" : undefined;
      })
      .id("throw")
      .build("throwing", 1);
    await using world = new World(store);
    const host = await world.start([throwing]);
    const failure = async (what: string) => {
      const handle = await host.startWorkflow(throwing, { what });
      await world.settle();
      return handle.result().then(
        () => undefined,
        (error: unknown) => error,
      );
    };
    expect(await failure("chain")).toMatchObject({
      name: "WorkflowFailedError",
      code: "WORKFLOW_FAILED",
      stepId: "throw",
      attempt: 1,
      cause: {
        name: "PaymentError",
        code: "E_CARD",
        message: "declined",
        statusCode: 402,
        card: { last4: "0007", triedAt: new Date(5) },
        stepId: "throw",
        attempt: 1,
        cause: { message: "bank said no", cause: { name: "RangeError", message: "limit" } },
      },
    });
    expect(await failure("text")).toMatchObject({
      code: "WORKFLOW_FAILED",
      cause: { message: expect.stringContaining("just text") },
    });
    expect(await failure("nothing")).toMatchObject({ code: "WORKFLOW_FAILED", cause: expect.any(Error) });
  });
});
