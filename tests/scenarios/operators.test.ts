import { ExecutionResult, retry, type StepBody, type StepContext, workflow, type WorkflowBuilder } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

describe.each(stores)("steps on $name", (store) => {
  it("runs two steps, each once", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const basic = workflow().startWith(step("first")).then(step("second")).build("basic", 1);

    expect((await world.run(basic, {})).status).toBe("completed");
    expect(ran).toEqual(["first", "second"]);
  });

  it("maps data to the input of a step and its output back to data, and leaves the rest alone", async () => {
    await using world = new World(store);
    const addNumbers = (input: { a: number; b: number }) => input.a + input.b;
    const dataIo = workflow<{ value1: number; value2: number; decimal: string; whole: bigint }>()
      .then(addNumbers, (data) => ({ a: data.value1, b: data.value2 }))
      .as("value3")
      .build("data-io", 1);

    const data = { value1: 2, value2: 3, decimal: "1.234567890123456789", whole: 1_234_567_890_123_456_789n };
    expect((await world.run(dataIo, data)).data).toEqual({ ...data, value3: 5 });
  });

  it("writes outputs under keys that are known only at run time", async () => {
    await using world = new World(store);
    const dynamic = workflow<{ key: string; values: Record<string, number> }>()
      .then((data) => (data.values["value1"] ?? 0) + (data.values["value2"] ?? 0))
      .output((data, sum) => ({ values: { ...data.values, [data.key]: sum } }))
      .build("dynamic-data-io", 1);

    const { data } = await world.run(dynamic, { key: "value3", values: { value1: 2, value2: 3 } });
    expect(data.values).toEqual({ value1: 2, value2: 3, value3: 5 });
  });

  it("merges a patch of several keys, made of data and output", async () => {
    await using world = new World(store);
    const patched = workflow<{ total: number }>()
      .then(() => ({ net: 10, tax: 2 }))
      .output((data, out) => ({ total: data.total + out.net, gross: out.net + out.tax }))
      .then((data) => data.gross * 2)
      .as("double")
      .build("patched", 1);

    expect((await world.run(patched, { total: 5 })).data).toEqual({ total: 15, gross: 12, double: 24 });
  });

  it("runs classes, one instance for each attempt, and inline functions", async () => {
    await using world = new World(store);
    let instances = 0;
    class Add implements StepBody<{ a: number }, number> {
      readonly instance = ++instances;
      run(input: { a: number }, ctx: StepContext): number {
        if (ctx.step.attempt === 1) throw new Error("not yet");
        return input.a + this.instance;
      }
    }
    const seen: number[] = [];
    const classes = workflow<{ a: number }>()
      .startWith(Add)
      .as("sum")
      .onError(retry({ interval: "1s" }))
      .thenFn((data) => {
        seen.push(data.sum);
      })
      .build("classes", 1);

    expect((await world.run(classes, { a: 40 })).data.sum).toBe(42);
    expect(instances).toBe(2);
    expect(seen).toEqual([42]);
  });

  it("makes classes with services by `createStep`: shared ones, or new ones for each step", async () => {
    class Clock {
      readonly id = Symbol("clock");
    }
    class Greeter {
      readonly clock: Clock;
      constructor(clock: Clock) {
        this.clock = clock;
      }
    }
    const seen: boolean[] = [];
    class Compare implements StepBody {
      readonly clock: Clock;
      readonly greeter: Greeter;
      constructor(clock: Clock, greeter: Greeter) {
        this.clock = clock;
        this.greeter = greeter;
      }
      run(): void {
        seen.push(this.clock === this.greeter.clock);
      }
    }
    const di = workflow().then(Compare).build("di", 1);
    const transient = (Step: new (...args: any[]) => any) => new Step(new Clock(), new Greeter(new Clock()));
    const scoped = (Step: new (...args: any[]) => any) => {
      const clock = new Clock();
      return new Step(clock, new Greeter(clock));
    };
    for (const createStep of [transient, scoped]) {
      await using world = new World(store);
      expect((await world.run(di, {}, { createStep })).status).toBe("completed");
    }
    expect(seen).toEqual([false, true]);
  });

  it("tells a step who and where it is", async () => {
    await using world = new World(store);
    const seen: unknown[] = [];
    const contextual = workflow<{ a: number }>()
      .then((_, ctx) => {
        const { data, workflow: info, step, index, item, persisted, event } = ctx;
        seen.push({
          data,
          info,
          step: { id: step.id, name: step.name, attempt: step.attempt },
          index,
          item,
          persisted,
          event,
        });
        expect(typeof ctx.idempotencyKey).toBe("string");
        expect(ctx.signal.aborted).toBe(false);
        expect(() => ctx.undoing).toThrow();
      })
      .id("look")
      .name("Look around")
      .build("contextual", 3);
    const host = await world.start([contextual]);
    const handle = await host.startWorkflow(contextual, { a: 1 }, { id: "c-1", tags: ["blue"] });
    await handle.result();

    expect(seen).toEqual([
      {
        data: { a: 1 },
        info: { id: "c-1", definitionId: "contextual", version: 3, namespace: "default", tags: ["blue"] },
        step: { id: "look", name: "Look around", attempt: 1 },
        index: undefined,
        item: undefined,
        persisted: undefined,
        event: undefined,
      },
    ]);
  });

  it("gives steps frozen data, so that a change which would be lost throws", async () => {
    await using world = new World(store);
    const changing = workflow<{ list: number[]; at: Date; tags: Set<string> }>()
      .then((data) => {
        expect(() => data.list.push(1)).toThrow();
        expect(() => data.at.setFullYear(1999)).toThrow();
        expect(() => data.tags.add("x")).toThrow();
        expect(() => Object.assign(data, { more: 1 })).toThrow();
      })
      .build("changing", 1);

    const data = { list: [1], at: new Date(0), tags: new Set(["a"]) };
    expect((await world.run(changing, data)).data).toEqual(data);
  });

  it("splices fragments in with `use`, as if they had been written there", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const notify = (b: WorkflowBuilder<{ who: string }>) =>
      b
        .then((data) => `hello ${data.who}`)
        .as("greeting")
        .then(step("notified"));
    const fragments = workflow<{ who: string }>()
      .then(step("before"))
      .use(notify)
      .then((data) => data.greeting.length)
      .as("length")
      .ifDo(
        () => true,
        (b) => b.use((inner) => inner.then(step("nested")).as("nested")),
      )
      .build("fragments", 1);

    expect((await world.run(fragments, { who: "ann" })).data).toMatchObject({ greeting: "hello ann", length: 9 });
    expect(ran).toEqual(["before", "notified", "nested"]);
  });

  it("persists data of a step and runs it again at once", async () => {
    await using world = new World(store);
    const seen: unknown[] = [];
    const persisting = workflow()
      .then((_, ctx) => {
        seen.push([ctx.step.attempt, ctx.persisted]);
        const done = (ctx.persisted as number | undefined) ?? 0;
        return done < 3 ? ExecutionResult.persist(done + 1) : ExecutionResult.next(`after ${done}`);
      })
      .as("result")
      .build("persisting", 1);

    expect((await world.run(persisting, {})).data.result).toBe("after 3");
    expect(seen.map((each) => (each as unknown[])[1])).toEqual([undefined, 1, 2, 3]);
  });

  it("sleeps inside a step, and keeps what it had persisted", async () => {
    await using world = new World(store);
    const seen: unknown[] = [];
    let startedAt = 0;
    const sleeping = workflow()
      .then((_, ctx) => {
        seen.push(ctx.persisted);
        startedAt ||= world.clock.now();
        if (seen.length === 1) return ExecutionResult.sleep("1h", { page: 1 });
        if (seen.length === 2) return ExecutionResult.sleep("10ms");
        return ExecutionResult.next(world.clock.now() - startedAt);
      })
      .as("took")
      .build("sleeping", 1);

    expect((await world.run(sleeping, {})).data.took).toBe(3_600_010);
    expect(seen).toEqual([undefined, { page: 1 }, { page: 1 }]);
  });

  it("waits for an event inside a step", async () => {
    await using world = new World(store);
    const waiting = workflow<{ order: string }>()
      .then((data, ctx) => {
        if (ctx.event === undefined) return ExecutionResult.waitForEvent("paid", data.order, { asked: true });
        return ExecutionResult.next({ event: ctx.event, persisted: ctx.persisted as unknown });
      })
      .as("seen")
      .build("waiting-inside", 1);
    const host = await world.start([waiting]);
    const handle = await host.startWorkflow(waiting, { order: "o-1" });
    await world.settle();
    expect(await handle.get()).toMatchObject({ status: "waiting", waitingFor: [{ event: "paid", key: "o-1" }] });

    await host.publishEvent("paid", "o-2", "of another");
    await host.publishEvent("paid", "o-1", { amount: 7 });
    expect((await handle.result()).seen).toEqual({
      event: { name: "paid", key: "o-1", payload: { amount: 7 } },
      persisted: { asked: true },
    });
  });
});

