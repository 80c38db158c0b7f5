import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { event, ExecutionResult, retry, type StepContext, workflow, type WorkflowDefinition } from "@wfe/core";
import { effectOf, type StoreSpec } from "./stores/crash-store.ts";

/** Where the steps leave traces, and how they reach the host they run in. */
export interface Surroundings {
  /** Where the transactional steps write. */
  readonly store: StoreSpec;
  /** Where `attempts.log` is written, where it is. */
  readonly directory?: string;
  /** Told of each body that begins. */
  readonly noted?: (attempt: Attempt) => void;
  readonly publish: (name: string, key: string, payload: unknown, id: string) => Promise<unknown>;
}

/** A line of `attempts.log`: a body began. It outlives the process at once, as a call to another service would. */
export interface Attempt {
  readonly workflow: string;
  /** Names one execution, whatever its key is: the step, with the item or the iteration. */
  readonly execution: string;
  readonly key: string;
  readonly attempt: number;
  readonly pid: number;
}

/** One kind of workflow, and a model of what has to become of it. */
export interface Kind {
  readonly definition: WorkflowDefinition;
  readonly data: (random: () => number) => Record<string, any>;
  /** How many events it waits for, under its own id, with the payloads `{ n: 1 }`, `{ n: 2 }`... */
  readonly events?: (data: Record<string, any>) => number;
  /** The final data, beside what it was started with. */
  readonly result: (id: string, data: Record<string, any>) => Record<string, unknown>;
  /** What its transactional steps have written, in this order unless `anyOrder` says otherwise. */
  readonly effects: (id: string, data: Record<string, any>) => readonly string[];
  readonly anyOrder?: true;
}

export const ticked = event<{ n: number }>("mix.ticked");
const relayed = event<{ from: string }>("mix.relayed");

