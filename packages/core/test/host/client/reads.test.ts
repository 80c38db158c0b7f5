import { afterEach, describe, expect, it } from "vitest";
import type { DefinitionNode } from "../../../src/definition/nodes.ts";
import { InvalidOptionError } from "../../../src/errors.ts";
import { WorkflowHost } from "../../../src/host/workflow-host.ts";
import type { WorkflowSummary } from "../../../src/host/client/workflow-views.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, step, wait } from "./definitions.ts";

const branching: DefinitionNode = {
  kind: "if",
  id: "choice",
  name: "Choice",
  condition: (data) => data.amount > 100,
  then: { nodes: [step("gift", () => "gift")] },
  otherwise: { nodes: [step("card", () => "card")] },
};
const order = define("order", [
  step("charge", (data) => ({ charged: data.amount }), { name: "Charge the card" }),
  wait("approval", "approved", "k"),
  branching,
  step("ship", () => new Date(0), { compensation: { nodes: [step("unship", () => {})] } }),
]);
const failing = define("failing", [
  step("bad", () => {
    throw new Error("no");
  }),
  step("never", () => 1),
]);
const sleeping = define("sleeping", [{ kind: "delay", id: "nap", name: "nap", duration: "1h" }]);

const hosts: WorkflowHost[] = [];
afterEach(() => Promise.all(hosts.splice(0).map((host) => host.stop())));

async function running() {
  const clock = new TestClock();
  const host = new WorkflowHost({ providers: [memory()], workflows: [order, failing, sleeping], clock });
  hosts.push(host);
  await host.start();
  return { clock, host };
}

describe("getWorkflow", () => {
  it("tells exactly how a workflow stands", async () => {
    const { host, clock } = await running();
    const createdAt = clock.now();
    await host.startWorkflow(order, { amount: 5 }, { id: "o", tags: ["eu"] });
    await clock.settle();
    expect(await host.getWorkflow("o")).toEqual({
      id: "o",
      namespace: "default",
      definitionId: "order",
      version: 1,
      definitionHash: order.hash,
      status: "waiting",
      data: { amount: 5, charge: { charged: 5 } },
      error: undefined,
      reason: undefined,
      priority: 0,
      tags: ["eu"],
      createdAt,
      completedAt: undefined,
      waitingFor: [{ event: "approved", key: "k" }],
      seq: expect.any(Number),
      parentId: undefined,
      steps: [
        { id: "charge", name: "Charge the card", kind: "step", status: "completed", attempt: 1, runs: 1 },
        { id: "approval", name: "approval", kind: "wait", status: "waiting", attempt: 1, runs: 1 },
        { id: "choice", name: "Choice", kind: "if", status: "pending", attempt: 0, runs: 0 },
        { id: "gift", name: "gift", kind: "step", status: "pending", attempt: 0, runs: 0 },
        { id: "card", name: "card", kind: "step", status: "pending", attempt: 0, runs: 0 },
        { id: "ship", name: "ship", kind: "step", status: "pending", attempt: 0, runs: 0 },
      ],
    });
  });

  it("tells of one that has completed, with the branch that was not taken skipped", async () => {
    const { host, clock } = await running();
    const handle = await host.startWorkflow(order, { amount: 500 }, { id: "o" });
    await clock.advance("1m");
    await host.publishEvent("approved", "k", "yes");
    await handle.result();
    const details = await host.getWorkflow("o");
    expect(details).toMatchObject({ status: "completed", completedAt: clock.now(), waitingFor: [] });
    expect(details?.data["ship"]).toEqual(new Date(0));
    expect(details?.steps.map(({ id, status }) => [id, status])).toEqual([
      ["charge", "completed"],
      ["approval", "completed"],
      ["choice", "completed"],
      ["gift", "completed"],
      ["card", "skipped"],
      ["ship", "completed"],
    ]);
  });

  it("tells of one that has failed, with its error and what is still to come", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(failing, {}, { id: "f" });
    await expect(handle.result()).rejects.toThrow();
    const details = await host.getWorkflow("f");
    expect(details).toMatchObject({ status: "failed", error: { message: "no", stepId: "bad", attempt: 1 } });
    expect(details?.error).toBeInstanceOf(Error);
    expect(details?.steps.map(({ id, status }) => [id, status])).toEqual([
      ["bad", "failed"],
      ["never", "pending"],
    ]);
  });

  it("shows a step that sleeps, and knows it by id alone where the definition is not registered", async () => {
    const { host, clock } = await running();
    const provider = memory();
    const runner = new WorkflowHost({ providers: [provider], workflows: [sleeping], clock });
    const client = new WorkflowHost({ providers: [provider], clock });
    hosts.push(runner, client);
    await runner.start();
    await client.startWorkflow(sleeping, {}, { id: "s" });
    await clock.settle();
    expect((await client.getWorkflow("s"))?.steps).toEqual([
      { id: "nap", name: "nap", kind: undefined, status: "sleeping", attempt: 1, runs: 1 },
    ]);
    expect(await host.getWorkflow("s")).toBeUndefined();
    await expect(host.getWorkflow("")).rejects.toThrow(InvalidOptionError);
  });
});