describe.each(stores)("branches on $name", (store) => {
  const calculator = workflow<{ op: string }>()
    .decide((data) => data.op, {
      "+": (b) => b.then(() => 2 + 3).as("result"),
      "-": (b) => b.then(() => 2 - 3).as("result"),
    })
    .build("decision", 1);

  it.each([
    ["+", 5],
    ["-", -1],
    ["*", undefined],
  ])("decides on a value: %s gives %s", async (op, result) => {
    await using world = new World(store);
    expect((await world.run(calculator, { op })).data).toEqual(result === undefined ? { op } : { op, result });
  });

  it("decides on numbers, booleans, null and undefined as text, or takes the default", async () => {
    await using world = new World(store);
    const texts = workflow<{ value: number | boolean | null | undefined }>()
      .decide((data) => data.value, {
        1: (b) => b.then(() => "one").as("taken"),
        true: (b) => b.then(() => "yes").as("taken"),
        null: (b) => b.then(() => "nothing").as("taken"),
        default: (b) => b.then(() => "other").as("taken"),
      })
      .build("texts", 1);
    const host = await world.start([texts]);
    const taken = async (value: number | boolean | null | undefined) =>
      (await (await host.startWorkflow(texts, { value })).result()).taken;

    expect([await taken(1), await taken(true), await taken(null), await taken(undefined), await taken(2)]).toEqual([
      "one",
      "yes",
      "nothing",
      "other",
      "other",
    ]);
  });

  it("takes one branch of `ifDo`, or none, one after the other", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const ifs = workflow<{ counter: number }>()
      .then(step("step1"))
      .ifDo(
        (data) => data.counter < 3,
        (b) => b.delay("200ms").then(step("a")),
      )
      .ifDo(
        (data) => data.counter === 5,
        (b) => b.then(step("b")),
      )
      .ifDo(
        (data) => data.counter === 2,
        (b) => b.delay("200ms").then(step("c")),
        (b) => b.then(step("not c")),
      )
      .ifDo(
        (data) => data.counter === 3,
        (b) => b.then(step("d")),
        (b) => b.then(step("not d")),
      )
      .then(step("step2"))
      .build("if", 1);

    await world.run(ifs, { counter: 2 });
    expect(ran).toEqual(["step1", "a", "c", "not d", "step2"]);
  });

  it("follows the outcome of the step before", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const fork = workflow<{ left: boolean }>()
      .then((data) => ExecutionResult.outcome(!data.left))
      .as("chosen")
      .decide({ false: (b) => b.then(step("b")), true: (b) => b.then(step("c")) })
      .then(step("after"))
      .build("fork", 1);

    expect((await world.run(fork, { left: false })).data).toEqual({ left: false, chosen: true });
    expect(ran).toEqual(["c", "after"]);
  });

  it("follows a number as outcome, and runs what comes after once the branch has ended", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const when = workflow()
      .then(() => ExecutionResult.outcome(2))
      .decide({ 2: (b) => b.delay("1s").then(step("b")).then(step("c")) })
      .then(step("after"))
      .build("when", 1);

    await world.run(when, {});
    expect(ran).toEqual(["b", "c", "after"]);
  });

  it("runs nothing where no case fits the outcome", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const none = workflow<{ way: "left" | "neither" }>()
      .then((data) => ExecutionResult.outcome(data.way))
      .decide({ left: (b) => b.then(step("left")) })
      .then(step("after"))
      .build("no-case", 1);

    expect((await world.run(none, { way: "neither" })).status).toBe("completed");
    expect(ran).toEqual(["after"]);
  });
});

