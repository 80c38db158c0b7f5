import { describe, expect, it } from "vitest";
import { stores } from "../support/stores.ts";
import { playInterleavings } from "./interleaving.ts";
import { expectedReads } from "./program.ts";

/** Interleavings on each store, and how many of them share their hosts. The long tests play 10,000. */
const shares: Record<string, { readonly worlds: number; readonly readers: number }> = {
  memory: { worlds: 20, readers: 50 },
  sqlite: { worlds: 3, readers: 40 },
};

/** One that is to be played again: the seed that a failure printed. */
const onlySeed = process.env["WFE_SEED"];

describe.each(stores)("events on $name", (store) => {
  const { worlds, readers } = shares[store.name] ?? { worlds: 10, readers: 10 };

  it(`are none lost, none read twice and all in order along every line of control, in ${worlds * readers} random interleavings with crashes`, async () => {
    if (onlySeed !== undefined) return playInterleavings(store, Number(onlySeed), readers);
    for (let seed = 1; seed <= worlds; seed += 1) await playInterleavings(store, seed, readers);
  }, 600_000);
});

describe("the model of the interleavings", () => {
  it("reads in order along a line, the same in branches, and goes on behind the furthest", () => {
    const read = (leaf: string) => ({ kind: "read", leaf, byBody: false }) as const;
    const { log, total } = expectedReads({
      kind: "sequence",
      parts: [
        read("a"),
        { kind: "parallel", branches: [read("b"), { kind: "loop", times: 2, leaf: "l", body: read("c") }] },
        { kind: "items", times: 2, concurrency: 1, body: read("d") },
        { kind: "items", times: 2, concurrency: 2, body: read("e") },
        { kind: "saga", times: 1, leaf: "s", body: read("f") },
      ],
    });
    expect(total).toBe(8);
    expect(log).toEqual({
      "a@": [0],
      "b@": [1],
      "c@": [1, 2],
      "d@/0": [3],
      "d@/1": [4],
      "e@/0": [5],
      "e@/1": [5],
      "f@": [6, 7],
    });
  });
});
