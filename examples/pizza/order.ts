import {
  event,
  ExecutionResult,
  FatalError,
  retry,
  workflow,
  type StepBody,
  type StepContext,
  type WorkflowDefinition,
} from "@wfe/core";
import { inTransaction } from "@wfe/sqlite";
import { kitchen } from "./kitchen.ts";

/** What a customer orders. */
export interface Order {
  readonly orderId: string;
  readonly customer: string;
  readonly payment: "card" | "cash";
  readonly amount: number;
  readonly pizzas: readonly { readonly name: string; readonly minutes: number }[];
  readonly stamps?: number;
}

export const pickedUp = event<{ courier: string }>("order.picked-up");
export const delivered = event<{ at: string }>("order.delivered");
export const returned = event<{ reason: string }>("order.returned");
export const rated = event<{ stars: number }>("order.rated");
export const tipped = event<{ amount: number }>("order.tipped");

/** A step as a class: one instance per attempt. */
class CheckOrder implements StepBody<Order, { readonly pizzas: number }> {
  run(order: Order, ctx: StepContext): { readonly pizzas: number } {
    kitchen.tell(ctx, `checks the order of ${order.customer}`);
    if (order.pizzas.length === 0) throw new FatalError("an order needs at least one pizza");
    return { pizzas: order.pizzas.length };
  }
}

/** Fails the first time: the terminal is flaky. */
function charge(input: { readonly amount: number }, ctx: StepContext): { readonly chargeId: string } {
  kitchen.tell(ctx, `charges ${input.amount} € (key ${ctx.idempotencyKey})`);
  if (ctx.step.attempt === 1) throw new Error("the card terminal is offline");
  return { chargeId: `charge-${ctx.idempotencyKey}` };
}

/** In the order's own database, in the transaction that records the step: exactly once. */
const reserveIngredients = inTransaction((order: Order, ctx) => {
  ctx.tx.exec("CREATE TABLE IF NOT EXISTS stock (order_id TEXT, pizza TEXT)");
  const insert = ctx.tx.prepare("INSERT INTO stock VALUES (?, ?)");
  for (const pizza of order.pizzas) insert.run(order.orderId, pizza.name);
  kitchen.tell(ctx, "takes the ingredients from the store, in one transaction with the step's result");
  return { reserved: order.pizzas.length };
});

/** Kneads in rounds, keeping count between them. */
function knead(_: unknown, ctx: StepContext): ReturnType<typeof ExecutionResult.persist> | { readonly rounds: number } {
  const rounds = ((ctx.persisted as number | undefined) ?? 0) + 1;
  kitchen.tell(ctx, `kneads the dough, round ${rounds}`);
  return rounds < 3 ? ExecutionResult.persist(rounds) : { rounds };
}

const step =
  (text: string) =>
  (_: unknown, ctx: StepContext): void =>
    kitchen.tell(ctx, text);

/** The courier's part is a workflow of its own. */
export const tour: WorkflowDefinition<{ orderId: string }, { orderId: string; route?: string }> = workflow<{
  orderId: string;
}>()
  .then((_, ctx) => {
    kitchen.tell(ctx, "plans the tour");
    return "by the river";
  })
  .name("Plan tour")
  .as("route")
  .delay("100ms")
  .build("tour", 1);

