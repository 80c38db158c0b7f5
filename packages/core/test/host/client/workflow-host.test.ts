import { afterEach, describe, expect, it, vi } from "vitest";
import { DefinitionNotFoundError, HostStoppedError, InvalidOptionError, StoreError } from "../../../src/errors.ts";
import { WorkflowHost } from "../../../src/host/workflow-host.ts";
import type { LifecycleEvent, Provider } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, step, wait } from "./definitions.ts";

const simple = define("simple", [step("a", () => 1)]);
const waiting = define("waiting", [wait("approval", "approved", "k")]);
const flaky = define("flaky", [
  step(
    "twice",
    (_, { step: { attempt } }) => {
      if (attempt === 1) throw new Error("once");
    },
    {
      onError: {
        kind: "retry",
        intervalMs: 1_000,
        maxRetries: 3,
        backoff: 1,
        maxIntervalMs: 1_000,
        jitter: false,
        then: "fail",
      },
    },
  ),
]);
const failing = define("failing", [
  step("bad", () => {
    throw new Error("no");
  }),
]);

const hosts: WorkflowHost[] = [];
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop().catch(() => {});
});

function make(more: object = {}): { readonly clock: TestClock; readonly host: WorkflowHost } {
  const clock = new TestClock();
  const host = new WorkflowHost({
    providers: [memory()],
    workflows: [simple, waiting, flaky, failing],
    clock,
    ...more,
  });
  hosts.push(host);
  return { clock, host };
}

describe("a host", () => {
  it("starts and stops, each of them once however often it is called", async () => {
    const provider = memory();
    const open = vi.fn(provider.open);
    const close = vi.fn(provider.close);
    const { host } = make({ providers: [{ ...provider, open, close }] });
    await Promise.all([host.start(), host.start()]);
    await host.start();
    expect(await (await host.startWorkflow(simple, {})).result()).toEqual({ a: 1 });
    await Promise.all([host.stop(), host.stop({ timeout: 0 })]);
    await host.stop();
    expect([open.mock.calls.length, close.mock.calls.length]).toEqual([1, 1]);
  });

  it("says that it was stopped to whoever calls it afterwards", async () => {
    const { host } = make();
    await host.start();
    await host.stop();
    await expect(host.start()).rejects.toThrow(HostStoppedError);
    await expect(host.startWorkflow(simple, {})).rejects.toThrow(HostStoppedError);
    await expect(host.getWorkflow("x")).rejects.toMatchObject({ code: "HOST_STOPPED" });
    await expect(host.handle("x").result()).rejects.toThrow(HostStoppedError);
  });

  it("is stopped at the end of an `await using`", async () => {
    const provider = memory();
    const close = vi.fn(provider.close);
    {
      await using host = new WorkflowHost({ providers: [{ ...provider, close }], clock: new TestClock() });
      await host.start();
    }
    expect(close).toHaveBeenCalledTimes(1);
  });

  it("may be stopped without having been started or used, and says so when its time-out is none", async () => {
    const { host } = make();
    await expect(host.stop({ timeout: "soon" as never })).rejects.toThrow(InvalidOptionError);
    await expect(host.stop({ after: 5 } as never)).rejects.toThrow(InvalidOptionError);
    await host.stop();
  });

  it("may be started again after a start that failed, and closes what it had opened", async () => {
    const first = memory();
    const second = memory();
    const close = vi.fn(first.close);
    let reachable = false;
    const open: Provider["open"] = async (context) => {
      if (!reachable)
        throw new StoreError("STORE_UNREACHABLE", "no connection", { outcome: "not-applied", transient: true });
      return second.open(context);
    };
    const { host } = make({
      providers: [
        { ...first, close },
        { ...second, open },
      ],
    });
    await expect(host.start()).rejects.toThrow("no connection");
    await expect(host.startWorkflow(simple, {})).rejects.toThrow("no connection");
    expect(close).toHaveBeenCalledTimes(2);
    reachable = true;
    await host.start();
    expect(await (await host.startWorkflow(simple, {})).result()).toEqual({ a: 1 });
  });

  it("refuses to start a workflow that it has no definition of, and runs one that is registered later", async () => {
    const { host } = make();
    await host.start();
    const late = define("late", [step("a", () => 2)]);
    await expect(host.startWorkflow(late, {})).rejects.toThrow(DefinitionNotFoundError);
    host.register(late);
    expect(await (await host.startWorkflow(late, {})).result()).toEqual({ a: 2 });
  });

  it("runs what a client has started before", async () => {
    const provider = memory();
    const { host: client, clock } = make({ providers: [provider] });
    const handle = await client.startWorkflow(simple, {}, { id: "early" });
    await clock.advance("1h");
    expect((await handle.get())?.status).toBe("runnable");
    const { host } = make({ providers: [provider], clock });
    await host.start();
    expect(await handle.result()).toEqual({ a: 1 });
  });

  it("becomes a running host after having been a client", async () => {
    const { host } = make();
    const handle = await host.startWorkflow(simple, {});
    const result = handle.result();
    await host.start();
    expect(await result).toEqual({ a: 1 });
  });

  it("lets running steps start workflows and publish while it stops", async () => {
    let began: () => void = () => {};
    const begun = new Promise<void>((resolve) => {
      began = resolve;
    });
    let go: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const provider = memory();
    const { host, clock } = make({ providers: [provider] });
    host.register(
      define("spawning", [
        step("spawn", async () => {
          began();
          await gate;
          await host.startWorkflow(simple, {}, { id: "spawned" });
          return "ok";
        }),
      ]),
    );
    await host.start();
    await host.startWorkflow("spawning", {}, { id: "s" });
    await begun;
    const stopping = host.stop();
    go();
    await stopping;
    const { host: next } = make({ providers: [provider], clock });
    expect(await next.getWorkflow("spawned")).toMatchObject({ status: "runnable" });
  });
});

