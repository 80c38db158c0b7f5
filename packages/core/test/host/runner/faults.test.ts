import { describe, expect, it } from "vitest";
import type { WorkflowDefinition } from "../../../src/definition/definition.ts";
import { type Clock, CorruptedRecordError, type PersistenceProvider } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, delay, parallel, step, wait } from "./definitions.ts";
import { faulty, type Fault } from "./faulty.ts";
import { hostOf } from "./hosts.ts";

const counts = (): { readonly definition: WorkflowDefinition; readonly runs: string[] } => {
  const runs: string[] = [];
  const definition = define("chain", [
    step("a", async () => void runs.push("a")),
    step("b", () => void runs.push("b")),
    step("c", async () => (runs.push("c"), "end")),
  ]);
  return { definition, runs };
};

describe("a store that fails", () => {
  for (const fault of ["before", "after"] as const satisfies readonly Fault[]) {
    it(`commits each result once when every second call of commit fails ${fault} it is done`, async () => {
      const store = faulty(memory());
      const { definition, runs } = counts();
      const { host, clock } = await hostOf([definition], { store });
      store.fault = (method, call) => (method === "commit" && call % 2 === 1 ? fault : undefined);
      const handle = await host.startWorkflow(definition, {});
      await clock.advance("30s");
      expect(await handle.result()).toMatchObject({ c: "end" });
      expect(runs).toEqual(["a", "b", "c"]);
      const { items } = await host.history(handle.id, { limit: 500 });
      expect(items.filter(({ kind }) => kind === "step-completed").length).toBe(3);
    });
  }

  it("suspends a workflow, with the reason, where reading for it breaks in a way that another try does not mend", async () => {
    const sound = memory();
    let pulls = 0;
    const pull = async (): Promise<never> => {
      pulls += 1;
      throw new TypeError("odd");
    };
    const store = { ...sound, persistence: { ...sound.persistence!, pull } };
    const definition = define("waits", [wait("w", "go", "k")]);
    const { host, clock } = await hostOf([definition], { store });
    const handle = await host.startWorkflow(definition, {});
    await clock.settle();
    await host.publishEvent("go", "k", 1);
    await clock.advance("1m");
    expect(await handle.get()).toMatchObject({
      status: "suspended",
      error: { message: expect.stringContaining("odd") },
    });
    expect(pulls).toBeLessThan(5);
  });

  it("does not go round in circles where a row cannot be written, in a way that another try does not mend", async () => {
    const sound = memory();
    let writes = 0;
    const writeRows = async (): Promise<never> => {
      writes += 1;
      // Without an end to it, nothing else in this process would run again: better a test that fails.
      if (writes > 1_000) return new Promise(() => {});
      throw new TypeError("odd");
    };
    let isDamaged = false;
    const load: PersistenceProvider["load"] = (runs) =>
      isDamaged ? Promise.reject(new CorruptedRecordError("damaged")) : sound.persistence!.load(runs);
    const store = { ...sound, persistence: { ...sound.persistence!, writeRows, load } };
    const { definition, runs } = counts();
    const { host, clock } = await hostOf([define("waits", [wait("w", "go", "k")]), definition], { store });
    await host.startWorkflow("waits", {});
    await clock.advance("1m");
    isDamaged = true;
    await host.publishEvent("go", "k", 1);
    await clock.advance("1m");
    isDamaged = false;
    expect(writes).toBeGreaterThan(0);
    expect(writes).toBeLessThan(200);
    const other = await host.startWorkflow(definition, {});
    await clock.advance("1m");
    expect(await other.get()).toMatchObject({ status: "completed" });
    expect(runs).toEqual(["a", "b", "c"]);
  });

  it("runs many workflows to their end when any call may fail, before or after it is done", async () => {
    const store = faulty(memory());
    const definition = define("busy", [
      step("a", async () => 1),
      delay("d", "2s"),
      parallel("p", [[step("b", async () => 2)], [wait("w", "go", (data) => data.key)]]),
      step("c", () => 3),
    ]);
    const { host, clock } = await hostOf([definition], { store });
    let random = 1;
    const next = (): number => (random = (random * 48271) % 2147483647) / 2147483647;
    const handles = await host.startWorkflows(
      Array.from({ length: 50 }, (_, index) => ({ definition, data: { key: `k${index}` } })),
    );
    store.fault = (method) =>
      method === "hints" || method === "bindLockProvider"
        ? undefined
        : next() < 0.3
          ? next() < 0.5
            ? "before"
            : "after"
          : undefined;
    await clock.advance("1m");
    store.fault = (method) =>
      method === "publish" || method === "publishIn" ? undefined : next() < 0.2 ? "after" : undefined;
    for (let index = 0; index < 50; index++) await host.publishEvent("go", `k${index}`, index);
    await clock.advance("3m");
    store.fault = () => undefined;
    await clock.advance("1m");
    for (const [index, handle] of handles.entries()) {
      expect(await handle.result()).toEqual({ key: `k${index}`, a: 1, b: 2, w: index, c: 3 });
      const { items } = await host.history(handle.id, { limit: 500 });
      expect(
        items
          .filter(({ kind }) => kind === "step-completed")
          .map(({ stepId }) => stepId)
          .sort(),
      ).toEqual(["a", "b", "c", "d", "p", "w"]);
    }
  });

  it("fails the step whose result the store refuses, alone, without running it again", async () => {
    const inner = memory();
    const store = faulty(inner);
    const commit = store.persistence!.commit.bind(store.persistence);
    const persistence = new Proxy(store.persistence!, {
      get: (target, name) =>
        name === "commit"
          ? async (turns: Parameters<typeof commit>[0]) => {
              const bad = turns.map(
                (turn) =>
                  "entriesText" in turn &&
                  turn.entriesText.includes("POISON") &&
                  turn.entriesText.includes("step-completed"),
              );
              const good = await commit(turns.filter((_, index) => !bad[index]));
              let at = 0;
              return turns.map((_, index) =>
                bad[index] ? ({ outcome: "failed", error: new Error("cannot be stored") } as const) : good[at++]!,
              );
            }
          : Reflect.get(target, name),
    });
    let runs = 0;
    const definition = define("bad", [
      parallel("p", [
        [step("a", async () => ((runs += 1), "POISON"), { onError: "ignore" })],
        [step("b", async () => "fine")],
      ]),
    ]);
    const { host } = await hostOf([definition], { store: Object.assign(store, { persistence }) });
    const handle = await host.startWorkflow(definition, {});
    expect(await handle.result()).toEqual({ b: "fine" });
    expect(runs).toBe(1);
  });

  it("finds what it was given by a claim whose answer was lost", async () => {
    const store = faulty(memory());
    const { definition, runs } = counts();
    const { host, clock } = await hostOf([definition], { store });
    store.fault = (method) => (method === "claim" ? "after" : undefined);
    const handle = await host.startWorkflow(definition, {});
    await clock.settle();
    store.fault = () => undefined;
    expect(runs).toEqual([]);
    await clock.advance("10s");
    expect(await handle.result()).toMatchObject({ c: "end" });
    expect(runs).toEqual(["a", "b", "c"]);
  });

  it("runs once what the heartbeat has found where a claim's answer was slow", async () => {
    const inner = memory();
    let release: (() => void) | undefined;
    let isSlow = false;
    const claim: PersistenceProvider["claim"] = async (request) => {
      const claimed = await inner.persistence!.claim(request);
      if (isSlow && claimed.length > 0) await new Promise<void>((resolve) => (release = resolve));
      return claimed;
    };
    const runs: string[] = [];
    let end = (): void => {};
    const definition = define("long", [
      step("a", () => new Promise<string>((resolve) => (runs.push("a"), (end = () => resolve("end"))))),
    ]);
    const clock = new TestClock();
    // Work that is not over must not keep the time from passing here.
    const hostClock: Clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      yield: () => clock.yield(),
      setTimer: (delayMs, callback, options) => clock.setTimer(delayMs, callback, options),
      track: (work) => work,
    };
    const store = { ...inner, persistence: { ...inner.persistence!, claim } };
    const { host } = await hostOf([definition], { store, clock, hostClock });
    const pass = async (): Promise<void> => {
      for (let times = 0; times < 100; times += 1) {
        await clock.advance("100ms");
        await new Promise(setImmediate);
      }
    };
    isSlow = true;
    const handle = await host.startWorkflow(definition, {});
    await pass();
    expect(runs).toEqual(["a"]);
    release?.();
    await pass();
    expect(runs).toEqual(["a"]);
    isSlow = false;
    end();
    await pass();
    expect(await handle.result()).toEqual({ a: "end" });
    const { items } = await host.history(handle.id, { limit: 500 });
    expect(items.filter(({ kind }) => kind === "step-completed").length).toBe(1);
  });

  it("hears of a suspension while a body runs when every hint is lost", async () => {
    const store = memory();
    const clock = new TestClock();
    const deaf = faulty(store);
    const persistence = new Proxy(deaf.persistence!, {
      get: (target, name) => (name === "hints" ? () => () => {} : Reflect.get(target, name)),
    });
    let reason: string | undefined;
    const definition = define("long", [
      step(
        "a",
        (_, ctx) =>
          new Promise((_resolve, reject) =>
            ctx.signal.addEventListener(
              "abort",
              () => ((reason = ctx.signal.reason.reason), reject(ctx.signal.reason as Error)),
            ),
          ),
      ),
    ]);
    const { host } = await hostOf([definition], { store: Object.assign(deaf, { persistence }), clock });
    await host.startWorkflow(definition, {}, { id: "w" });
    await clock.advance("2s");
    const other = await hostOf([], { store, clock });
    await other.host.suspendWorkflow("w");
    await clock.advance("5s");
    expect(reason).toBe("suspended");
    expect((await host.getWorkflow("w"))?.status).toBe("suspended");
  });

  it("leaves a workflow alone whose journal is damaged, and goes on with the others", async () => {
    const inner = memory();
    const store = faulty(inner);
    const damaged = { run: -1 };
    const persistence = new Proxy(store.persistence!, {
      get: (target, name) =>
        name === "load"
          ? async (runs: readonly number[]) =>
              (await target.load(runs)).map((loaded) =>
                loaded !== undefined && loaded.row.run === damaged.run
                  ? { ...loaded, turns: loaded.turns.map((turn) => ({ ...turn, entriesText: "[{" })) }
                  : loaded,
              )
          : Reflect.get(target, name),
    });
    const definition = define("two", [delay("d", "1h"), step("a", () => 1)]);
    const { host, clock, logged } = await hostOf([definition], { store: Object.assign(store, { persistence }) });
    const bad = await host.startWorkflow(definition, {}, { id: "bad" });
    const good = await host.startWorkflow(definition, {}, { id: "good" });
    const [row] = await inner.persistence!.find("default", ["bad"]);
    damaged.run = row!.run;
    await clock.advance("2h");
    expect(await good.result()).toEqual({ a: 1 });
    const claims = store.calls.get("claim") ?? 0;
    await clock.advance("1m");
    expect((store.calls.get("claim") ?? 0) - claims).toBeLessThan(200);
    expect(logged.some(({ level, fields }) => level === "error" && fields?.["workflowId"] === "bad")).toBe(true);
    const [after] = await inner.persistence!.find("default", ["bad"]);
    expect(after).toMatchObject({ status: "suspended", dueAt: null, owner: null });
    void bad;
  });
});