/** A restaurant's order, with every operator of the builder. */
export const pizzaOrder = workflow<Order>()
  .startWith(CheckOrder)
  .name("Check order")
  .as("checked")
  .ifDo(
    (data) => data.checked.pizzas > 20,
    (b) => b.fail("we cannot bake that many"),
  )
  .decide((data) => data.payment, {
    card: (b) =>
      b
        .then(charge, (data) => ({ amount: data.amount }))
        .name("Charge card")
        .as("charge")
        .onError(retry({ interval: "200ms", maxRetries: 3, backoff: 2, jitter: true }))
        .timeout("30s")
        .compensateWith((data, ctx) => kitchen.tell(ctx, `refunds ${data.charge?.chargeId}`)),
    default: (b) => b.then(step("notes: pays cash")).name("Note cash"),
  })
  .then(reserveIngredients)
  .name("Reserve ingredients")
  .as("stock")
  .graph((g) =>
    g
      .node("dough", knead)
      .node("sauce", step("stirs the sauce"))
      .node("base", step("spreads the sauce on the dough"), { needs: ["dough", "sauce"] }),
  )
  .forEach(
    (data) => data.pizzas,
    (b) =>
      b
        .then((_, ctx) => {
          kitchen.tell(ctx, `bakes ${ctx.item.name}`);
          return `${ctx.item.name} in a box`;
        })
        .name("Bake"),
    { concurrency: 2, as: "boxes" },
  )
  .then((_, ctx) => {
    kitchen.tell(ctx, "looks at the oven");
    return ExecutionResult.outcome(ctx.items.length === 0 ? "hot" : "cold");
  })
  .name("Look at oven")
  .decide({
    hot: (b) => b.then(step("keeps the boxes warm in the oven")).name("Keep warm"),
    cold: (b) => b.then(step("lights the oven")).name("Light oven"),
  })
  .whileDo(
    (data) => (data.stamps ?? 0) < 2,
    (b) =>
      b
        .then((data, ctx) => {
          kitchen.tell(ctx, `stamps the loyalty card, ${ctx.index + 1}`);
          return { stamps: (data.stamps ?? 0) + 1 };
        })
        .name("Stamp")
        .output((_, out) => out),
  )
  .parallel((p) =>
    p
      .branch((b) =>
        b.then(step("writes the invoice")).name("Write invoice").then(step("folds the napkins")).name("Fold napkins"),
      )
      .branch((b) =>
        b
          .waitFor(pickedUp, (data) => data.orderId, {
            timeout: "1h",
            remind: { every: "20m", do: (r) => r.then(step("calls the courier")) },
            onTimeout: (t) => t.then(step("delivers by foot")),
          })
          .name("Wait for courier")
          .as("pickup"),
      )
      .branch((b) => b.then(kitchen.cleanOven).name("Clean oven"))
      .branch((b) =>
        b
          .delay("24h")
          .name("Freshness watch")
          .cancelWhen((data) => data.stock.reserved > 0),
      ),
  )
  .saga((b) =>
    b
      .then(step("reserves the scooter"))
      .name("Reserve scooter")
      .compensateWith(step("gives the scooter back"))
      .then(step("reserves the cooler"))
      .name("Reserve cooler")
      .compensateWithSequence((u) => u.then(step("empties the cooler")).then(step("gives the cooler back")))
      .then((_, ctx) => {
        kitchen.tell(ctx, "starts the scooter: it does not");
        throw new Error("flat battery");
      })
      .name("Start scooter")
      .onFailure((f) => f.then(step("tells the garage"))),
  )
  .name("Scooter")
  .as("scooter")
  .onError("ignore")
  .runWorkflow(tour, (data) => ({ orderId: data.orderId }))
  .name("Tour")
  .as("tour")
  .sleepUntil((_, at) => new Date(at.now + 100))
  .name("Wait for the light")
  .doWhile(
    (b) =>
      b
        .delay("50ms")
        .then((_, ctx) => {
          kitchen.tell(ctx, `looks where the courier is, ${ctx.index + 1}`);
          return { there: ctx.index >= 1 };
        })
        .name("Track")
        .as("tracking"),
    (data) => !data.tracking.there,
  )
  .waitForAny({ delivered, returned }, (data) => data.orderId, { timeout: "1d" })
  .name("Delivered or returned")
  .as("outcome")
  .ifDo(
    (data) => data.outcome.which === "returned",
    (b) => b.then(step("writes off the order")).name("Write off").endWorkflow(),
  )
  .waitForAll({ rated, tipped }, (data) => data.orderId, { timeout: "1d" })
  .name("Rating and tip")
  .as("feedback")
  .onError("ignore")
  .use((b) =>
    b
      .then(step("thanks the customer"))
      .name("Thank")
      .onCrash("suspend")
      .ensure((e) => e.then(step("switches off the light"))),
  )
  .thenFn((data, ctx) => kitchen.tell(ctx, `closes the order: ${data.boxes.join(", ")}`))
  .name("Close order")
  .endWorkflow()
  .build("pizza-order", 1);