describe.each(stores)("loops on $name", (store) => {
  it("repeats a body while the condition holds", async () => {
    await using world = new World(store);
    const { step, counts } = recorder();
    const indices: (number | undefined)[] = [];
    const loop = workflow<{ counter: number }>()
      .then(step("step1"))
      .whileDo(
        (data) => data.counter < 3,
        (b) =>
          b
            .then(step("body"))
            .then((data, ctx) => {
              indices.push(ctx.index);
              return data.counter + 1;
            })
            .as("counter"),
      )
      .then(step("after"))
      .build("while", 1);

    expect((await world.run(loop, { counter: 0 })).data.counter).toBe(3);
    expect(counts()).toEqual({ step1: 1, body: 3, after: 1 });
    expect(indices).toEqual([0, 1, 2]);
  });

  it("does not run the body of `whileDo` where the condition does not hold at first", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const loop = workflow()
      .whileDo(
        () => false,
        (b) => b.then(step("body")).as("never"),
      )
      .then(step("after"))
      .build("while", 1);

    expect((await world.run(loop, {})).data).toEqual({});
    expect(ran).toEqual(["after"]);
  });

  it("goes back to a step with `doWhile`", async () => {
    await using world = new World(store);
    const { step, counts, count } = recorder();
    const attach = workflow()
      .doWhile(
        (b) =>
          b
            .then(step("step1"))
            .then(() => count("step1"))
            .as("runs")
            .ifDo(
              (data) => data.runs < 4,
              (inner) => inner.then(step("step2")),
            ),
        (data) => data.runs < 4,
      )
      .build("attach", 1);

    await world.run(attach, {});
    expect(counts()).toEqual({ step1: 4, step2: 3 });
  });

  it("tells a loop's condition how many iterations it made, in whatever it stands", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const asked: string[] = [];
    const counted = workflow()
      .whileDo(
        (_, at) => at.index < 2,
        (b) => b.then(step("while")),
      )
      .doWhile(
        (b) => b.then(step("do")),
        (_, at) => at.index < 2,
      )
      .forEach(
        () => ["a", "b"],
        (b) =>
          b.doWhile(
            (inner) => inner.then(step("inner")),
            (_, at) => {
              asked.push(`${String(at.item)}${at.index} of ${at.items.length}`);
              return at.index < 2;
            },
          ),
        { concurrency: 1 },
      )
      .build("counted", 1);

    await world.run(counted, {});
    expect(ran).toEqual(["while", "while", "do", "do", "inner", "inner", "inner", "inner"]);
    expect(asked).toEqual(["a1 of 2", "a2 of 2", "b1 of 2", "b2 of 2"]);
  });

  it("nests loops, each with its own index", async () => {
    await using world = new World(store);
    const seen: string[] = [];
    const nested = workflow()
      .then(() => 0)
      .as("outer")
      .whileDo(
        (data) => data.outer < 2,
        (b) =>
          b
            .then((_, ctx) => {
              seen.push(`outer ${ctx.index}`);
              return 0;
            })
            .as("inner")
            .doWhile(
              (inner) =>
                inner
                  .then((data, ctx) => {
                    seen.push(`inner ${ctx.index}`);
                    return data.inner + 1;
                  })
                  .as("inner"),
              (data) => data.inner < 2,
            )
            .then((data, ctx) => {
              seen.push(`after ${ctx.index}`);
              return data.outer + 1;
            })
            .as("outer"),
      )
      .build("nested-loops", 1);

    await world.run(nested, {});
    const once = (index: number) => [`outer ${index}`, "inner 0", "inner 1", `after ${index}`];
    expect(seen).toEqual([...once(0), ...once(1)]);
  });

  it("runs hundreds of iterations", async () => {
    await using world = new World(store);
    const loop = workflow<{ n: number }>()
      .whileDo(
        (data) => data.n < 500,
        (b) => b.then((data) => data.n + 1).as("n"),
      )
      .build("long-loop", 1);

    expect((await world.run(loop, { n: 0 })).data.n).toBe(500);
  });
});

