import { afterEach, describe, expect, it } from "vitest";
import {
  InvalidOptionError,
  InvalidValueError,
  LimitExceededError,
  RefusedError,
  ResultTimeoutError,
  WorkflowIdConflictError,
  WorkflowNotFoundError,
} from "../../../src/errors.ts";
import type { WorkflowClient } from "../../../src/host/client/workflow-client.ts";
import type { HistoryItem } from "../../../src/host/client/history.ts";
import { WorkflowHost } from "../../../src/host/workflow-host.ts";
import type { Provider } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, step, wait } from "./definitions.ts";

const waiting = define("waiting", [
  step("first", () => "one"),
  wait("approval", "approved", "k"),
  step("last", (data) => data.extra ?? "none"),
]);
let broken = true;
const mendable = define("mendable", [
  step("before", () => "kept"),
  step("fragile", () => {
    if (broken) throw new Error("not yet");
    return "fine";
  }),
  step("after", (data) => `${data.before} ${data.fragile}`),
]);

const hosts: WorkflowHost[] = [];
afterEach(async () => {
  broken = true;
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
});

function make(provider: Provider, clock: TestClock, more: object = {}): WorkflowHost {
  const host = new WorkflowHost({ providers: [provider], workflows: [waiting, mendable], clock, ...more });
  hosts.push(host);
  return host;
}

async function running() {
  const clock = new TestClock();
  const provider = memory();
  const host = make(provider, clock);
  await host.start();
  return { clock, provider, host };
}

async function wholeHistory(host: WorkflowClient, id: string): Promise<readonly HistoryItem[]> {
  return (await host.history(id, { limit: 1_000 })).items;
}

describe("control", () => {
  it("suspends and resumes, once each", async () => {
    const { host } = await running();
    await host.startWorkflow(waiting, {}, { id: "w" });
    await (await host.suspendWorkflow("w", { reason: "holiday" })).applied();
    expect(await host.getWorkflow("w")).toMatchObject({ status: "suspended", reason: "holiday" });
    const again = await host.suspendWorkflow("w");
    await expect(again.applied()).rejects.toThrow(RefusedError);
    await expect(again.applied()).rejects.toMatchObject({ code: "REFUSED", workflowId: "w" });
    await (await host.resumeWorkflow("w")).applied();
    expect((await host.getWorkflow("w"))?.status).toBe("waiting");
    await expect((await host.resumeWorkflow("w")).applied()).rejects.toThrow("not suspended");
  });

  it("terminates once, and not what has ended", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(waiting, {}, { id: "w" });
    const { applied } = await host.terminateWorkflow("w", { reason: "enough", compensate: true });
    await applied();
    expect(await handle.get()).toMatchObject({ status: "terminated", reason: "enough" });
    await expect((await host.terminateWorkflow("w")).applied()).rejects.toThrow(RefusedError);

    const done = await host.startWorkflow(waiting, {}, { id: "done" });
    await host.publishEvent("approved", "k");
    await done.result();
    for (const call of [host.terminateWorkflow("done"), host.suspendWorkflow("done"), host.resumeWorkflow("done")]) {
      await expect((await call).applied()).rejects.toThrow("completed already");
    }
  });

  it("resolves when the call is stored, also from a client and while nobody runs the workflow", async () => {
    const { host, clock, provider } = await running();
    const client = make(provider, clock);
    await client.startWorkflow(waiting, {}, { id: "w" });
    await clock.settle();
    await (await client.suspendWorkflow("w")).applied({ timeout: "1s" });
    await host.stop();
    const resumed = await client.resumeWorkflow("w");
    const applied = resumed.applied({ timeout: "1m" });
    await clock.advance("1m");
    await expect(applied).rejects.toThrow(ResultTimeoutError);
    const next = make(provider, clock);
    await next.start();
    const later = resumed.applied();
    await clock.advance("1s");
    await later;
    expect((await client.getWorkflow("w"))?.status).toBe("waiting");
  });

  it("rejects for an id that is not there", async () => {
    const { host } = await running();
    for (const call of [
      host.suspendWorkflow("nobody"),
      host.resumeWorkflow("nobody"),
      host.terminateWorkflow("nobody"),
      host.retryWorkflow("nobody"),
      host.skipStep("nobody", "a", 1),
      host.setData("nobody", {}),
      host.migrateWorkflow("nobody", 2),
      host.forkWorkflow("nobody", { at: 0 }),
      host.history("nobody"),
      host.stateAt("nobody", 0),
    ]) {
      await expect(call).rejects.toThrow(WorkflowNotFoundError);
    }
    await expect(host.in("other").suspendWorkflow("nobody")).rejects.toMatchObject({
      workflowId: "nobody",
      namespace: "other",
    });
  });

  it("cannot reach a workflow of another namespace", async () => {
    const { host } = await running();
    await host.startWorkflow(waiting, {}, { id: "w" });
    await expect(host.in("other").terminateWorkflow("w")).rejects.toThrow(WorkflowNotFoundError);
    expect((await host.getWorkflow("w"))?.status).not.toBe("terminated");
  });

  it("is refused when the inbox is full", async () => {
    const clock = new TestClock();
    const host = make(memory(), clock, { limits: { inboxDeliveries: 2 } });
    await host.startWorkflow(waiting, {}, { id: "w" });
    await host.suspendWorkflow("w");
    await host.resumeWorkflow("w");
    await expect(host.suspendWorkflow("w")).rejects.toThrow(LimitExceededError);
    await expect(host.suspendWorkflow("w")).rejects.toMatchObject({ limit: 2, workflowId: "w" });
  });

  it("records who asked", async () => {
    const { host } = await running();
    await host.startWorkflow(waiting, {}, { id: "w" });
    const ann = host.as("ann");
    await (await ann.suspendWorkflow("w")).applied();
    await (await ann.in("default").as("bob").setData("w", { extra: 1 })).applied();
    await (await host.resumeWorkflow("w")).applied();
    const items = (await wholeHistory(host, "w")).filter(({ kind }) => kind === "delivery-applied");
    expect(items.map(({ call, actor }) => [call, actor])).toEqual([
      ["suspend", "ann"],
      ["set-data", "bob"],
      ["resume", undefined],
    ]);
    expect(() => host.as("")).toThrow(InvalidOptionError);
  });

  it.each([
    ["an unknown option", (host: WorkflowHost) => host.suspendWorkflow("w", { why: "?" } as never)],
    ["a reason that is no text", (host: WorkflowHost) => host.terminateWorkflow("w", { reason: 5 } as never)],
    ["a flag that is none", (host: WorkflowHost) => host.terminateWorkflow("w", { compensate: 1 } as never)],
    ["a step that is none", (host: WorkflowHost) => host.retryWorkflow("w", { from: "" })],
    ["a step id that is none", (host: WorkflowHost) => host.skipStep("w", undefined as never)],
    ["a patch that is none", (host: WorkflowHost) => host.setData("w", [] as never)],
    ["a version that is none", (host: WorkflowHost) => host.migrateWorkflow("w", "2" as never)],
    ["a turn that is none", (host: WorkflowHost) => host.forkWorkflow("w", { at: -1 })],
    ["a turn that is missing", (host: WorkflowHost) => host.forkWorkflow("w", {} as never)],
    ["a blank id", (host: WorkflowHost) => host.resumeWorkflow("")],
  ])("refuses %s", async (_, call) => {
    const { host } = await running();
    await host.startWorkflow(waiting, {}, { id: "w" });
    await expect(call(host)).rejects.toThrow(InvalidOptionError);
  });

  it("refuses values that cannot be stored, with their path", async () => {
    const { host } = await running();
    await host.startWorkflow(waiting, {}, { id: "w" });
    await expect(host.setData("w", { a: { b: () => 1 } })).rejects.toMatchObject({ path: "patch.a.b" });
    await expect(host.skipStep("w", "approval", { f: Symbol("x") })).rejects.toThrow(InvalidValueError);
  });
});