describe("history and stateAt", () => {
  it("give every fact with its turn, gapless from 0", async () => {
    const { host, clock } = await running();
    const handle = await host.startWorkflow(order, { amount: 5 }, { id: "o" });
    await clock.settle();
    await host.publishEvent("approved", "k", { by: "ann" });
    await handle.result();
    const { items, cursor } = await host.history("o");
    expect(cursor).toBeUndefined();
    const seqs = [...new Set(items.map(({ seq }) => seq))];
    expect(seqs).toEqual(seqs.map((_, index) => index));
    for (const item of items) expect(item).toMatchObject({ at: clock.now(), host: expect.stringContaining("-") });

    const find = (kind: string, stepId?: string) => items.find((item) => item.kind === kind && item.stepId === stepId);
    expect(find("workflow-started")).toMatchObject({ seq: 0, data: { amount: 5 } });
    expect(find("step-completed", "charge")).toMatchObject({
      attempt: 1,
      output: { charged: 5 },
      executionId: expect.any(String),
    });
    expect(find("event-awaited", "approval")).toMatchObject({ waitingFor: [{ event: "approved", key: "k" }] });
    expect(find("event-consumed", "approval")).toMatchObject({
      event: { name: "approved", key: "k", number: 1 },
    });
    expect(find("step-completed", "approval")).toMatchObject({ output: { by: "ann" } });
    expect(items.at(-1)).toMatchObject({ kind: "workflow-completed" });
    expect(items.every(({ stepId }) => stepId !== "")).toBe(true);
  });

  it("come in pages of any size", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(order, { amount: 5 }, { id: "o" });
    await host.publishEvent("approved", "k");
    await handle.result();
    const { items } = await host.history("o", { limit: 1_000 });
    for (const limit of [1, 2, 3, items.length - 1, items.length]) {
      const paged = [];
      let cursor: string | undefined;
      do {
        const page = await handle.history({ limit, ...(cursor === undefined ? {} : { cursor }) });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        expect(page.items.length).toBeGreaterThan(0);
        paged.push(...page.items);
        ({ cursor } = page);
      } while (cursor !== undefined);
      expect(paged).toEqual(items);
    }
    await expect(host.history("o", { cursor: "nonsense" })).rejects.toThrow(InvalidOptionError);
    await expect(host.history("o", { limit: 0 })).rejects.toThrow(InvalidOptionError);
    await expect(host.history("o", { offset: 1 } as never)).rejects.toThrow(InvalidOptionError);
  });

  it("agree: the state after each turn is what the history tells", async () => {
    const { host, clock } = await running();
    const handle = await host.startWorkflow(order, { amount: 5 }, { id: "o" });
    await clock.settle();
    await host.publishEvent("approved", "k", "yes");
    await handle.result();
    const { items } = await host.history("o");
    const awaited = items.find(({ kind }) => kind === "event-awaited");
    const past = await host.stateAt("o", awaited?.seq ?? -1);
    expect(past).toMatchObject({
      id: "o",
      seq: awaited?.seq,
      at: awaited?.at,
      status: "waiting",
      data: { amount: 5, charge: { charged: 5 } },
      waitingFor: [{ event: "approved", key: "k" }],
    });
    expect(past.steps.find(({ id }) => id === "approval")?.status).toBe("waiting");
    const last = items.at(-1)?.seq ?? -1;
    expect(await host.stateAt("o", last)).toMatchObject({ status: "completed", data: { approval: "yes" } });
    await expect(host.stateAt("o", last + 1)).rejects.toThrow("has no turn");
    await expect(host.stateAt("o", -1)).rejects.toThrow(InvalidOptionError);
  });
});

describe("listWorkflows and countWorkflows", () => {
  it("find what matches, newest first, in pages", async () => {
    const { host, clock } = await running();
    for (let index = 0; index < 5; index++) {
      await host.startWorkflow(sleeping, {}, { id: `s-${index}`, tags: [index % 2 === 0 ? "even" : "odd"] });
      await clock.advance("1m");
    }
    await host.startWorkflow(failing, {}, { id: "f" });
    await host.startWorkflow(order, {}, { id: "o" });
    await clock.settle();

    const ids = async (filter: object): Promise<string[]> =>
      (await host.listWorkflows(filter)).items.map(({ id }) => id);
    expect(await ids({ definitionId: "sleeping" })).toEqual(["s-4", "s-3", "s-2", "s-1", "s-0"]);
    expect(await ids({ tag: "odd" })).toEqual(["s-3", "s-1"]);
    expect(await ids({ status: "failed" })).toEqual(["f"]);
    expect(await ids({ status: ["failed", "completed"] })).toEqual(["f"]);
    expect(await ids({ waitingForEvent: "approved" })).toEqual(["o"]);
    expect(await ids({ createdBefore: clock.now() - 200_000 })).toEqual(["s-1", "s-0"]);
    expect(await ids({ createdAfter: new Date(clock.now() - 60_001), definitionId: "sleeping" })).toEqual(["s-4"]);
    expect(await ids({ version: 2 })).toEqual([]);
    expect(await host.countWorkflows()).toBe(7);
    expect(await host.countWorkflows({ tag: "even", status: "waiting" })).toBe(3);

    const all: WorkflowSummary[] = [];
    let cursor: string | undefined;
    do {
      const page = await host.listWorkflows({ limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      all.push(...page.items);
      ({ cursor } = page);
    } while (cursor !== undefined);
    expect(all.length).toBe(7);
    expect(new Set(all.map(({ id }) => id)).size).toBe(7);
    expect(all.find(({ id }) => id === "f")).toMatchObject({ status: "failed", error: { message: "no" } });
  });

  it.each([
    [{ state: "failed" }],
    [{ status: "done" }],
    [{ status: ["failed", "done"] }],
    [{ version: "1" }],
    [{ limit: 1_001 }],
    [{ createdAfter: "yesterday" }],
    [{ cursor: 5 }],
  ])("refuse %j", async (filter) => {
    const { host } = await running();
    await expect(host.listWorkflows(filter as never)).rejects.toThrow(InvalidOptionError);
  });

  it("refuse a page where only a number is asked for", async () => {
    const { host } = await running();
    await expect(host.countWorkflows({ limit: 5 } as never)).rejects.toThrow(InvalidOptionError);
  });
});