describe.each(stores)("for-each on $name", (store) => {
  const sums = (concurrency: number) => {
    const { step, counts, ran } = recorder();
    const definition = workflow<{ items: number[]; sum?: number; noted?: number }>()
      .then(step("step1"))
      .forEach(
        (data) => data.items,
        (b) =>
          b
            .then(step("step2"))
            .then((_, ctx) => ctx.item)
            .output((data, item) => ({ sum: (data.sum ?? 0) + item, noted: (data.noted ?? 0) + 1 })),
        { concurrency },
      )
      .then(step("step3"))
      .build("for-each", 1);
    return { definition, counts, ran };
  };

  it.each([1, 16])(
    "runs the body for each item, %i at a time, and lets items add to the workflow's data",
    async (concurrency) => {
      await using world = new World(store);
      const { definition, counts } = sums(concurrency);
      expect((await world.run(definition, { items: [2, 2, 3] })).data).toMatchObject({ sum: 7, noted: 3 });
      expect(counts()).toEqual({ step1: 1, step2: 3, step3: 1 });
    },
  );

  it.each([1, 16])("goes past an empty collection, %i at a time", async (concurrency) => {
    await using world = new World(store);
    const { definition, counts } = sums(concurrency);
    expect((await world.run(definition, { items: [] })).data).toEqual({ items: [] });
    expect(counts()).toEqual({ step1: 1, step3: 1 });
  });

  it("keeps the order of items one after the other, although later ones are quicker", async () => {
    await using world = new World(store);
    const order: number[] = [];
    const sync = workflow<{ items: number[]; counter: number }>()
      .forEach(
        (data) => data.items,
        (b) =>
          b
            .delay((_, at) => at.item * 1000)
            .then((_, ctx) => ctx.item)
            .output((_, item) => {
              order.push(item);
              return { counter: item };
            }),
        { concurrency: 1 },
      )
      .build("for-each-sync", 1);

    expect((await world.run(sync, { items: [10, 2, 3], counter: 0 })).data.counter).toBe(3);
    expect(order).toEqual([10, 2, 3]);
  });

  it("overlaps items up to `concurrency`, 16 by default", async () => {
    for (const [concurrency, most] of [
      [undefined, 16],
      [3, 3],
      [1, 1],
    ] as const) {
      await using world = new World(store);
      let atWork = 0;
      let seen = 0;
      const overlapping = workflow()
        .forEach(
          () => Array.from({ length: 20 }, (_, index) => index),
          (b) =>
            b
              .then(() => {
                atWork += 1;
                seen = Math.max(seen, atWork);
              })
              .delay("1s")
              .then(() => {
                atWork -= 1;
              }),
          concurrency === undefined ? {} : { concurrency },
        )
        .build("overlapping", 1);

      await world.run(overlapping, {});
      expect(seen).toBe(most);
    }
  });

  it("collects the last outputs in the order of the items, whatever ends first", async () => {
    await using world = new World(store);
    const collecting = workflow<{ items: number[] }>()
      .forEach(
        (data) => data.items,
        (b) =>
          b
            .delay((_, at) => at.item * 10)
            .then((_, ctx) => ({ index: ctx.index, double: ctx.item * 2, of: ctx.items.length })),
        { as: "results" },
      )
      .build("collecting", 1);

    expect((await world.run(collecting, { items: [30, 10, 20] })).data.results).toEqual([
      { index: 0, double: 60, of: 3 },
      { index: 1, double: 20, of: 3 },
      { index: 2, double: 40, of: 3 },
    ]);
  });

  it("keeps `.as` to the item, and passes it on to the item's later steps, branches and loops", async () => {
    await using world = new World(store);
    const local = workflow<{ items: string[] }>()
      .forEach(
        (data) => data.items,
        (b) =>
          b
            .then((_, ctx) => ctx.item.toUpperCase())
            .as("upper")
            .delay("1s")
            .ifDo(
              (data) => data.upper !== "B",
              (inner) => inner.then((data) => `${data.upper}!`).as("upper"),
            )
            .then((data) => data.upper),
        { as: "shouted" },
      )
      .build("local", 1);

    expect((await world.run(local, { items: ["a", "b", "c"] })).data).toEqual({
      items: ["a", "b", "c"],
      shouted: ["A!", "B", "C!"],
    });
  });

  it("fixes the collection on entry, of any iterable", async () => {
    await using world = new World(store);
    const seen: string[] = [];
    const fixed = workflow<{ items: Set<string> }>()
      .forEach(
        (data) => data.items,
        (b) =>
          b
            .then((_, ctx) => {
              seen.push(ctx.item);
            })
            .output(() => ({ items: new Set(["something", "else"]) })),
        { concurrency: 1 },
      )
      .build("fixed", 1);

    await world.run(fixed, { items: new Set(["x", "y", "z"]) });
    expect(seen).toEqual(["x", "y", "z"]);
  });

  it("nests, the inner item hiding the outer one", async () => {
    await using world = new World(store);
    const nested = workflow<{ rows: number[][] }>()
      .forEach(
        (data) => data.rows,
        (b) =>
          b
            .forEach(
              (_, at) => at.item,
              (inner) => inner.then((_, ctx) => ctx.item * 10 + ctx.index),
              { as: "cells" },
            )
            .then((data) => data.cells),
        { as: "table" },
      )
      .build("nested-for-each", 1);

    expect((await world.run(nested, { rows: [[1, 2], [], [3]] })).data.table).toEqual([[10, 21], [], [30]]);
  });

  it("refuses what cannot be iterated, as a failure of the step", async () => {
    await using world = new World(store);
    const broken = workflow<{ items: number[] }>()
      .forEach(
        (data) => data.items,
        (b) => b.then(() => 1),
      )
      .build("broken", 1);
    const { status, error } = await world.run(broken, { items: 7 as unknown as number[] });
    expect(status).toBe("failed");
    expect(error).toMatchObject({ code: "EXPRESSION" });
  });

  it("takes a thousand items", async () => {
    await using world = new World(store);
    const many = workflow()
      .forEach(
        () => Array.from({ length: 1_000 }, (_, index) => index),
        (b) => b.then((_, ctx) => ctx.item + 1),
        { as: "results" },
      )
      .build("many", 1);
    const { results } = (await world.run(many, {})).data;
    expect(results).toHaveLength(1_000);
    expect(results.every((result, index) => result === index + 1)).toBe(true);
  });
});

