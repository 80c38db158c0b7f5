import { ExecutionResult, FatalError, retry, workflow, type LifecycleEvent, type WorkflowDefinition } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder, untilStopped } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

describe.each(stores)("modifiers of every kind of link on $name", (store) => {
  it("undo waits, children and sagas that completed, with their outputs", async () => {
    await using world = new World(store);
    const seen: unknown[] = [];
    const child = workflow<{ n: number }>()
      .then((data) => data.n + 1)
      .as("more")
      .build("child", 1);
    const definition = workflow()
      .waitFor<string>("e", "")
      .as("event")
      .compensateWith((data, ctx) => {
        seen.push(["wait", data.event, ctx.undoing.output]);
      })
      .runWorkflow(child, () => ({ n: 1 }))
      .as("child")
      .compensateWith((data, ctx) => {
        seen.push(["child", data.child, ctx.undoing.output]);
      })
      .saga((s) => s.then(() => 1))
      .as("saga")
      .compensateWith((data, ctx) => {
        seen.push(["saga", data.saga, ctx.undoing.output]);
      })
      .fail("no")
      .build("w", 1);
    const host = await world.start([definition, child]);
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent("e", "", "hello");
    expect((await world.ended(handle)).status).toBe("failed");
    expect(seen).toEqual([
      ["saga", { ok: true }, { ok: true }],
      ["child", { n: 1, more: 2 }, { n: 1, more: 2 }],
      ["wait", "hello", "hello"],
    ]);
  });

  it("undo a wait that timed out and a child that failed, with their errors", async () => {
    await using world = new World(store);
    const seen: unknown[] = [];
    const child = workflow().fail("child failed").build("child", 1);
    const note = (name: string) => (_: unknown, ctx: { undoing: { output: unknown; error: Error | undefined } }) => {
      seen.push([name, ctx.undoing.output, (ctx.undoing.error as { code?: string } | undefined)?.code]);
    };
    const definition = workflow()
      .saga((s) => s.waitFor("never", "", { timeout: "1h" }).compensateWith(note("wait")))
      .onError("ignore")
      .saga((s) => s.runWorkflow(child).compensateWith(note("child")))
      .onError("ignore")
      .build("w", 1);
    expect((await world.run(definition, {}, { children: [child] })).status).toBe("completed");
    expect(seen).toEqual([
      ["wait", undefined, "WAIT_TIMEOUT"],
      ["child", undefined, "CHILD_WORKFLOW"],
    ]);
  });

  it("suspend on a wait, a child and a saga, which begin anew when they are resumed", async () => {
    await using world = new World(store);
    const { failing, count, step } = recorder();
    const child = workflow().then(failing("child", 1)).build("child", 1);
    const definition = workflow()
      .waitFor<number>("e", "", { timeout: "1h" })
      .as("n")
      .onError("suspend")
      .runWorkflow(child, () => ({}))
      .onError("suspend")
      .saga((s) => s.then(step("in saga")).compensateWith(step("undone")).then(failing("saga", 1)))
      .onError("suspend")
      .build("w", 1);
    const host = await world.start([definition, child]);
    const handle = await host.startWorkflow(definition, {});
    const suspendedBy = async () => (await world.ended(handle)).error?.message;
    expect(await suspendedBy()).toContain("in time");
    await (await host.resumeWorkflow(handle.id)).applied();
    await host.publishEvent("e", "", 1);
    expect(await suspendedBy()).toContain("child");
    await (await host.resumeWorkflow(handle.id)).applied();
    expect(await suspendedBy()).toBe("saga refused");
    expect(count("undone")).toBe(1);
    await (await host.resumeWorkflow(handle.id)).applied();
    expect(await world.ended(handle)).toMatchObject({ status: "completed", data: { n: 1 } });
    expect([count("child"), count("in saga"), count("saga"), count("undone")]).toEqual([2, 2, 2, 1]);
  });

  it("run `onFailure` and `ensure` of waits, children, sagas, loops, branches, items and graphs", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const child = workflow().fail("no").build("child", 1);
    const definition = workflow()
      .waitFor("never", "", { timeout: "1s" })
      .onError("ignore")
      .onFailure((b) => b.then(step("wait failed")))
      .ensure((b) => b.then(step("wait over")))
      .runWorkflow(child, () => ({}))
      .onError("ignore")
      .onFailure((b) => b.then(step("child failed")))
      .ensure((b) => b.then(step("child over")))
      .saga((s) =>
        s
          .whileDo(
            () => true,
            (w) => w.then(failing("bad 1")),
          )
          .onFailure((b) => b.then(step("loop failed")))
          .ensure((b) => b.then(step("loop over"))),
      )
      .onError("ignore")
      .onFailure((b) => b.then(step("saga failed")))
      .ensure((b) => b.then(step("saga over")))
      .saga((s) =>
        s
          .forEach(
            () => [1],
            (i) =>
              i
                .ifDo(
                  () => true,
                  (b) => b.then(failing("bad 2")),
                )
                .ensure((b) => b.then(step("branch over"))),
          )
          .ensure((b) => b.then(step("items over"))),
      )
      .onError("ignore")
      .saga((s) =>
        s
          .graph((g) => g.node("bad 3", failing("bad 3")).ensure((b) => b.then(step("node over"))))
          .ensure((b) => b.then(step("graph over"))),
      )
      .onError("ignore")
      .build("w", 1);
    expect((await world.run(definition, {}, { children: [child] })).status).toBe("completed");
    expect(ran).toEqual([
      "wait failed",
      "wait over",
      "child failed",
      "child over",
      "bad 1",
      "loop failed",
      "loop over",
      "saga failed",
      "saga over",
      "bad 2",
      "branch over",
      "items over",
      "bad 3",
      "node over",
      "graph over",
    ]);
  });

  it("undo steps of hooks, of `onTimeout` and of reminders like any other", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow()
      .then(step("a"))
      .ensure((b) => b.then(step("ensured")).compensateWith(step("undo ensured")))
      .waitFor("never", "", {
        timeout: "90m",
        onTimeout: (b) => b.then(step("late")).compensateWith(step("undo late")),
        remind: { every: "1h", do: (b) => b.then(step("reminded")).compensateWith(step("undo reminded")) },
      })
      .fail("no")
      .build("w", 1);
    expect((await world.run(definition, {})).status).toBe("failed");
    expect(ran).toEqual(["a", "ensured", "reminded", "late", "undo late", "undo reminded", "undo ensured"]);
  });

  it("fail the wait where its `onTimeout` or a reminder fails", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const definition = workflow()
      .waitFor("never", "", { timeout: "1h", onTimeout: (b) => b.then(failing("late")) })
      .onError("ignore")
      .then(step("between"))
      .waitFor("never", "", { remind: { every: "1h", do: (b) => b.then(failing("reminder")) } })
      .onError("ignore")
      .then(step("after"))
      .build("w", 1);
    const details = await world.run(definition, {});
    expect(ran.slice(0, 2)).toEqual(["late", "between"]);
    expect(details.status).toBe("completed");
    expect(ran).toEqual(["late", "between", "reminder", "after"]);
  });

  it("name and number steps, so that ids are unique and stay when others are inserted", async () => {
    await using world = new World(store);
    const { step } = recorder();
    const definition = workflow()
      .then(step("pay"))
      .then(step("pay"))
      .then(() => 1)
      .name("Send a letter")
      .ifDo(
        () => true,
        (b) => b.then(step("pay")),
      )
      .build("w", 1);
    const { steps } = await world.run(definition, {});
    const ids = steps.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.slice(0, 3)).toEqual(["pay", "pay-2", "Send a letter"]);
    expect(steps[2]?.name).toBe("Send a letter");
  });
});

