import { ExecutionResult, retry, workflow } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

const day = 24 * 3_600_000;

describe.each(stores)("timers on $name", (store) => {
  it("delay between two steps, each of which runs once", async () => {
    await using world = new World(store);
    const { step, counts } = recorder();
    const delay = workflow().then(step("step1")).delay("4s").then(step("step2")).build("delay", 1);
    const host = await world.start([delay]);
    const handle = await host.startWorkflow(delay, {});
    await world.clock.advance("3999ms");
    expect(counts()).toEqual({ step1: 1 });
    await world.clock.advance("1ms");
    expect((await handle.get())?.status).toBe("completed");
    expect(counts()).toEqual({ step1: 1, step2: 1 });
  });

  it("take a duration of any unit, a number of milliseconds, or a function of the data", async () => {
    await using world = new World(store);
    const at: number[] = [];
    const note = () => {
      at.push(world.clock.now());
    };
    const units = workflow<{ pause: number }>()
      .then(note)
      .delay("250ms")
      .then(note)
      .delay(1_500)
      .then(note)
      .delay("2m")
      .then(note)
      .delay((data) => data.pause)
      .then(note)
      .delay((data, at) => `${data.pause + at.workflow.version}s`)
      .then(note)
      .delay(0)
      .then(note)
      .build("units", 1);
    expect((await world.run(units, { pause: 7 })).status).toBe("completed");
    expect(at.slice(1).map((time, index) => time - (at[index] ?? 0))).toEqual([250, 1_500, 120_000, 7, 8_000, 0]);
  });

  it("sleep until a date, which may have passed", async () => {
    await using world = new World(store);
    const startedAt = world.clock.now();
    const until = workflow<{ due: Date }>()
      .sleepUntil((data) => data.due)
      .then(() => world.clock.now())
      .as("first")
      .sleepUntil(new Date(0))
      .sleepUntil(startedAt - 1)
      .then(() => world.clock.now())
      .as("second")
      .sleepUntil((data, at) => at.now + 5_000)
      .then(() => world.clock.now())
      .as("third")
      .build("until", 1);
    const { data } = await world.run(until, { due: new Date(startedAt + 90 * day) });
    expect(data).toMatchObject({
      first: startedAt + 90 * day,
      second: startedAt + 90 * day,
      third: startedAt + 90 * day + 5_000,
    });
  });

  it("keep whole milliseconds, and no time after the last date", async () => {
    await using world = new World(store);
    const startedAt = world.clock.now();
    const parts = workflow<{ rest: number }>()
      .sleepUntil((_, at) => at.now + 0.6)
      .then(() => world.clock.now())
      .as("woken")
      .delay((data) => data.rest)
      .build("parts", 1);
    const host = await world.start([parts]);
    const { id } = await host.startWorkflow(parts, { rest: Number.MAX_SAFE_INTEGER });
    await world.clock.advance("2ms");
    expect(await host.getWorkflow(id)).toMatchObject({ status: "waiting", data: { woken: startedAt + 1 } });
    expect((await host.explain(id)).text).toContain("+275760-09-13T00:00:00.000Z");
  });

  it("refuse a date or duration that is none, as a failure of the step", async () => {
    for (const definition of [
      workflow<{ x: unknown }>()
        .sleepUntil((data) => data.x as Date)
        .build("bad-date", 1),
      workflow<{ x: unknown }>()
        .delay((data) => data.x as number)
        .build("bad-duration", 1),
    ]) {
      for (const x of [Number.NaN, -1e300, "soon", null]) {
        await using world = new World(store);
        expect((await world.run(definition, { x })).status, `${definition.id} ${x}`).toBe("failed");
      }
    }
  });

  it("wait for longer than a machine's timers can", async () => {
    await using world = new World(store);
    const far = workflow()
      .delay("60d")
      .then(() => world.clock.now())
      .as("at")
      .build("far", 1);
    const startedAt = world.clock.now();
    expect((await world.run(far, {})).data.at).toBe(startedAt + 60 * day);
  });

  it("fire in the order of their times, whatever order they were set in", async () => {
    await using world = new World(store);
    const order: number[] = [];
    const ordered = workflow()
      .forEach(
        () => [50, 10, 40, 30, 20],
        (b) =>
          b
            .delay((_, at) => `${at.item}m`)
            .then((_, ctx) => {
              order.push(ctx.item);
            }),
      )
      .build("ordered", 1);
    await world.run(ordered, {});
    expect(order).toEqual([10, 20, 30, 40, 50]);
  });

  it("fire for a sleeping branch beside a busy one", async () => {
    await using world = new World(store);
    const { step, gated, ran } = recorder();
    const busy = gated("busy");
    const beside = workflow()
      .parallel((p) => p.branch((b) => b.then(busy)).branch((b) => b.delay("1m").then(step("woke"))))
      .build("beside", 1);
    const host = await world.start([beside]);
    const handle = await host.startWorkflow(beside, {});
    await world.clock.advance("1m");
    expect(ran).toEqual(["busy", "woke"]);
    busy.open();
    await handle.result();
  });

  it("fire for many workflows at once", async () => {
    await using world = new World(store);
    const { step, count } = recorder();
    const many = workflow().delay("1d").then(step("woke")).build("many-timers", 1);
    const host = await world.start([many]);
    await host.startWorkflows(Array.from({ length: 300 }, () => ({ definition: many, data: {} })));
    await world.clock.advance("23h");
    expect(count("woke")).toBe(0);
    await world.clock.advance("2h");
    expect(count("woke")).toBe(300);
    expect(await host.countWorkflows({ status: "completed" })).toBe(300);
  });

  it("survive a restart, and fire late rather than never", async () => {
    await using world = new World(store);
    const { step, counts } = recorder();
    const durable = workflow()
      .parallel((p) =>
        p
          .branch((b) => b.delay("1h").then(step("short")))
          .branch((b) => b.delay("10h").then(step("long")))
          .branch((b) =>
            b
              .then((_, ctx) => (ctx.persisted === undefined ? ExecutionResult.sleep("1h", 1) : undefined))
              .then(step("slept")),
          )
          .branch((b) =>
            b
              .then(recorder().failing("shaky", 1))
              .onError(retry({ interval: "1h" }))
              .then(step("retried")),
          ),
      )
      .build("durable", 1);
    const first = await world.start([durable]);
    const { id } = await first.startWorkflow(durable, {});
    await world.settle();
    await first.stop();
    await world.clock.advance("5h");
    expect(counts()).toEqual({});
    const second = await world.start([durable]);
    await world.clock.advance("1s");
    expect(counts()).toEqual({ short: 1, slept: 1, retried: 1 });
    await world.clock.advance("5h");
    expect((await second.getWorkflow(id))?.status).toBe("completed");
    expect(counts()).toEqual({ short: 1, slept: 1, retried: 1, long: 1 });
  });

  it("start a workflow after a delay, or at a date", async () => {
    await using world = new World(store);
    const { step, counts } = recorder();
    const late = workflow<{ name: string }>()
      .then((data) => step(data.name)())
      .build("late", 1);
    const host = await world.start([late]);
    const startedAt = world.clock.now();
    const delayed = await host.startWorkflow(late, { name: "delayed" }, { delay: "1h" });
    const dated = await host.startWorkflow(late, { name: "dated" }, { startAt: new Date(startedAt + 2 * day) });
    const past = await host.startWorkflow(late, { name: "past" }, { startAt: startedAt - day });
    await past.result();
    expect(counts()).toEqual({ past: 1 });
    await world.clock.advance("59m");
    expect(counts()).toEqual({ past: 1 });
    await world.clock.advance("2m");
    await delayed.result();
    expect(counts()).toEqual({ past: 1, delayed: 1 });
    await world.clock.advance("2d");
    await dated.result();
    await expect(host.startWorkflow(late, { name: "both" }, { delay: 1, startAt: startedAt })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
  });
});