describe.each(stores)("parallel branches on $name", (store) => {
  it("joins when all have ended; a branch that waits holds up nobody but the join", async () => {
    await using world = new World(store);
    const { step, counts } = recorder();
    const parallel = workflow()
      .then(step("start"))
      .parallel((p) =>
        p
          .branch((b) => b.then(step("1a")).then(step("1b")))
          .branch((b) => b.then(step("2a")).waitFor("my-event", "0").then(step("2b")))
          .branch((b) => b.then(step("3a")).then(step("3b"))),
      )
      .then(step("end"))
      .build("parallel", 1);
    const host = await world.start([parallel]);
    const handle = await host.startWorkflow(parallel, {});
    await world.settle();
    expect(counts()).toEqual({ start: 1, "1a": 1, "1b": 1, "2a": 1, "3a": 1, "3b": 1 });
    expect((await handle.get())?.status).toBe("waiting");

    await host.publishEvent("my-event", "0", {});
    await handle.result();
    expect(counts()).toEqual({ start: 1, "1a": 1, "1b": 1, "2a": 1, "2b": 1, "3a": 1, "3b": 1, end: 1 });
  });

  it("really overlaps bodies in time", async () => {
    await using world = new World(store);
    const { gated, ran } = recorder();
    const a = gated("a");
    const b = gated("b");
    const overlapping = workflow()
      .parallel((p) => p.branch((x) => x.then(a)).branch((x) => x.then(b)))
      .build("overlapping", 1);
    const host = await world.start([overlapping]);
    const handle = await host.startWorkflow(overlapping, {});
    await world.settle();
    expect(ran.toSorted()).toEqual(["a", "b"]);
    a.open();
    b.open();
    await handle.result();
    expect(ran).toHaveLength(4);
  });

  it("gives each branch its keys, and lets reducers of several branches add to one total", async () => {
    await using world = new World(store);
    const adding = workflow<{ total: number }>()
      .parallel((p) =>
        p
          .branch((b) =>
            b
              .delay("2s")
              .then(() => 1)
              .output((data, out) => ({ total: data.total + out, one: out })),
          )
          .branch((b) =>
            b
              .delay("1s")
              .then(() => 2)
              .output((data, out) => ({ total: data.total + out, two: out })),
          )
          .branch((b) => b.then(() => 4).output((data, out) => ({ total: data.total + out, four: out }))),
      )
      .then((data) => data.one + data.two + data.four)
      .as("sum")
      .build("adding", 1);

    expect((await world.run(adding, { total: 0 })).data).toEqual({ total: 7, one: 1, two: 2, four: 4, sum: 7 });
  });

  it("decides a hundred branches that end at once in few turns", async () => {
    await using world = new World(store);
    const wide = workflow()
      .parallel((p) => {
        let branches = p.branch((b) => b.then(() => 0));
        for (let index = 1; index < 100; index += 1) branches = branches.branch((b) => b.then(() => index));
        return branches;
      })
      .build("wide", 1);
    const { status, seq } = await world.run(wide, {});
    expect(status).toBe("completed");
    expect(seq).toBeLessThan(50);
  });
});

