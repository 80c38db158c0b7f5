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
