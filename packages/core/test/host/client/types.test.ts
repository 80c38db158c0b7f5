import { expectTypeOf, it } from "vitest";
import type { WorkflowDefinition } from "../../../src/definition/definition.ts";
import type { EventType } from "../../../src/definition/event-type.ts";
import type { WorkflowData, WorkflowDetails } from "../../../src/host/client/workflow-views.ts";
import type { WorkflowHandle } from "../../../src/host/client/workflow-handle.ts";
import type { WorkflowHost } from "../../../src/host/workflow-host.ts";
import type { LifecycleEvent } from "../../../src/providers/index.ts";

interface Order {
  orderId: string;
  amount: number;
}
interface Done extends Order {
  charge: { id: string };
}

declare const order: WorkflowDefinition<Order, Done>;
declare const refund: WorkflowDefinition<{ reason?: string }, { reason?: string; paid: boolean }>;
declare const anything: WorkflowDefinition;
declare const bare: WorkflowDefinition<{}, { a: number }>;
declare const ping: EventType<undefined>;
declare const untyped: EventType;
declare const approved: EventType<{ by: string }>;
declare const host: WorkflowHost;

/** Never called: only its types are of interest. */
async function programs(): Promise<void> {
  const handle = await host.startWorkflow(order, { orderId: "o", amount: 1 }, { id: "o", delay: "1h" });
  expectTypeOf(handle).toEqualTypeOf<WorkflowHandle<Done>>();
  expectTypeOf(await handle.result({ timeout: "1s" })).toEqualTypeOf<Done>();
  expectTypeOf(await handle.get()).toEqualTypeOf<WorkflowDetails<Partial<Done>> | undefined>();

  // @ts-expect-error the data lacks a key
  await host.startWorkflow(order, { orderId: "o" });
  // @ts-expect-error the data has a key of another type
  await host.startWorkflow(order, { orderId: "o", amount: "1" });
  // @ts-expect-error the data has a key too many
  await host.startWorkflow(order, { orderId: "o", amount: 1, more: 1 });
  // @ts-expect-error an unknown option
  await host.startWorkflow(order, { orderId: "o", amount: 1 }, { ids: "o" });

  // @ts-expect-error the data is missing
  await host.startWorkflow(order);
  expectTypeOf(await host.startWorkflow(bare)).toEqualTypeOf<WorkflowHandle<{ a: number }>>();
  expectTypeOf(await host.startWorkflow(bare, {}, { id: "o" })).toEqualTypeOf<WorkflowHandle<{ a: number }>>();

  expectTypeOf(await (await host.startWorkflow("order", { any: 1 })).result()).toEqualTypeOf<WorkflowData>();
  expectTypeOf(await (await host.startWorkflow<Done>("order", {})).result()).toEqualTypeOf<Done>();
  expectTypeOf(await (await host.startWorkflow(anything, { any: 1 })).result()).toBeAny();

  const [first, second, third] = await host.startWorkflows([
    { definition: order, data: { orderId: "o", amount: 1 }, options: { id: "o" } },
    { definition: refund, data: {} },
    { definition: "other", data: 5 },
  ]);
  expectTypeOf(first).toEqualTypeOf<WorkflowHandle<Done>>();
  expectTypeOf(second).toEqualTypeOf<WorkflowHandle<{ reason?: string; paid: boolean }>>();
  expectTypeOf(third).toEqualTypeOf<WorkflowHandle>();
  const many = await host.startWorkflows(
    ["a", "b"].map((orderId) => ({ definition: order, data: { orderId, amount: 1 }, options: { id: orderId } })),
  );
  expectTypeOf(many).toEqualTypeOf<WorkflowHandle<Done>[]>();
  // @ts-expect-error the data of one item is wrong
  await host.startWorkflows([{ definition: order, data: { orderId: 5, amount: 1 } }]);

  await host.publishEvent(approved, "k", { by: "ann" }, { id: "e" });
  await host.publishEvent("order.approved", "k", { anything: 1 });
  await host.publishEvent("ping", "");
  await host.publishEvent(ping, "k");
  await host.publishEvent(ping, "k", undefined, { id: "e" });
  await host.publishEvent(untyped, "k");
  await host.publishEvent(untyped, "k", { any: 1 });
  // @ts-expect-error the payload is missing
  await host.publishEvent(approved, "k");
  // @ts-expect-error the payload has another type
  await host.publishEvent(approved, "k", { by: 5 });
  await host.publishEvents([
    { event: approved, key: "k", payload: { by: "ann" } },
    { event: "other", key: "k", payload: 5 },
  ]);
  // @ts-expect-error the payload of one item is wrong
  await host.publishEvents([{ event: approved, key: "k", payload: { by: 5 } }]);

  expectTypeOf(await host.handle(order, "o").result()).toEqualTypeOf<Done>();
  expectTypeOf(await host.handle("o").result()).toEqualTypeOf<WorkflowData>();
  const details = await host.getWorkflow("o");
  expectTypeOf(details?.data["charge"].id).toBeAny();

  const { applied } = await host.as("ann").suspendWorkflow("o", { reason: "later" });
  expectTypeOf(await applied()).toBeVoid();
  for await (const event of host.events()) expectTypeOf(event).toEqualTypeOf<LifecycleEvent>();
  const off = host.on("step.completed", (event) => event.stepId);
  expectTypeOf(off).toEqualTypeOf<() => void>();
  host.on("*", () => {});
  // @ts-expect-error there is no such event
  host.on("step.complete", () => {});
}

it("types tell what a program may do", () => {
  expectTypeOf(programs).toBeFunction();
});
