import { describe, expect, it, onTestFinished } from "vitest";
import type { WorkflowDefinition } from "../../../src/definition/definition.ts";
import { WorkflowHost } from "../../../src/host/workflow-host.ts";
import type { Provider } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { child, define, delay, forEach, step, wait } from "./definitions.ts";
import { hostOf } from "./hosts.ts";

/** Starts workflows, and runs none. */
function clientOf(store: Provider, clock: TestClock, workflows: readonly WorkflowDefinition[]): WorkflowHost {
  const client = new WorkflowHost({ providers: [store], clock, workflows });
  onTestFinished(() => client.stop());
  return client;
}

/** The store, with its claims on record. */
function counted(store: Provider): { readonly store: Provider; readonly calls: Record<string, number> } {
  const calls: Record<string, number> = {};
  const persistence = new Proxy(store.persistence as object, {
    get: (target, name: string) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...given: unknown[]): unknown => {
        calls[name] = (calls[name] ?? 0) + 1;
        return Reflect.apply(value, target, given) as unknown;
      };
    },
  });
  return { store: Object.assign(Object.create(store) as Provider, { persistence }), calls };
}

describe("a host that takes only some workflows", () => {
  it("leaves others alone that are due, of the same definition too", async () => {
    const ran: string[] = [];
    const definition = define("d", [
      step("a", (data) => void ran.push(`${data.n}:a`)),
      delay("pause", "2m"),
      step("b", (data) => void ran.push(`${data.n}:b`)),
    ]);
    const { host, clock, store } = await hostOf([definition], { only: ["mine", "later"] });
    await host.startWorkflow(definition, { n: "other" }, { id: "other" });
    const mine = await host.startWorkflow(definition, { n: "mine" }, { id: "mine" });
    await clock.advance("1m");
    expect(ran).toEqual(["mine:a"]);
    // One that is started by somebody else, after the host.
    await clientOf(store, clock, [definition]).startWorkflow(definition, { n: "later" }, { id: "later" });
    await clock.advance("1m");
    await mine.result();
    await clock.advance("2m");
    expect(ran).toEqual(["mine:a", "later:a", "mine:b", "later:b"]);
    expect(await host.getWorkflow("other")).toMatchObject({ status: "runnable" });
  });

  it("means workflows of its own namespace", async () => {
    const ran: string[] = [];
    const definition = define("d", [step("a", (_, ctx) => void ran.push(ctx.workflow.namespace))]);
    const { host, clock } = await hostOf([definition], { only: ["x"], namespace: "n" });
    await host.in("m").startWorkflow(definition, {}, { id: "x" });
    await host.startWorkflow(definition, {}, { id: "x" });
    await clock.advance("1m");
    expect(ran).toEqual(["n"]);
  });

  it("runs children, and theirs", async () => {
    const leaf = define("leaf", [delay("pause", "90s"), step("l", (data) => data.item)]);
    const middle = define("middle", [child("m", "leaf", { input: (data) => data })]);
    const outer = define("outer", [
      forEach("each", () => [1, 2, 3], [child("c", "middle", { input: (_, ctx) => ({ item: ctx.item }) })]),
    ]);
    const { host, clock } = await hostOf([leaf, middle, outer], { only: ["top"] });
    await host.startWorkflow(leaf, { item: 9 }, { id: "stranger" });
    const top = await host.startWorkflow(outer, {}, { id: "top" });
    await clock.advance("2m");
    await top.result();
    const { items } = await host.listWorkflows({ status: "completed" });
    expect(items).toHaveLength(7);
    expect(items.map(({ id }) => id)).not.toContain("stranger");
  });

  it("finds the children that a parked workflow has already, and those that another host starts", async () => {
    const leaf = define("leaf", [delay("pause", "10m"), step("l", () => "leaf")]);
    const middle = define("middle", [delay("before", "5m"), child("m", "leaf")]);
    const outer = define("outer", [child("c", "middle")]);
    const all = [leaf, middle, outer];
    const store = memory();
    const clock = new TestClock();
    const before = await hostOf(all, { store, clock });
    await before.host.startWorkflow(outer, {}, { id: "top" });
    await before.host.startWorkflow(leaf, {}, { id: "stranger" });
    await clock.advance("1m");
    const { host } = await hostOf(all, { store, clock, only: ["top"] });
    await clock.advance("1s");
    // Only now the first host starts the grandchild, and then it is gone.
    const stopped = before.host.stop({ timeout: 0 });
    await clock.advance("10s");
    await stopped;
    await clock.advance("20m");
    expect(await host.handle("top").result()).toMatchObject({ c: { m: { l: "leaf" } } });
    expect(await host.getWorkflow("stranger")).toMatchObject({ status: "waiting" });
  });

  it("stops the children of a workflow that is terminated", async () => {
    const leaf = define("leaf", [wait("w", "never", "k")]);
    const outer = define("outer", [child("c", "leaf")]);
    const store = memory();
    const clock = new TestClock();
    const before = await hostOf([leaf, outer], { store, clock });
    await before.host.startWorkflow(outer, {}, { id: "top" });
    await clock.settle();
    const stopped = before.host.stop({ timeout: 0 });
    await clock.advance("10s");
    await stopped;
    const { host } = await hostOf([leaf, outer], { store, clock, only: ["top"] });
    const accepted = await host.terminateWorkflow("top");
    await clock.advance("5s");
    await accepted.applied();
    const { items } = await host.listWorkflows({});
    expect(items.map(({ status }) => status)).toEqual(["terminated", "terminated"]);
  });

  it("does not ask again and again for what stays due for others", async () => {
    const definition = define("d", [step("a", () => 1), wait("w", "e", "k")]);
    const { store, calls } = counted(memory());
    const { host, clock } = await hostOf([definition], { store, only: ["mine", "nobody"] });
    for (let n = 0; n < 20; n++) await host.startWorkflow(definition, {}, { id: `other-${n}` });
    await host.startWorkflow(definition, {}, { id: "mine" });
    await clock.advance("10s");
    expect(await host.getWorkflow("mine")).toMatchObject({ status: "waiting" });
    const { claim: claims = 0, find: finds = 0 } = calls;
    await clock.advance("60s");
    // The poll's, once a second.
    expect((calls["claim"] ?? 0) - claims).toBeLessThanOrEqual(70);
    expect((calls["claim"] ?? 0) - claims).toBeGreaterThanOrEqual(50);
    expect((calls["find"] ?? 0) - finds).toBeLessThanOrEqual(70);
    await host.publishEvent("e", "k");
    await clock.settle();
    expect(await host.getWorkflow("mine")).toMatchObject({ status: "completed" });
  });

  it("asks for nothing where none of them is there", async () => {
    const definition = define("d", [step("a", () => 1)]);
    const { store, calls } = counted(memory());
    const { host, clock } = await hostOf([definition], { store, only: ["nobody"] });
    await host.startWorkflow(definition, {}, { id: "other" });
    await clock.advance("60s");
    expect(calls["claim"]).toBeUndefined();
    expect(calls["find"]).toBeLessThanOrEqual(80);
  });

  it("wakes at the time of an event that was published for later", async () => {
    const definition = define("d", [wait("w", "e", "k")]);
    const { host, clock } = await hostOf([definition], { only: ["mine"] });
    await host.startWorkflow(definition, {}, { id: "mine" });
    await clock.settle();
    await host.publishEvent("e", "k", 1, { effectiveAt: new Date(clock.now() + 1_500) });
    await clock.advance(1_600);
    expect(await host.getWorkflow("mine")).toMatchObject({ status: "completed" });
  });
});