describe.each(stores)("data local to items on $name", (store) => {
  it("stays with the item through branches, loops, graphs, sagas and waits", async () => {
    await using world = new World(store);
    const definition = workflow<{ names: string[] }>()
      .forEach(
        (data) => data.names,
        (b) =>
          b
            .parallel((p) =>
              p
                .branch((x) => x.then((_, ctx) => ctx.item.length).as("length"))
                .branch((x) =>
                  x
                    .delay("1s")
                    .then((_, ctx) => ctx.item.toUpperCase())
                    .as("upper"),
                ),
            )
            .graph((g) => g.node("node", (data) => `${data.upper}?`))
            .saga((s) => s.then((data) => `${data.node}!`).as("shout"))
            .waitFor<string>("e", (_, at) => at.item)
            .as("event")
            .then((data) => [data.length, data.shout, data.event]),
        { as: "all" },
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { names: ["ann", "bo"] });
    await host.publishEvent("e", "bo", "for bo");
    await host.publishEvent("e", "ann", "for ann");
    await world.clock.advance("10s");
    expect(await handle.result()).toEqual({
      names: ["ann", "bo"],
      all: [
        [3, "ANN?!", "for ann"],
        [2, "BO?!", "for bo"],
      ],
    });
  });

  it("is seen by the item's conditions, `cancelWhen` and hooks, and hides the workflow's own key", async () => {
    await using world = new World(store);
    const seen: unknown[] = [];
    const definition = workflow<{ mode: string }>()
      .forEach(
        () => ["stop", "go"],
        (b) =>
          b
            .then((_, ctx) => ctx.item)
            .as("mode")
            .delay("1h")
            .cancelWhen((data) => data.mode === "stop", { proceed: true })
            .ensure((e) =>
              e.then((data, ctx) => {
                seen.push([ctx.item, data.mode, world.clock.now() % 86_400_000]);
              }),
            ),
        { concurrency: 2 },
      )
      .build("w", 1);
    expect((await world.run(definition, { mode: "outer" })).data).toEqual({ mode: "outer" });
    // The other one was cancelled before it began, so there is nothing to clean up.
    expect(seen).toEqual([["go", "go", 3_600_000]]);
  });

  it("gives `at` its item, index and items, the workflow and the time, everywhere", async () => {
    await using world = new World(store);
    const seen: Record<string, unknown> = {};
    const note = (
      name: string,
      at: { item: unknown; index: number; items: readonly unknown[]; workflow: { id: string }; now: number },
    ) => {
      seen[name] = [at.item, at.index, [...(at.items ?? [])], at.workflow.id, at.now - world.clock.now()];
      return true;
    };
    const definition = workflow()
      .forEach(
        () => ["x"],
        (b) =>
          b
            .ifDo(
              (_, at) => note("ifDo", at),
              (i) => i.then(() => 1),
            )
            .whileDo(
              (_, at) => note("whileDo", at) && seen["body"] === undefined,
              (w) =>
                w.then(
                  (input: boolean) => input,
                  (_, at) => {
                    note("body", at);
                    return true;
                  },
                ),
            )
            .decide((_, at) => String(note("decide", at)), { true: (d) => d.then(() => 1) })
            .delay((_, at) => (note("delay", at) ? 0 : 1))
            .then(() => 1)
            .output((_, __, at) => ({ noted: note("output", at) })),
        { concurrency: 1 },
      )
      .build("w", 1);
    const host = await world.start([definition]);
    await (await host.startWorkflow(definition, {}, { id: "w-1" })).result();
    const place = ["x", 0, ["x"], "w-1", 0];
    // The condition is asked a second time after one iteration.
    const whileDo = ["x", 1, ["x"], "w-1", 0];
    expect(seen).toEqual({ ifDo: place, whileDo, body: place, decide: place, delay: place, output: place });
  });
});

