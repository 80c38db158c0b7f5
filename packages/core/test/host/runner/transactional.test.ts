import { describe, expect, it } from "vitest";
import { type Run, StoreError } from "../../../src/providers/index.ts";
import { memory } from "../../../src/testing/index.ts";
import { child, define, parallel, retry, step, wait } from "./definitions.ts";
import { hostOf } from "./hosts.ts";
import { inTransaction, withTransactions } from "./transactional.ts";

for (const asynchronous of [false, true]) {
  const body = (run: (input: any, ctx: any) => unknown) =>
    inTransaction(asynchronous ? async (input, ctx) => run(input, ctx) : run);

  describe(`a transactional step with ${asynchronous ? "an asynchronous" : "a synchronous"} driver`, () => {
    it("commits its writes with its result", async () => {
      const { store, ledger } = withTransactions(memory(), { asynchronous });
      const definition = define("book", [
        step(
          "a",
          body((input, { tx }) => (tx.write(`a${input.n}`), input.n + 1)),
        ),
        step("b", (data) => data.a * 2),
      ]);
      const { host } = await hostOf([definition], { store });
      const handle = await host.startWorkflow(definition, { n: 1 });
      expect(await handle.result()).toEqual({ n: 1, a: 2, b: 4 });
      expect(ledger.rows).toEqual(["a1"]);
    });

    it("leaves no writes of an attempt that failed, and retries it", async () => {
      const { store, ledger } = withTransactions(memory(), { asynchronous });
      let attempts = 0;
      const definition = define("book", [
        step(
          "a",
          body((_, { tx }) => {
            attempts += 1;
            tx.write(`attempt ${attempts}`);
            if (attempts < 3) throw new Error("not yet");
            return attempts;
          }),
          { onError: retry() },
        ),
      ]);
      const { host, clock } = await hostOf([definition], { store });
      const handle = await host.startWorkflow(definition, {});
      await clock.advance("10s");
      expect(await handle.result()).toEqual({ a: 3 });
      expect(ledger.rows).toEqual(["attempt 3"]);
    });

    it("leaves no writes of a result that cannot be stored", async () => {
      const { store, ledger } = withTransactions(memory(), { asynchronous });
      const definition = define("book", [
        step(
          "a",
          body((_, { tx }) => (tx.write("a"), { f: () => 1 })),
          { onError: retry() },
        ),
      ]);
      const { host } = await hostOf([definition], { store });
      const handle = await host.startWorkflow(definition, {});
      await expect(handle.result()).rejects.toMatchObject({ cause: { code: "INVALID_VALUE" } });
      expect(ledger).toMatchObject({ rows: [], begun: 1 });
    });

    it("runs once where the answer to its commit is lost, and again under a higher attempt where the commit is", async () => {
      for (const fault of ["unknown-applied", "unknown-lost"] as const) {
        const { store, ledger } = withTransactions(memory(), {
          asynchronous,
          fault: (transaction) => (transaction === 1 ? fault : undefined),
        });
        const attempts: number[] = [];
        const definition = define("book", [
          step(
            "a",
            body((_, { tx, step }) => (attempts.push(step.attempt), tx.write("a"), "done")),
          ),
        ]);
        const { host, clock } = await hostOf([definition], { store });
        const handle = await host.startWorkflow(definition, {});
        await clock.advance("10s");
        expect(await handle.result()).toEqual({ a: "done" });
        expect(ledger.rows).toEqual(["a"]);
        expect(attempts).toEqual(fault === "unknown-applied" ? [1] : [1, 2]);
        const { items } = await host.history(handle.id, { limit: 500 });
        expect(items.some(({ kind }) => kind === "attempt-lost")).toBe(fault === "unknown-lost");
      }
    });

    it("takes its turn among branches that run beside it", async () => {
      const { store, ledger } = withTransactions(memory(), { asynchronous });
      const definition = define("wide", [
        parallel(
          "p",
          Array.from({ length: 10 }, (_, index) => [
            step(
              `s${index}`,
              index % 2 === 0 ? body((_input, { tx }) => (tx.write(`s${index}`), index)) : async () => index,
            ),
          ]),
        ),
      ]);
      const { host } = await hostOf([definition], { store });
      const handle = await host.startWorkflow(definition, {});
      expect(Object.values((await handle.result()) as object).length).toBe(10);
      expect(ledger.rows).toEqual(["s0", "s2", "s4", "s6", "s8"]);
    });

    it("stops a child that its result makes superfluous", async () => {
      const { store } = withTransactions(memory(), { asynchronous });
      const inner = define("inner", [wait("w", "never", "k")]);
      const definition = define("outer", [
        parallel("p", [
          [child("c", "inner", { cancelWhen: { condition: (data) => data.a === true, proceed: true } })],
          [
            wait("go", "go", "k"),
            step(
              "a",
              body((_, { tx }) => (tx.write("a"), true)),
            ),
          ],
        ]),
      ]);
      const { host, clock } = await hostOf([inner, definition], { store });
      const handle = await host.startWorkflow(definition, {});
      await clock.settle();
      await host.publishEvent("go", "k", 1);
      await clock.advance("1s");
      expect(await handle.result()).toMatchObject({ a: true });
      const { items } = await host.listWorkflows({ definitionId: "inner" });
      expect(items.map(({ status }) => status)).toEqual(["terminated"]);
    });
  });
}

