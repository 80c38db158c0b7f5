import { describe, expect, it } from "vitest";
import { type LifecycleEvent, type NewWorkflow, recordFormat } from "../../src/providers/index.ts";
import { memory, type MemoryOptions, TestClock, testRuntime } from "../../src/testing/index.ts";

const definitions = [{ id: "order", version: 1 }];

describe("memory()", () => {
  it("refuses calls before it is opened and after its last close, and says what to do", async () => {
    const { provider, persistence, runtime } = await opened();
    await provider.open({ runtime });
    await provider.close();
    await expect(persistence.owners()).resolves.toEqual([]);
    await provider.close();
    const closed = { code: "STORE_CLOSED", outcome: "not-applied", transient: false };
    await expect(persistence.owners()).rejects.toMatchObject(closed);
    await expect(provider.ping()).rejects.toMatchObject(closed);
    await expect(memory({ name: "mine" }).queue?.push([])).rejects.toThrow("mine is not open: start the host");
  });

  it("keeps what it holds over a close", async () => {
    const { provider, persistence, runtime } = await opened();
    const [created] = await persistence.create([workflow()]);
    await provider.close();
    await provider.open({ runtime: testRuntime() });
    const [loaded] = await persistence.load([created!.run]);
    expect(loaded?.row.id).toBe("w");
    await provider.close();
    await provider.open({ runtime });
  });

  it("refuses a second host with another clock", async () => {
    const { provider, runtime } = await opened();
    await expect(provider.open({ runtime: testRuntime() })).rejects.toThrow("share a memory() need one clock");
    await provider.open({ runtime: testRuntime({ clock: runtime.clock }) });
  });

  it("has a clock of its own where it is given one, whatever the hosts' clocks show", async () => {
    const clock = new TestClock(1_000);
    const { provider, persistence } = await opened({ clock });
    await provider.open({ runtime: testRuntime() });
    await expect(persistence.now()).resolves.toBe(1_000);
    const lease = await provider.lock!.openLease({ ttlMs: 10, holder: { host: "h", process: null } });
    await clock.advance(20);
    await expect(provider.lock!.reap([lease.id])).resolves.toEqual([lease.id]);
  });

  it("wakes at most `fanOut` waiters in a publish", async () => {
    expect(() => memory({ fanOut: 0 })).toThrow("`fanOut` must be a whole number from 1");
    const { persistence, claim } = await opened({ fanOut: 3 });
    await persistence.create(Array.from({ length: 10 }, (_, number) => workflow({ id: `w${number}` })));
    const claimed = await claim();
    await persistence.commit(
      claimed.map(({ row }) => ({
        run: row.run,
        claim: row.claim,
        seq: 0,
        turn: `t${row.run}`,
        host: "h",
        entriesText: "",
        namespace: "default",
        subscribe: [{ pointer: 1, name: "paid", key: "", after: 0 }],
      })),
    );
    const event = { namespace: "default", name: "paid", key: "", eventId: "e", payloadText: "", effectiveAt: null };
    const woken = async (): Promise<number> =>
      (await persistence.owned("lease")).filter(({ signals }) => signals > 0).length;
    await persistence.publish([event]);
    await expect(woken()).resolves.toBe(3);
    await expect(persistence.nextDueAt([])).resolves.toBe(await persistence.now());
    await expect(persistence.advanceEvents(5)).resolves.toBe(true);
    await expect(woken()).resolves.toBe(8);
    await expect(persistence.advanceEvents(5)).resolves.toBe(false);
    await expect(woken()).resolves.toBe(10);
    await expect(persistence.nextDueAt([])).resolves.toBeNull();
  });

  it("claims in the same time however many workflows are parked", async () => {
    const { persistence, claim, runtime } = await opened();
    const startAt = runtime.clock.now() + 3_600_000;
    const park = (count: number, prefix: string) =>
      persistence.create(
        Array.from({ length: count }, (_, number) => workflow({ id: `${prefix}-${number}`, startAt })),
      );
    const timed = async (): Promise<number> => {
      const before = performance.now();
      for (let call = 0; call < 2_000; call += 1) await claim(10);
      return performance.now() - before;
    };
    await park(100, "few");
    await timed();
    const few = await timed();
    await park(100_000, "many");
    const many = await timed();
    // A scan of what is parked would take a thousand times as long.
    expect(many).toBeLessThan(few * 20 + 500);
  });

  it("claims 100,000 that become due at once in bounded batches", async () => {
    const { persistence, claim, runtime } = await opened();
    const startAt = runtime.clock.now() + 3_600_000;
    await persistence.create(
      Array.from({ length: 100_000 }, (_, number) =>
        workflow({ id: `w-${number}`, namespace: `n-${number % 10}`, startAt }),
      ),
    );
    await runtime.clock.advance("1h");
    const before = performance.now();
    let taken = 0;
    for (let claimed = 1; claimed > 0; taken += claimed) claimed = (await claim(500)).length;
    expect(taken).toBe(100_000);
    expect(performance.now() - before).toBeLessThan(20_000);
  }, 60_000);

  it("refuses a transactional step, alone", async () => {
    const { persistence } = await opened();
    const [created] = await persistence.create([workflow()]);
    const [result] = await persistence.commit([
      { run: created!.run, seq: 0, execute: () => Promise.reject(new Error("not called")) },
    ]);
    expect(result).toMatchObject({ outcome: "failed", error: { code: "INVALID_OPTION" } });
  });

  it("refuses a cursor that it has not given", async () => {
    const { persistence } = await opened();
    const list = persistence.list({ namespace: "default" }, { limit: 1, cursor: "page 2" });
    await expect(list).rejects.toThrow('`cursor` is not one that a list has given: "page 2"');
  });

  it("gives a candidate again at once where it is offered anew while it is hidden", async () => {
    const { provider } = await opened();
    const queue = provider.queue!;
    const pull = async (): Promise<readonly number[]> => {
      const request = { lease: "l", limit: 9, definitions, format: recordFormat, visibilityMs: 60_000 };
      return (await queue.pull(request)).candidates.map(({ run }) => run);
    };
    await queue.push([{ run: 1, priority: 0, dueAt: 0 }]);
    await expect(pull()).resolves.toEqual([1]);
    await queue.push([{ run: 1, priority: 0, dueAt: 5 }]);
    await queue.remove([{ run: 1, priority: 0, dueAt: 0 }]);
    await expect(pull()).resolves.toEqual([1]);
    await expect(pull()).resolves.toEqual([]);
  });
});