describe("repair", () => {
  it("retries from the step that failed, with what was done before kept", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(mendable, {}, { id: "m" });
    await expect(handle.result()).rejects.toThrow("not yet");
    broken = false;
    await (await host.retryWorkflow("m")).applied();
    expect(await handle.result()).toEqual({ before: "kept", fragile: "fine", after: "kept fine" });
    await expect((await host.retryWorkflow("m")).applied()).rejects.toThrow("completed");
  });

  it("skips a step that failed, and sets data", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(mendable, {}, { id: "m" });
    await expect(handle.result()).rejects.toThrow("not yet");
    await (await host.setData("m", { before: "mended" })).applied();
    await (await host.skipStep("m", "fragile", "by hand")).applied();
    expect(await handle.result()).toEqual({ before: "mended", fragile: "by hand", after: "mended by hand" });
    expect((await handle.get())?.steps.map(({ id, status }) => [id, status])).toEqual([
      ["before", "completed"],
      ["fragile", "skipped"],
      ["after", "completed"],
    ]);
  });

  it("migrates to another version, or refuses with the reason", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(waiting, {}, { id: "w" });
    await expect((await host.migrateWorkflow("w", 2)).applied()).rejects.toThrow("version 2");
    host.register(
      define(
        "waiting",
        [
          step("first", () => "one"),
          wait("approval", "approved", "k"),
          step("other", () => "new"),
          step("last", () => 1),
        ],
        { version: 2 },
      ),
    );
    await (await host.migrateWorkflow("w", 2)).applied();
    expect((await handle.get())?.version).toBe(2);
    await host.publishEvent("approved", "k", "yes");
    expect(await handle.result()).toMatchObject({ other: "new" });
  });

  it("forks from any point of the history, and leaves the original alone", async () => {
    const { host } = await running();
    const original = await host.startWorkflow(waiting, {}, { id: "w", tags: ["t"], priority: 3 });
    await host.publishEvent("approved", "k", "yes");
    await original.result();
    const items = await wholeHistory(host, "w");
    const awaited = items.find(({ kind }) => kind === "event-awaited");
    const fork = await host.as("ann").forkWorkflow("w", { at: awaited?.seq ?? -1, id: "w-2" });
    expect(fork).toMatchObject({ id: "w-2", created: true });
    await host.publishEvent("approved", "k", "again");
    await fork.result();
    expect(await fork.get()).toMatchObject({ status: "completed", tags: ["t"], priority: 3, definitionId: "waiting" });
    expect((await wholeHistory(host, "w-2"))[0]).toMatchObject({
      seq: 0,
      kind: "workflow-forked",
      forkedFrom: { workflowId: "w", seq: awaited?.seq },
      actor: "ann",
    });
    expect(await wholeHistory(host, "w")).toEqual(items);
  });

  it("refuses a fork where there is nothing to go on with, and an id that is taken", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(waiting, {}, { id: "w" });
    await host.publishEvent("approved", "k", "yes");
    await handle.result();
    const last = (await handle.get())?.seq ?? -1;
    await expect(host.forkWorkflow("w", { at: last })).rejects.toThrow(RefusedError);
    await expect(host.forkWorkflow("w", { at: last + 1 })).rejects.toThrow(InvalidOptionError);
    await expect(host.forkWorkflow("w", { at: 0, id: "w" })).rejects.toThrow(WorkflowIdConflictError);
  });
});