describe("a transactional step", () => {
  it("fails where the driver is synchronous and its body is not", async () => {
    const { store, ledger } = withTransactions(memory());
    const definition = define("book", [
      step(
        "a",
        inTransaction(async (_, { tx }) => tx.write("a")),
      ),
    ]);
    const { host } = await hostOf([definition], { store });
    const handle = await host.startWorkflow(definition, {});
    await expect(handle.result()).rejects.toMatchObject({
      cause: { code: "FATAL", message: expect.stringContaining("synchronous") },
    });
    expect(ledger.rows).toEqual([]);
  });

  it("fails where the store has no transactions", async () => {
    const definition = define("book", [
      step(
        "a",
        inTransaction(() => 1),
        { onError: retry() },
      ),
    ]);
    const { host } = await hostOf([definition]);
    const handle = await host.startWorkflow(definition, {});
    await expect(handle.result()).rejects.toMatchObject({ cause: { code: "FATAL" } });
  });

  it.each([
    { how: "takes no notice", deaf: true },
    { how: "ends when it is told to", deaf: false },
  ])("fails at its time-out, and its transaction is undone, where the body $how", async ({ deaf }) => {
    const { store, ledger } = withTransactions(memory(), { asynchronous: true });
    const body = inTransaction((_, { tx, signal }) => {
      tx.write("a");
      return new Promise((__, reject) => {
        if (!deaf) signal.addEventListener("abort", () => reject(signal.reason));
      });
    });
    const definition = define("book", [step("a", body, { timeoutMs: 5000 })]);
    const { host, clock } = await hostOf([definition], { store });
    const handle = await host.startWorkflow(definition, {});
    const result = handle.result();
    await clock.advance("10s");
    await expect(result).rejects.toMatchObject({ cause: { name: "StepTimeoutError" } });
    expect(ledger.rows).toEqual([]);
  });

  it("waits while its host cannot rely on its lease, and what was told to end for that has not failed", async () => {
    const { store, ledger } = withTransactions(memory(), { asynchronous: true });
    let down = false;
    const lock = new Proxy(store.lock!, {
      get: (target, name) =>
        name === "renewLeases"
          ? (leases: never) => (down ? Promise.reject(new Error("no route")) : target.renewLeases(leases))
          : Reflect.get(target, name),
    });
    const attempts: number[] = [];
    const body = inTransaction((_, { tx, signal, step: { attempt } }) => {
      attempts.push(attempt);
      tx.write("a");
      if (attempts.length > 1) return "done";
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const definition = define("book", [step("a", body)]);
    const { host, clock } = await hostOf([definition], { store: { ...store, lock }, lease: "10s" });
    down = true;
    const handle = await host.startWorkflow(definition, {});
    await clock.advance("9s");
    expect(attempts).toEqual([1]);
    down = false;
    await clock.advance("5s");
    expect(await handle.result()).toEqual({ a: "done" });
    expect([attempts, ledger.rows]).toEqual([[1, 1], ["a"]]);
  });

  it("goes together with others to a synchronous driver, and alone where its COMMIT is refused", async () => {
    const sick = new Set<Run>();
    const { store, ledger } = withTransactions(memory(), {
      refuse: (runs) => {
        if (!runs.some((run) => sick.has(run))) return;
        throw new StoreError("STORE_FAILED", "FOREIGN KEY constraint failed", {
          outcome: "not-applied",
          transient: false,
        });
      },
    });
    const body = inTransaction((input, { tx }) => (tx.write(`a${input.n}`), input.n));
    const definition = define("book", [step("a", body)]);
    const { host } = await hostOf([definition], { store });
    const handles = await host.startWorkflows([0, 1, 2, 3, 4, 5].map((n) => ({ definition, data: { n } })));
    for (const row of await store.persistence!.find("default", [handles[2]!.id])) sick.add(row!.run);
    const results = await Promise.allSettled(handles.map((handle) => handle.result()));
    expect(results.map(({ status }, n) => (status === "rejected" ? n : undefined))).toEqual(
      [0, 1, 2, 3, 4, 5].map((n) => (n === 2 ? n : undefined)),
    );
    expect(results[2]).toMatchObject({ reason: { cause: { message: "FOREIGN KEY constraint failed" } } });
    expect(ledger.rows.toSorted()).toEqual(["a0", "a1", "a3", "a4", "a5"]);
    expect(ledger.calls.slice(0, 3)).toEqual([6, 3, 2]);
  });

  it("has a call of its own from the first one on, where the store says that its driver is asynchronous", async () => {
    const { store, ledger } = withTransactions(memory(), { asynchronous: true, atOnce: 2 });
    const slow = Promise.withResolvers<void>();
    const bodies = { now: 0, most: 0 };
    const body = inTransaction(async (input) => {
      bodies.now += 1;
      bodies.most = Math.max(bodies.most, bodies.now);
      if (input.n === 0) await slow.promise;
      bodies.now -= 1;
      return input.n;
    });
    const definition = define("book", [step("a", body)]);
    const { host } = await hostOf([definition], { store });
    const handles = await host.startWorkflows([0, 1, 2, 3].map((n) => ({ definition, data: { n } })));
    const others = await Promise.all(handles.slice(1).map((handle) => handle.result()));
    expect(others).toEqual([1, 2, 3].map((n) => ({ n, a: n })));
    slow.resolve();
    expect(await handles[0]!.result()).toEqual({ n: 0, a: 0 });
    expect(ledger.calls).toEqual([1, 1, 1, 1]);
    expect(bodies.most).toBe(2);
  });
});
