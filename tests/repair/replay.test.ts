import { replay, retry, workflow, type HistoryFile, type WorkflowDefinition } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

interface Order {
  readonly amount: number;
  readonly items: readonly string[];
}

interface Change {
  readonly limit?: number;
  readonly items?: (data: Order) => readonly string[];
  readonly event?: string;
  readonly key?: string;
  readonly pause?: string;
  readonly timeout?: string;
  readonly retries?: number;
  readonly pay?: (data: Order) => object;
  readonly double?: number;
  readonly compensates?: boolean;
  readonly child?: string;
  readonly gift?: boolean;
  readonly extra?: "before" | "after" | "inside" | "parallel";
  readonly without?: "pay" | "ship";
  readonly renamed?: string;
  readonly rounds?: number;
  readonly concurrency?: number;
  readonly asOf?: "start" | "now";
}

let failures = 0;
let bodies = 0;
const ran = (): void => void bodies++;

function order(version: number, change: Change = {}): WorkflowDefinition<Order, any> {
  const { limit = 100, pause = "1h", retries = 2, double = 2, rounds = 2, concurrency = 4 } = change;
  let b: any = workflow<Order>();
  if (change.extra === "before") b = b.then(ran).id("extra");
  if (change.without !== "pay") {
    b = b
      .then(
        () => {
          bodies++;
          if (failures-- > 0) throw new Error("no money yet");
          return { n: 7 };
        },
        change.pay ?? ((data: Order) => ({ amount: data.amount })),
      )
      .id(change.renamed ?? "pay")
      .output((_: Order, out: { n: number }) => ({ paid: out.n * double }))
      .onError(retry({ interval: "1s", maxRetries: retries }));
    if (change.compensates !== false) b = b.compensateWith(ran);
  }
  if (change.extra === "after") b = b.then(ran).id("extra");
  b = b
    .ifDo(
      (data: Order) => data.amount > limit,
      (c: any) => c.then(ran).id("gift"),
      change.gift === true ? (c: any) => c.then(ran).id("card") : undefined,
    )
    .id("generous")
    .forEach(
      change.items ?? ((data: Order) => data.items),
      (c: any) => (change.extra === "inside" ? c.then(ran).id("pack").then(ran).id("wrap") : c.then(ran).id("pack")),
      { concurrency },
    )
    .id("all items")
    .whileDo(
      (data: { round?: number }) => (data.round ?? 0) < rounds,
      (c: any) =>
        c
          .then((data: { round?: number }) => (data.round ?? 0) + 1)
          .id("turn")
          .as("round"),
    )
    .id("rounds")
    .delay(pause)
    .id("pause");
  b = b
    .parallel((p: any) => {
      const two = p.branch((c: any) => c.then(ran).id("left")).branch((c: any) => c.then(ran).id("right"));
      return change.extra === "parallel" ? two.branch((c: any) => c.then(ran).id("third")) : two;
    })
    .id("both")
    .runWorkflow(change.child ?? "invoice", () => ({}))
    .id("invoice")
    .waitFor(change.event ?? "shipped", change.key ?? "k", {
      ...(change.timeout === undefined ? {} : { timeout: change.timeout }),
      ...(change.asOf === undefined ? {} : { asOf: change.asOf }),
    })
    .id("shipping");
  if (change.without !== "ship") b = b.then(ran).id("ship");
  return b.then(ran).id("done").build("order", version);
}

const invoice = workflow().then(ran).build("invoice", 1);

/** What was changed, and the steps at which the history goes another way. */
const changes: readonly (readonly [Change, readonly (string | undefined)[]])[] = [
  [{ limit: 1_000 }, ["pay"]],
  [{ limit: 200 }, ["pay"]],
  [{ items: (data) => data.items.slice(1) }, ["generous"]],
  [{ items: (data) => [...data.items, "sample"] }, ["generous"]],
  [{ event: "sent" }, ["invoice"]],
  [{ key: "other" }, ["invoice"]],
  [{ timeout: "5d" }, ["invoice"]],
  [{ pause: "2h" }, ["rounds"]],
  [{ retries: 0 }, ["pay"]],
  [{ pay: (data) => ({ amount: data.amount + 1 }) }, [undefined]],
  [{ double: 3 }, ["pay"]],
  [{ compensates: false }, ["pay"]],
  [{ child: "bill" }, ["both"]],
  [{ extra: "before" }, [undefined]],
  [{ extra: "after" }, ["pay"]],
  [{ extra: "inside" }, ["pack"]],
  [{ extra: "parallel" }, ["pause"]],
  [{ without: "ship" }, ["shipping"]],
  [{ without: "pay" }, [undefined]],
  [{ rounds: 1 }, ["rounds"]],
];

