import {
  event,
  retry,
  workflow,
  WorkflowHost,
  type LifecycleEvent,
  type StandardSchema,
  type WorkflowDefinition,
} from "@wfe/core";
import { memory, runToEnd } from "@wfe/core/testing";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder, untilStopped } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

describe("a host's options", () => {
  it("refuse a host without providers, or with something unknown", () => {
    expect(() => new WorkflowHost({ providers: [] })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => new WorkflowHost({ providers: [memory()], concurency: 3 } as never)).toThrow(
      /did you mean `concurrency`/,
    );
  });
});

describe.each(stores)("starting workflows on $name", (store) => {
  const simple = workflow<{ n: number }>()
    .then((data) => data.n + 1)
    .as("more")
    .build("simple", 1);

  it("gives a handle with an id, and the result", async () => {
    await using world = new World(store);
    const host = await world.start([simple]);
    const handle = await host.startWorkflow(simple, { n: 1 });
    expect(handle.created).toBe(true);
    expect(handle.id).toBeTypeOf("string");
    expect(await handle.result()).toEqual({ n: 1, more: 2 });
    expect(await handle.get()).toMatchObject({
      id: handle.id,
      definitionId: "simple",
      version: 1,
      status: "completed",
      data: { n: 1, more: 2 },
      error: undefined,
      waitingFor: [],
    });
  });

  it("is idempotent by id, also when both are sent at once or the first has ended", async () => {
    await using world = new World(store);
    const { step, count } = recorder();
    const counting = workflow<{ n: number }>().then(step("ran")).build("counting", 1);
    const host = await world.start([counting]);
    const handles = await Promise.all([1, 2, 3].map((n) => host.startWorkflow(counting, { n }, { id: "once" })));
    expect(handles.map(({ created }) => created).filter(Boolean)).toHaveLength(1);
    const [{ n } = { n: 0 }] = await Promise.all(handles.map((handle) => handle.result()));
    const later = await host.startWorkflow(counting, { n: 9 }, { id: "once" });
    expect(later.created).toBe(false);
    expect((await later.result()).n).toBe(n);
    expect(count("ran")).toBe(1);
  });

  it("refuses the same id for another definition, and ids that are none", async () => {
    await using world = new World(store);
    const other = workflow()
      .then(() => 1)
      .build("other", 1);
    const host = await world.start([simple, other]);
    await host.startWorkflow(simple, { n: 1 }, { id: "taken" });
    await expect(host.startWorkflow(other, {}, { id: "taken" })).rejects.toMatchObject({
      name: "WorkflowIdConflictError",
      code: "WORKFLOW_ID_CONFLICT",
      workflowId: "taken",
    });
    for (const id of ["", "   ", "nul\0", "x".repeat(513)])
      await expect(host.startWorkflow(simple, { n: 1 }, { id })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  it("takes batches of at most 500 in one go", async () => {
    await using world = new World(store);
    const host = await world.start([simple]);
    const items = Array.from({ length: 500 }, (_, n) => ({
      definition: simple,
      data: { n },
      options: { id: `b-${n}` },
    }));
    await expect(host.startWorkflows([...items, { definition: simple, data: { n: 500 } }])).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
      limit: 500,
    });
    expect(await host.countWorkflows({})).toBe(0);
    const handles = await host.startWorkflows(items);
    expect(handles.map(({ id }) => id)).toEqual(items.map(({ options }) => options.id));
    for (const [n, handle] of handles.entries()) expect(await handle.result()).toEqual({ n, more: n + 1 });
    expect((await host.startWorkflows(items)).every(({ created }) => !created)).toBe(true);
  });

  it("validates the data with the definition's schema", async () => {
    await using world = new World(store);
    const data: StandardSchema<{ n: string }, { n: number }> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => {
          const n = Number((value as { n?: unknown }).n);
          return Number.isNaN(n) ? { issues: [{ message: "must be a number", path: ["n"] }] } : { value: { n } };
        },
      },
    };
    const checked = workflow({ data })
      .then((input) => input.n * 2)
      .as("double")
      .build("checked", 1);
    const host = await world.start([checked]);
    await expect(host.startWorkflow(checked, { n: "many" })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
      issues: [{ message: "must be a number", path: "n" }],
    });
    expect(await (await host.startWorkflow(checked, { n: "21" })).result()).toEqual({ n: 21, double: 42 });
  });

  it("runs higher priorities first", async () => {
    await using world = new World(store);
    const order: number[] = [];
    const prioritized = workflow<{ n: number }>()
      .then((data) => {
        order.push(data.n);
      })
      .build("prioritized", 1);
    const client = world.host([prioritized]);
    for (const n of [1, 5, 3, 4, 2]) await client.startWorkflow(prioritized, { n }, { priority: n });
    const host = await world.start([prioritized], { concurrency: 1 });
    await world.clock.advance("30s");
    expect(await host.countWorkflows({ status: "completed" })).toBe(5);
    expect(order).toEqual([5, 4, 3, 2, 1]);
  });

  it("keeps to `concurrency` workflows in hand, and gets through all", async () => {
    await using world = new World(store);
    let atWork = 0;
    let most = 0;
    const busy = workflow()
      .then(async () => {
        atWork += 1;
        most = Math.max(most, atWork);
        await new Promise((resolve) => setImmediate(resolve));
        atWork -= 1;
      })
      .build("busy", 1);
    const host = await world.start([busy], { concurrency: 3 });
    await host.startWorkflows(Array.from({ length: 50 }, () => ({ definition: busy, data: {} })));
    await world.clock.advance("1m");
    expect(await host.countWorkflows({ status: "completed" })).toBe(50);
    expect(most).toBe(3);
  });

  it("finds workflows by definition, status, tag and page", async () => {
    await using world = new World(store);
    const waiting = workflow().waitFor("never", "k").build("waiting", 1);
    const host = await world.start([simple, waiting]);
    for (let n = 0; n < 5; n += 1)
      await host.startWorkflow(simple, { n }, { id: `s-${n}`, tags: [n % 2 === 0 ? "even" : "odd", "all"] });
    await host.startWorkflow(waiting, {}, { id: "w-1", tags: ["all"] });
    await world.settle();
    const ids = async (filter: Parameters<typeof host.listWorkflows>[0]) =>
      (await host.listWorkflows(filter)).items.map(({ id }) => id).toSorted();
    expect(await ids({ definitionId: "simple", tag: "even" })).toEqual(["s-0", "s-2", "s-4"]);
    expect(await ids({ status: "waiting" })).toEqual(["w-1"]);
    expect(await ids({ status: ["waiting", "completed"], tag: "all" })).toHaveLength(6);
    expect(await ids({ definitionId: "nothing" })).toEqual([]);
    expect(await host.countWorkflows({ status: "completed" })).toBe(5);
    const paged: string[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await host.listWorkflows({ limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      paged.push(...page.items.map(({ id }) => id));
      if (page.cursor === undefined) break;
      ({ cursor } = page);
    }
    expect(paged.toSorted()).toEqual(["s-0", "s-1", "s-2", "s-3", "s-4", "w-1"]);
  });

  it("keeps namespaces apart", async () => {
    await using world = new World(store);
    const host = await world.start([simple]);
    const other = host.in("tenant-2");
    const here = await host.startWorkflow(simple, { n: 1 }, { id: "same" });
    const there = await other.startWorkflow(simple, { n: 10 }, { id: "same" });
    expect(there.created).toBe(true);
    expect(await here.result()).toMatchObject({ more: 2 });
    expect(await there.result()).toMatchObject({ more: 11 });
    expect(await there.get()).toMatchObject({ namespace: "tenant-2" });
    expect(await host.countWorkflows({})).toBe(1);
    expect(await host.in("tenant-3").getWorkflow("same")).toBeUndefined();
  });

  it("has a default namespace by option", async () => {
    await using world = new World(store);
    const host = await world.start([simple], { namespace: "mine" });
    const { id } = await host.startWorkflow(simple, { n: 1 });
    expect(await host.getWorkflow(id)).toMatchObject({ namespace: "mine" });
    expect(await host.in("default").getWorkflow(id)).toBeUndefined();
  });
});