describe("a host that dies", () => {
  const hang = (): {
    readonly definition: WorkflowDefinition;
    readonly attempts: number[];
    readonly keys: Set<string>;
  } => {
    const attempts: number[] = [];
    const keys = new Set<string>();
    const definition = define("hang", [
      step("a", (_, ctx) => {
        attempts.push(ctx.step.attempt);
        keys.add(ctx.idempotencyKey);
        return attempts.length === 1 ? new Promise(() => {}) : "again";
      }),
    ]);
    return { definition, attempts, keys };
  };

  it("is taken over when its lease has run out: the attempt is repeated under the same key", async () => {
    const clock = new TestClock();
    const store = memory({ clock });
    const { definition, attempts, keys } = hang();
    const dying = faulty(store);
    const first = await hostOf([definition], { store: dying, clock, hostClock: dying.mortal(clock) });
    await first.host.startWorkflow(definition, {}, { id: "w" });
    await clock.advance("1s");
    const second = await hostOf([definition], { store, clock });
    dying.kill();
    await clock.advance("30s");
    expect(await second.host.handle("w").result()).toEqual({ a: "again" });
    expect(attempts).toEqual([1, 2]);
    expect(keys.size).toBe(1);
    const { items } = await second.host.history("w", { limit: 500 });
    expect(items.filter(({ kind }) => kind === "taken-over").length).toBe(1);
  });

  it("commits nothing any more when it was only cut off and comes back", async () => {
    const store = memory();
    const clock = new TestClock();
    const ends: ((value: string) => void)[] = [];
    const reasons: string[] = [];
    const definition = define("zombie", [
      step("a", (_, ctx) => {
        ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason.reason));
        return new Promise<string>((resolve) => ends.push(resolve));
      }),
    ]);
    const cut = faulty(store);
    // Neither heartbeat nor commit gets through.
    let down = false;
    const lock = new Proxy(store.lock!, {
      get: (target, name) =>
        name === "renewLeases"
          ? (leases: never) => (down ? Promise.reject(new Error("no route")) : target.renewLeases(leases))
          : Reflect.get(target, name),
    });
    const first = await hostOf([definition], { store: Object.assign(cut, { lock }), clock });
    await first.host.startWorkflow(definition, {}, { id: "w" });
    await clock.advance("1s");
    const second = await hostOf([definition], { store, clock });
    down = true;
    cut.fault = () => "before";
    await clock.advance("8s");
    expect(reasons).toEqual(["lease-lost"]);
    await clock.advance("20s");
    expect(ends.length).toBe(2);
    down = false;
    cut.fault = () => undefined;
    await clock.advance("10s");
    ends[0]!("from the dead");
    await clock.advance("5s");
    ends[1]!("from the living");
    await clock.advance("5s");
    expect(await second.host.handle("w").result()).toEqual({ a: "from the living" });
    // The one that came back has a new lease and works again.
    const again = await first.host.startWorkflow(definition, {}, { id: "w2" });
    await clock.advance("5s");
    expect(ends.length).toBe(3);
    ends[2]!("new");
    await clock.advance("1s");
    expect(await again.result()).toEqual({ a: "new" });
  });

  it("suspends a workflow that takes its hosts with it, and nobody else", async () => {
    const clock = new TestClock();
    const store = memory({ clock });
    let deaths = 0;
    let die = (): void => {};
    const definition = define("poison", [step("a", () => ((deaths += 1), die(), new Promise(() => {})))]);
    const neighbour = define("neighbour", [
      step("a", () => new Promise((resolve) => clock.setTimer(5000, () => resolve("fine")))),
    ]);
    const client = await hostOf([], { store, clock });
    for (let index = 0; index < 7; index++) {
      const dying = faulty(store);
      die = () => dying.kill();
      const { host } = await hostOf([definition, neighbour], { store: dying, clock, hostClock: dying.mortal(clock) });
      if (index === 0) {
        await host.startWorkflow(neighbour, {}, { id: "n" });
        await clock.settle();
        await host.startWorkflow(definition, {}, { id: "p" });
      }
      await clock.advance("40s");
    }
    const poison = await client.host.getWorkflow("p");
    expect(poison?.status).toBe("suspended");
    expect(poison?.error).toMatchObject({ code: "POISON_WORKFLOW" });
    // Two deaths make a suspect, three more alone convict it.
    expect(deaths).toBe(5);
    expect(await client.host.getWorkflow("n")).toMatchObject({ status: "completed", data: { a: "fine" } });
  });
});
