import { event, retry, workflow, type StandardSchema } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

describe.each(stores)("waits on $name", (store) => {
  it("take what is published while they wait, one by name and key, one as of now", async () => {
    await using world = new World(store);
    const definition = workflow<{ key: string }>()
      .waitFor<string>("MyEvent", (data) => data.key, { asOf: "now" })
      .as("str1")
      .waitFor<string>("MyEvent2", (data) => data.key)
      .as("str2")
      .build("event", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { key: "0" });
    await world.settle();
    expect(await handle.get()).toMatchObject({ status: "waiting", waitingFor: [{ event: "MyEvent", key: "0" }] });
    await host.publishEvent("MyEvent", "1", "another key");
    await host.publishEvent("Other", "0", "another name");
    await host.publishEvent("MyEvent", "0", "Pass1");
    await world.settle();
    expect((await handle.get())?.waitingFor).toEqual([{ event: "MyEvent2", key: "0" }]);
    await host.publishEvent("MyEvent2", "0", "Pass2");
    expect(await handle.result()).toEqual({ key: "0", str1: "Pass1", str2: "Pass2" });
  });

  it("take an event of a typed name, with data on the pointer and in the history", async () => {
    await using world = new World(store);
    const approved = event<{ by: string; at: Date }>("order.approved");
    const definition = workflow().waitFor(approved, "o-1").as("approval").build("typed-event", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent(approved, "o-1", { by: "ann", at: new Date(5) });
    expect((await handle.result()).approval).toEqual({ by: "ann", at: new Date(5) });
    const kinds = (await historyOf(host, handle.id)).map(({ kind }) => kind);
    expect(kinds).toContain("event-awaited");
    expect(kinds).toContain("event-consumed");
  });

  it("do not miss an event that came before the wait began, but after the start", async () => {
    await using world = new World(store);
    const definition = workflow().delay("1h").waitFor<number>("early", "").as("got").build("early", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await host.publishEvent("early", "", 7);
    await world.clock.advance("1h");
    expect((await handle.result()).got).toBe(7);
  });

  it("count events from where `asOf` says: start, now, beginning, a date", async () => {
    await using world = new World(store);
    const startedAt = world.clock.now();
    const definition = workflow()
      .delay("30s")
      .parallel((p) =>
        p
          .branch((b) => b.waitFor<string>("e", "").as("start"))
          .branch((b) => b.waitFor<string>("e", "", { asOf: "now" }).as("now"))
          .branch((b) => b.waitFor<string>("e", "", { asOf: "beginning" }).as("beginning"))
          .branch((b) => b.waitFor<string>("e", "", { asOf: new Date(startedAt + 10_000) }).as("date")),
      )
      .build("as-of", 1);
    const host = await world.start([definition]);
    await host.publishEvent("e", "", "0 s, before the start");
    await world.clock.advance("10s");
    await host.publishEvent("e", "", "10 s, before the start");
    await world.clock.advance("10s");
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent("e", "", "20 s");
    await world.clock.advance("40s");
    expect((await handle.get())?.data).toEqual({
      start: "20 s",
      beginning: "0 s, before the start",
      date: "10 s, before the start",
    });
    await host.publishEvent("e", "", "60 s");
    expect(await handle.result()).toMatchObject({ now: "60 s" });
  });

  it("read events that were published before the start in their order", async () => {
    await using world = new World(store);
    const asOf = new Date(Date.UTC(2000, 0, 1));
    const definition = workflow()
      .waitFor<number>("e", "", { asOf })
      .as("value1")
      .waitFor<number>("e", "", { asOf })
      .as("value2")
      .waitFor<number>("e", "", { asOf })
      .as("value3")
      .waitFor<number>("e", "", { asOf })
      .as("value4")
      .waitFor<number>("e", "", { asOf })
      .as("value5")
      .build("event-order", 1);
    const host = await world.start([definition]);
    for (let n = 1; n <= 5; n += 1)
      await host.publishEvent("e", "", n, { effectiveAt: new Date(Date.UTC(2000, 0, 1, 0, n, 1)) });
    await world.clock.advance("1s");
    const handle = await host.startWorkflow(definition, {});
    expect(await handle.result()).toEqual({ value1: 1, value2: 2, value3: 3, value4: 4, value5: 5 });
  });

  it("see an event with a future `effectiveAt` when it becomes effective, in the order of that", async () => {
    await using world = new World(store);
    const definition = workflow()
      .waitFor<string>("e", "")
      .as("first")
      .then(() => world.clock.now())
      .as("firstAt")
      .waitFor<string>("e", "")
      .as("second")
      .build("effective", 1);
    const host = await world.start([definition]);
    const startedAt = world.clock.now();
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent("e", "", "in an hour", { effectiveAt: startedAt + 3_600_000 });
    await host.publishEvent("e", "", "in a minute", { effectiveAt: new Date(startedAt + 60_000) });
    await world.clock.advance("59s");
    expect((await handle.get())?.data).toEqual({});
    await world.clock.advance("2s");
    expect((await handle.get())?.data.first).toBe("in a minute");
    await world.clock.advance("1h");
    const { firstAt, second } = await handle.result();
    expect(second).toBe("in an hour");
    expect(firstAt).toBeGreaterThanOrEqual(startedAt + 60_000);
    expect(firstAt).toBeLessThan(startedAt + 62_000);
  });

  it("read each event once along one line: a loop sees them all, in order", async () => {
    await using world = new World(store);
    const seen: number[] = [];
    const definition = workflow()
      .whileDo(
        () => seen.length < 5,
        (b) =>
          b
            .waitFor<number>("tick", "")
            .as("tick")
            .then((data) => {
              seen.push(data.tick);
            }),
      )
      .build("loop", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    for (let n = 1; n <= 3; n += 1) await host.publishEvent("tick", "", n);
    await world.settle();
    for (let n = 4; n <= 5; n += 1) await host.publishEvent("tick", "", n);
    await handle.result();
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it("deliver an event that is published between two iterations of a loop to the next wait", async () => {
    await using world = new World(store);
    const definition = workflow<{ seen: number[] }>()
      .whileDo(
        (data) => data.seen.length < 3,
        (b) =>
          b
            .waitFor<number>("tick", "")
            .output((data, n) => ({ seen: [...data.seen, n] }))
            .delay("1m"),
      )
      .build("between", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { seen: [] });
    await world.settle();
    await host.publishEvent("tick", "", 1);
    await world.clock.advance("30s");
    await host.publishEvent("tick", "", 2);
    await host.publishEvent("tick", "", 3);
    await world.clock.advance("5m");
    expect((await handle.result()).seen).toEqual([1, 2, 3]);
  });

  it("show every event to every parallel branch, and go on after the join behind the furthest", async () => {
    await using world = new World(store);
    const two = workflow()
      .waitFor<number>("e", "")
      .as("before")
      .parallel((p) =>
        p
          .branch((b) => b.waitFor<number>("e", "").as("left1").waitFor<number>("e", "").as("left2"))
          .branch((b) => b.delay("1h").waitFor<number>("e", "").as("right")),
      )
      .waitFor<number>("e", "")
      .as("after")
      .build("cursors", 1);
    const host = await world.start([two]);
    const handle = await host.startWorkflow(two, {});
    for (let n = 1; n <= 4; n += 1) await host.publishEvent("e", "", n);
    await world.clock.advance("2h");
    expect(await handle.result()).toEqual({ before: 1, left1: 2, left2: 3, right: 2, after: 4 });
  });

  it("let concurrent items read the same events, and items one after the other the next ones", async () => {
    for (const [concurrency, expected] of [
      [3, [1, 1, 1]],
      [1, [1, 2, 3]],
    ] as const) {
      await using world = new World(store);
      const definition = workflow()
        .forEach(
          () => ["a", "b", "c"],
          (b) => b.waitFor<number>("e", ""),
          { concurrency, as: "got" },
        )
        .build("items", 1);
      const host = await world.start([definition]);
      const handle = await host.startWorkflow(definition, {});
      for (let n = 1; n <= 3; n += 1) await host.publishEvent("e", "", n);
      expect((await handle.result()).got).toEqual(expected);
    }
  });

  it("never read an event again, not when a saga begins again either", async () => {
    await using world = new World(store);
    const seen: number[] = [];
    const definition = workflow()
      .saga((s) =>
        s
          .waitFor<number>("e", "")
          .as("n")
          .then((data) => {
            seen.push(data.n);
            if (data.n < 3) throw new Error("not yet");
          }),
      )
      .onError(retry({ interval: "1s" }))
      .build("saga-cursor", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    for (let n = 1; n <= 3; n += 1) await host.publishEvent("e", "", n);
    await world.clock.advance("10s");
    await handle.result();
    expect(seen).toEqual([1, 2, 3]);
  });

  it("wake many workflows for one event", async () => {
    await using world = new World(store);
    const definition = workflow().waitFor<string>("go", "all").as("got").build("many", 1);
    const host = await world.start([definition]);
    const handles = await host.startWorkflows(Array.from({ length: 200 }, () => ({ definition, data: {} })));
    await world.settle();
    await host.publishEvent("go", "all", "now");
    await world.settle();
    await world.clock.advance("5s");
    for (const handle of handles) expect(await handle.result()).toEqual({ got: "now" });
  });
});

describe.each(stores)("cancelled and parallel waits on $name", (store) => {
  it("cancels one wait by what another one brought", async () => {
    await using world = new World(store);
    const definition = workflow<{ str?: string; flag1: boolean; flag2: boolean }>()
      .parallel((p) =>
        p
          .branch((b) =>
            b
              .waitFor<string>("Event1", (_, at) => at.workflow.id)
              .output((_, payload) => ({ str: payload }))
              .cancelWhen((data) => data.str !== undefined)
              .then(() => true)
              .output((_, flag1) => ({ flag1 })),
          )
          .branch((b) =>
            b
              .waitFor<string>("Event2", (_, at) => at.workflow.id)
              .output((_, payload) => ({ str: payload }))
              .cancelWhen((data) => data.str !== undefined)
              .then(() => true)
              .output((_, flag2) => ({ flag2 })),
          ),
      )
      .waitFor("Event3", (_, at) => at.workflow.id)
      .build("cancelled-event", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { flag1: false, flag2: false });
    await host.publishEvent("Event2", handle.id, "Pass");
    await world.settle();
    expect((await handle.get())?.waitingFor).toEqual([{ event: "Event3", key: handle.id }]);
    await host.publishEvent("Event1", handle.id, "Fail");
    await host.publishEvent("Event3", handle.id, undefined);
    expect(await handle.result()).toMatchObject({ str: "Pass", flag1: false, flag2: true });
  });

  it("joins branches that each wait for their own event and then take their time", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow()
      .parallel((p) =>
        p
          .branch((b) => b.waitFor("Event1", "k").delay("2s").then(step("1")))
          .branch((b) => b.waitFor("Event2", "k").delay("2s").then(step("2")))
          .branch((b) => b.waitFor("Event3", "k").delay("5s").then(step("3")))
          .branch((b) => b.waitFor("Event4", "k").delay("100ms").then(step("4")))
          .branch((b) => b.waitFor("Event5", "k").delay("100ms").then(step("5"))),
      )
      .then(step("joined"))
      .build("parallel-events", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvents([1, 2, 3, 4, 5].map((n) => ({ event: `Event${n}`, key: "k", payload: n })));
    await world.clock.advance("30s");
    await handle.result();
    expect(ran.toSorted()).toEqual(["1", "2", "3", "4", "5", "joined"]);
    expect(ran.at(-1)).toBe("joined");
  });

  it("offers a choice to a person, and goes where the answer says", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow()
      .waitForAny({ yes: "approve", no: "disapprove" }, (_, at) => at.workflow.id)
      .as("answer")
      .decide((data) => data.answer.which, {
        yes: (b) => b.then(step("approve")),
        no: (b) => b.then(step("disapprove")),
      })
      .build("user", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    expect((await handle.get())?.waitingFor).toEqual([
      { event: "approve", key: handle.id },
      { event: "disapprove", key: handle.id },
    ]);
    await host.publishEvent("approve", handle.id, { user: "user1" });
    expect(await handle.result()).toEqual({ answer: { which: "yes", payload: { user: "user1" } } });
    expect(ran).toEqual(["approve"]);
    expect((await handle.get())?.waitingFor).toEqual([]);
  });

  it("hands work to an outside worker and takes its answer", async () => {
    await using world = new World(store);
    const requests: { id: string; value1: string; value2: number }[] = [];
    const definition = workflow<{ value1: string; value2: number }>()
      .then((data, ctx) => {
        requests.push({ id: ctx.idempotencyKey, ...data });
        return ctx.idempotencyKey;
      })
      .as("activity")
      .waitFor<{ value1: string; value2: number }>("act-1 done", (data) => data.activity, { timeout: "30s" })
      .as("result")
      .build("activity", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { value1: "a", value2: 1 });
    const [request] = await world.until(() => (requests.length > 0 ? requests : undefined));
    await host.publishEvent("act-1 done", request?.id ?? "", {
      value1: `${request?.value1}1`,
      value2: (request?.value2 ?? 0) + 1,
    });
    expect((await handle.result()).result).toEqual({ value1: "a1", value2: 2 });
  });
});

describe.each(stores)("waits for any and for all on $name", (store) => {
  const sent = event<{ n: number }>("sent");
  const lost = event<string>("lost");

  it("give the oldest event by the store's time, and leave the others to be read", async () => {
    await using world = new World(store);
    const definition = workflow()
      .delay("1m")
      .waitForAny({ a: sent, b: lost }, "k")
      .as("first")
      .waitForAny({ a: sent, b: lost }, "k")
      .as("second")
      .waitForAny({ a: sent, b: lost }, "k")
      .as("third")
      .build("any", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("1s");
    await host.publishEvent(lost, "k", "one");
    await world.clock.advance("1s");
    await host.publishEvent(sent, "k", { n: 2 });
    await world.clock.advance("1s");
    await host.publishEvent(lost, "k", "three");
    await world.clock.advance("1m");
    expect(await handle.result()).toEqual({
      first: { which: "b", payload: "one" },
      second: { which: "a", payload: { n: 2 } },
      third: { which: "b", payload: "three" },
    });
  });

  it("take a key for each event", async () => {
    await using world = new World(store);
    const definition = workflow<{ order: string }>()
      .waitForAny({ mine: { event: sent, key: (data) => data.order }, anyone: { event: lost, key: "" } })
      .as("first")
      .build("any-keys", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { order: "o-7" });
    await host.publishEvent(sent, "", { n: 1 });
    await world.settle();
    expect((await handle.get())?.waitingFor).toEqual([
      { event: "sent", key: "o-7" },
      { event: "lost", key: "" },
    ]);
    await host.publishEvent(sent, "o-7", { n: 2 });
    expect((await handle.result()).first).toEqual({ which: "mine", payload: { n: 2 } });
  });

  it("gather all, whatever order they come in", async () => {
    await using world = new World(store);
    const definition = workflow().waitForAll({ a: sent, b: lost, c: "third" }, "k").as("all").build("all", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent("third", "k", undefined);
    await host.publishEvent(lost, "k", "gone");
    await host.publishEvent(lost, "k", "a later one");
    await world.settle();
    expect((await handle.get())?.waitingFor).toEqual([{ event: "sent", key: "k" }]);
    await host.publishEvent(sent, "k", { n: 1 });
    expect((await handle.result()).all).toEqual({ a: { n: 1 }, b: "gone", c: undefined });
  });

  it("keep what has come when the host changes", async () => {
    await using world = new World(store);
    const definition = workflow().waitForAll({ a: sent, b: lost }, "k").as("all").build("all", 1);
    const first = await world.start([definition]);
    const { id } = await first.startWorkflow(definition, {});
    await first.publishEvent(sent, "k", { n: 1 });
    await world.settle();
    world.kill(first);
    const second = await world.start([definition]);
    await second.publishEvent(lost, "k", "later");
    await world.clock.advance("1m");
    expect(await second.handle(definition, id).result()).toEqual({ all: { a: { n: 1 }, b: "later" } });
  });

  it("time out like a plain wait", async () => {
    await using world = new World(store);
    const any = workflow().waitForAny({ a: sent, b: lost }, "k", { timeout: "1h" }).build("any-timeout", 1);
    const { status, error } = await world.run(any, {});
    expect(status).toBe("failed");
    expect(error).toMatchObject({ code: "WAIT_TIMEOUT" });
    const all = workflow()
      .waitForAll({ a: sent, b: lost }, "k", { timeout: "1h", onTimeout: (b) => b.then(() => true).as("late") })
      .as("all")
      .build("all-timeout", 1);
    await using other = new World(store);
    const details = await other.run(all, {});
    expect(details.status).toBe("completed");
    expect(details.data).toEqual({ late: true });
  });
});

describe.each(stores)("time-outs and reminders of waits on $name", (store) => {
  it("fail with a WaitTimeoutError without `onTimeout`", async () => {
    await using world = new World(store);
    const definition = workflow().waitFor("never", "k", { timeout: "5d" }).id("wait").build("timeout", 1);
    const { status, error, completedAt, createdAt } = await world.run(definition, {});
    expect(status).toBe("failed");
    expect(error).toMatchObject({ name: "WaitTimeoutError", code: "WAIT_TIMEOUT", stepId: "wait" });
    expect((completedAt ?? 0) - createdAt).toBe(5 * 24 * 3_600_000);
  });

  it("run `onTimeout` instead, and go on without an output", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow()
      .waitFor(event<string>("never"), "k", {
        timeout: (_, at) => (at.workflow.id === "" ? 1 : "1h"),
        onTimeout: (b) =>
          b
            .then(step("gave up"))
            .then(() => "late")
            .as("why"),
      })
      .as("answer")
      .then(step("tail"))
      .build("on-timeout", 1);
    const { status, data } = await world.run(definition, {});
    expect(status).toBe("completed");
    expect(data).toEqual({ why: "late" });
    expect(ran).toEqual(["gave up", "tail"]);
  });

  it("do not run `onTimeout` when the event has come", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow()
      .waitFor(event<string>("answer"), "k", { timeout: "1h", onTimeout: (b) => b.then(step("gave up")) })
      .as("answer")
      .delay("2h")
      .build("in-time", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("30m");
    await host.publishEvent("answer", "k", "yes");
    await world.clock.advance("3h");
    expect(await handle.result()).toEqual({ answer: "yes" });
    expect(ran).toEqual([]);
  });

  it("end the workflow by `onTimeout`", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow()
      .waitFor(event<string>("never"), "k", { timeout: "1h", onTimeout: (b) => b.then(step("gave up")).endWorkflow() })
      .as("answer")
      .then((data) => data.answer.length)
      .build("end-on-timeout", 1);
    expect((await world.run(definition, {})).status).toBe("completed");
    expect(ran).toEqual(["gave up"]);
  });

  it("give an event and a deadline that are both there to the event, if it was published in time", async () => {
    for (const [publishedAfter, expected] of [
      ["59m", { answer: "yes" }],
      ["61m", { late: true }],
    ] as const) {
      await using world = new World(store);
      const definition = workflow()
        .waitFor(event<string>("answer"), "k", { timeout: "1h", onTimeout: (b) => b.then(() => true).as("late") })
        .as("answer")
        .build("deadline", 1);
      const first = await world.start([definition]);
      const { id } = await first.startWorkflow(definition, {});
      await world.settle();
      await first.stop();
      const client = world.host();
      await world.clock.advance(publishedAfter);
      await client.publishEvent("answer", "k", "yes");
      await world.clock.advance("1h");
      const second = await world.start([definition]);
      await world.clock.advance("1m");
      expect((await second.handle(definition, id).get())?.data).toEqual(expected);
    }
  });

  it("wait anew on a retry, for the next event and with a new deadline", async () => {
    await using world = new World(store);
    const definition = workflow()
      .waitFor<string>("answer", "k", { timeout: "1h" })
      .as("answer")
      .onError(retry({ interval: "1m" }))
      .build("retried-wait", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("90m");
    expect((await handle.get())?.status).toBe("waiting");
    await host.publishEvent("answer", "k", "at last");
    expect(await handle.result()).toEqual({ answer: "at last" });
  });

  it("go on with `ignore` after the time-out", async () => {
    await using world = new World(store);
    const definition = workflow()
      .waitFor<string>("never", "k", { timeout: "1h" })
      .as("answer")
      .onError("ignore")
      .build("ignored-wait", 1);
    const { status, data } = await world.run(definition, {});
    expect(status).toBe("completed");
    expect(data).toEqual({});
  });

  it("remind again and again until the event has come", async () => {
    await using world = new World(store);
    const reminders: number[] = [];
    const startedAt = world.clock.now();
    const definition = workflow<{ order: string }>()
      .waitFor<string>("approved", (data) => data.order, {
        timeout: "5d",
        remind: {
          every: "1d",
          do: (b) =>
            b.then(() => {
              reminders.push((world.clock.now() - startedAt) / 3_600_000);
            }),
        },
      })
      .as("approval")
      .build("reminding", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { order: "o-1" });
    await world.clock.advance("3d");
    await world.clock.advance("1h");
    await host.publishEvent("approved", "o-1", "ann");
    expect((await handle.result()).approval).toBe("ann");
    await world.clock.advance("10d");
    expect(reminders).toEqual([24, 48, 72]);
  });

  it("remind up to the time-out, and do not let a slow reminder overlap itself", async () => {
    await using world = new World(store);
    const { step, count } = recorder();
    const definition = workflow()
      .waitFor("never", "", {
        timeout: "10h",
        onTimeout: (b) => b.then(step("gave up")),
        remind: { every: "1h", do: (b) => b.then(step("reminded")).delay("90m") },
      })
      .build("slow-reminder", 1);
    expect((await world.run(definition, {})).status).toBe("completed");
    // At 1, 3, 5, 7 and 9 h: at the even ones the one before is still under way.
    expect(count("reminded")).toBe(5);
    expect(count("gave up")).toBe(1);
  });

  it("end a reminder that is under way when the event comes", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow()
      .waitFor("answer", "", {
        remind: { every: "1h", do: (b) => b.then(step("reminded")).delay("30m").then(step("too late")) },
      })
      .then(step("after"))
      .build("cut-reminder", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("65m");
    await host.publishEvent("answer", "", "x");
    await world.clock.advance("2h");
    await handle.result();
    expect(ran).toEqual(["reminded", "after"]);
  });
});

describe.each(stores)("publishing on $name", (store) => {
  it("is fine without anyone who waits", async () => {
    await using world = new World(store);
    const host = await world.start([]);
    await host.publishEvent("nobody", "", { n: 1 });
    await world.settle();
    expect(await host.countWorkflows({})).toBe(0);
  });

  it("delivers an event once that is published twice with the same id", async () => {
    await using world = new World(store);
    const definition = workflow<{ seen: number[] }>()
      .whileDo(
        (data) => data.seen.length < 2,
        (b) => b.waitFor<number>("e", "").output((data, n) => ({ seen: [...data.seen, n] })),
      )
      .build("dedupe", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { seen: [] });
    expect(await host.publishEvent("e", "", 1, { id: "m-1" })).toMatchObject({ id: "m-1", duplicate: false });
    expect(await host.publishEvent("e", "", 1, { id: "m-1" })).toMatchObject({ id: "m-1", duplicate: true });
    await host.publishEvent("e", "", 2, { id: "m-2" });
    expect((await handle.result()).seen).toEqual([1, 2]);
  });

  it("takes batches of at most 500, in order", async () => {
    await using world = new World(store);
    const definition = workflow<{ seen: number[] }>()
      .whileDo(
        (data) => data.seen.length < 200,
        (b) => b.waitFor<number>("e", "").output((data, n) => ({ seen: [...data.seen, n] })),
      )
      .build("batch", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { seen: [] });
    const items = Array.from({ length: 500 }, (_, n) => ({ event: "e", key: "", payload: n }));
    await expect(host.publishEvents([...items, { event: "e", key: "", payload: 500 }])).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
    });
    await host.publishEvents(items);
    const { seen } = await handle.result();
    expect(seen).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  it("validates the payload with the event's schema", async () => {
    await using world = new World(store);
    const schema: StandardSchema<unknown, { n: number }> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => {
          const n = Number((value as { n?: unknown } | undefined)?.n);
          return Number.isNaN(n) ? { issues: [{ message: "must be a number", path: ["n"] }] } : { value: { n } };
        },
      },
    };
    const checked = event("checked", schema);
    const definition = workflow().waitFor(checked, "").as("got").build("checked", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await expect(host.publishEvent(checked, "", { n: "many" as unknown as number })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
      issues: [{ message: "must be a number", path: "n" }],
    });
    await host.publishEvent(checked, "", { n: "7" as unknown as number });
    expect((await handle.result()).got).toEqual({ n: 7 });
  });

  it("keeps namespaces apart", async () => {
    await using world = new World(store);
    const definition = workflow().waitFor<string>("e", "").as("got").build("tenants", 1);
    const host = await world.start([definition]);
    const here = await host.startWorkflow(definition, {}, { id: "same" });
    const there = await host.in("other").startWorkflow(definition, {}, { id: "same" });
    await host.in("other").publishEvent("e", "", "for there");
    expect(await there.result()).toEqual({ got: "for there" });
    await world.clock.advance("10s");
    expect((await here.get())?.status).toBe("waiting");
    await host.publishEvent("e", "", "for here");
    expect(await here.result()).toEqual({ got: "for here" });
  });

  it("works on a host that was not started", async () => {
    await using world = new World(store);
    const definition = workflow().waitFor<string>("e", "").as("got").build("client", 1);
    const client = world.host([definition]);
    const { id } = await client.startWorkflow(definition, {});
    await client.publishEvent("e", "", "hello");
    expect((await client.getWorkflow(id))?.status).toBe("runnable");
    const host = await world.start([definition]);
    await world.settle();
    expect(await host.handle(definition, id).result()).toEqual({ got: "hello" });
    await client.stop();
  });

  it("fails a wait whose events retention has removed, instead of letting it wait for ever", async () => {
    await using world = new World(store);
    const definition = workflow()
      .waitFor<number>("e", "")
      .as("first")
      .delay("30d")
      .waitFor<number>("e", "")
      .as("second")
      .build("expired", 1);
    const host = await world.start([definition], { retention: { events: "1d" } });
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent("e", "", 1);
    await world.settle();
    await host.publishEvent("e", "", 2);
    await world.clock.advance("2d");
    await world.clock.advance("30d");
    expect(await world.ended(handle)).toMatchObject({ status: "failed", error: { code: "EVENTS_EXPIRED" } });
  });
});

describe.each(stores)("events at the edges, on $name", (store) => {
  it("count by the time at which they became effective, also for workflows that started after they were published", async () => {
    await using world = new World(store);
    const definition = workflow().waitFor<string>("e", "").as("got").build("w", 1);
    const host = await world.start([definition]);
    const at = world.clock.now() + 3_600_000;
    await host.publishEvent("e", "", "later", { id: "m-1", effectiveAt: at });
    expect(await host.publishEvent("e", "", "later", { id: "m-1", effectiveAt: at })).toMatchObject({
      duplicate: true,
    });
    await world.clock.advance("30m");
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("29m");
    expect((await handle.get())?.status).toBe("waiting");
    await world.clock.advance("2m");
    expect((await handle.get())?.data).toEqual({ got: "later" });
    const next = await host.startWorkflow(definition, {});
    await world.clock.advance("2h");
    expect((await next.get())?.status).toBe("waiting");
  });

  it("become effective although no host ran at that time", async () => {
    await using world = new World(store);
    const definition = workflow().waitFor<string>("e", "").as("got").build("w", 1);
    const first = await world.start([definition]);
    const { id } = await first.startWorkflow(definition, {});
    await first.publishEvent("e", "", "hello", { effectiveAt: world.clock.now() + 60_000 });
    await world.settle();
    await first.stop();
    await world.clock.advance("1h");
    const second = await world.start([definition]);
    await world.clock.advance("10s");
    expect((await second.getWorkflow(id))?.data).toEqual({ got: "hello" });
  });

  it("win against a deadline that came after them, also where no host ran at either moment", async () => {
    for (const [effectiveAfter, expected] of [
      [1_800_000, { answer: "in time" }],
      [5_400_000, { late: true }],
    ] as const) {
      await using world = new World(store);
      const definition = workflow()
        .waitFor(event<string>("answer"), "k", { timeout: "1h", onTimeout: (b) => b.then(() => true).as("late") })
        .as("answer")
        .build("w", 1);
      const first = await world.start([definition]);
      const { id } = await first.startWorkflow(definition, {});
      await world.settle();
      await first.publishEvent("answer", "k", "in time", { effectiveAt: world.clock.now() + effectiveAfter });
      await first.stop();
      await world.clock.advance("3h");
      const second = await world.start([definition]);
      await world.clock.advance("1m");
      expect((await second.getWorkflow(id))?.data).toEqual(expected);
    }
  });

  it("win against a deadline of the very same moment", async () => {
    await using world = new World(store);
    const definition = workflow()
      .waitFor(event<string>("answer"), "k", { timeout: "1h", onTimeout: (b) => b.then(() => true).as("late") })
      .as("answer")
      .build("w", 1);
    const first = await world.start([definition]);
    const { id } = await first.startWorkflow(definition, {});
    await world.settle();
    await first.stop();
    const client = world.host();
    await world.clock.advance("1h");
    await client.publishEvent("answer", "k", "just in time");
    const second = await world.start([definition]);
    await world.clock.advance("1m");
    expect((await second.getWorkflow(id))?.data).toEqual({ answer: "just in time" });
  });

  it("that come between iterations count in a loop whose wait is `asOf` now, once it has read one", async () => {
    await using world = new World(store);
    const definition = workflow<{ seen: number[] }>()
      .delay("1m")
      .whileDo(
        (data) => data.seen.length < 2,
        (b) =>
          b
            .waitFor<number>("e", "", { asOf: "now" })
            .output((data, n) => ({ seen: [...data.seen, n] }))
            .delay("1m"),
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { seen: [] });
    await host.publishEvent("e", "", 1);
    await world.clock.advance("61s");
    await host.publishEvent("e", "", 2);
    await world.clock.advance("30s");
    await host.publishEvent("e", "", 3);
    await world.clock.advance("5m");
    expect((await handle.result()).seen).toEqual([2, 3]);
  });

  it("are told apart by every letter of name and key", async () => {
    await using world = new World(store);
    const keys = ["a", "A", "\u00e9", "e\u0301", " a", "a ", "", "a\u200b", "%", "_", "*", "'", "null", "0"];
    const definition = workflow<{ key: string }>()
      .waitFor<string>("e", (data) => data.key)
      .as("got")
      .build("w", 1);
    const host = await world.start([definition]);
    const handles = await Promise.all(keys.map((key) => host.startWorkflow(definition, { key })));
    await world.settle();
    for (const key of keys) {
      await host.publishEvent("E", key, "another name");
      await host.publishEvent("e", key, `for ${key}`);
    }
    for (const [index, handle] of handles.entries()) expect((await handle.result()).got).toBe(`for ${keys[index]}`);
  });

  it("wait in great numbers without cost for those who do not read them", async () => {
    await using world = new World(store);
    const definition = workflow<{ sum: number }>()
      .delay("1m")
      .whileDo(
        (data) => data.sum < 3,
        (b) => b.waitFor<number>("e", "").output((data, n) => ({ sum: data.sum + n })),
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { sum: 0 });
    for (let batch = 0; batch < 10; batch += 1) {
      await host.publishEvents(Array.from({ length: 500 }, () => ({ event: "e", key: "", payload: 1 })));
    }
    await world.clock.advance("2m");
    expect((await handle.result()).sum).toBe(3);
  });
});