describe.each(stores)("endings inside of endings, on $name", (store) => {
  it("complete the workflow from `onFailure`, in place of its failure", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const definition = workflow()
      .then(failing("bad"))
      .onFailure((b) => b.then(step("handled")).endWorkflow())
      .then(step("tail"))
      .build("w", 1);
    expect((await world.run(definition, {})).status).toBe("completed");
    expect(ran).toEqual(["bad", "handled"]);
  });

  it("fail a whole workflow from inside a saga whose failure would be ignored, undoing all", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .saga((s) => s.then(step("b")).compensateWith(step("undo b")).fail("enough"))
      .onError("ignore")
      .then(step("tail"))
      .build("w", 1);
    expect(await world.run(definition, {})).toMatchObject({
      status: "failed",
      error: { code: "FAIL_STEP", message: "enough" },
    });
    expect(ran).toEqual(["a", "b", "undo b", "undo a"]);
  });

  it("end a compensation early without ending anything else", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .then(step("b"))
      .compensateWithSequence((u) =>
        u
          .then(step("undo b"))
          .ifDo(
            () => true,
            (i) => i.endWorkflow(),
          )
          .then(step("undo b, more")),
      )
      .then(failing("c"))
      .build("w", 1);
    expect((await world.run(definition, {})).status).toBe("failed");
    expect(ran.slice(0, 4)).toEqual(["a", "b", "c", "undo b"]);
    expect(ran.at(-1)).toBe("undo a");
  });

  it("take a FatalError of a compensation for good at once", async () => {
    await using world = new World(store);
    const { step, failing } = recorder();
    let tries = 0;
    const definition = workflow()
      .then(step("a"))
      .compensateWithSequence((u) =>
        u
          .then(() => {
            tries += 1;
            throw new FatalError("cannot be undone");
          })
          .onError(retry({ interval: "1s" })),
      )
      .then(failing("b"))
      .build("w", 1);
    expect(await world.run(definition, {})).toMatchObject({
      status: "failed",
      error: { code: "COMPENSATION_FAILED", stepId: "a" },
    });
    expect(tries).toBe(1);
  });

  it("wait inside a compensation: for time, events, children and branches", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const child = workflow<{ what: string }>()
      .then((data) => {
        ran.push(`child undoes ${data.what}`);
      })
      .build("child", 1);
    const definition = workflow()
      .then(step("a", "room 7"))
      .compensateWithSequence((u) =>
        u
          .delay("1h")
          .waitFor<string>("approved", "")
          .as("by")
          .parallel((p) =>
            p
              .branch((b) =>
                b.then((data, ctx) => {
                  ran.push(`${ctx.undoing.output} undone by ${data.by}`);
                }),
              )
              .branch((b) => b.delay("1m").then(step("letter"))),
          )
          .runWorkflow(child, () => ({ what: "room 7" })),
      )
      .then(failing("b"))
      .build("w", 1);
    const host = await world.start([definition, child]);
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("2h");
    expect(await handle.get()).toMatchObject({ status: "waiting", waitingFor: [{ event: "approved" }] });
    await host.publishEvent("approved", "", "ann");
    expect((await world.ended(handle)).status).toBe("failed");
    expect(ran).toEqual(["a", "b", "room 7 undone by ann", "letter", "child undoes room 7"]);
  });

  it("goes past a saga with `compensate` and `retry` alike", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .saga((s) => s.then(step("a")).compensateWith(step("undo a")).then(failing("b")))
      .as("first")
      .onError("compensate")
      .saga((s) => s.then(step("c")).compensateWith(step("undo c")).then(failing("d")))
      .as("second")
      .onError(retry({ interval: "1s", maxRetries: 1, then: "ignore" }))
      .then(step("tail"))
      .build("w", 1);
    expect((await world.run(definition, {})).data).toMatchObject({ first: { ok: false }, second: { ok: false } });
    expect(ran).toEqual(["a", "b", "undo a", "c", "d", "undo c", "c", "d", "undo c", "tail"]);
  });
});

