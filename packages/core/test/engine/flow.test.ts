import { describe, expect, it } from "vitest";
import { retry } from "../../src/builder/retry.ts";
import { workflow } from "../../src/builder/workflow.ts";
import { ExecutionResult } from "../../src/definition/execution-result.ts";
import { FatalError } from "../../src/errors.ts";
import { forkState, evolveTurn, decodeEntries, initialState } from "../../src/engine/index.ts";
import { Driver, log } from "./driver.ts";

describe("control flow", () => {
  it("runs steps in order and merges their outputs", async () => {
    const definition = workflow<{ a: number }>()
      .then((data) => data.a + 1)
      .as("b")
      .then((data) => data.b * 2)
      .as("c")
      .then(() => ({ list: 1 }))
      .output((data, out) => ({ sum: data.a + data.c + out.list }))
      .build("w", 1);
    const state = await new Driver(definition).start({ a: 1 }).run();
    expect(state.data).toEqual({ a: 1, b: 2, c: 4, sum: 6 });
    expect(state.phase).toBe("completed");
  });

  it("branches, loops and counts iterations", async () => {
    const { ran, step } = log();
    const indices: unknown[] = [];
    const definition = workflow<{ n: number }>()
      .ifDo(
        (data) => data.n > 1,
        (b) => b.then(step("yes")),
        (b) => b.then(step("no")),
      )
      .ifDo(
        (data) => data.n > 9,
        (b) => b.then(step("yes2")),
      )
      .whileDo(
        (data) => data.n > 0,
        (b) =>
          b
            .then((data, ctx) => {
              indices.push(ctx.index);
              return data.n - 1;
            })
            .output((_, n) => ({ n })),
      )
      .doWhile(
        (b) => b.then(step("once")),
        () => false,
      )
      .decide((data) => data.n, { 0: (b) => b.then(step("zero")), default: (b) => b.then(step("other")) })
      .then(() => ExecutionResult.outcome("left"))
      .decide({ left: (b) => b.then(step("went left")), right: (b) => b.then(step("went right")) })
      .build("w", 1);
    const state = await new Driver(definition).start({ n: 3 }).run();
    expect(ran).toEqual(["yes", "once", "zero", "went left"]);
    expect(indices).toEqual([0, 1, 2]);
    expect(state.phase).toBe("completed");
  });

  it("runs for-each items bounded, keeps their own data apart, and collects the last outputs in order", async () => {
    const definition = workflow<{ items: number[] }>()
      .forEach(
        (data) => data.items,
        (b) =>
          b
            .then((_, ctx) => ctx.item * 10)
            .as("ten")
            .then((data) => data.ten + 1),
        { concurrency: 2, as: "results" },
      )
      .build("w", 1);
    const driver = new Driver(definition).start({ items: [3, 1, 2] });
    expect([...driver.state.pointers.values()].filter((pointer) => pointer.status === "ready")).toHaveLength(2);
    const state = await driver.run();
    expect(state.data).toEqual({ items: [3, 1, 2], results: [31, 11, 21] });
  });

  it("completes a for-each of nothing, and a graph in the order of its needs", async () => {
    const { ran, step } = log();
    const definition = workflow<{ items: number[] }>()
      .forEach(
        (data) => data.items,
        (b) => b.then(step("never")),
        { as: "none" },
      )
      .graph(
        (g) =>
          g
            .node("a", step("a"))
            .node("b", step("b"))
            .node(
              "c",
              () => {
                ran.push("c");
                return 7;
              },
              { needs: ["a", "b"] },
            )
            .node("d", step("d"), { needs: ["c"] }),
        { concurrency: 1 },
      )
      .build("w", 1);
    const state = await new Driver(definition).start({ items: [] }).run();
    expect(ran).toEqual(["a", "b", "c", "d"]);
    expect(state.data).toMatchObject({ none: [], c: 7 });
  });

  it("cancels the siblings of a failed branch, or waits for them", async () => {
    for (const onFailure of ["cancel", "wait"] as const) {
      const { ran, step, failing } = log();
      const definition = workflow()
        .parallel((p) => p.branch((b) => b.then(failing("bad"))).branch((b) => b.delay("1m").then(step("later"))), {
          onFailure,
        })
        .build("w", 1);
      const state = await new Driver(definition).start().run({ time: true });
      expect(ran).toEqual(onFailure === "cancel" ? ["bad"] : ["bad", "later"]);
      expect(state.phase).toBe("failed");
    }
  });

  it("ends the whole workflow from inside a loop or branch", async () => {
    const { ran, step } = log();
    const ends = workflow()
      .whileDo(
        () => true,
        (b) => b.then(step("mid")).endWorkflow(),
      )
      .then(step("never"))
      .build("w", 1);
    expect((await new Driver(ends).start().run()).phase).toBe("completed");
    const fails = workflow()
      .saga((b) => b.then(step("in")).compensateWith(step("undo")).fail("told so"))
      .onError("ignore")
      .then(step("never"))
      .build("w", 1);
    const state = await new Driver(fails).start().run();
    expect(ran).toEqual(["mid", "in", "undo"]);
    expect(state.error).toMatchObject({ code: "FAIL_STEP", message: "told so" });
  });

  it("stops a loop that runs away, in turns of bounded length", async () => {
    const definition = workflow()
      .whileDo(
        () => true,
        (b) =>
          b.ifDo(
            () => false,
            (c) => c.then(() => 1),
          ),
      )
      .build("w", 1);
    const driver = new Driver(definition);
    driver.limits = { ...driver.limits, transitions: 5000 };
    driver.start();
    const state = await driver.run();
    expect(state.error?.code).toBe("LIMIT_EXCEEDED");
    expect(driver.journal.length).toBeGreaterThan(5);
  });
});

