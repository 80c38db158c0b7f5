import { afterEach, describe, expect, it, vi } from "vitest";
import {
  HostStoppedError,
  InvalidOptionError,
  ResultTimeoutError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowTerminatedError,
} from "../../../src/errors.ts";
import { WorkflowHost } from "../../../src/host/workflow-host.ts";
import type { LifecycleEvent, PersistenceProvider, Provider } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, step, wait } from "./definitions.ts";

const simple = define("simple", [step("a", (data) => ({ got: data.n }))]);
const waiting = define("waiting", [wait("approval", "approved", "k"), step("after", () => "done")]);
const failing = define("failing", [
  step("ok", () => 1),
  step("bad", () => {
    throw Object.assign(new Error("no money"), { code: "E_MONEY" });
  }),
]);
let broken = true;
const mendable = define("mendable", [
  step("fragile", () => {
    if (broken) throw new Error("not yet");
    return "fine";
  }),
]);

const hosts: WorkflowHost[] = [];
afterEach(async () => {
  broken = true;
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
});

function make(provider: Provider, clock: TestClock, more: object = {}): WorkflowHost {
  const host = new WorkflowHost({
    providers: [provider],
    workflows: [simple, waiting, failing, mendable],
    clock,
    ...more,
  });
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

/** Whether a promise is settled once nothing is ready to run any more. */
async function settled(clock: TestClock, promise: Promise<unknown>): Promise<boolean> {
  let ended = false;
  const end = (): void => {
    ended = true;
  };
  promise.then(end, end);
  await clock.settle();
  return ended;
}

describe("result", () => {
  it("gives the final data, at once or when it is there", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(simple, { n: 5 });
    expect(await handle.result()).toEqual({ n: 5, a: { got: 5 } });
    expect(await handle.result()).toEqual({ n: 5, a: { got: 5 } });
    expect(await host.handle(simple, handle.id).result()).toEqual({ n: 5, a: { got: 5 } });
  });

  it("rejects with the step's error, its id and attempt", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(failing, {}, { id: "f" });
    const error = await handle.result().then(
      () => undefined,
      (reason: unknown) => reason as WorkflowFailedError,
    );
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect(error).toMatchObject({ code: "WORKFLOW_FAILED", workflowId: "f", stepId: "bad", attempt: 1 });
    expect(error?.message).toContain("no money");
    expect(error?.cause).toBeInstanceOf(Error);
    expect(error?.cause).toMatchObject({ message: "no money", code: "E_MONEY", stepId: "bad", attempt: 1 });
  });

  it("rejects when the workflow is terminated, with the reason", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(waiting, {}, { id: "t" });
    const result = handle.result();
    await (await host.terminateWorkflow("t", { reason: "not wanted any more" })).applied();
    await expect(result).rejects.toThrow(WorkflowTerminatedError);
    await expect(result).rejects.toThrow("not wanted any more");
    await expect(host.handle("t").result()).rejects.toMatchObject({ code: "WORKFLOW_TERMINATED", workflowId: "t" });
  });

  it("rejects for an id that is not there", async () => {
    const { host } = await running();
    await expect(host.handle("nobody").result()).rejects.toThrow(WorkflowNotFoundError);
  });

  it("is pending while the workflow waits or is suspended, and rejects at its time-out while the workflow goes on", async () => {
    const { host, clock } = await running();
    const handle = await host.startWorkflow(waiting, {}, { id: "w" });
    const bounded = handle.result({ timeout: "1h" });
    const unbounded = handle.result();
    expect(await settled(clock, unbounded)).toBe(false);
    await (await host.suspendWorkflow("w")).applied();
    await clock.advance("59m");
    expect(await settled(clock, bounded)).toBe(false);
    await clock.advance("1m");
    await expect(bounded).rejects.toThrow(ResultTimeoutError);
    await expect(bounded).rejects.toMatchObject({ code: "RESULT_TIMEOUT", workflowId: "w" });
    await (await host.resumeWorkflow("w")).applied();
    await host.publishEvent("approved", "k", "yes");
    expect(await unbounded).toMatchObject({ approval: "yes", after: "done" });
  });

  it("rejects with the reason of its signal", async () => {
    const { host, clock } = await running();
    const handle = await host.startWorkflow(waiting, {});
    await clock.settle();
    const controller = new AbortController();
    const result = handle.result({ signal: controller.signal });
    const reason = new Error("changed my mind");
    controller.abort(reason);
    await expect(result).rejects.toBe(reason);
    await expect(handle.result({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect((await handle.get())?.status).toBe("waiting");
  });

  it.each([[{ timeout: "soon" }], [{ signal: {} }], [{ time: 5 }], [5]])("refuses %j", async (options) => {
    const { host } = await running();
    const handle = await host.startWorkflow(simple, {});
    await expect(handle.result(options as never)).rejects.toThrow(InvalidOptionError);
  });

  it("gives that of the repaired workflow to whoever asks after a retry was accepted", async () => {
    const { host, clock } = await running();
    const handle = await host.startWorkflow(mendable, {}, { id: "m" });
    await expect(handle.result()).rejects.toThrow("not yet");
    broken = false;
    const { applied } = await host.retryWorkflow("m");
    expect(await handle.result()).toMatchObject({ fragile: "fine" });
    await applied();
    expect(await settled(clock, handle.result())).toBe(true);
  });

  it("gives the old failure again where a retry was refused", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(mendable, {}, { id: "m" });
    await expect(handle.result()).rejects.toThrow("not yet");
    const { applied } = await host.retryWorkflow("m", { from: "nowhere" });
    await expect(handle.result()).rejects.toThrow("not yet");
    await expect(applied()).rejects.toThrow("nowhere");
  });

  it("ends a client that looks on from elsewhere, in the same process or by polling alone", async () => {
    const { host, clock, provider } = await running();
    const looking = make(provider, clock);
    const { lifecycle: _, ...mute } = provider;
    const polling = make(
      { ...mute, persistence: { ...(provider.persistence as PersistenceProvider), hints: () => () => {} } },
      clock,
    );
    await host.startWorkflow(waiting, {}, { id: "w" });
    const seen = looking.handle("w").result();
    const polled = polling.handle("w").result();
    await clock.settle();
    await host.publishEvent("approved", "k", 1);
    expect(await seen).toMatchObject({ approval: 1 });
    await clock.advance("2s");
    expect(await polled).toMatchObject({ approval: 1 });
  });

  it("is the same on every host that shares the store, whichever of them ran the workflow", async () => {
    const { host, clock, provider } = await running();
    const other = make(provider, clock, { concurrency: 5 });
    await other.start();
    const handles = await Promise.all(
      Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? host : other).startWorkflow(simple, { n }, { id: `s-${n}` })),
    );
    const here = await Promise.all(handles.map(({ id }) => host.handle(id).result()));
    const there = await Promise.all(handles.map(({ id }) => other.handle(id).result()));
    expect(here).toEqual(handles.map((_, n) => ({ n, a: { got: n } })));
    expect(there).toEqual(here);
  });

  it("is cheap to wait for by the thousand", async () => {
    const clock = new TestClock();
    const provider = memory();
    const persistence = provider.persistence as PersistenceProvider;
    const find = vi.fn(persistence.find);
    const setTimer = vi.spyOn(clock, "setTimer");
    const host = make({ ...provider, persistence: { ...persistence, find } }, clock);
    await host.start();
    const handles = await host.startWorkflows(
      Array.from({ length: 500 }, (_, index) => ({ definition: waiting, data: { index } })),
    );
    await clock.settle();
    find.mockClear();
    setTimer.mockClear();
    const results = Promise.all(handles.flatMap((handle) => Array.from({ length: 10 }, () => handle.result())));
    await clock.settle();
    expect(find.mock.calls.length).toBeLessThan(10);
    expect(setTimer.mock.calls.length).toBeLessThan(10);
    await host.publishEvent("approved", "k", "all");
    expect((await results).length).toBe(5_000);
  });

  it("rejects when the host stops meanwhile, and harms nobody who does not look", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(waiting, {});
    const result = handle.result();
    void handle.result();
    await host.stop();
    await expect(result).rejects.toThrow(HostStoppedError);
    await expect(handle.result()).rejects.toThrow(HostStoppedError);
  });

  it("lets a failure that nobody looks at pass", async () => {
    const { host, clock } = await running();
    const handle = await host.startWorkflow(failing, {});
    void handle.result();
    await clock.settle();
    expect((await handle.get())?.status).toBe("failed");
  });
});

