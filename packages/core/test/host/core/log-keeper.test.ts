import { describe, expect, it } from "vitest";
import { LogKeeper } from "../../../src/host/core/log-keeper.ts";
import type { LogStore, NewLogLine } from "../../../src/providers/log-store.ts";
import { TestClock, testRuntime } from "../../../src/testing/index.ts";

const record = { kind: "output", stepId: "a", executionId: "u.1", attempt: 1, line: 1, stream: "out" } as const;
const numberOf = ({ lineText }: NewLogLine): number => Number(/"text":"(\d+)/u.exec(lineText)?.[1]);

function keeper(append: LogStore["append"]): { readonly logs: LogKeeper; readonly clock: TestClock } {
  const clock = new TestClock();
  return { clock, logs: new LogKeeper({ append, read: async () => [] }, testRuntime({ clock }), () => 0, 100) };
}

describe("lines on their way to the store", () => {
  it("are the newest ones, in order, where a step writes more than are held without a pause", async () => {
    const stored: number[] = [];
    const sizes: number[] = [];
    const { logs } = keeper(async (lines) => {
      sizes.push(lines.length);
      stored.push(...lines.map(numberOf));
    });
    for (let n = 0; n < 150_000; n++) logs.add(1, { ...record, text: `${n}` });
    await logs.flush();
    expect(stored.length + logs.dropped).toBe(150_000);
    expect(stored.length).toBeLessThanOrEqual(100_000);
    expect(stored.length).toBeGreaterThan(98_000);
    expect(stored).toEqual(stored.toSorted((a, b) => a - b));
    expect(stored.at(-1)).toBe(149_999);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
    await logs.close();
  });

  it("take no longer to add the more have been added", () => {
    const { logs } = keeper(() => new Promise(() => {}));
    const time = (): number => {
      const begun = performance.now();
      for (let n = 0; n < 10_000; n++) logs.add(1, { ...record, text: `${n}` });
      return performance.now() - begun;
    };
    time();
    const few = Math.min(time(), time());
    for (let n = 0; n < 150_000; n++) logs.add(1, { ...record, text: `${n}` });
    // The shift of an array of ten thousand, and a call waiting for each line, made it tens of times as long.
    expect(Math.min(time(), time(), time())).toBeLessThan(8 * few + 20);
    expect(logs.dropped).toBeGreaterThan(90_000);
  });

  it("are few where they are long", () => {
    const { logs } = keeper(() => new Promise(() => {}));
    const text = "x".repeat(1024 ** 2);
    for (let n = 0; n < 60; n++) logs.add(1, { ...record, text });
    expect(logs.dropped).toBeGreaterThan(40);
  });

  it("are waited for as far as they were written before, and one that fails is counted", async () => {
    let calls = 0;
    const { logs } = keeper(async () => {
      calls += 1;
      if (calls === 1) throw new Error("the disk is full");
      // Somebody goes on writing for ever.
      if (calls < 1_000) logs.add(1, { ...record, text: "0" });
    });
    logs.add(1, { ...record, text: "0" });
    await logs.flush();
    expect([calls, logs.dropped]).toEqual([1, 1]);
    logs.add(1, { ...record, text: "0" });
    await logs.flush();
    expect(calls).toBe(2);
  });
});
