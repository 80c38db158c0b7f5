import { expect, it } from "vitest";
import type { PersistenceProvider, Provider } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, delay, parallel, retry, saga, step, wait } from "./definitions.ts";
import { faulty } from "./faulty.ts";
import { hostOf } from "./hosts.ts";

/** A body that keeps its workflow in hand. */
const atWork = step("at-work", () => new Promise(() => {}));

/** The store with some of its methods replaced. */
function withMethods(store: Provider, methods: Partial<PersistenceProvider>): Provider {
  const real = store.persistence as PersistenceProvider;
  const persistence = new Proxy(real, {
    get: (target, name) => Reflect.get(name in methods ? methods : target, name) as unknown,
  });
  return { ...store, persistence };
}

it("wakes in hand for a time that is nearer than the one it waited for", async () => {
  const clock = new TestClock();
  let end = (): void => {};
  const soon: number[] = [];
  const definition = define("w", [
    parallel("p", [
      [delay("long", "40s")],
      [
        step("first", () => new Promise<void>((resolve) => (end = resolve))),
        delay("short", "5s"),
        step("soon", () => void soon.push(clock.monotonic())),
      ],
      [atWork],
    ]),
  ]);
  const { host } = await hostOf([definition], { clock, store: memory({ clock }) });
  await host.startWorkflow(definition, {});
  await clock.advance("1s");
  const begunAt = clock.monotonic();
  end();
  await clock.advance("6s");
  expect(soon.length).toBe(1);
  expect((soon[0] ?? 0) - begunAt).toBeLessThan(6_000);
});

it("looks once more for events when a deadline comes in hand, since one may have come in time and unheard", async () => {
  const clock = new TestClock();
  const store = memory({ clock });
  const deaf = withMethods(store, { hints: () => () => {} });
  const definition = define("w", [
    parallel("p", [
      [wait("got", "tick", "k", { timeout: "5s", onTimeout: { nodes: [step("missed", () => true)] } })],
      [atWork],
    ]),
  ]);
  const { host } = await hostOf([definition], { clock, store: deaf });
  const client = await hostOf([], { clock, store });
  await host.startWorkflow(definition, {}, { id: "w" });
  await clock.advance("4900ms");
  await client.host.publishEvent("tick", "k", "in time");
  await clock.advance("2s");
  const { items } = await host.history("w", { limit: 100 });
  const kinds = items.map(({ kind }) => kind);
  expect(kinds).toContain("event-consumed");
  expect(kinds).not.toContain("wait-timed-out");
});

it("times out every attempt, not the first one alone", async () => {
  const clock = new TestClock();
  const attempts: number[] = [];
  const hangs = step("hangs", (_, ctx) => (attempts.push(ctx.step.attempt), new Promise(() => {})), {
    timeoutMs: 5_000,
    onError: retry({ maxRetries: 1 }),
  });
  const definition = define("w", [hangs]);
  const { host } = await hostOf([definition], { clock, store: memory({ clock }) });
  await host.startWorkflow(definition, {}, { id: "w" });
  await clock.advance("15s");
  expect(attempts).toEqual([1, 2]);
  expect(await host.getWorkflow("w")).toMatchObject({ status: "failed", error: { code: "STEP_TIMEOUT" } });
});

it.each(["retry", "fail"] as const)(
  "puts it on record that a body was left behind when its workflow was put down and taken up again (onCrash: %s)",
  async (onCrash) => {
    const clock = new TestClock();
    const store = memory({ clock });
    const provider = faulty(store);
    const attempts: number[] = [];
    const body = step("body", (_, ctx) => (attempts.push(ctx.step.attempt), new Promise(() => {})), { onCrash });
    const definition = define("w", [parallel("p", [[body], [wait("got", "tick", "k")]])]);
    const { host } = await hostOf([definition], { clock, store: provider });
    const client = await hostOf([], { clock, store });
    await host.startWorkflow(definition, {}, { id: "w" });
    await clock.advance("1s");
    let isIll = true;
    provider.fault = (method) => {
      if (method !== "pull" || !isIll) return undefined;
      isIll = false;
      return "before-permanent";
    };
    await client.host.publishEvent("tick", "k", 1);
    await clock.advance("5s");
    expect(isIll).toBe(false);
    const { items } = await host.history("w", { limit: 100 });
    expect(items.map(({ kind }) => kind)).toContain("attempts-abandoned");
    expect(attempts).toEqual(onCrash === "retry" ? [1, 2] : [1]);
  },
);

