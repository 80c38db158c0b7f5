// Compiled, never run: the program at the top of the contract, as it is, with stubs for what it calls.
import { workflow, event, retry, type StepBody, type StepContext, type WorkflowDefinition } from "@wfe/core";
import { is, type Same } from "./assertions.ts";

declare function pay(amount: number, options: { idempotencyKey: string; signal: AbortSignal }): Promise<string>;
declare function refund(chargeOrKey: string): Promise<void>;
declare function sendReminder(order: Order): Promise<void>;
declare function sendGift(order: Order): Promise<void>;
declare function sendCard(order: Order): Promise<void>;
declare function pack(item: { sku: string; qty: number }): Promise<{ parcel: string }>;
declare function invoice(order: Order): Promise<{ number: string }>;
declare function label(order: Order): string;
declare function track(data: { parcels: { parcel: string }[] }): Promise<{ delivered: boolean }>;
declare function bookFlight(order: Order): Promise<{ flight: string }>;
declare function cancelFlight(data: { flight?: { flight: string } }): Promise<void>;
declare function bookHotel(order: Order): Promise<{ hotel: string }>;
declare function cancelHotel(data: { hotel?: { hotel: string } }, ctx: StepContext): Promise<void>;

interface Order {
  orderId: string;
  amount: number;
  items: { sku: string; qty: number }[];
}

async function chargeCard(input: { amount: number }, ctx: StepContext) {
  return { chargeId: await pay(input.amount, { idempotencyKey: ctx.idempotencyKey, signal: ctx.signal }) };
}
class Reserve implements StepBody<Order, { reserved: number }> {
  run(order: Order) {
    return { reserved: order.items.length };
  }
}

const approved = event<{ by: string }>("order.approved");

// oxfmt-ignore
const order = workflow<Order>()
  .startWith(Reserve).name("Reserve stock").as("stock")
  .then(chargeCard, (data) => ({ amount: data.amount })).as("charge")
    .onError(retry({ interval: "5s", maxRetries: 3, backoff: 2, maxInterval: "1m", jitter: true }))
    .timeout("30s")
    .compensateWith((data, ctx) => refund(data.charge?.chargeId ?? ctx.undoing.idempotencyKey))
  .waitFor(approved, (data) => data.orderId, { timeout: "5d", remind: { every: "1d", do: (b) => b.then(sendReminder) } }).as("approval")
  .ifDo((data) => data.amount > 100, (b) => b.then(sendGift), (b) => b.then(sendCard))
  .forEach((data) => data.items, (b) => b.then((_, ctx) => pack(ctx.item)), { concurrency: 4, as: "parcels" })
  .parallel((p) => p
    .branch((b) => b.then(invoice).as("invoice"))
    .branch((b) => b.then(label).as("label")))
  .doWhile((b) => b.delay("1h").then(track).as("tracking"), (data) => !data.tracking.delivered)
  .saga((b) => b
    .then(bookFlight).as("flight").compensateWith(cancelFlight)
    .then(bookHotel).as("hotel").compensateWith(cancelHotel))
  .thenFn((data) => console.log(data.invoice))
  .endWorkflow()
  .build("order", 1);

/** What the workflow ends with. */
export interface Result extends Order {
  stock: { reserved: number };
  charge: { chargeId: string };
  approval: { by: string };
  parcels: { parcel: string }[];
  invoice: { number: string };
  label: string;
  tracking: { delivered: boolean };
  flight: { flight: string };
  hotel: { hotel: string };
}

type Ended = typeof order extends WorkflowDefinition<infer Data, infer Ended> ? [Data, Ended] : never;
is<Same<Ended[0], Order>>();
is<Same<{ [Key in keyof Ended[1]]: Ended[1][Key] }, { [Key in keyof Result]: Result[Key] }>>();

/** A smaller result type may be written, where declarations must be. */
export const annotated: WorkflowDefinition<Order, { stock: { reserved: number } }> = order;