describe("errors", () => {
  it("retries with growing pauses, then does what `then` says", async () => {
    const { ran, failing } = log();
    const definition = workflow()
      .then(failing("x"))
      .onError(retry({ interval: "1s", maxRetries: 3, backoff: 2, then: "ignore" }))
      .build("w", 1);
    const driver = new Driver(definition).start();
    const begun = driver.now;
    const state = await driver.run({ time: true });
    expect(ran).toHaveLength(4);
    expect(driver.now - begun).toBe(7000);
    expect(state.phase).toBe("completed");
  });

  it("does not retry a FatalError, nor what `when` refuses", async () => {
    let runs = 0;
    const fatal = workflow()
      .then(() => {
        runs++;
        throw new FatalError("no");
      })
      .onError(retry({ maxRetries: 5 }))
      .build("w", 1);
    await new Driver(fatal).start().run({ time: true });
    expect(runs).toBe(1);
    const refused = workflow()
      .then(() => {
        runs++;
        throw new TypeError("no");
      })
      .onError(retry({ maxRetries: 5, when: (error) => !(error instanceof TypeError) }))
      .build("w", 1);
    await new Driver(refused).start().run({ time: true });
    expect(runs).toBe(2);
  });

  it("undoes a step alone with compensate, and goes on", async () => {
    const { ran, step, failing } = log();
    const definition = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .then(failing("b"))
      .onError("compensate")
      .compensateWith(step("undo b"))
      .then(step("tail"))
      .build("w", 1);
    expect((await new Driver(definition).start().run()).phase).toBe("completed");
    expect(ran).toEqual(["a", "b", "undo b", "tail"]);
  });

  it("terminates without undoing, and suspends until resumed", async () => {
    const { ran, step, failing } = log();
    const definition = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .then(failing("b", 2))
      .onError("suspend")
      .then(failing("c"))
      .onError("terminate")
      .build("w", 1);
    const driver = new Driver(definition).start();
    expect((await driver.run()).phase).toBe("suspended");
    driver.deliver({ kind: "resume" });
    expect((await driver.run()).phase).toBe("suspended");
    driver.deliver({ kind: "retry" });
    expect((await driver.run()).phase).toBe("terminated");
    expect(ran).toEqual(["a", "b", "b", "b", "c"]);
  });

  it("runs onFailure, then ensure, then fails; ensure also after success and after being stopped", async () => {
    const { ran, step, failing } = log();
    const definition = workflow()
      .then(step("ok"))
      .ensure((b) => b.then(step("ensure ok")))
      .parallel((p) =>
        p
          .branch((b) => b.delay("1h").ensure((e) => e.then(step("ensure stopped"))))
          .branch((b) =>
            b
              .then(failing("bad"))
              .onFailure((f) => f.then(step("on failure")))
              .ensure((e) => e.then(step("ensure bad"))),
          ),
      )
      .build("w", 1);
    const state = await new Driver(definition).start().run({ time: true });
    expect(ran).toEqual(["ok", "ensure ok", "bad", "on failure", "ensure bad", "ensure stopped"]);
    expect(state.error?.message).toBe("bad failed");
  });

  it("takes what an input map, a condition or an output map throws as an error of its step", async () => {
    const boom = (): never => {
      throw new Error("boom");
    };
    for (const definition of [
      workflow()
        .then(() => 1, boom)
        .id("here")
        .build("w", 1),
      workflow()
        .ifDo(boom, (b) => b.then(() => 1))
        .id("here")
        .build("w", 1),
      workflow()
        .then(() => 1)
        .id("here")
        .output(boom)
        .build("w", 1),
      workflow()
        .forEach(boom, (b) => b.then(() => 1))
        .id("here")
        .build("w", 1),
      workflow().waitFor("e", boom).id("here").build("w", 1),
      workflow().delay(boom).id("here").build("w", 1),
    ]) {
      const state = await new Driver(definition).start().run();
      expect(state.error).toMatchObject({ message: "boom", stepId: "here" });
    }
  });

  it("cancels a live step when its condition becomes true, and goes on only with proceed", async () => {
    const { ran, step } = log();
    const definition = workflow<{ flag: boolean }>()
      .parallel((p) =>
        p
          .branch((b) =>
            b
              .waitFor("e", "k")
              .cancelWhen((data) => data.flag)
              .then(step("not this")),
          )
          .branch((b) =>
            b
              .waitFor("e", "k")
              .cancelWhen((data) => data.flag, { proceed: true })
              .then(step("this")),
          )
          .branch((b) =>
            b
              .delay("1m")
              .then(() => ({ flag: true }))
              .output((_, out) => out),
          ),
      )
      .then(step("after"))
      .build("w", 1);
    const state = await new Driver(definition).start({ flag: false }).run({ time: true });
    expect(ran).toEqual(["this", "after"]);
    expect(state.phase).toBe("completed");
  });
});

