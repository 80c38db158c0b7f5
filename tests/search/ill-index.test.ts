import { WorkflowHost } from "@wfe/core";
import type { Provider } from "@wfe/core/providers";
import { memory, TestClock } from "@wfe/core/testing";
import { describe, expect, it } from "vitest";
import { hostOn, indexed, moodyIndex, order, places } from "./places.ts";

for (const place of places) {
  describe(`an index that is ill, beside ${place.name}`, () => {
    it("fails no workflow, is seen in health, and equals the store when it is well again", async () => {
      const clock = new TestClock();
      const store = place.open();
      const moody = moodyIndex();
      const host = hostOn([store.connect(), moody.provider], { clock });
      await host.start();
      await host.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "before" });
      await indexed(host, clock);
      moody.mood = "failing";
      const started = Array.from({ length: 200 }, (_, n) => ({
        definition: order,
        data: { customer: "Bob", amount: 5 },
        options: { id: `during-${n}` },
      }));
      await host.startWorkflows(started);
      await clock.advance("1m");
      expect(await host.countWorkflows({ status: "completed" })).toBe(201);
      const { search, ok } = await host.health();
      expect(ok).toBe(true);
      expect(search).toMatchObject({ pending: 400, state: "indexing", refused: 0 });
      expect(search?.lagMs).toBeGreaterThan(55_000);
      expect(search?.error?.message).toBe("the index is down");
      await expect(host.searchWorkflows("bob")).rejects.toThrow("the index is down");
      moody.mood = "well";
      await indexed(host, clock);
      expect((await host.health()).search).toMatchObject({ pending: 0, lagMs: 0 });
      expect((await host.countSearch("bob status:completed")).total).toBe(200);
      await host.stop();
      await store.remove();
    });
  });
}

describe("an index that never answers", () => {
  it("holds up neither workflows nor the stop of the host", async () => {
    const moody = moodyIndex();
    moody.mood = "hanging";
    const host = new WorkflowHost({ providers: [memory(), moody.provider], workflows: [order] });
    await host.start();
    for (let n = 0; n < 50; n++) {
      const handle = await host.startWorkflow(order, { customer: "Bob", amount: 5 });
      await handle.result({ timeout: "10s" });
    }
    expect(moody.calls).toBeGreaterThan(0);
    const begun = performance.now();
    await host.stop();
    expect(performance.now() - begun).toBeLessThan(3_000);
  });
});

describe("an index that refuses a document", () => {
  it("is told in the log and counted, and the others are indexed", async () => {
    const clock = new TestClock();
    const errors: unknown[] = [];
    const { search, ...rest } = memory({ name: "choosy" });
    if (search === undefined) throw new Error("memory() has an index");
    const choosy: Provider = {
      name: "choosy",
      open: rest.open,
      close: rest.close,
      ping: rest.ping,
      search: {
        ...search,
        write: async (changes) => {
          const results = await search.write(changes);
          return results.map((result, n) =>
            changes[n]?.document?.id === "odd" ? { outcome: "refused", error: new Error("not that one") } : result,
          );
        },
      },
    };
    const log = {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (...told: unknown[]) => void errors.push(told),
    };
    const host = hostOn([memory(), choosy], { clock, log });
    await host.start();
    await host.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "odd" });
    await host.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "even" });
    await indexed(host, clock);
    expect((await host.health()).search).toMatchObject({ pending: 0 });
    expect((await host.health()).search?.refused).toBeGreaterThan(0);
    expect(JSON.stringify(errors)).toContain("the search index refuses a workflow");
    expect((await host.searchWorkflows("ann")).items.map(({ id }) => id)).toContain("even");
    await host.stop();
  });
});

describe("an index that is ill, beside a logger that throws", () => {
  it.each([
    ["an error", new Error("the index is down")],
    ["what cannot even be written as text", Object.create(null)],
  ])("is fed again when it is well, also where it throws %s", async (_, thrown) => {
    const clock = new TestClock();
    const { search, ...rest } = memory({ name: "rude" });
    if (search === undefined) throw new Error("memory() has an index");
    let isIll = true;
    const rude: Provider = {
      name: "rude",
      open: rest.open,
      close: rest.close,
      ping: rest.ping,
      search: {
        ...search,
        attach: async (store) => {
          if (isIll) throw thrown;
          return search.attach(store);
        },
      },
    };
    const broken = (): never => {
      throw new Error("the transport has exited");
    };
    const log = { debug: broken, info: broken, warn: broken, error: broken };
    const host = hostOn([memory(), rude], { clock, log });
    await host.start();
    await host.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "one" });
    await clock.advance("1m");
    expect((await host.health()).search?.error).toBeInstanceOf(Error);
    isIll = false;
    await clock.advance("30s");
    await indexed(host, clock);
    expect((await host.searchWorkflows("ann")).items.map(({ id }) => id)).toEqual(["one"]);
    await host.stop();
  });
});
