import { event, ExecutionResult, FatalError, retry, workflow, type StepBody, type StepContext } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

interface Order {
  orderId: string;
  amount: number;
  items: { sku: string; qty: number }[];
}

/** A shop: one workflow with a bit of everything, as a user would write it. */
function shop() {
  const did: string[] = [];
  const flights = { full: false };
  async function chargeCard(input: { amount: number }, ctx: StepContext) {
    did.push(`charge ${input.amount}, attempt ${ctx.step.attempt}`);
    if (ctx.step.attempt === 1) throw new Error("the bank does not answer");
    return { chargeId: `ch-${ctx.idempotencyKey.length > 0}` };
  }
  class Reserve implements StepBody<Order, { reserved: number }> {
    run(order: Order) {
      return { reserved: order.items.length };
    }
  }
  const note = (what: string) => () => {
    did.push(what);
  };
  const approved = event<{ by: string }>("order.approved");
  let tracked = 0;
  const order = workflow<Order>()
    .startWith(Reserve)
    .name("Reserve stock")
    .as("stock")
    .then(chargeCard, (data) => ({ amount: data.amount }))
    .as("charge")
    .onError(retry({ interval: "5s", maxRetries: 3, backoff: 2, maxInterval: "1m", jitter: true }))
    .timeout("30s")
    .compensateWith((data, ctx) => {
      did.push(`refund ${data.charge?.chargeId ?? ctx.undoing.idempotencyKey}`);
    })
    .waitFor(approved, (data) => data.orderId, {
      timeout: "5d",
      remind: { every: "1d", do: (b) => b.then(note("remind")) },
    })
    .as("approval")
    .ifDo(
      (data) => data.amount > 100,
      (b) => b.then(note("gift")),
      (b) => b.then(note("card")),
    )
    .forEach(
      (data) => data.items,
      (b) =>
        b.then((_, ctx) => {
          did.push(`pack ${ctx.item.qty} ${ctx.item.sku}`);
          return `${ctx.item.sku} packed`;
        }),
      { concurrency: 4, as: "parcels" },
    )
    .parallel((p) =>
      p
        .branch((b) => b.then((data) => `invoice to ${data.approval.by}`).as("invoice"))
        .branch((b) => b.then(() => "label").as("label")),
    )
    .doWhile(
      (b) =>
        b
          .delay("1h")
          .then(() => ({ delivered: ++tracked >= 3 }))
          .as("tracking"),
      (data) => !data.tracking.delivered,
    )
    .saga((b) =>
      b
        .then(note("book flight"))
        .compensateWith(note("cancel flight"))
        .then(() => {
          if (flights.full) throw new FatalError("hotel is full");
          return ExecutionResult.next("hotel");
        })
        .as("hotel")
        .compensateWith(note("cancel hotel")),
    )
    .thenFn((data) => {
      did.push(`${data.invoice}, ${data.parcels.join(", ")}`);
    })
    .endWorkflow()
    .build("order", 1);
  return { order, approved, did, flights };
}

const data: Order = {
  orderId: "o-1",
  amount: 120,
  items: [
    { sku: "pen", qty: 2 },
    { sku: "ink", qty: 1 },
  ],
};

describe.each(stores)("an order of a shop, on $name", (store) => {
  it("goes from stock to delivery, over days, a restart and a crash", async () => {
    await using world = new World(store);
    const { order, approved, did } = shop();
    const first = await world.start([order]);
    const { id } = await first.startWorkflow(order, data, { id: "order-o-1" });
    await world.clock.advance("36h");
    await first.stop();
    const second = await world.start([order]);
    await world.clock.advance("24h");
    world.kill(second);
    const host = await world.start([order]);
    await host.publishEvent(approved, "o-1", { by: "ann" });
    await world.clock.advance("4h");
    expect(await host.handle(order, id).result()).toEqual({
      ...data,
      stock: { reserved: 2 },
      charge: { chargeId: "ch-true" },
      approval: { by: "ann" },
      parcels: ["pen packed", "ink packed"],
      invoice: "invoice to ann",
      label: "label",
      tracking: { delivered: true },
      hotel: "hotel",
    });
    expect(did).toEqual([
      "charge 120, attempt 1",
      "charge 120, attempt 2",
      "remind",
      "remind",
      "gift",
      "pack 2 pen",
      "pack 1 ink",
      "book flight",
      "invoice to ann, pen packed, ink packed",
    ]);
    const details = await host.getWorkflow(id);
    expect(details?.steps[0]).toMatchObject({ name: "Reserve stock", status: "completed" });
    const seqs = [...new Set((await historyOf(host, id)).map(({ seq }) => seq))];
    expect(seqs).toEqual(seqs.map((_, index) => index));
  });

  it("is undone as a whole when its last part fails, and told so", async () => {
    await using world = new World(store);
    const { order, approved, did, flights } = shop();
    flights.full = true;
    const host = await world.start([order]);
    const handle = await host.startWorkflow(order, { ...data, amount: 20, items: [] });
    await world.clock.advance("1m");
    await host.publishEvent(approved, "o-1", { by: "bob" });
    await world.clock.advance("4h");
    await expect(handle.result()).rejects.toMatchObject({
      code: "WORKFLOW_FAILED",
      cause: { code: "FATAL", message: "hotel is full" },
    });
    expect(did.slice(2)).toEqual(["card", "book flight", "cancel hotel", "cancel flight", "refund ch-true"]);
  });

  it("is not approved in five days: it fails and gives the money back", async () => {
    await using world = new World(store);
    const { order, did } = shop();
    const host = await world.start([order]);
    const handle = await host.startWorkflow(order, data);
    await world.clock.advance("6d");
    await expect(handle.result()).rejects.toMatchObject({ cause: { code: "WAIT_TIMEOUT" } });
    expect(did.slice(2)).toEqual(["remind", "remind", "remind", "remind", "refund ch-true"]);
  });
});
