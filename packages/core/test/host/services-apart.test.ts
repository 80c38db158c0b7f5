import { describe, expect, it } from "vitest";
import { event, workflow, WorkflowHost } from "../../src/index.ts";
import { type Provider, StoreError } from "../../src/providers/index.ts";
import { memory, TestClock } from "../../src/testing/index.ts";

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Lock and queue beside a store, which can be out of reach. */
function apart(clock: TestClock): Provider & { isReached: boolean } {
  const { lock, queue, name: _, persistence: _store, lifecycle: _events, ...rest } = memory({ clock });
  const service = {
    ...rest,
    name: "apart",
    isReached: true,
    lock: gated(lock!),
    queue: gated(queue!),
  };
  function gated<Service extends object>(target: Service): Service {
    return new Proxy(target, {
      get: (object, key) => {
        const member: unknown = Reflect.get(object, key);
        if (typeof member !== "function" || key === "hints") return member;
        return (...args: unknown[]) =>
          service.isReached ? Reflect.apply(member, object, args) : Promise.reject(unreachable());
      },
    });
  }
  return service;
}

function unreachable(): StoreError {
  return new StoreError("STORE_UNREACHABLE", "it is out of reach", { outcome: "unknown", transient: true });
}

/** The store as a host has it that hears nothing of what others do there. */
function deaf(store: Provider): Provider {
  return { ...store, persistence: { ...store.persistence!, hints: () => () => {} } };
}

const asked = event<{ n: number }>("asked");
const patient = workflow<{ heard?: number }>()
  .waitFor(asked, (_, ctx) => ctx.workflow.id)
  .output((_, { n }) => ({ heard: n }))
  .build("patient", 1);
const steady = workflow<{ rounds: number }>()
  .whileDo(
    ({ rounds }) => rounds < 20,
    (b) =>
      b
        .delay("5s")
        .thenFn(() => undefined)
        .output(({ rounds }) => ({ rounds: rounds + 1 })),
  )
  .build("steady", 1);

describe("lock and queue beside the store", () => {
  it("are not needed while the store is there: work that is due goes on, for longer than a lease", async () => {
    const clock = new TestClock();
    const service = apart(clock);
    const warnings: string[] = [];
    const log = { ...silent, warn: (message: string) => void warnings.push(message) };
    await using host = new WorkflowHost({ providers: [memory({ clock }), service], workflows: [steady], clock, log });
    await host.start();
    const first = await host.startWorkflow(steady, { rounds: 0 });
    service.isReached = false;
    await clock.advance("1s");
    const second = await host.startWorkflow(steady, { rounds: 0 });
    await clock.advance("3m");
    expect(await first.get()).toMatchObject({ status: "completed", data: { rounds: 20 } });
    expect(await second.get()).toMatchObject({ status: "completed", data: { rounds: 20 } });
    expect(warnings.filter((warning) => warning.startsWith("the lock service cannot be reached"))).toHaveLength(1);
    service.isReached = true;
    await clock.advance("20s");
    expect(await host.health()).toMatchObject({ ok: true, lease: "alive" });
  });

  it("do not keep a host at work that does not reach the store either", async () => {
    const clock = new TestClock();
    const store = memory({ clock });
    const service = apart(clock);
    let isStoreReached = true;
    const owned = (lease: string): ReturnType<NonNullable<Provider["persistence"]>["owned"]> =>
      isStoreReached ? store.persistence!.owned(lease) : Promise.reject(unreachable());
    const providers = [{ ...store, persistence: { ...store.persistence!, owned } }, service];
    await using host = new WorkflowHost({ providers, workflows: [steady], clock, log: silent });
    await host.start();
    service.isReached = false;
    isStoreReached = false;
    await clock.advance("15s");
    expect(await host.health()).toMatchObject({ lease: "lost" });
    isStoreReached = true;
    await clock.advance("5s");
    expect(await host.health()).toMatchObject({ lease: "alive" });
  });

  it.each(["a client", "a host without the definition"])(
    "bring an event that %s publishes to who waits",
    async (who) => {
      const clock = new TestClock();
      const store = memory({ clock });
      const service = apart(clock);
      const shared = { clock, log: silent };
      await using waiting = new WorkflowHost({ ...shared, providers: [deaf(store), service], workflows: [patient] });
      await waiting.start();
      const handle = await waiting.startWorkflow(patient, {});
      await clock.advance("2s");
      await using other = new WorkflowHost({ ...shared, providers: [store, service], workflows: [] });
      if (who !== "a client") await other.start();
      await clock.settle();
      await other.publishEvent(asked, handle.id, { n: 7 });
      await clock.settle();
      // No time has passed: no poll has found it.
      expect(await handle.get()).toMatchObject({ status: "completed", data: { heard: 7 } });
    },
  );
});