describe("handle.events", () => {
  async function all(events: AsyncIterable<LifecycleEvent>): Promise<string[]> {
    const types: string[] = [];
    for await (const event of events)
      types.push(event.stepId === undefined ? event.type : `${event.type} ${event.stepId}`);
    return types;
  }

  it("tells what happens to the workflow, and ends with its end", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(waiting, {}, { delay: "1h" });
    await host.startWorkflow(simple, {});
    const events = all(handle.events());
    await (await host.terminateWorkflow(handle.id)).applied();
    const told = await events;
    expect([told[0], told.at(-1)]).toEqual(["workflow.started", "workflow.terminated"]);
    expect(told.filter((type) => type === "workflow.terminated").length).toBe(1);
  });

  it("gives each step, in order", async () => {
    const { host, clock } = await running();
    const handle = await host.startWorkflow(waiting, {});
    await clock.settle();
    const events = all(handle.events());
    await host.publishEvent("approved", "k");
    expect(await events).toEqual([
      "step.completed approval",
      "step.started after",
      "step.completed after",
      "workflow.completed",
    ]);
  });

  it("gives the end of a workflow that has ended, and nothing else", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(failing, {});
    await expect(handle.result()).rejects.toThrow();
    const read: LifecycleEvent[] = [];
    for await (const event of handle.events()) read.push(event);
    expect(read).toEqual([
      expect.objectContaining({
        type: "workflow.failed",
        workflowId: handle.id,
        definitionId: "failing",
        error: { name: "Error", message: "no money", code: "E_MONEY" },
      }),
    ]);
  });

  it("ends where no lifecycle provider tells of another host's workflow", async () => {
    const { host, clock, provider } = await running();
    const { lifecycle: _, ...mute } = provider;
    const client = make(mute, clock);
    await host.startWorkflow(waiting, {}, { id: "w" });
    const events = all(client.handle("w").events());
    await clock.settle();
    await host.publishEvent("approved", "k");
    await clock.advance("5s");
    expect(await events).toEqual(["workflow.completed"]);
  });

  it("rejects for an id that is not there", async () => {
    const { host } = await running();
    await expect(all(host.handle("nobody").events())).rejects.toThrow(WorkflowNotFoundError);
  });

  it("stops when its reader breaks off", async () => {
    const { host } = await running();
    const handle = await host.startWorkflow(waiting, {});
    const events = handle.events();
    await events.return?.();
    expect(await events.next()).toEqual({ value: undefined, done: true });
  });
});