describe.each(stores)("graphs on $name", (store) => {
  it("starts a node when all that it needs are done, and puts outputs under the ids", async () => {
    await using world = new World(store);
    const seen: string[] = [];
    const note =
      <Output>(name: string, output: Output) =>
      () => {
        seen.push(name);
        return output;
      };
    const graph = workflow<{ seed: number }>()
      .graph((g) =>
        g
          .node("a", (data) => data.seed + 1)
          .node("b", note("b", 10))
          .node("c", (data) => data.a + data.b, { needs: ["a", "b"] })
          .node("d", ({ x }: { x: number }) => x * 2, { needs: ["c"], input: (data) => ({ x: data.c + data.a }) })
          .node("e", note("e", "alone")),
      )
      .then((data) => `${data.d} ${data.e}`)
      .as("all")
      .build("graph", 1);

    expect((await world.run(graph, { seed: 1 })).data).toEqual({
      seed: 1,
      a: 2,
      b: 10,
      c: 12,
      d: 28,
      e: "alone",
      all: "28 alone",
    });
  });

  it("overlaps nodes, at most `concurrency` at a time", async () => {
    for (const [concurrency, most] of [
      [undefined, 4],
      [2, 2],
      [1, 1],
    ] as const) {
      await using world = new World(store);
      let atWork = 0;
      let seen = 0;
      const busy = async () => {
        atWork += 1;
        seen = Math.max(seen, atWork);
        await new Promise((resolve) => setImmediate(resolve));
        atWork -= 1;
        return 1;
      };
      const graph = workflow()
        .graph(
          (g) =>
            g
              .node("a", busy)
              .node("b", busy)
              .node("c", busy)
              .node("d", busy)
              .node("end", busy, { needs: ["a", "b", "c", "d"] }),
          concurrency === undefined ? {} : { concurrency },
        )
        .build("busy-graph", 1);
      expect((await world.run(graph, {})).status).toBe("completed");
      expect(seen).toBe(most);
    }
  });

  it("retries a node, and fails as a whole where one fails for good", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const graph = workflow()
      .graph((g) =>
        g
          .node("shaky", failing("shaky", 1))
          .onError(retry({ interval: "1s" }))
          .node("bad", failing("bad"), { needs: ["shaky"] })
          .node("after", step("after"), { needs: ["bad"] }),
      )
      .build("failing-graph", 1);

    expect((await world.run(graph, {})).error).toMatchObject({ message: "bad refused" });
    expect(ran).toEqual(["shaky", "shaky", "bad"]);
  });

  it('waits for the other nodes before it fails, with `onFailure: "wait"`', async () => {
    for (const onFailure of ["cancel", "wait"] as const) {
      await using world = new World(store);
      const { failing, step, ran } = recorder();
      const graph = workflow()
        .graph(
          (g) =>
            g
              .node("bad", failing("bad"))
              .node("slow", (_, ctx) => (ctx.persisted === undefined ? ExecutionResult.sleep("1s", 1) : undefined))
              .node("next", step("next"), { needs: ["slow"] }),
          { onFailure },
        )
        .build("graph-wait", 1);
      expect((await world.run(graph, {})).status).toBe("failed");
      expect(ran).toEqual(onFailure === "wait" ? ["bad", "next"] : ["bad"]);
    }
  });
});