describe("waiting", () => {
  it("takes events in order, each once, and never one from before the start", async () => {
    const definition = workflow().waitFor("e", "k").as("first").waitFor("e", "k").as("second").build("w", 1);
    const driver = new Driver(definition);
    driver.publish("e", "k", "old");
    driver.now += 1;
    driver.start();
    driver.publish("e", "k", 1);
    driver.publish("e", "k", 2);
    expect((await driver.run()).data).toEqual({ first: 1, second: 2 });
  });

  it("gives parallel branches each every event, and goes on after the furthest", async () => {
    const definition = workflow()
      .parallel((p) =>
        p
          .branch((b) => b.waitFor("e", "k").as("a"))
          .branch((b) => b.waitFor("e", "k").as("b").waitFor("e", "k").as("c")),
      )
      .waitFor("e", "k")
      .as("d")
      .build("w", 1);
    const driver = new Driver(definition).start();
    for (const n of [1, 2, 3]) driver.publish("e", "k", n);
    expect((await driver.run()).data).toEqual({ a: 1, b: 1, c: 2, d: 3 });
  });

  it("times out with onTimeout or an error, reminds, and an event before the deadline wins", async () => {
    const { ran, step } = log();
    const definition = workflow()
      .waitFor("a", "k", {
        timeout: "2h",
        remind: { every: "30m", do: (b) => b.then(step("remind")) },
        onTimeout: (b) => b.then(step("timed out")),
      })
      .as("a")
      .waitFor("b", "k", { timeout: "1h" })
      .as("b")
      .waitFor("c", "k", { timeout: "1h" })
      .onError("ignore")
      .as("c")
      .build("w", 1);
    const driver = new Driver(definition).start();
    while (!driver.kinds().includes("wait-timed-out")) {
      await driver.run();
      driver.now += 60_000;
    }
    await driver.run();
    driver.publish("b", "k", "in time");
    driver.now += 2 * 3_600_000;
    const state = await driver.run({ time: true });
    expect(ran).toEqual(["remind", "remind", "remind", "timed out"]);
    expect(state.data).toEqual({ b: "in time" });
    expect(state.phase).toBe("completed");
  });

  it("waits for any and for all", async () => {
    const definition = workflow()
      .waitForAny({ yes: "y", no: "n" }, "k")
      .as("any")
      .waitForAll({ one: "o", two: { event: "t", key: "other" } }, "k")
      .as("all")
      .build("w", 1);
    const driver = new Driver(definition).start();
    driver.publish("n", "k", "n1");
    driver.now++;
    driver.publish("y", "k", "y1");
    driver.publish("t", "other", 2);
    await driver.run();
    driver.publish("o", "k", 1);
    expect((await driver.run()).data).toEqual({ any: { which: "no", payload: "n1" }, all: { one: 1, two: 2 } });
  });

  it("runs a body again after persist, sleep and an event", async () => {
    const seen: unknown[] = [];
    const definition = workflow()
      .then((_, ctx) => {
        seen.push([ctx.persisted, ctx.event?.payload, ctx.step.attempt]);
        if (ctx.persisted === undefined) return ExecutionResult.persist({ n: 1 });
        if (ctx.persisted.n === 1) return ExecutionResult.sleep("1h", { n: 2 });
        if (ctx.event === undefined) return ExecutionResult.waitForEvent("e", "k");
        return "done";
      })
      .as("out")
      .build("w", 1);
    const driver = new Driver(definition).start();
    await driver.run({ time: true });
    driver.publish("e", "k", 5);
    expect((await driver.run()).data).toEqual({ out: "done" });
    expect(seen).toEqual([
      [undefined, undefined, 1],
      [{ n: 1 }, undefined, 1],
      [{ n: 2 }, undefined, 1],
      [{ n: 2 }, 5, 1],
    ]);
  });
});

