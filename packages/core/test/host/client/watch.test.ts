import { describe, expect, it, vi } from "vitest";
import { Watch, type LookUp } from "../../../src/host/client/watch.ts";
import { StoreError } from "../../../src/errors.ts";
import type { StoreHint } from "../../../src/providers/index.ts";
import { TestClock } from "../../../src/testing/test-clock.ts";

const silent = { debug: () => {}, info: () => {}, warn: vi.fn(), error: () => {} };

function setUp() {
  const clock = new TestClock();
  const facts = new Map<string, string>();
  const lookUps: string[][] = [];
  let hint: ((hint: StoreHint) => void) | undefined;
  const store: { failure: Error | undefined } = { failure: undefined };
  const inHand = new Set<number>();
  const watch = new Watch<string, string>({
    clock,
    log: silent,
    what: "facts",
    textOf: (key) => key,
    lookUp: async (keys) => {
      lookUps.push([...keys]);
      if (store.failure !== undefined) throw store.failure;
      return keys.map((key): LookUp<string> => {
        const fact = facts.get(key);
        return { run: Number(key.slice(1)), ...(fact === undefined ? {} : { fact }) };
      });
    },
    hints: (listener) => {
      hint = listener;
      return () => {
        hint = undefined;
      };
    },
    inHand: (run) => inHand.has(run),
  });
  return {
    clock,
    facts,
    lookUps,
    watch,
    store,
    inHand,
    hint: (given: StoreHint) => hint?.(given),
    listens: () => hint !== undefined,
  };
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

describe("a watch", () => {
  it("does not look up at once what cannot be there yet, and finds it all the same", async () => {
    const { clock, facts, lookUps, watch } = setUp();
    const { promise } = watch.wait("k1", clock.monotonic());
    await clock.settle();
    expect(lookUps).toEqual([]);
    facts.set("k1", "there");
    await clock.advance(60);
    expect(await promise).toBe("there");
  });

  it("is told of what is in hand here, and looks it up only after a while, or once it is out of hand", async () => {
    const { clock, facts, lookUps, watch, hint, inHand } = setUp();
    inHand.add(1).add(2).add(3);
    const told = watch.wait("k1", clock.monotonic(), 1);
    const missed = watch.wait("k2", clock.monotonic(), 2);
    const lost = watch.wait("k3", clock.monotonic(), 3);
    hint({});
    await clock.advance(200);
    hint({});
    await clock.advance(100);
    expect(lookUps).toEqual([]);
    watch.tell("k1", "told");
    expect(await told.promise).toBe("told");
    facts.set("k2", "there").set("k3", "there");
    inHand.delete(3);
    hint({});
    await clock.settle();
    expect(await lost.promise).toBe("there");
    expect(lookUps).toEqual([["k3"]]);
    await clock.advance(3_000);
    expect(await missed.promise).toBe("there");
  });

  it("looks up what is in hand here where its fact may have come before anyone waited", async () => {
    const { facts, watch, inHand } = setUp();
    inHand.add(1);
    facts.set("k1", "there");
    expect(await watch.wait("k1", undefined, 1).promise).toBe("there");
  });

  it("looks up at once what it was told of before anyone waited, and after it has forgotten what it was told", async () => {
    const { clock, facts, lookUps, watch } = setUp();
    const before = clock.monotonic();
    watch.tell("k1", "there");
    facts.set("k1", "there");
    expect(await watch.wait("k1", before).promise).toBe("there");

    await clock.advance(1);
    for (let n = 0; n < 2_000; n++) watch.tell(`other ${n}`, "there");
    facts.set("k2", "there");
    expect(await watch.wait("k2", before).promise).toBe("there");
    expect(lookUps).toEqual([["k1"], ["k2"]]);
  });

  it("finds at once what is there already", async () => {
    const { facts, watch } = setUp();
    facts.set("k1", "there");
    await expect(watch.wait("k1").promise).resolves.toBe("there");
  });

  it("takes what is told without a further look-up", async () => {
    const { clock, lookUps, watch } = setUp();
    const { promise } = watch.wait("k1");
    expect(await settled(clock, promise)).toBe(false);
    const before = lookUps.length;
    watch.tell("k1", "told");
    await expect(promise).resolves.toBe("told");
    expect(lookUps.length).toBe(before);
  });

  it("looks up when the store hints at a change, all keys or those of the workflows named", async () => {
    const { clock, facts, lookUps, watch, hint } = setUp();
    const one = watch.wait("k1").promise;
    const two = watch.wait("k2").promise;
    await clock.settle();
    facts.set("k1", "first").set("k2", "second");
    lookUps.length = 0;
    hint({ runs: [2, 7] });
    await expect(two).resolves.toBe("second");
    expect(lookUps).toEqual([["k2"]]);
    expect(await settled(clock, one)).toBe(false);
    hint({});
    await expect(one).resolves.toBe("first");
  });

  it("finds by polling what nobody has told", async () => {
    const { clock, facts, watch } = setUp();
    const { promise } = watch.wait("k1");
    await clock.settle();
    facts.set("k1", "found");
    await clock.advance("1s");
    await expect(promise).resolves.toBe("found");
  });

  it("asks for thousands of keys in few look-ups, and polls them slowly", async () => {
    const { clock, lookUps, watch } = setUp();
    const waits = Array.from({ length: 5_000 }, (_, index) => watch.wait(`k${index}`));
    await clock.settle();
    expect(lookUps.length).toBe(10);
    expect(Math.max(...lookUps.map((keys) => keys.length))).toBe(500);
    await clock.advance("1m");
    lookUps.length = 0;
    await clock.advance("1m");
    // Every 5 s at most: 12 rounds of 10.
    expect(lookUps.length).toBeLessThanOrEqual(130);
    for (const wait of waits) {
      wait.promise.catch(() => {});
      wait.cancel(new Error("enough"));
    }
    expect(watch.size).toBe(0);
  });

  it("keeps a distance between the look-ups that a store's constant hints cause", async () => {
    const { clock, facts, lookUps, watch, hint } = setUp();
    const { promise } = watch.wait("k1");
    await clock.advance("10s");
    lookUps.length = 0;
    for (let ms = 0; ms < 1_000; ms++) {
      hint({});
      await clock.advance(1);
    }
    expect(lookUps.length).toBeGreaterThanOrEqual(39);
    // Twice the 40 of a clock that never stands still.
    expect(lookUps.length).toBeLessThanOrEqual(82);
    facts.set("k1", "there");
    hint({});
    await clock.advance(25);
    await expect(promise).resolves.toBe("there");
  });

  it("hears every hint while a test clock stands still", async () => {
    const { clock, facts, watch, hint } = setUp();
    const { promise } = watch.wait("k1");
    for (let hints = 0; hints < 500; hints++) {
      hint({});
      await clock.settle();
    }
    facts.set("k1", "there");
    hint({});
    await expect(promise).resolves.toBe("there");
  });

  it("stops listening and looking up when nothing is waited for", async () => {
    const { clock, lookUps, watch, listens } = setUp();
    const wait = watch.wait("k1");
    await clock.settle();
    expect(listens()).toBe(true);
    wait.cancel(new Error("not interested"));
    await expect(wait.promise).rejects.toThrow("not interested");
    expect(listens()).toBe(false);
    lookUps.length = 0;
    await clock.advance("10m");
    expect(lookUps).toEqual([]);
  });

  it("gives several waits of one key the same fact, and goes on for those that did not give up", async () => {
    const { clock, watch } = setUp();
    const one = watch.wait("k1");
    const two = watch.wait("k1");
    await clock.settle();
    one.cancel(new Error("gone"));
    await expect(one.promise).rejects.toThrow("gone");
    watch.tell("k1", "fact");
    await expect(two.promise).resolves.toBe("fact");
  });

  it("goes on while the store is out of reach, with one line in the log", async () => {
    const { clock, facts, watch, store } = setUp();
    silent.warn.mockClear();
    store.failure = new StoreError("STORE_UNREACHABLE", "no connection", { outcome: "not-applied", transient: true });
    const { promise } = watch.wait("k1");
    await clock.advance("10s");
    expect(silent.warn).toHaveBeenCalledTimes(1);
    store.failure = undefined;
    facts.set("k1", "there");
    await clock.advance("2s");
    await expect(promise).resolves.toBe("there");
  });

  it("ends the waits when the store fails for good, and when it is closed", async () => {
    const { watch, store } = setUp();
    store.failure = new Error("damaged");
    await expect(watch.wait("k1").promise).rejects.toThrow("damaged");
    store.failure = undefined;
    const { promise } = watch.wait("k2");
    watch.close(new Error("closed"));
    await expect(promise).rejects.toThrow("closed");
    await expect(watch.wait("k3").promise).rejects.toThrow("closed");
  });
});