describe.each(stores)("results on $name", (store) => {
  it("come to whoever waits, before and after the end, on this host and on another", async () => {
    await using world = new World(store);
    const definition = workflow().waitFor<number>("e", "").as("n").build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {}, { id: "w-1" });
    const elsewhere = world.host([definition]).handle(definition, "w-1").result();
    const early = handle.result();
    await host.publishEvent("e", "", 1);
    expect(await early).toEqual({ n: 1 });
    await world.clock.advance("5s");
    expect(await elsewhere).toEqual({ n: 1 });
    expect(await host.handle("w-1").result()).toEqual({ n: 1 });
  });

  it("time out without hurting the workflow, or are given up by a signal", async () => {
    await using world = new World(store);
    const definition = workflow().delay("1h").build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    const timed = handle.result({ timeout: "5m" });
    const controller = new AbortController();
    const signalled = handle.result({ signal: controller.signal });
    await world.settle();
    controller.abort(new Error("not interested"));
    await expect(signalled).rejects.toThrow("not interested");
    await world.clock.advance("10m");
    await expect(timed).rejects.toMatchObject({
      name: "ResultTimeoutError",
      code: "RESULT_TIMEOUT",
      workflowId: handle.id,
    });
    await world.clock.advance("1h");
    await handle.result();
  });

  it("are copies of the final data that cannot be changed for others", async () => {
    await using world = new World(store);
    const definition = workflow<{ list: number[] }>()
      .then(() => 1)
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { list: [1] });
    const result = await handle.result();
    expect(() => result.list.push(2)).toThrow();
    expect(await handle.result()).toEqual({ list: [1] });
  });

  it("come from `runToEnd` without a host", async () => {
    const { step } = recorder();
    const definition = workflow<{ n: number }>().delay("2d").then(step("a", 7)).as("seven").build("w", 1);
    expect(await runToEnd(definition, { n: 1 })).toEqual({ n: 1, seven: 7 });
    const failing = workflow().fail("no").build("w", 1);
    await expect(runToEnd(failing, {})).rejects.toMatchObject({ code: "WORKFLOW_FAILED" });
  });
});