describe("children", () => {
  it("starts a child, takes its data, and stops it with its parent", async () => {
    const definition = workflow<{ n: number }>()
      .runWorkflow("child", (data) => ({ m: data.n }))
      .as("result")
      .build("w", 1);
    const driver = new Driver(definition).start({ n: 1 });
    expect(driver.children).toMatchObject([{ definitionId: "child", data: { m: 1 }, depth: 1 }]);
    const [child] = driver.children;
    driver.deliver({
      kind: "child-ended",
      pointer: child!.pointer,
      childId: child!.childId,
      status: "completed",
      data: { m: 2 },
    });
    expect((await driver.run()).data).toEqual({ n: 1, result: { m: 2 } });
    const stopped = new Driver(definition).start({ n: 1 });
    stopped.deliver({ kind: "terminate" });
    expect(stopped.stopped).toHaveLength(1);
    expect(stopped.state.phase).toBe("terminated");
  });
});

describe("repair", () => {
  it("retries from the failed step, keeping outputs and the data that was set", async () => {
    let fails = true;
    const { ran, step } = log();
    const definition = workflow<{ n: number }>()
      .then(() => "kept")
      .as("a")
      .then((data) => {
        if (fails) throw new Error("no");
        return data.n;
      })
      .id("b")
      .as("b")
      .then(step("tail"))
      .build("w", 1);
    const driver = new Driver(definition).start({ n: 1 });
    expect((await driver.run()).phase).toBe("failed");
    fails = false;
    driver.deliver({ kind: "set-data", patch: { n: 5 } });
    expect(driver.deliver({ kind: "retry" })).toEqual({});
    expect((await driver.run()).data).toEqual({ n: 5, a: "kept", b: 5 });
    expect(ran).toEqual(["tail"]);
    expect(driver.deliver({ kind: "retry" }).refused).toContain("completed");
  });

  it("skips the failed step with an output", async () => {
    const definition = workflow()
      .then(() => {
        throw new Error("no");
      })
      .id("b")
      .as("b")
      .then((data: any) => data.b + 1)
      .as("c")
      .build("w", 1);
    const driver = new Driver(definition).start();
    await driver.run();
    driver.deliver({ kind: "skip-step", stepId: "b", output: 41 });
    expect((await driver.run()).data).toEqual({ b: 41, c: 42 });
  });

  it("keeps what a parallel branch has done when it retries the other", async () => {
    let fails = true;
    const { ran, step } = log();
    const definition = workflow()
      .parallel((p) =>
        p
          .branch((b) => b.then(step("one")).then(step("two")))
          .branch((b) =>
            b.delay("1s").then(() => {
              ran.push("bad");
              if (fails) throw new Error("no");
            }),
          ),
      )
      .build("w", 1);
    const driver = new Driver(definition).start();
    await driver.run({ time: true });
    fails = false;
    driver.deliver({ kind: "retry" });
    expect((await driver.run({ time: true })).phase).toBe("completed");
    expect(ran).toEqual(["one", "two", "bad", "bad"]);
  });

  it("forks from any point, and migrates to another version", async () => {
    const { ran, step } = log();
    const v1 = workflow().then(step("a")).id("a").waitFor("e", "k").id("w").then(step("b")).id("b").build("w", 1);
    const v2 = workflow().then(step("a")).id("a").waitFor("e", "k").id("w").then(step("b2")).id("b2").build("w", 2);
    const driver = new Driver(v1, [v2]).start();
    await driver.run();
    const turns = driver.journal.map((turn) => ({ seq: turn.seq, entries: decodeEntries(turn.text) }));
    const entries = forkState(turns, { ...driver.state.identity, id: "fork", uid: "uid1" }, "ann");
    if (!Array.isArray(entries)) throw new Error("refused");
    const fork = new Driver(v1);
    fork.state = evolveTurn(initialState(), { seq: 0, entries });
    fork.journal.push({ seq: 0, text: "[]" });
    await fork.run();
    fork.publish("e", "k", 1);
    expect((await fork.run()).phase).toBe("completed");
    expect(driver.deliver({ kind: "migrate", version: 3 }).refused).toContain("not registered");
    driver.deliver({ kind: "migrate", version: 2 });
    driver.publish("e", "k", 1);
    await driver.run();
    expect(ran).toEqual(["a", "b", "b2"]);
  });

  it("refuses what makes no sense, with the reason", async () => {
    const driver = new Driver(workflow().waitFor("e", "k").build("w", 1)).start();
    expect(driver.deliver({ kind: "resume" }).refused).toContain("not suspended");
    expect(driver.deliver({ kind: "suspend" })).toEqual({});
    expect(driver.deliver({ kind: "suspend" }).refused).toContain("already");
    expect(driver.deliver({ kind: "resume" })).toEqual({});
    expect(driver.deliver({ kind: "terminate" })).toEqual({});
    expect(driver.deliver({ kind: "terminate" }).refused).toContain("terminated");
  });
});