describe.each(stores)("control in the middle of things, on $name", (store) => {
  it("suspends in the middle of undoing, and goes on with it", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .then(step("b"))
      .compensateWithSequence((u) => u.delay("1h").then(step("undo b")))
      .then(failing("c"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("1m");
    await (await host.suspendWorkflow(handle.id)).applied();
    await world.clock.advance("5h");
    expect(ran).toEqual(["a", "b", "c"]);
    await host.resumeWorkflow(handle.id);
    expect((await world.ended(handle)).status).toBe("failed");
    expect(ran).toEqual(["a", "b", "c", "undo b", "undo a"]);
  });

  it("terminates in the middle of undoing, leaving the rest undone", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .then(step("b"))
      .compensateWithSequence((u) => u.delay("1h").then(step("undo b")))
      .then(failing("c"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("1m");
    await (await host.terminateWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("terminated");
    await world.clock.advance("5h");
    expect(ran).toEqual(["a", "b", "c"]);
  });

  it("keeps a child going while its parent is suspended, and takes its result afterwards", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const child = workflow().delay("1h").then(step("child")).build("child", 1);
    const parent = workflow()
      .runWorkflow(child, () => ({}))
      .then(step("parent"))
      .build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    await world.settle();
    await (await host.suspendWorkflow(handle.id)).applied();
    await world.clock.advance("2h");
    expect(ran).toEqual(["child"]);
    await host.resumeWorkflow(handle.id);
    await handle.result();
    expect(ran).toEqual(["child", "parent"]);
  });

  it("waits for a child's undoing when a workflow is terminated with `compensate`", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const child = workflow()
      .then(step("child a"))
      .compensateWithSequence((u) => u.delay("1h").then(step("undo child a")))
      .waitFor("never", "")
      .build("child", 1);
    const parent = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .runWorkflow(child, () => ({}))
      .compensateWith(step("undo child"))
      .build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    await world.settle();
    await host.terminateWorkflow(handle.id, { compensate: true });
    await world.clock.advance("30m");
    expect((await handle.get())?.status).not.toBe("terminated");
    await world.clock.advance("2h");
    expect((await handle.get())?.status).toBe("terminated");
    expect(ran).toEqual(["a", "child a", "undo child a", "undo child", "undo a"]);
  });

  it("lets `setData` through while a step runs, which keeps the data it began with", async () => {
    await using world = new World(store);
    const gate = Promise.withResolvers<void>();
    const definition = workflow<{ n: number }>()
      .then(async (data, ctx) => {
        await gate.promise;
        return [data.n, ctx.data.n];
      })
      .as("seen")
      .then((data) => data.n)
      .as("after")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { n: 1 });
    await world.settle();
    const { applied } = await host.setData(handle.id, { n: 2 });
    await world.settle();
    await applied();
    gate.resolve();
    expect(await handle.result()).toEqual({ n: 2, seen: [1, 1], after: 2 });
  });

  it("skips a whole container, whose branches are cancelled", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const reasons: unknown[] = [];
    const definition = workflow()
      .parallel((p) =>
        p
          .branch((b) =>
            b.then(async (_, ctx) => {
              ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
              return untilStopped(_, ctx);
            }),
          )
          .branch((b) => b.waitFor("never", "")),
      )
      .id("both")
      .then(step("tail"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await (await host.skipStep(handle.id, "both", undefined)).applied();
    await world.ended(handle);
    expect((await handle.get())?.status).toBe("completed");
    expect(ran).toEqual(["tail"]);
    expect(reasons).toMatchObject([{ reason: "cancelled" }]);
  });

  it("tells of suspension and resumption by an error once each", async () => {
    await using world = new World(store);
    const { failing } = recorder();
    const definition = workflow().then(failing("bad", 1)).onError("suspend").build("w", 1);
    const host = await world.start([definition]);
    const events: LifecycleEvent[] = [];
    host.on("*", (event) => events.push(event));
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await (await host.resumeWorkflow(handle.id)).applied();
    await handle.result();
    await world.settle();
    expect(events.map(({ type }) => type)).toEqual([
      "workflow.started",
      "step.started",
      "step.failed",
      "workflow.suspended",
      "workflow.resumed",
      "step.started",
      "step.completed",
      "workflow.completed",
    ]);
  });
});

describe.each(stores)("waits on the same stream, on $name", (store) => {
  it("give the labels of a `waitForAll` one event each", async () => {
    await using world = new World(store);
    const definition = workflow().waitForAll({ first: "e", second: "e" }, "k").as("both").build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent("e", "k", 1);
    await world.settle();
    expect((await handle.get())?.status).toBe("waiting");
    await host.publishEvent("e", "k", 2);
    expect((await handle.result()).both).toEqual({ first: 1, second: 2 });
  });

  it("do not lose events to a wait that was cancelled or timed out", async () => {
    await using world = new World(store);
    const definition = workflow<{ stop?: boolean }>()
      .parallel((p) =>
        p
          .branch((b) => b.waitFor("e", "").cancelWhen((data) => data.stop === true))
          .branch((b) =>
            b
              .delay("1s")
              .then(() => true)
              .output((_, stop) => ({ stop })),
          ),
      )
      .waitFor("e", "", { timeout: "1m" })
      .onError("ignore")
      .waitFor<number>("e", "")
      .as("n")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("5m");
    await host.publishEvent("e", "", 1);
    expect((await handle.result()).n).toBe(1);
  });

  it("share streams between steps that wait inside and waits outside", async () => {
    await using world = new World(store);
    const definition = workflow()
      .waitFor<number>("e", "")
      .as("a")
      .then((_, ctx) =>
        ctx.event === undefined
          ? ExecutionResult.waitForEvent("e", "")
          : ExecutionResult.next(ctx.event.payload as number),
      )
      .as("b")
      .waitFor<number>("e", "")
      .as("c")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    for (let n = 1; n <= 3; n += 1) await host.publishEvent("e", "", n);
    expect(await handle.result()).toEqual({ a: 1, b: 2, c: 3 });
  });
});

describe.each(stores)("hosts with little room, on $name", (store) => {
  it("do not fill up with what waits: parents, timers and events are parked", async () => {
    await using world = new World(store);
    const child = workflow()
      .delay("1m")
      .then(() => 1)
      .as("n")
      .build("child", 1);
    const parent = workflow()
      .runWorkflow(child, () => ({}))
      .as("child")
      .build("parent", 1);
    const waiting = workflow().waitFor<number>("go", "").as("n").build("waiting", 1);
    const host = await world.start([parent, child, waiting], { concurrency: 1 });
    const waiters = await Promise.all(Array.from({ length: 5 }, () => host.startWorkflow(waiting, {})));
    const parents = await Promise.all(Array.from({ length: 5 }, () => host.startWorkflow(parent, {})));
    await world.clock.advance("5m");
    expect(await host.countWorkflows({ definitionId: "parent", status: "completed" })).toBe(5);
    await host.publishEvent("go", "", 7);
    await world.clock.advance("1m");
    for (const handle of waiters) expect((await handle.get())?.data).toEqual({ n: 7 });
    for (const handle of parents) expect((await handle.get())?.data).toEqual({ child: { n: 1 } });
  });

  it("run at most `maxBodies` bodies at once, over all workflows", async () => {
    await using world = new World(store);
    let atWork = 0;
    let most = 0;
    const definition = workflow()
      .forEach(
        () => [1, 2, 3, 4],
        (b) =>
          b.then(async () => {
            atWork += 1;
            most = Math.max(most, atWork);
            await new Promise((resolve) => setImmediate(resolve));
            atWork -= 1;
          }),
      )
      .build("w", 1);
    const host = await world.start([definition], { maxBodies: 3 });
    await host.startWorkflows(Array.from({ length: 5 }, () => ({ definition, data: {} })));
    await world.clock.advance("1m");
    expect(await host.countWorkflows({ status: "completed" })).toBe(5);
    expect(most).toBe(3);
  });

  it("forget ended workflows after `retention.workflows`, whose ids may then be used again", async () => {
    await using world = new World(store);
    const { step, count } = recorder();
    const definition = workflow<{ n: number }>().then(step("ran")).build("w", 1);
    const host = await world.start([definition], { retention: { workflows: "1d" } });
    const first = await host.startWorkflow(definition, { n: 1 }, { id: "same" });
    await first.result();
    await world.clock.advance("23h");
    expect((await host.startWorkflow(definition, { n: 2 }, { id: "same" })).created).toBe(false);
    await world.clock.advance("2h");
    await world.clock.advance("5m");
    expect(await host.getWorkflow("same")).toBeUndefined();
    const second = await host.startWorkflow(definition, { n: 3 }, { id: "same" });
    expect(second.created).toBe(true);
    expect(await second.result()).toEqual({ n: 3 });
    expect((await historyOf(host, "same"))[0]?.seq).toBe(0);
    expect(count("ran")).toBe(2);
  });
});

describe.each(stores)("definitions at the edges, on $name", (store) => {
  it("may hold nothing at all, or only containers that do nothing", async () => {
    await using world = new World(store);
    const nothing = workflow<{ n: number }>()
      .forEach(
        () => [],
        (b) => b.then(() => 1),
      )
      .ifDo(
        () => false,
        (b) => b.then(() => 1),
      )
      .delay(0)
      .build("nothing", 1);
    expect(await world.run(nothing, { n: 1 })).toMatchObject({ status: "completed", data: { n: 1 } });
  });

  it("may be long and deep", async () => {
    await using world = new World(store);
    // Made at run time: there is nothing that its type could tell.
    type Chain = any;
    const add = (b: Chain): Chain => b.then((data: { n: number }) => data.n + 1).as("n");
    const links = Array.from({ length: 150 }, () => add);
    const long = links
      .reduce((chain, link) => link(chain), add(workflow<{ n: number }>()))
      .build("long", 1) as WorkflowDefinition<{ n: number }, { n: number }>;
    expect((await world.run(long, { n: 0 })).data.n).toBe(151);

    await using other = new World(store);
    const nest = (b: Chain, depth: number): Chain =>
      depth === 0
        ? add(b)
        : b.ifDo(
            () => true,
            (inner: Chain) => nest(inner, depth - 1),
          );
    const deep = nest(workflow<{ n: number }>(), 40).build("deep", 1) as typeof long;
    expect((await other.run(deep, { n: 0 })).data.n).toBe(1);
  });

  it("may be run again and again, and by several hosts, without keeping anything of one workflow for another", async () => {
    await using world = new World(store);
    const definition = workflow<{ list: number[] }>()
      .forEach(
        (data) => data.list,
        (b) =>
          b
            .then((_, ctx) => ctx.item * 2)
            .as("twice")
            .then((data) => data.twice),
        { as: "doubled" },
      )
      .build("w", 1);
    const hosts = [await world.start([definition]), await world.start([definition])];
    const lists = Array.from({ length: 20 }, (_, n) => Array.from({ length: n }, (__, index) => index));
    const handles = await Promise.all(lists.map((list, n) => hosts[n % 2]?.startWorkflow(definition, { list })));
    await world.clock.advance("10s");
    for (const [n, handle] of handles.entries())
      expect((await handle?.get())?.data["doubled"]).toEqual(lists[n]?.map((each) => each * 2));
  });
});

describe.each(stores)("sagas beside and inside of what is cancelled, on $name", (store) => {
  it("are undone with the workflow when their item is cancelled in the middle", async () => {
    await using world = new World(store);
    const { ran } = recorder();
    const note = (what: string) => (_: unknown, ctx: { item: number }) => {
      ran.push(`${what} ${ctx.item}`);
    };
    const definition = workflow()
      .forEach(
        () => [1, 2],
        (b) =>
          b.saga((s) =>
            s
              .then(note("book"))
              .compensateWith(note("unbook"))
              .delay((_, at) => (at.item === 1 ? "1m" : "1h"))
              .then((_, ctx) => {
                ran.push(`fail ${ctx.item}`);
                throw new Error("no");
              }),
          ),
        { concurrency: 2 },
      )
      .build("w", 1);
    expect((await world.run(definition, {})).status).toBe("failed");
    expect(ran).toEqual(["book 1", "book 2", "fail 1", "unbook 1", "unbook 2"]);
  });

  it("fail and are gone past without touching the saga beside them", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .parallel((p) =>
        p
          .branch((b) =>
            b.saga((s) => s.then(step("a")).compensateWith(step("undo a")).then(failing("b"))).onError("ignore"),
          )
          .branch((b) => b.saga((s) => s.then(step("c")).compensateWith(step("undo c")).delay("1m").then(step("d")))),
      )
      .then(step("tail"))
      .build("w", 1);
    expect((await world.run(definition, {})).status).toBe("completed");
    expect(ran.toSorted()).toEqual(["a", "b", "c", "d", "tail", "undo a"]);
    expect(ran.slice(-2)).toEqual(["d", "tail"]);
  });

  it("that were cancelled by a condition are undone when what is around them fails later", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow<{ stop?: boolean }>()
      .parallel((p) =>
        p
          .branch((b) =>
            b
              .saga((s) => s.then(step("a")).compensateWith(step("undo a")).waitFor("never", ""))
              .cancelWhen((data) => data.stop === true, { proceed: true })
              .then(step("after")),
          )
          .branch((b) =>
            b
              .delay("1m")
              .then(() => true)
              .output((_, stop) => ({ stop })),
          ),
      )
      .then(failing("bad"))
      .build("w", 1);
    expect((await world.run(definition, {})).status).toBe("failed");
    expect(ran).toEqual(["a", "after", "bad", "undo a"]);
  });

  it("let `ensure` of what they stop run before they undo", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .saga((s) =>
        s
          .then(step("a"))
          .compensateWith(step("undo a"))
          .parallel((p) =>
            p
              .branch((b) => b.delay("1h").ensure((e) => e.delay("1m").then(step("ensured"))))
              .branch((b) => b.delay("1m").then(failing("bad"))),
          ),
      )
      .onError("ignore")
      .build("w", 1);
    expect((await world.run(definition, {})).status).toBe("completed");
    expect(ran).toEqual(["a", "bad", "ensured", "undo a"]);
  });
});