describe.each(stores)("replay on $name", (store) => {
  it("finds no difference with its own definition, and with 20 others the places that were changed, running no body", async () => {
    await using world = new World(store);
    const own = order(1);
    const host = await world.start([own, invoice]);
    failures = 1;
    const handle = await host.startWorkflow(own, { amount: 150.5, items: ["a", "b", "c"] });
    await world.clock.advance("2h");
    await host.publishEvent("shipped", "k", { by: "ann" });
    await handle.result();
    const history: HistoryFile = await host.exportWorkflow(handle.id);
    const before = bodies;
    expect(replay(history, own)).toEqual([]);
    const found = changes.map(([change]) => replay(history, order(2, change)).map(({ stepId }) => stepId));
    expect(found).toEqual(changes.map(([, steps]) => steps));
    expect(bodies).toBe(before);
    // What is not decided by a definition is no difference.
    expect(replay(history, order(2, { gift: true, concurrency: 3 + 1 }))).toEqual([]);
    const [first] = replay(history, order(2, { extra: "after" }));
    expect(first).toMatchObject({ reason: "then scope opened `generous`, now step scheduled `extra`" });
  });

  it("says what stands in the way", async () => {
    expect(() => replay("nonsense", order(1))).toThrow(/file/u);
    const other = workflow().then(ran).build("other", 1);
    await using world = new World(store);
    const own = order(1);
    const host = await world.start([own, invoice]);
    failures = 0;
    const handle = await host.startWorkflow(own, { amount: 1, items: [] });
    await world.settle();
    const history = await host.exportWorkflow(handle.id);
    expect(() => replay(history, other)).toThrow(/`order`/u);
    expect(() => replay(history, {} as never)).toThrow(/definition/u);
    expect(replay(history, own)).toEqual([]);
  });
});

const one = (made: object): WorkflowDefinition<any, any> =>
  workflow<any>()
    .then(ran)
    .id("a")
    .output(() => made)
    .build("one", 1);

const misses: readonly (readonly [string, object, object, string])[] = [
  [
    "a large number",
    { phone: 4_915_112_345_678 },
    { phone: 4_915_112_345_679 },
    "step completed `a`: `patch.phone` was 4915112345678, and is now 4915112345679",
  ],
  [
    "a date by a second",
    { job: { due: new Date("2031-01-01T00:00:00Z") } },
    { job: { due: new Date("2031-01-01T00:00:01Z") } },
    "step completed `a`: `patch.job.due` was 2031-01-01T00:00:00.000Z, and is now 2031-01-01T00:00:01.000Z",
  ],
  [
    "a time as text",
    { due: "2031-01-01T00:00:00Z" },
    { due: "2031-01-01T00:00:02Z" },
    'step completed `a`: `patch.due` was "2031-01-01T00:00:00Z", and is now "2031-01-01T00:00:02Z"',
  ],
  [
    "what is called attempt",
    { job: { attempt: 1 } },
    { job: { attempt: 9 } },
    "step completed `a`: `patch.job.attempt` was 1, and is now 9",
  ],
  [
    "what is called stack",
    { jobs: [{ stack: "tcp" }] },
    { jobs: [{ stack: "udp" }] },
    'step completed `a`: `patch.jobs[0].stack` was "tcp", and is now "udp"',
  ],
  [
    "what is called dueAt",
    { dueAt: 1_000 },
    { dueAt: 2_000 },
    "step completed `a`: `patch.dueAt` was 1000, and is now 2000",
  ],
  [
    "a long text",
    { text: "x".repeat(1_000) },
    {},
    `step completed \`a\`: \`patch.text\` was "${"x".repeat(79)}…, and is now nothing`,
  ],
];

describe.each(stores)("replay of data on $name", (store) => {
  it.each(misses)("tells of %s", async (_, before, after, reason) => {
    await using world = new World(store);
    const host = await world.start([one(before)]);
    const handle = await host.startWorkflow(one(before), {});
    await world.settle();
    const history = await host.exportWorkflow(handle.id);
    expect(replay(history, one(before))).toEqual([]);
    expect(replay(history, one(after)).map((difference) => difference.reason)).toEqual([reason]);
  });

  it("takes what is made of the time of the decision for the same, in whatever form", async () => {
    await using world = new World(store);
    const timed = (more: number): WorkflowDefinition<any, any> =>
      workflow<any>()
        .then(ran)
        .id("a")
        .output((_, __, at: any) => ({
          at: at.now,
          date: new Date(+at.now + 60_000),
          text: new Date(+at.now).toISOString(),
        }))
        .then(ran)
        .id("b")
        .output((data: any, __, at: any) => ({ tookMs: at.now - data.at + more }))
        .build("timed", 1);
    const host = await world.start([timed(0)]);
    const handle = await host.startWorkflow(timed(0), {});
    await world.settle();
    expect((await handle.get())?.data).toMatchObject({ tookMs: expect.any(Number), text: expect.any(String) });
    const history = await host.exportWorkflow(handle.id);
    expect(replay(history, timed(0))).toEqual([]);
    // The time of a commit is a little later than that of its decision.
    const late = history
      .split("\n")
      .map((line) => (line.startsWith("{") ? JSON.parse(line) : undefined))
      .map((line) => (typeof line?.seq === "number" ? { ...line, at: line.at + 700 } : line))
      .map((line) => (line === undefined ? "" : JSON.stringify(line)));
    expect(replay(late.join("\n"), timed(0))).toEqual([]);
    expect(replay(history, timed(10_000))).toHaveLength(1);
  });
});