it("hears of a call that comes while it is let go until its deadline", async () => {
  const clock = new TestClock();
  const store = memory({ clock });
  const client = await hostOf([], { clock, store });
  let called = 0;
  const meeting = withMethods(store, {
    commit: async (turns) => {
      const letsGo = turns.some((turn) => "row" in turn && turn.row?.release === true && turn.row.dueAt !== null);
      if (letsGo && called++ === 0) await client.host.suspendWorkflow("w");
      return (store.persistence as PersistenceProvider).commit(turns);
    },
  });
  const definition = define("w", [wait("got", "tick", "k", { timeout: "1h" })]);
  const { host } = await hostOf([definition], { clock, store: meeting });
  await host.startWorkflow(definition, {}, { id: "w" });
  await clock.advance("5s");
  expect(called).toBeGreaterThan(0);
  expect(await host.getWorkflow("w")).toMatchObject({ status: "suspended" });
});

it("lets go of a suspended workflow once what was stopped in it has had its grace", async () => {
  const clock = new TestClock();
  const store = memory({ clock });
  const compensation = { nodes: [step("undo", () => {})] };
  const definition = define("w", [
    parallel("p", [[{ ...atWork, compensation }], [step("fails", () => Promise.reject(new Error("no")))]]),
  ]);
  const { host } = await hostOf([definition], { clock, store });
  await host.startWorkflow(definition, {}, { id: "w" });
  await clock.advance("1s");
  await host.suspendWorkflow("w");
  const row = async (): Promise<unknown> => (await store.persistence!.find("default", ["w"]))[0];
  await clock.advance("1s");
  expect(await row()).toMatchObject({ status: "suspended", owner: expect.any(String) });
  await clock.advance("31s");
  expect(await row()).toMatchObject({ status: "suspended", owner: null });
  await host.resumeWorkflow("w");
  await clock.advance("1s");
  expect(await row()).toMatchObject({ status: "failed", owner: null });
});

it("lets go of a workflow whose undoing failed, once the time of a body beside it is up", async () => {
  const clock = new TestClock();
  const store = memory({ clock });
  const fails = { nodes: [step("undo", () => Promise.reject(new Error("not undone")))] };
  const definition = define("w", [
    parallel("p", [
      [{ ...atWork, timeoutMs: 60_000, onError: "ignore" }],
      [
        saga("s", [
          { ...step("done", () => {}), compensation: fails },
          step("fails", () => Promise.reject(new Error("no"))),
        ]),
      ],
    ]),
  ]);
  const { host } = await hostOf([definition], { clock, store });
  await host.startWorkflow(definition, {}, { id: "w" });
  const row = async (): Promise<unknown> => (await store.persistence!.find("default", ["w"]))[0];
  await clock.advance("30s");
  expect(await row()).toMatchObject({ status: "failed", owner: expect.any(String) });
  await clock.advance("31s");
  expect(await row()).toMatchObject({ status: "failed", owner: null });
});

it("shows as active what goes on, though its row was left suspended by a host that could not write it any more", async () => {
  const clock = new TestClock();
  const store = memory({ clock });
  const rowless = withMethods(store, {
    commit: async (turns) => {
      const resumes = (turn: object): boolean =>
        "entriesText" in turn && String(turn.entriesText).includes("workflow-resumed");
      const sent = turns.map((turn) => {
        if (!resumes(turn) || !("row" in turn)) return turn;
        const { row: _, ...withoutRow } = turn;
        return withoutRow;
      });
      const results = await (store.persistence as PersistenceProvider).commit(sent);
      return results.map((result, index) => {
        const turn = turns[index];
        return turn !== undefined && resumes(turn) && result.outcome === "applied"
          ? { ...result, rowWritten: false }
          : result;
      });
    },
  });
  const definition = define("w", [delay("pause", "1m"), atWork]);
  const { host } = await hostOf([definition], { clock, store: rowless });
  await host.startWorkflow(definition, {}, { id: "w" });
  await clock.advance("1s");
  await host.suspendWorkflow("w");
  await clock.advance("2m");
  await host.resumeWorkflow("w");
  await clock.advance("30s");
  const row = (await store.persistence!.find("default", ["w"]))[0];
  expect(row).toMatchObject({ status: "runnable", owner: expect.any(String) });
});
