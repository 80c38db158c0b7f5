import { describe, expect, it } from "vitest";
import { StoreError } from "../../../src/errors.ts";
import { Batcher } from "../../../src/host/core/batcher.ts";
import { systemRuntime } from "../../../src/runtime/system-runtime.ts";

describe("calls that travel together, of which one is blocked", () => {
  it("are stored but for that one, which is found by halving", async () => {
    const { call, calls } = storeWith("b7");
    const batcher = new Batcher(systemRuntime().clock, 100, call);
    const { stored, refused } = await outcomes(items("b", 16).map((item) => batcher.add(item)));
    expect(stored).toEqual(items("b", 16).filter((item) => item !== "b7"));
    expect(refused).toBe(1);
    expect(calls.length).toBeLessThan(10);
  });

  it("keep a list together that is one transaction", async () => {
    const { call } = storeWith("b1");
    const batcher = new Batcher(systemRuntime().clock, 100, call);
    const list = batcher.addAll(["a", "b1", "c"]);
    const other = batcher.add("d");
    await expect(list).rejects.toMatchObject({ code: "STORE_BUSY" });
    await expect(other).resolves.toBe("d");
  });

  it("are sought apart, so that what comes later does not wait for them", async () => {
    const { call, calls, unblock } = storeWith("b1", "slow");
    const { clock } = systemRuntime();
    const batcher = new Batcher(clock, 100, call, new Batcher(clock, 100, call));
    const first = ["a", "b1"].map((item) => batcher.add(item));
    const settled = outcomes(first);
    while (calls.length < 2) await clock.yield();
    // The blocked ones are at it, in a call that has not ended.
    await expect(batcher.add("later")).resolves.toBe("later");
    expect(calls).toEqual([["a", "b1"], ["a", "b1"], ["later"]]);
    unblock();
    expect(await settled).toEqual({ stored: ["a"], refused: 1 });
  });

  it("are not divided where all of it may pass", async () => {
    const calls: number[] = [];
    const batcher = new Batcher<string, string>(systemRuntime().clock, 100, (batch) => {
      calls.push(batch.length);
      return Promise.reject(new StoreError("STORE_BUSY", "busy", { outcome: "not-applied", transient: true }));
    });
    expect(await outcomes(items("x", 8).map((item) => batcher.add(item)))).toEqual({ stored: [], refused: 8 });
    expect(calls).toEqual([8]);
  });
});

function items(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${name}${n}`);
}

/** A store that gives back what it was given, but for calls with that one, which are refused; from the second on slowly, if so told. */
function storeWith(
  blocked: string,
  pace?: "slow",
): {
  readonly call: (batch: readonly string[]) => Promise<readonly string[]>;
  readonly calls: (readonly string[])[];
  readonly unblock: () => void;
} {
  const calls: (readonly string[])[] = [];
  const gate = Promise.withResolvers<void>();
  const call = async (batch: readonly string[]): Promise<readonly string[]> => {
    calls.push(batch);
    if (!batch.includes(blocked)) return batch;
    if (pace === "slow" && calls.length > 1) await gate.promise;
    throw new StoreError("STORE_BUSY", "held", { outcome: "not-applied", transient: true, blocked: true });
  };
  return { call, calls, unblock: gate.resolve };
}

async function outcomes(
  sent: readonly Promise<string>[],
): Promise<{ readonly stored: readonly string[]; readonly refused: number }> {
  const ends = await Promise.allSettled(sent);
  const stored = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
  return { stored, refused: ends.length - stored.length };
}