describe.each(stores)("steps whose body a host leaves behind, on $name", (store) => {
  it.each(["retry", "fail", "suspend"] as const)(
    "are judged by `onCrash: %s` after a stop that they did not listen to",
    async (behavior) => {
      await using world = new World(store);
      const attempts: number[] = [];
      const definition = workflow()
        .then(async (_, ctx) => {
          attempts.push(ctx.step.attempt);
          if (attempts.length === 1) await new Promise(() => {});
        })
        .id("deaf")
        .onCrash(behavior)
        .build("w", 1);
      const first = await world.start([definition]);
      const { id } = await first.startWorkflow(definition, {});
      await world.settle();
      await world.stop(first);
      const second = await world.start([definition]);
      await world.clock.advance("1m");
      const details = await second.getWorkflow(id);
      if (behavior === "retry") {
        expect(details?.status).toBe("completed");
        expect(attempts).toEqual([1, 2]);
      } else {
        expect(details).toMatchObject({
          status: behavior === "fail" ? "failed" : "suspended",
          error: { code: "STEP_CRASHED", stepId: "deaf" },
        });
        expect(attempts).toEqual([1]);
      }
    },
  );

  it("are judged too where their body ended by the signal: it may have half happened", async () => {
    await using world = new World(store);
    let runs = 0;
    const definition = workflow()
      .then(async (_, ctx) => {
        runs += 1;
        if (runs === 1) await untilStopped(_, ctx);
      })
      .onCrash("fail")
      .build("w", 1);
    const first = await world.start([definition]);
    const { id } = await first.startWorkflow(definition, {});
    await world.settle();
    await world.stop(first);
    const second = await world.start([definition]);
    await world.clock.advance("1m");
    expect((await second.getWorkflow(id))?.status).toBe("failed");
    expect(runs).toBe(1);
  });
});