describe.each(stores)("ending early on $name", (store) => {
  it("completes the workflow from inside a loop", async () => {
    await using world = new World(store);
    const { step, counts } = recorder();
    const ending = workflow()
      .then(step("start"))
      .whileDo(
        () => true,
        (b) => b.then(step("mid")).endWorkflow(),
      )
      .then(step("end"))
      .build("end-step", 1);

    expect((await world.run(ending, {})).status).toBe("completed");
    expect(counts()).toEqual({ start: 1, mid: 1 });
  });

  it("completes the workflow from inside a branch, and cancels what runs beside it", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const ending = workflow<{ stop: boolean }>()
      .parallel((p) =>
        p
          .branch((b) => b.delay("1m").then(step("late")))
          .branch((b) =>
            b
              .delay("1s")
              .ifDo(
                (data) => data.stop,
                (inner) => inner.then(step("stop")).endWorkflow(),
              )
              .then(step("not stopped")),
          ),
      )
      .then(step("after"))
      .build("end-in-branch", 1);

    expect((await world.run(ending, { stop: true })).status).toBe("completed");
    expect(ran).toEqual(["stop"]);
  });

  it("completes from inside for-each items, decides and sagas, undoing nothing", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const ending = workflow()
      .saga((s) =>
        s
          .then(step("paid"))
          .compensateWith(step("refund"))
          .forEach(
            () => [1, 2, 3],
            (b) => b.then(step("item")).decide((_, at) => at.item === 2, { true: (inner) => inner.endWorkflow() }),
            { concurrency: 1 },
          ),
      )
      .then(step("after"))
      .build("end-in-items", 1);

    expect((await world.run(ending, {})).status).toBe("completed");
    expect(ran).toEqual(["paid", "item", "item"]);
  });

  it("changes nothing at the end of the chain", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const ending = workflow().then(step("only")).as("only").endWorkflow().build("end-last", 1);
    expect((await world.run(ending, {})).status).toBe("completed");
    expect(ran).toEqual(["only"]);
  });

  it("fails the workflow with a message, made of the data or not", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const failing = workflow<{ stock: number }>()
      .ifDo(
        (data) => data.stock === 0,
        (b) => b.fail((data) => `only ${data.stock} left`),
      )
      .then(step("after"))
      .build("fail", 1);

    const { status, error } = await world.run(failing, { stock: 0 });
    expect(status).toBe("failed");
    expect(error).toMatchObject({ code: "FAIL_STEP", message: "only 0 left" });
    expect(ran).toEqual([]);
  });
});