describe.each(stores)("the history on $name", (store) => {
  it("has gapless turns from 0, known kinds, times and hosts", async () => {
    await using world = new World(store);
    const { step, failing } = recorder();
    const definition = workflow()
      .then(step("a", 1))
      .as("a")
      .then(failing("shaky", 1))
      .onError(retry({ interval: "1s" }))
      .delay("1h")
      .waitFor("e", "k")
      .saga((s) => s.then(step("b")).compensateWith(step("undo b")).then(failing("bad")))
      .onError("ignore")
      .build("w", 1);
    const host = await world.start([definition], { name: "host-a" });
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent("e", "k", 7);
    await world.clock.advance("2h");
    await handle.result();
    const items = await historyOf(host, handle.id);
    const seqs = [...new Set(items.map(({ seq }) => seq))];
    expect(seqs).toEqual(seqs.map((_, index) => index));
    expect(items.map(({ seq }) => seq)).toEqual(items.map(({ seq }) => seq).toSorted((a, b) => a - b));
    const kinds = items.map(({ kind }) => kind);
    expect(kinds[0]).toBe("workflow-started");
    expect(kinds.at(-1)).toBe("workflow-completed");
    for (const kind of [
      "step-completed",
      "step-retrying",
      "timer-set",
      "event-awaited",
      "event-consumed",
      "step-failed",
      "undo-completed",
    ])
      expect(kinds).toContain(kind);
    for (const { kind, at, host: where } of items) {
      expect(kind).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(at).toBeTypeOf("number");
      expect(where).toContain("host-a");
    }
    expect(items.find(({ kind, stepId }) => kind === "step-completed" && stepId === "a")).toMatchObject({
      attempt: 1,
      output: 1,
      executionId: expect.any(String),
    });
    expect(items.find(({ kind }) => kind === "step-retrying")).toMatchObject({
      stepId: "shaky",
      attempt: 1,
      error: { message: "shaky refused" },
    });
  });

  it("comes in pages that together are the whole", async () => {
    await using world = new World(store);
    const definition = workflow<{ n: number }>()
      .whileDo(
        (data) => data.n < 40,
        (b) => b.then((data) => data.n + 1).as("n"),
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { n: 0 });
    await handle.result();
    const whole = (await host.history(handle.id, { limit: 1_000 })).items;
    for (const limit of [1, 7, 100]) {
      const items = [];
      for (let cursor: string | undefined; ;) {
        const page = await host.history(handle.id, { limit, ...(cursor === undefined ? {} : { cursor }) });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        items.push(...page.items);
        if (page.cursor === undefined) break;
        ({ cursor } = page);
      }
      expect(items).toEqual(whole);
    }
  });
});