describe.each(stores)("forks in the middle of things, on $name", (store) => {
  it("have children, timers, items and persisted data of their own", async () => {
    await using world = new World(store);
    const { ran } = recorder();
    const child = workflow<{ of: string }>()
      .waitFor<string>("to child", (_, at) => at.workflow.id)
      .as("got")
      .build("child", 1);
    const definition = workflow()
      .then((_, ctx) =>
        ctx.persisted === undefined
          ? ExecutionResult.sleep("1h", { page: 7 })
          : ExecutionResult.next((ctx.persisted as { page: number }).page),
      )
      .as("page")
      .forEach(
        () => ["x", "y"],
        (b) =>
          b
            .then((_, ctx) => {
              ran.push(`item ${ctx.item}`);
              return ctx.item.toUpperCase();
            })
            .as("upper")
            .runWorkflow(child, (_, at) => ({ of: at.item }))
            .as("child")
            .then((data) => `${data.upper} ${data.child.got}`),
        { as: "all" },
      )
      .build("w", 1);
    const host = await world.start([definition, child]);
    const original = await host.startWorkflow(definition, {});
    const answer = async (say: string) => {
      for (const { id } of (await host.listWorkflows({ definitionId: "child", status: "waiting" })).items) {
        const of = (await host.getWorkflow(id))?.data["of"];
        await host.publishEvent("to child", id, `${say} ${of}`);
      }
    };
    await world.clock.advance("30m");
    const sleeping = await host.forkWorkflow(original.id, { at: (await original.get())?.seq ?? -1 });
    await world.clock.advance("31m");
    const inItems = await host.forkWorkflow(original.id, { at: (await original.get())?.seq ?? -1 });
    await world.clock.advance("1h");
    expect(await host.countWorkflows({ definitionId: "child", status: "waiting" })).toBe(6);
    await answer("hello");
    await world.clock.advance("10s");
    for (const handle of [original, sleeping, inItems]) {
      expect(await world.ended(handle)).toMatchObject({
        status: "completed",
        data: { page: 7, all: ["X hello x", "Y hello y"] },
      });
    }
    // The second fork goes on where the items stood, behind their first step.
    expect(ran).toHaveLength(4);
  });
});

describe.each(stores)("what `then` says for errors that are not retried, on $name", (store) => {
  it("follows at once", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const definition = workflow()
      .then(failing("choosy"))
      .onError(retry({ interval: "1h", when: () => false, then: "ignore" }))
      .then(() => {
        ran.push("fatal");
        throw new FatalError("no");
      })
      .compensateWith(step("undo fatal"))
      .onError(retry({ interval: "1h", then: "compensate" }))
      .build("w", 1);
    const { status, createdAt, completedAt } = await world.run(definition, {});
    expect(status).toBe("completed");
    expect(completedAt).toBe(createdAt);
    expect(ran).toEqual(["choosy", "fatal", "undo fatal"]);
  });
});