describe("dead hosts", () => {
  it("raises the attempt of what may have run, and asks onCrash where it had begun", async () => {
    const { step } = log();
    const definition = workflow().then(step("a")).id("a").onCrash("suspend").build("w", 1);
    const driver = new Driver(definition).start();
    driver.feed({ kind: "begin", pointer: 3 });
    driver.state = evolveTurn(driver.state, { seq: driver.state.seq + 1, entries: [{ kind: "taken-over" }] });
    driver.journal.push({ seq: driver.state.seq, text: "[]" });
    expect((await driver.run()).phase).toBe("suspended");
    // The attempt that is judged is the one that had begun, and the next one has the next number.
    expect(driver.state.error).toMatchObject({ code: "STEP_CRASHED", attempt: 1 });
    expect(driver.state.pointers.get(3)?.attempt).toBe(1);
    driver.deliver({ kind: "resume" });
    expect(driver.state.pointers.get(3)?.attempt).toBe(2);
  });

  it("suspends as poison what was alone when its host died three times", async () => {
    const driver = new Driver(
      workflow()
        .then(() => 1)
        .build("w", 1),
    ).start();
    const add = (kind: "taken-over" | "run-alone"): void => {
      driver.state = evolveTurn(driver.state, { seq: driver.state.seq + 1, entries: [{ kind }] });
      driver.journal.push({ seq: driver.state.seq, text: "[]" });
    };
    add("taken-over");
    add("taken-over");
    for (let death = 0; death < 3; death++) {
      add("run-alone");
      add("taken-over");
    }
    expect((await driver.run()).phase).toBe("suspended");
    expect(driver.state.error?.code).toBe("POISON_WORKFLOW");
  });
});