describe.each(stores)("step statuses on $name", (store) => {
  it("say of each step where it is", async () => {
    await using world = new World(store);
    const { step, failing, gated } = recorder();
    const running = gated("running");
    const definition = workflow()
      .then(step("done"))
      .then(failing("ignored"))
      .onError("ignore")
      .ifDo(
        () => false,
        (b) => b.then(step("not taken")),
      )
      .parallel((p) =>
        p
          .branch((b) => b.then(running))
          .branch((b) => b.delay("1h").id("timer"))
          .branch((b) => b.waitFor("never", "").id("wait"))
          .branch((b) => b.then(failing("pausing")).onError(retry({ interval: "1h" })))
          .branch((b) =>
            b
              .waitFor("never", "")
              .id("cancelled")
              .cancelWhen(() => true),
          ),
      )
      .then(step("later"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    const statuses = Object.fromEntries(
      ((await handle.get())?.steps ?? []).map(({ id, status }) => [id.split("/").at(-1), status]),
    );
    expect(statuses).toMatchObject({
      done: "completed",
      ignored: "failed",
      "not taken": "skipped",
      running: "running",
      timer: "sleeping",
      wait: "waiting",
      pausing: "sleeping",
      cancelled: "cancelled",
      later: "pending",
    });
    running.open();
    await host.terminateWorkflow(handle.id);
  });

  it("tell attempts and runs", async () => {
    await using world = new World(store);
    const { failing, step } = recorder();
    const definition = workflow()
      .then(failing("shaky", 2))
      .onError(retry({ interval: "1s" }))
      .forEach(
        () => [1, 2, 3],
        (b) => b.then(step("item")),
      )
      .build("w", 1);
    const { steps } = await world.run(definition, {});
    expect(steps.find(({ id }) => id === "shaky")).toMatchObject({ attempt: 3, runs: 1, status: "completed" });
    expect(steps.find(({ id }) => id.endsWith("item"))).toMatchObject({ attempt: 1, runs: 3, status: "completed" });
  });
});

describe.each(stores)("lifecycle events on $name", (store) => {
  const finalTypes = ["workflow.completed", "workflow.failed", "workflow.terminated"];

  it("are one and only one on each path to a final status", async () => {
    const { failing, step } = recorder();
    const child = workflow().then(failing("bad child")).build("child", 1);
    const paths: Record<
      string,
      { definition: WorkflowDefinition; status: string; act?: (host: WorkflowHost, id: string) => Promise<unknown> }
    > = {
      plain: { definition: workflow().then(step("a")).build("w", 1), status: "completed" },
      ended: {
        definition: workflow()
          .ifDo(
            () => true,
            (b) => b.endWorkflow(),
          )
          .then(step("a"))
          .build("w", 1),
        status: "completed",
      },
      failed: { definition: workflow().then(failing("bad")).build("w", 1), status: "failed" },
      undone: {
        definition: workflow().then(step("a")).compensateWith(step("undo")).then(failing("bad")).build("w", 1),
        status: "failed",
      },
      stuck: {
        definition: workflow().then(step("a")).compensateWith(failing("undo")).then(failing("bad")).build("w", 1),
        status: "failed",
      },
      failStep: { definition: workflow().fail("no").build("w", 1), status: "failed" },
      terminatedByError: {
        definition: workflow().then(failing("bad")).onError("terminate").build("w", 1),
        status: "terminated",
      },
      terminated: {
        definition: workflow().waitFor("never", "").build("w", 1),
        status: "terminated",
        act: (host, id) => host.terminateWorkflow(id),
      },
      undoneTermination: {
        definition: workflow().then(step("a")).compensateWith(step("undo")).waitFor("never", "").build("w", 1),
        status: "terminated",
        act: (host, id) => host.terminateWorkflow(id, { compensate: true }),
      },
      childFails: { definition: workflow().runWorkflow(child).build("w", 1), status: "failed" },
    };
    for (const [path, { definition, status, act }] of Object.entries(paths)) {
      await using world = new World(store);
      const host = await world.start([definition, child]);
      const events: LifecycleEvent[] = [];
      for (const type of finalTypes) host.on(type as LifecycleEvent["type"], (each) => events.push(each));
      const handle = await host.startWorkflow(definition, {});
      await world.settle();
      await act?.(host, handle.id);
      await world.ended(handle);
      await world.settle();
      expect(
        events.filter(({ workflowId }) => workflowId === handle.id).map(({ type }) => type),
        path,
      ).toEqual([`workflow.${status}`]);
    }
  });

  it("tell the whole course, in order; an attempt that will be retried tells `step.retrying` alone", async () => {
    await using world = new World(store);
    const { failing } = recorder();
    const definition = workflow()
      .then(failing("shaky", 1))
      .onError(retry({ interval: "1s" }))
      .then((_, ctx) => {
        ctx.progress(50, "half");
        ctx.write("stdout", "a line");
        ctx.heartbeat({ alive: true });
      })
      .id("talks")
      .waitFor("e", "")
      .id("wait")
      .then(failing("bad"))
      .build("w", 1);
    const host = await world.start([definition]);
    const events: LifecycleEvent[] = [];
    const types = [
      "workflow.started",
      "step.started",
      "step.completed",
      "step.failed",
      "step.retrying",
      "step.waiting",
      "step.progress",
      "step.output",
      "workflow.suspended",
      "workflow.resumed",
      ...finalTypes,
    ] as const;
    for (const type of types) host.on(type as LifecycleEvent["type"], (each) => events.push(each));
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("1m");
    await (await host.suspendWorkflow(handle.id)).applied();
    await (await host.resumeWorkflow(handle.id)).applied();
    await host.publishEvent("e", "", 1);
    await world.ended(handle);
    await world.settle();
    expect(
      events.map(({ type, stepId, attempt }) => [type, stepId, attempt].filter((each) => each !== undefined).join(" ")),
    ).toEqual([
      "workflow.started",
      "step.started shaky 1",
      "step.retrying shaky 1",
      "step.started shaky 2",
      "step.completed shaky 2",
      "step.started talks 1",
      "step.progress talks 1",
      "step.output talks 1",
      "step.progress talks 1",
      "step.completed talks 1",
      "step.waiting wait",
      "workflow.suspended",
      "workflow.resumed",
      "step.completed wait",
      "step.started bad 1",
      "step.failed bad 1",
      "workflow.failed",
    ]);
    expect(events.find(({ type }) => type === "step.progress")).toMatchObject({
      percent: 50,
      message: "half",
      workflowId: handle.id,
      definitionId: "w",
      namespace: "default",
    });
    expect(events.find(({ type }) => type === "step.output")).toMatchObject({ stream: "stdout", chunk: "a line" });
    expect(events.find(({ type }) => type === "step.retrying")).toMatchObject({
      error: { message: "shaky refused" },
      dueAt: expect.any(Number),
    });
  });

  it("reach a listener on a host that runs nothing, and its handle alone", async () => {
    await using world = new World(store);
    const definition = workflow()
      .waitFor("go", (_, at) => at.workflow.id)
      .build("w", 1);
    const runner = await world.start([definition]);
    const client = world.host([definition]);
    const types: string[] = [];
    client.on("workflow.completed", ({ workflowId }) => types.push(workflowId));
    const one = await client.startWorkflow(definition, {}, { id: "one" });
    const two = await client.startWorkflow(definition, {}, { id: "two" });
    const seen: string[] = [];
    const listening = (async () => {
      for await (const { type, workflowId } of one.events()) {
        seen.push(`${type} ${workflowId}`);
        if (finalTypes.includes(type)) return;
      }
    })();
    await world.clock.advance("5s");
    await runner.publishEvent("go", "one", 1);
    await runner.publishEvent("go", "two", 1);
    await world.clock.advance("10s");
    await two.result();
    await listening;
    expect(seen.at(-1)).toBe("workflow.completed one");
    expect(seen.every((each) => each.endsWith(" one"))).toBe(true);
    expect(types.toSorted()).toEqual(["one", "two"]);
  });

  it("are not stopped by a listener that throws", async () => {
    await using world = new World(store);
    const definition = workflow()
      .then(() => 1)
      .build("w", 1);
    const host = await world.start([definition]);
    let heard = 0;
    host.on("workflow.completed", () => {
      throw new Error("a bad listener");
    });
    host.on("workflow.completed", () => {
      heard += 1;
    });
    await (await host.startWorkflow(definition, {})).result();
    await world.settle();
    expect(heard).toBe(1);
  });
});

describe.each(stores)("stopping a host on $name", (store) => {
  it("lets a running step finish, and starts no other", async () => {
    await using world = new World(store);
    const { step, gated, ran } = recorder();
    const slow = gated("slow");
    const definition = workflow().then(slow).then(step("next")).build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await world.settle();
    const stopped = host.stop();
    await world.settle();
    expect(ran).toEqual(["slow"]);
    slow.open();
    await stopped;
    expect(ran).toEqual(["slow", "slow, ended"]);
    const next = await world.start([definition]);
    await world.settle();
    await next.handle(id).result();
    expect(ran).toEqual(["slow", "slow, ended", "next"]);
  });

  it("aborts what has not finished after the time-out; it runs again under the same key elsewhere", async () => {
    await using world = new World(store);
    const keys: string[] = [];
    const attempts: number[] = [];
    const reasons: unknown[] = [];
    const definition = workflow()
      .then(async (_, ctx) => {
        keys.push(ctx.idempotencyKey);
        attempts.push(ctx.step.attempt);
        if (keys.length > 1) return "done";
        ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
        return untilStopped(_, ctx);
      })
      .as("result")
      .build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await world.settle();
    const stopped = host.stop({ timeout: "10s" });
    await world.clock.advance("9s");
    expect(reasons).toEqual([]);
    await world.clock.advance("2s");
    await stopped;
    expect(reasons).toMatchObject([{ code: "STEP_ABORTED", reason: "stopping" }]);
    const next = await world.start([definition]);
    expect(await next.handle(definition, id).result()).toEqual({ result: "done" });
    expect(keys[1]).toBe(keys[0]);
  });

  it("rejects results that are waited for, and calls afterwards", async () => {
    await using world = new World(store);
    const definition = workflow().delay("1d").build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    const pending = expect(handle.result()).rejects.toMatchObject({ code: "HOST_STOPPED" });
    await host.stop();
    await pending;
    await expect(host.startWorkflow(definition, {})).rejects.toMatchObject({ code: "HOST_STOPPED" });
    await host.stop();
  });

  it("is harmless twice, on a host that was not started, and by `await using`", async () => {
    await using world = new World(store);
    const idle = world.host();
    await idle.stop();
    await idle.stop();
    const definition = workflow()
      .then(() => 1)
      .build("w", 1);
    const host = await world.start([definition]);
    await Promise.all([host.stop(), host.stop()]);
  });
});

describe.each(stores)("health on $name", (store) => {
  it("tells that the providers answer, and of bodies left behind", async () => {
    await using world = new World(store);
    const definition = workflow()
      .then(async () => new Promise<never>(() => {}))
      .timeout("1s")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.ended(handle);
    const health = await host.health();
    for (const name of store.name.split(" + ")) expect(JSON.stringify(health)).toContain(name);
    expect(health).toMatchObject({ bodiesLeftBehind: 1 });
  });
});

describe("events by type", () => {
  it("are typed by `event`, whose name is what is published", () => {
    expect(event<{ n: number }>("a.name").name).toBe("a.name");
  });
});
