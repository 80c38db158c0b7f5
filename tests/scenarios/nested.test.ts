import { retry, StepTimeoutError, workflow } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder, type Recorder, untilStopped } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

const greet = workflow<{ name: string }>()
  .then((data) => `hello ${data.name}`)
  .as("greeting")
  .build("greet", 1);

describe.each(stores)("child workflows on $name", (store) => {
  it("run with an input of the parent's, whose output is the child's final data", async () => {
    await using world = new World(store);
    const parent = workflow<{ who: string }>()
      .runWorkflow(greet, (data) => ({ name: data.who }))
      .as("child")
      .then((data) => data.child.greeting.length)
      .as("length")
      .build("parent", 1);
    expect((await world.run(parent, { who: "world" }, { children: [greet] })).data).toEqual({
      who: "world",
      child: { name: "world", greeting: "hello world" },
      length: 11,
    });
  });

  it("give chosen keys to the parent's data", async () => {
    await using world = new World(store);
    const parent = workflow<{ name: string }>()
      .runWorkflow(greet)
      .output((_, child) => ({ said: child.greeting }))
      .build("parent", 1);
    expect((await world.run(parent, { name: "ann" }, { children: [greet] })).data).toEqual({
      name: "ann",
      said: "hello ann",
    });
  });

  it("are found by id, the highest version or the one asked for", async () => {
    await using world = new World(store);
    const greet2 = workflow<{ name: string }>()
      .then((data) => `good day ${data.name}`)
      .as("greeting")
      .build("greet", 2);
    const parent = workflow()
      .runWorkflow<{ greeting: string }>("greet", () => ({ name: "ann" }))
      .as("latest")
      .runWorkflow<{ greeting: string }>("greet", () => ({ name: "ann" }), { version: 1 })
      .as("first")
      .build("parent", 1);
    const { data } = await world.run(parent, {}, { children: [greet2, greet] });
    expect([data.latest.greeting, data.first.greeting]).toEqual(["good day ann", "hello ann"]);
  });

  it("are waited for, and can be seen: parent, id, status", async () => {
    await using world = new World(store);
    const child = workflow<{ n: number }>().waitFor<number>("e", "").as("got").build("child", 1);
    const parent = workflow()
      .runWorkflow(child, () => ({ n: 1 }))
      .id("nested")
      .as("child")
      .build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    await world.settle();
    expect(await handle.get()).toMatchObject({ status: "waiting", steps: [{ id: "nested", status: "waiting" }] });
    const [listed] = (await host.listWorkflows({ definitionId: "child" })).items;
    const details = await host.getWorkflow(listed?.id ?? "");
    expect(details).toMatchObject({ status: "waiting", parentId: handle.id, data: { n: 1 } });
    await host.publishEvent("e", "", 7);
    expect(await handle.result()).toEqual({ child: { n: 1, got: 7 } });
    const started = (await historyOf(host, handle.id)).find(({ kind }) => kind === "child-started");
    expect(started?.child).toMatchObject({ id: listed?.id, definitionId: "child" });
  });

  it("fail the parent's step when they fail, with the chain of causes", async () => {
    await using world = new World(store);
    const { failing } = recorder();
    const child = workflow().then(failing("bad")).id("bad").build("child", 1);
    const parent = workflow().runWorkflow(child).id("nested").build("parent", 1);
    const { status, error } = await world.run(parent, {}, { children: [child] });
    expect(status).toBe("failed");
    expect(error).toMatchObject({
      code: "CHILD_WORKFLOW",
      stepId: "nested",
      cause: { name: "Refused", message: "bad refused", stepId: "bad" },
    });
  });

  it("run anew on a retry, and are gone past with `ignore`", async () => {
    await using world = new World(store);
    const { failing, count } = recorder();
    const child = workflow().then(failing("shaky", 2)).build("child", 1);
    const parent = workflow()
      .runWorkflow(child)
      .onError(retry({ interval: "1s" }))
      .as("got")
      .build("parent", 1);
    expect((await world.run(parent, {}, { children: [child] })).status).toBe("completed");
    expect(count("shaky")).toBe(3);

    await using other = new World(store);
    const bad = workflow().then(failing("bad")).build("bad", 1);
    const ignoring = workflow()
      .runWorkflow(bad)
      .onError("ignore")
      .as("got")
      .then(() => true)
      .as("tail")
      .build("ignoring", 1);
    expect((await other.run(ignoring, {}, { children: [bad] })).data).toEqual({ tail: true });
  });

  it("fail the parent's step when they are terminated", async () => {
    await using world = new World(store);
    const child = workflow().waitFor("never", "").build("child", 1);
    const parent = workflow().runWorkflow(child).build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    await world.settle();
    const [listed] = (await host.listWorkflows({ definitionId: "child" })).items;
    await host.terminateWorkflow(listed?.id ?? "");
    await world.settle();
    expect(await handle.get()).toMatchObject({ status: "failed", error: { code: "CHILD_WORKFLOW" } });
  });

  it("follow the step's error behaviour where their definition is missing", async () => {
    await using world = new World(store);
    const parent = workflow()
      .runWorkflow("nowhere", () => ({}))
      .id("nested")
      .onError(retry({ interval: "1s", maxRetries: 1, then: "ignore" }))
      .then(() => true)
      .as("tail")
      .build("parent", 1);
    const { status, data } = await world.run(parent, {});
    expect(status).toBe("completed");
    expect(data).toEqual({ tail: true });
    await using other = new World(store);
    const failing = workflow()
      .runWorkflow("nowhere", () => ({}))
      .build("parent", 1);
    expect(await other.run(failing, {})).toMatchObject({ status: "failed", error: { code: "DEFINITION_NOT_FOUND" } });
  });

  it("are terminated with their parent, and stop their bodies", async () => {
    await using world = new World(store);
    const reasons: unknown[] = [];
    const grandchild = workflow()
      .then(async (_, ctx) => {
        ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
        return untilStopped(_, ctx);
      })
      .build("grandchild", 1);
    const child = workflow().runWorkflow(grandchild).build("child", 1);
    const parent = workflow().runWorkflow(child).build("parent", 1);
    const host = await world.start([parent, child, grandchild]);
    const handle = await host.startWorkflow(parent, {});
    await world.settle();
    await host.terminateWorkflow(handle.id);
    await world.clock.advance("5s");
    const all = await host.listWorkflows({});
    expect(all.items.map(({ definitionId, status }) => `${definitionId} ${status}`).toSorted()).toEqual([
      "child terminated",
      "grandchild terminated",
      "parent terminated",
    ]);
    expect(reasons).toMatchObject([{ code: "STEP_ABORTED" }]);
  });

  it("are terminated when their time is up", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const child = workflow().then(step("a")).compensateWith(step("undo a")).waitFor("never", "").build("child", 1);
    const parent = workflow().runWorkflow(child).timeout("1h").build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    expect(await world.ended(handle)).toMatchObject({ status: "failed", error: { code: "STEP_TIMEOUT" } });
    const [listed] = (await host.listWorkflows({ definitionId: "child" })).items;
    expect(listed?.status).toBe("terminated");
    expect(ran).toEqual(["a", "undo a"]);
  });

  it("that fail while an undoing beside them has failed for good do not make that forgotten", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const child = workflow().delay("1h").then(failing("child")).build("child", 1);
    const parent = workflow()
      .parallel((p) =>
        p
          .branch((b) => b.runWorkflow(child).onError("suspend"))
          .branch((b) => b.saga((s) => s.then(step("done")).compensateWith(failing("undo", 1)).then(failing("bad")))),
      )
      .build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    await world.clock.advance("1m");
    expect(await handle.get()).toMatchObject({ status: "failed", error: { code: "COMPENSATION_FAILED" } });
    await world.clock.advance("2h");
    expect(await handle.get()).toMatchObject({ status: "failed", error: { code: "COMPENSATION_FAILED" } });
    await (await host.retryWorkflow(handle.id)).applied();
    expect(await world.ended(handle)).toMatchObject({ status: "failed", error: { stepId: "bad" } });
    expect(ran).toEqual(["done", "bad", "undo", "child", "undo"]);
  });

  describe("whose time is up", () => {
    /** Undoing it takes ten minutes. */
    const slow = (step: Recorder["step"]) =>
      workflow()
        .then(step("booked"))
        .compensateWithSequence((b) => b.delay("10m").then(step("undo booked")))
        .waitFor("never", "")
        .build("slow", 1);

    it("are undone before their parent undoes what came before them", async () => {
      await using world = new World(store);
      const { step, ran } = recorder();
      const parent = workflow()
        .then(step("before"))
        .compensateWith(step("undo before"))
        .runWorkflow(slow(step))
        .timeout("1h")
        .compensateWith(step("undo child"))
        .build("parent", 1);
      const host = await world.start([parent, slow(step)]);
      const handle = await host.startWorkflow(parent, {});
      await world.clock.advance("65m");
      expect(await handle.get()).toMatchObject({ status: "waiting" });
      expect((await host.explain(handle.id)).text).toContain("ran longer than its time-out");
      expect(await world.ended(handle)).toMatchObject({ status: "failed", error: { code: "STEP_TIMEOUT" } });
      expect(ran).toEqual(["before", "booked", "undo booked", "undo child", "undo before"]);
    });

    it("are undone before another one is tried, which `when` may ask for by the class of the error", async () => {
      await using world = new World(store);
      const { step, ran } = recorder();
      const parent = workflow()
        .runWorkflow(slow(step))
        .timeout("1h")
        .onError(retry({ maxRetries: 1, interval: "1m", when: (error) => error instanceof StepTimeoutError }))
        .build("parent", 1);
      const { status } = await world.run(parent, {}, { children: [slow(step)] });
      expect(status).toBe("failed");
      expect(ran).toEqual(["booked", "undo booked", "booked", "undo booked"]);
    });

    it("are undone before the workflow goes on without them", async () => {
      await using world = new World(store);
      const { step, ran } = recorder();
      const parent = workflow()
        .runWorkflow(slow(step))
        .timeout("1h")
        .onError("ignore")
        .then(step("after"))
        .build("parent", 1);
      const { status } = await world.run(parent, {}, { children: [slow(step)] });
      expect(status).toBe("completed");
      expect(ran).toEqual(["booked", "undo booked", "after"]);
    });

    it.each(["fail", "suspend"] as const)(
      "are waited for once more where their parent is retried, for as long again (%s)",
      async (behavior) => {
        await using world = new World(store);
        const { step, ran } = recorder();
        const child = workflow().then(step("begun")).waitFor("go", "").build("child", 1);
        const parent = workflow()
          .runWorkflow(child)
          .timeout("1h")
          .onError(behavior)
          .then(step("after"))
          .build("parent", 1);
        const host = await world.start([parent, child]);
        const handle = await host.startWorkflow(parent, {});
        await world.clock.advance("61m");
        expect((await handle.get())?.status).toBe(behavior === "fail" ? "failed" : "suspended");
        await (await host.retryWorkflow(handle.id)).applied();
        await world.clock.advance("59m");
        expect((await host.explain(handle.id)).text).toContain(
          `until ${new Date(world.clock.now() + 60_000).toISOString()}`,
        );
        await host.publishEvent("go", "", null);
        expect(await world.ended(handle)).toMatchObject({ status: "completed" });
        expect(ran).toEqual(["begun", "after"]);
      },
    );
  });

  it("are undone by a compensation of the parent's step, and stopped with compensation while they run", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const done = workflow().then(step("booked")).compensateWith(step("never undone")).build("done", 1);
    const running = workflow()
      .then(step("begun"))
      .compensateWith(step("undo begun"))
      .waitFor("never", "")
      .build("running", 1);
    const parent = workflow()
      .saga((s) =>
        s
          .runWorkflow(done)
          .compensateWith(step("cancel booking"))
          .parallel((p) => p.branch((b) => b.runWorkflow(running)).branch((b) => b.delay("1s").then(failing("bad")))),
      )
      .build("parent", 1);
    expect((await world.run(parent, {}, { children: [done, running] })).status).toBe("failed");
    expect(ran).toEqual(["booked", "begun", "bad", "undo begun", "cancel booking"]);
  });

  it("inherit the event cursors of their parent's line, and give them back", async () => {
    await using world = new World(store);
    const child = workflow().waitFor<number>("e", "", { asOf: "beginning" }).as("n").build("child", 1);
    const parent = workflow()
      .waitFor<number>("e", "")
      .as("first")
      .runWorkflow(child, () => ({}))
      .output((_, out) => ({ second: out.n }))
      .waitFor<number>("e", "")
      .as("third")
      .build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    for (let n = 1; n <= 3; n += 1) await host.publishEvent("e", "", n);
    expect(await handle.result()).toEqual({ first: 1, second: 2, third: 3 });
  });

  it("run in loops, items and branches, many at a time", async () => {
    await using world = new World(store);
    const square = workflow<{ n: number }>()
      .then((data) => data.n * data.n)
      .as("square")
      .build("square", 1);
    const parent = workflow()
      .forEach(
        () => Array.from({ length: 30 }, (_, index) => index),
        (b) =>
          b
            .runWorkflow(square, (_, at) => ({ n: at.item }))
            .as("child")
            .then((data) => data.child.square),
        { as: "squares" },
      )
      .build("parent", 1);
    const { data } = await world.run(parent, {}, { children: [square] });
    expect(data.squares).toEqual(Array.from({ length: 30 }, (_, index) => index * index));
  });

  it("may start themselves, but not without end", async () => {
    await using world = new World(store);
    const countdown = workflow<{ n: number }>()
      .ifDo(
        (data) => data.n > 0,
        (b) => b.runWorkflow("countdown", (data) => ({ n: data.n - 1 })),
      )
      .build("countdown", 1);
    expect((await world.run(countdown, { n: 10 })).status).toBe("completed");
    await using other = new World(store);
    const endless = workflow()
      .runWorkflow("endless", () => ({}))
      .build("endless", 1);
    const { status, error } = await other.run(endless, {});
    expect(status).toBe("failed");
    let innermost: unknown = error;
    while (innermost instanceof Error && innermost.cause !== undefined) innermost = innermost.cause;
    expect(innermost).toMatchObject({ name: expect.stringMatching(/LimitExceededError|ChildWorkflowError/) });
  });

  it("refuse an input that is no object, as a failure of the step", async () => {
    await using world = new World(store);
    const parent = workflow()
      .runWorkflow("greet", () => 7)
      .build("parent", 1);
    expect((await world.run(parent, {}, { children: [greet] })).status).toBe("failed");
  });

  it("survive the death of the host that ran both", async () => {
    await using world = new World(store);
    const { step, count } = recorder();
    const child = workflow()
      .then(step("child a"))
      .waitFor<number>("e", "")
      .as("n")
      .then(step("child b"))
      .build("child", 1);
    const parent = workflow()
      .then(step("a"))
      .runWorkflow(child)
      .output((_, out) => ({ n: out.n }))
      .then(step("b"))
      .build("parent", 1);
    const first = await world.start([parent, child]);
    const { id } = await first.startWorkflow(parent, {});
    await world.settle();
    world.kill(first);
    const second = await world.start([parent, child]);
    await second.publishEvent("e", "", 3);
    await world.clock.advance("1m");
    expect(await second.handle(parent, id).result()).toEqual({ n: 3 });
    expect([count("a"), count("child a"), count("child b"), count("b")]).toEqual([1, 1, 1, 1]);
  });

  it("of one host run on another that knows their definition", async () => {
    await using world = new World(store);
    const { step, count } = recorder();
    const child = workflow().then(step("child")).build("child", 1);
    const parent = workflow()
      .runWorkflow(child, () => ({}))
      .then(step("parent"))
      .build("parent", 1);
    await world.start([child]);
    const second = await world.start([parent, child]);
    const handle = await second.startWorkflow(parent, {});
    await world.clock.advance("10s");
    await handle.result();
    expect([count("child"), count("parent")]).toEqual([1, 1]);
  });
});

describe.each(stores)("steps that start workflows on $name", (store) => {
  it("start one through their host, once, with the idempotency key as its id", async () => {
    await using world = new World(store);
    const { count, step } = recorder();
    const other = workflow().then(step("other")).build("other", 1);
    const host = await world.start([other]);
    const starter = workflow()
      .then(async (_, ctx) => {
        const { id } = await host.startWorkflow(other, {}, { id: ctx.idempotencyKey });
        if (ctx.step.attempt === 1) throw new Error("again");
        return id;
      })
      .as("started")
      .onError(retry({ interval: "1s" }))
      .build("starter", 1);
    host.register(starter);
    const handle = await host.startWorkflow(starter, {});
    await world.clock.advance("10s");
    const { started } = await handle.result();
    await host.handle(started).result();
    expect(count("other")).toBe(1);
  });
});