/** Workflows that together use every way of going on that there is. */
export function mixOf({ store, directory, noted: hear, publish }: Surroundings): Readonly<Record<string, Kind>> {
  const log = directory === undefined ? undefined : join(directory, "attempts.log");

  const note = (ctx: Pick<StepContext, "workflow" | "step" | "idempotencyKey">, part = ""): void => {
    const attempt: Attempt = {
      workflow: ctx.workflow.id,
      execution: `${ctx.step.id}${part}`,
      key: ctx.idempotencyKey,
      attempt: ctx.step.attempt,
      pid: process.pid,
    };
    if (log !== undefined) appendFileSync(log, `${JSON.stringify(attempt)}\n`);
    hear?.(attempt);
  };

  /** A body that takes some milliseconds, as most do. */
  const noted = <Input, Output>(
    name: string,
    body: (input: Input, ctx: StepContext) => Output | Promise<Output>,
    part: (ctx: StepContext) => string = () => "",
  ): ((input: Input, ctx: StepContext) => Promise<Output>) =>
    named(name, async (input: Input, ctx: StepContext) => {
      note(ctx, part(ctx));
      await pause(Math.random() * 12);
      return body(input, ctx);
    });

  const effect = named(
    "effect",
    effectOf(store, {
      before: ({ label }, ctx) => note(ctx, ` ${label}`),
      after: ({ label }) => {
        if (label.startsWith("refused")) throw new Error("no money");
      },
    }),
  );

  const chain = workflow<{ n: number }>()
    .startWith(noted("double", ({ n }: { n: number }) => n * 2))
    .as("doubled")
    .then(effect, (data, at) => ({ owner: at.workflow.id, label: `doubled ${data.doubled}` }))
    .as("written")
    .thenFn(noted("halve", ({ doubled }: { doubled: number }) => doubled / 2))
    .as("halved")
    .then(effect, (data, at) => ({ owner: at.workflow.id, label: `halved ${data.halved}` }))
    .thenFn(noted("end", () => "ended"))
    .as("end")
    .build("mix-chain", 1);

  const loop = workflow<{ times: number; round: number; sum: number }>()
    .whileDo(
      (data) => data.round < data.times,
      (b) =>
        b
          .then(
            noted(
              "add",
              ({ round }: { round: number }) => round + 1,
              ({ index }) => ` ${index}`,
            ),
          )
          .output((data, round) => ({ round, sum: data.sum + round })),
    )
    .then(effect, (data, at) => ({ owner: at.workflow.id, label: `sum ${data.sum}` }))
    .build("mix-loop", 1);

  const fan = workflow<{ items: number[] }>()
    .forEach(
      (data) => data.items,
      (b) =>
        b
          .then(
            noted(
              "square",
              (_, ctx) => ctx.item * ctx.item,
              ({ index }) => ` ${index}`,
            ),
          )
          .as("square")
          .then(effect, (data, at) => ({ owner: at.workflow.id, label: `${at.item} squared is ${data.square}` })),
      { concurrency: 3, as: "squares" },
    )
    .build("mix-fan", 1);

  const flaky = noted("flaky", (_, ctx) => {
    if (ctx.step.attempt < 3) throw new Error("not yet");
    return "at last";
  });
  const retries = workflow<{ n: number }>()
    .startWith(flaky)
    .as("flaky")
    .onError(retry({ interval: "5ms", maxRetries: 5, backoff: 2 }))
    .build("mix-retries", 1);

  const branches = workflow<{ n: number }>()
    .parallel((p) =>
      p
        .branch((b) =>
          b
            .delay("30ms")
            .then(noted("slow", () => "slow"))
            .as("slow"),
        )
        .branch((b) => b.then(effect, (_, at) => ({ owner: at.workflow.id, label: "beside" })).as("beside"))
        .branch((b) =>
          b
            .then(flaky)
            .onError(retry({ interval: "5ms", maxRetries: 5 }))
            .as("flaky"),
        )
        .branch((b) =>
          b
            .then(noted("first", () => 1))
            .as("one")
            .then(noted("second", () => 2))
            .as("two"),
        ),
    )
    .then(effect, (data, at) => ({ owner: at.workflow.id, label: `joined ${data.slow} ${data.two}` }))
    .build("mix-branches", 1);

  const saga = workflow<{ price: number }>()
    .saga((b) =>
      b
        .then(effect, (_, at) => ({ owner: at.workflow.id, label: "flight" }))
        .as("flight")
        .compensateWith(effect, (_, at) => ({ owner: at.workflow.id, label: "undo flight" }))
        .then(noted("seat", () => "12a"))
        .compensateWith(noted("unseat", () => undefined))
        .parallel((p) =>
          p.branch((branch) =>
            branch
              .then(effect, (_, at) => ({ owner: at.workflow.id, label: "hotel" }))
              .compensateWithSequence((undo) =>
                undo
                  .then(effect, (_, at) => ({ owner: at.workflow.id, label: "undo hotel" }))
                  .delay("5ms")
                  .then(effect, (_, at) => ({ owner: at.workflow.id, label: "close hotel" })),
              ),
          ),
        )
        .then(effect, (data, at) => ({ owner: at.workflow.id, label: data.price > 50 ? "refused" : "paid" }))
        .compensateWith(effect, (_, at) => ({ owner: at.workflow.id, label: "undo payment" })),
    )
    .as("trip")
    .onError("ignore")
    .then(effect, (data, at) => ({ owner: at.workflow.id, label: data.trip.ok ? "travel" : "stay" }))
    .as("then")
    .build("mix-saga", 1);

  const events = workflow<{ count: number; got: number[] }>()
    .whileDo(
      (data) => data.got.length < data.count,
      (b) =>
        b
          .waitFor(ticked, (_, at) => at.workflow.id)
          .output((data, { n }) => ({ got: [...data.got, n] }))
          .then(
            noted(
              "look",
              ({ got }: { got: number[] }) => got.length,
              ({ index }) => ` ${index}`,
            ),
          ),
    )
    .build("mix-events", 1);

  const timers = workflow<{ n: number }>()
    .delay("40ms")
    .then(effect, (_, at) => ({ owner: at.workflow.id, label: "delayed" }))
    .sleepUntil((_, at) => new Date(at.now + 25))
    .waitFor("mix.never", "", {
      timeout: "30ms",
      onTimeout: (b) => b.then(effect, (_, at) => ({ owner: at.workflow.id, label: "timed out" })),
    })
    .then(
      named("naps", (_: unknown, ctx: StepContext) => {
        note(ctx);
        const naps: number = ctx.persisted ?? 0;
        return naps < 2 ? ExecutionResult.sleep("15ms", naps + 1) : `after ${naps}`;
      }),
    )
    .as("naps")
    .build("mix-timers", 1);

  const child = workflow<{ owner: string; n: number }>()
    .startWith(noted("multiply", ({ n }: { n: number }) => n * 10))
    .as("product")
    .delay("10ms")
    .then(effect, (data) => ({ owner: data.owner, label: `child ${data.n}` }))
    .build("mix-child", 1);
  const family = workflow<{ n: number }>()
    .parallel((p) =>
      p
        .branch((b) => b.runWorkflow(child, (data, at) => ({ owner: at.workflow.id, n: data.n })).as("a"))
        .branch((b) => b.runWorkflow(child, (data, at) => ({ owner: at.workflow.id, n: data.n + 1 })).as("b")),
    )
    .then(noted("gather", ({ a, b }: { a: { product: number }; b: { product: number } }) => a.product + b.product))
    .as("total")
    .build("mix-family", 1);

  const relay = workflow<{ n: number }>()
    .startWith(
      noted("relay", async (_, ctx) => {
        await publish(relayed.name, ctx.workflow.id, { from: ctx.workflow.id }, ctx.idempotencyKey);
      }),
    )
    .waitFor(relayed, (_, at) => at.workflow.id)
    .as("heard")
    // However often the step before it was attempted, it has published one event.
    .waitFor(relayed, (_, at) => at.workflow.id, { timeout: "20ms", onTimeout: (b) => b.then(noted("quiet", () => 0)) })
    .as("second")
    .build("mix-relay", 1);

  const graph = workflow<{ n: number }>()
    .graph((g) =>
      g
        .node(
          "left",
          noted("left", ({ n }: { n: number }) => n + 1),
        )
        .node(
          "right",
          noted("right", ({ n }: { n: number }) => n + 2),
        )
        .node(
          "sum",
          noted("sum", ({ left, right }: { left: number; right: number }) => left + right),
          {
            needs: ["left", "right"],
          },
        ),
    )
    .then(effect, (data, at) => ({ owner: at.workflow.id, label: `graph ${data.sum}` }))
    .build("mix-graph", 1);

  const number = (random: () => number): { n: number } => ({ n: Math.floor(random() * 100) });
  return {
    chain: {
      definition: chain,
      data: number,
      result: (_, { n }) => ({ doubled: n * 2, written: `doubled ${n * 2}`, halved: n, end: "ended" }),
      effects: (_, { n }) => [`doubled ${n * 2}`, `halved ${n}`],
    },
    loop: {
      definition: loop,
      data: (random) => ({ times: 3 + Math.floor(random() * 12), round: 0, sum: 0 }),
      result: (_, { times }) => ({ round: times, sum: (times * (times + 1)) / 2 }),
      effects: (_, { times }) => [`sum ${(times * (times + 1)) / 2}`],
    },
    fan: {
      definition: fan,
      data: (random) => ({ items: Array.from({ length: 2 + Math.floor(random() * 7) }, (_, index) => index * 3) }),
      result: (_, { items }) => ({ squares: items.map((item: number) => `${item} squared is ${item * item}`) }),
      effects: (_, { items }) => items.map((item: number) => `${item} squared is ${item * item}`),
      anyOrder: true,
    },
    retries: { definition: retries, data: number, result: () => ({ flaky: "at last" }), effects: () => [] },
    branches: {
      definition: branches,
      data: number,
      result: () => ({ slow: "slow", beside: "beside", flaky: "at last", one: 1, two: 2 }),
      effects: () => ["beside", "joined slow 2"],
    },
    saga: {
      definition: saga,
      data: (random) => ({ price: Math.floor(random() * 100) }),
      result: (_, { price }) =>
        price > 50
          ? { flight: "flight", trip: { ok: false, error: "no money" }, then: "stay" }
          : { flight: "flight", trip: { ok: true }, then: "travel" },
      effects: (_, { price }) =>
        price > 50
          ? ["flight", "hotel", "undo payment", "undo hotel", "close hotel", "undo flight", "stay"]
          : ["flight", "hotel", "paid", "travel"],
    },
    events: {
      definition: events,
      data: (random) => ({ count: 2 + Math.floor(random() * 6), got: [] }),
      events: ({ count }) => count,
      result: (_, { count }) => ({ got: Array.from({ length: count }, (_each, index) => index + 1) }),
      effects: () => [],
    },
    timers: {
      definition: timers,
      data: number,
      result: () => ({ naps: "after 2" }),
      effects: () => ["delayed", "timed out"],
    },
    family: {
      definition: family,
      data: number,
      result: (id, { n }) => ({
        a: { owner: id, n, product: n * 10 },
        b: { owner: id, n: n + 1, product: (n + 1) * 10 },
        total: n * 20 + 10,
      }),
      effects: (_, { n }) => [`child ${n}`, `child ${n + 1}`],
      anyOrder: true,
    },
    child: {
      definition: child,
      data: (random) => ({ owner: "nobody", n: Math.floor(random() * 100) }),
      result: (_, { n }) => ({ product: n * 10 }),
      effects: () => [],
    },
    relay: {
      definition: relay,
      data: number,
      result: (id) => ({ heard: { from: id }, second: undefined }),
      effects: () => [],
    },
    graph: {
      definition: graph,
      data: number,
      result: (_, { n }) => ({ left: n + 1, right: n + 2, sum: 2 * n + 3 }),
      effects: (_, { n }) => [`graph ${2 * n + 3}`],
    },
  };
}

/** The kinds that are started by themselves; children are started by their parents. */
export const kindNames: readonly string[] = [
  "chain",
  "loop",
  "fan",
  "retries",
  "branches",
  "saga",
  "events",
  "timers",
  "family",
  "relay",
  "graph",
];

function named<Body extends (...args: never) => unknown>(name: string, body: Body): Body {
  return Object.defineProperty(body, "name", { value: name });
}