describe("memory().lifecycle", () => {
  it("delivers to every listener, later and in order", async () => {
    const { lifecycle } = await opened();
    const seen: string[] = [];
    lifecycle.subscribe((events) => seen.push(...events.map(({ workflowId }) => `a ${workflowId}`)));
    lifecycle.subscribe((events) => seen.push(...events.map(({ workflowId }) => `b ${workflowId}`)));
    lifecycle.publish([event("1"), event("2")]);
    lifecycle.publish([event("3")]);
    expect(seen).toEqual([]);
    await Promise.resolve();
    expect(seen).toEqual(["a 1", "a 2", "a 3", "b 1", "b 2", "b 3"]);
  });

  it("keeps a listener's throw from the publisher and the other listeners", async () => {
    const { lifecycle } = await opened();
    const seen: string[] = [];
    lifecycle.subscribe(() => {
      throw new Error("broken listener");
    });
    lifecycle.subscribe((events) => seen.push(...events.map(({ workflowId }) => workflowId)));
    lifecycle.publish([event("1")]);
    await Promise.resolve();
    expect(seen).toEqual(["1"]);
  });

  it("tells whether anyone listens, and drops what nobody hears", async () => {
    const { lifecycle } = await opened();
    const seen: string[] = [];
    expect(lifecycle.hasListeners).toBe(false);
    lifecycle.publish([event("unheard")]);
    const end = lifecycle.subscribe((events) => seen.push(...events.map(({ workflowId }) => workflowId)));
    expect(lifecycle.hasListeners).toBe(true);
    lifecycle.publish([event("cut off")]);
    end();
    end();
    await Promise.resolve();
    expect([lifecycle.hasListeners, seen]).toEqual([false, []]);
  });
});

async function opened(options: MemoryOptions = {}) {
  const runtime = testRuntime();
  const provider = memory(options);
  await provider.open({ runtime });
  const persistence = provider.persistence!;
  const claim = (limit = 100) => persistence.claim({ lease: "lease", limit, definitions, format: recordFormat });
  return { provider, persistence, lifecycle: provider.lifecycle!, runtime, claim };
}

function workflow(over: Partial<NewWorkflow> = {}): NewWorkflow {
  return {
    namespace: "default",
    id: "w",
    uid: "u",
    definitionId: "order",
    version: 1,
    definitionHash: "h",
    priority: 0,
    tags: [],
    startAt: null,
    startText: "{}",
    parent: null,
    firstTurn: null,
    ...over,
  };
}

function event(workflowId: string): LifecycleEvent {
  return {
    type: "workflow.started",
    at: 0,
    host: "h",
    namespace: "default",
    workflowId,
    definitionId: "order",
    version: 1,
  };
}