describe("lifecycle events", () => {
  it("come to listeners of a type, and of all, until they end", async () => {
    const { host, clock } = make();
    await host.start();
    const completed: string[] = [];
    const all: string[] = [];
    const end = host.on("step.completed", ({ stepId }) => completed.push(stepId ?? ""));
    host.on("*", ({ type }) => all.push(type));
    await (await host.startWorkflow(simple, {})).result();
    await clock.settle();
    expect(completed).toEqual(["a"]);
    expect(all).toEqual(["workflow.started", "step.started", "step.completed", "workflow.completed"]);
    end();
    await (await host.startWorkflow(simple, {})).result();
    expect(completed).toEqual(["a"]);
  });

  it("tell of a retry alone where an attempt is repeated, and of one end", async () => {
    const { host, clock } = make();
    await host.start();
    const types: string[] = [];
    host.on("*", ({ type }) => types.push(type));
    const handle = await host.startWorkflow(flaky, {});
    await clock.advance("2s");
    await handle.result();
    expect(types).toEqual([
      "workflow.started",
      "step.started",
      "step.retrying",
      "step.started",
      "step.completed",
      "workflow.completed",
    ]);
  });

  it("can be read as a stream, which ends when its reader breaks off or the host stops", async () => {
    const { host } = make();
    await host.start();
    const broken = host.events();
    const whole = host.events();
    await (await host.startWorkflow(failing, {}, { id: "f" })).result().catch(() => {});
    for await (const { type } of broken) {
      expect(type).toBe("workflow.started");
      break;
    }
    await host.stop();
    const read: LifecycleEvent[] = [];
    for await (const event of whole) read.push(event);
    expect(read.map(({ type }) => type)).toEqual([
      "workflow.started",
      "step.started",
      "step.failed",
      "workflow.failed",
    ]);
    expect(read.at(-1)).toMatchObject({ workflowId: "f", error: { message: "no" } });
  });

  it("stay in their namespace", async () => {
    const { host } = make();
    await host.start();
    const own: string[] = [];
    const others: string[] = [];
    host.on("workflow.completed", ({ workflowId }) => own.push(workflowId));
    host.in("other").on("workflow.completed", ({ workflowId }) => others.push(workflowId));
    await (await host.startWorkflow(simple, {}, { id: "mine" })).result();
    await (await host.in("other").startWorkflow(simple, {}, { id: "theirs" })).result();
    expect([own, others]).toEqual([["mine"], ["theirs"]]);
  });

  it("reach other hosts and clients, once", async () => {
    const provider = memory();
    const { host, clock } = make({ providers: [provider] });
    const { host: client } = make({ providers: [provider], clock });
    await host.start();
    const here: string[] = [];
    const there: string[] = [];
    host.on("*", ({ type }) => here.push(type));
    client.on("*", ({ type }) => there.push(type));
    await clock.settle();
    await (await host.startWorkflow(simple, {})).result();
    await clock.settle();
    expect(there).toEqual(["workflow.started", "step.started", "step.completed", "workflow.completed"]);
    expect(here).toEqual(there);
  });

  it("cannot be asked for by a name that does not exist", () => {
    const { host } = make();
    expect(() => host.on("step.complete" as never, () => {})).toThrow('"step.completed"');
    expect(() => host.on("*", undefined as never)).toThrow(InvalidOptionError);
  });
});

describe("health", () => {
  it("tells of every provider, the work in hand and the lease", async () => {
    const { host, clock } = make();
    expect(await host.health()).toEqual({
      ok: true,
      host: expect.any(String),
      state: "client",
      search: { index: "memory", state: "client", pending: 0, lagMs: 0, rebuilding: false, refused: 0 },
      providers: [{ name: "memory", ok: true, latencyMs: 0 }],
      inHand: 0,
      bodies: 0,
      bodiesLeftBehind: 0,
      lagMs: 0,
      lease: "none",
    });
    await host.startWorkflow(simple, {});
    await clock.advance("3m");
    expect((await host.health()).lagMs).toBe(180_000);
    await host.start();
    await clock.settle();
    expect(await host.health()).toMatchObject({ ok: true, state: "running", lease: "alive" });
    await host.stop();
    const stopped = await host.health();
    expect(stopped).toMatchObject({ ok: false, state: "stopped", lease: "none" });
    expect(stopped.providers[0]?.error).toBeInstanceOf(HostStoppedError);
  });

  it("tells what is wrong, and does not wait for ever", async () => {
    const provider = memory();
    const mute: Provider = {
      name: "mute",
      open: async () => {},
      close: async () => {},
      ping: () => new Promise(() => {}),
    };
    const down: Provider = {
      ...mute,
      name: "down",
      ping: async () => {
        throw new Error("connection refused");
      },
    };
    const { host, clock } = make({ providers: [provider, mute, down] });
    const health = host.health();
    await clock.advance("1m");
    expect(await health).toMatchObject({
      ok: false,
      providers: [
        { name: "memory", ok: true },
        { name: "mute", ok: false, latencyMs: 5_000, error: { code: "STORE_TIMEOUT" } },
        { name: "down", ok: false, error: { message: "connection refused" } },
      ],
    });
  });

  it("tells of providers that cannot be opened", async () => {
    const provider = memory();
    const { host } = make({
      providers: [
        {
          ...provider,
          open: async () => {
            throw new Error("no rights");
          },
        },
      ],
    });
    expect(await host.health()).toMatchObject({
      ok: false,
      providers: [{ ok: false, error: { message: "no rights" } }],
    });
  });
});