describe.each(stores)("definitions of every shape on $name", (store) => {
  /** The stored definition of Workflow Core's tests: three branches, two of which wait for what never comes. */
  const definition = (r: ReturnType<typeof recorder>) =>
    workflow<{ flag1: boolean; flag2: boolean; flag3: boolean }>()
      .then(r.step("counter1"))
      .onError(retry())
      .then(r.step("counter2"))
      .ifDo(
        (data) => data.flag1,
        (b) =>
          b.parallel((p) =>
            p
              .branch((x) => x.then(r.step("counter3")).then(r.step("counter4")))
              .branch((x) =>
                x
                  .waitFor("Event1", "Key1", { asOf: "now" })
                  .cancelWhen((data) => data.flag2)
                  .then(r.step("counter5")),
              )
              .branch((x) =>
                x
                  .waitFor("Event1", "Key1", { asOf: "now" })
                  .cancelWhen((data) => data.flag2, { proceed: true })
                  .then(r.step("counter10")),
              ),
          ),
      )
      .then(r.step("counter6"))
      .decide((data) => data.flag3, {
        true: (b) => b.then(r.step("counter7")),
        false: (b) => b.then(r.step("counter8")),
      })
      .build("Test", 1);

  it.each([
    [true, "counter7"],
    [false, "counter8"],
  ])("runs the stored definition, with flag3 %s", async (flag3, last) => {
    await using world = new World(store);
    const r = recorder();
    expect((await world.run(definition(r), { flag1: true, flag2: true, flag3 })).status).toBe("completed");
    expect(r.counts()).toEqual({
      counter1: 1,
      counter2: 1,
      counter3: 1,
      counter4: 1,
      counter6: 1,
      counter10: 1,
      [last]: 1,
    });
  });

  it("skips the branches where flag1 is not set", async () => {
    await using world = new World(store);
    const r = recorder();
    await world.run(definition(r), { flag1: false, flag2: true, flag3: true });
    expect(r.counts()).toEqual({ counter1: 1, counter2: 1, counter6: 1, counter7: 1 });
  });

  it("nests everything in everything", async () => {
    await using world = new World(store);
    const { step, count } = recorder();
    const nested = workflow<{ n: number }>()
      .forEach(
        () => ["a", "b"],
        (b) =>
          b.parallel((p) =>
            p
              .branch((x) =>
                x.saga((s) =>
                  s.whileDo(
                    (data) => data.n < 3,
                    (w) =>
                      w
                        .then(step("count"))
                        .then(() => 1)
                        .output((data, one) => ({ n: data.n + one })),
                  ),
                ),
              )
              .branch((x) =>
                x.graph((g) => g.node("left", step("left")).node("right", step("right"), { needs: ["left"] })),
              )
              .branch((x) =>
                x.decide((_, at) => String(at.item), {
                  a: (d) => d.delay("1s").then(step("was a")),
                  b: (d) =>
                    d.ifDo(
                      () => true,
                      (i) => i.then(step("was b")),
                    ),
                }),
              ),
          ),
        { concurrency: 1 },
      )
      .build("nested", 1);

    const { status, data } = await world.run(nested, { n: 0 });
    expect(status).toBe("completed");
    expect(data.n).toBe(3);
    expect([count("left"), count("right"), count("was a"), count("was b")]).toEqual([2, 2, 1, 1]);
  });
});
