import { describe, expect, it } from "vitest";
import { shareOut } from "../src/claim.ts";
import { definition, open, runtime, temporaryFile, workflow } from "./stage.ts";

const minute = 60_000;

function candidate(run: number, namespace: string, over: { readonly priority?: number; readonly dueAt?: number } = {}) {
  return { run, namespace, priority: 0, dueAt: 0, ...over };
}

describe("shareOut", () => {
  const runsOf = (candidates: readonly { readonly run: number }[]): readonly number[] =>
    candidates.map(({ run }) => run);

  it("takes by priority, and by one point for each minute of waiting", () => {
    const candidates = [
      candidate(1, "a", { dueAt: 10 * minute }),
      candidate(2, "a", { dueAt: 10 * minute, priority: 3 }),
      candidate(3, "a", { dueAt: 6 * minute }),
      candidate(4, "a", { dueAt: 6 * minute }),
    ];
    expect(runsOf(shareOut(candidates, 9))).toEqual([3, 4, 2, 1]);
    expect(runsOf(shareOut(candidates, 3))).toEqual([3, 4, 2]);
  });

  it("gives each namespace its share, and what is left to who has more", () => {
    const candidates = [
      ...Array.from({ length: 10 }, (_, place) => candidate(place, "large", { priority: 9 })),
      candidate(20, "small"),
      candidate(21, "small"),
      candidate(30, "tiny"),
    ];
    const namespaces = (limit: number): readonly string[] => shareOut(candidates, limit).map((one) => one.namespace);
    expect(namespaces(3).toSorted()).toEqual(["large", "small", "tiny"]);
    expect(namespaces(6).toSorted()).toEqual(["large", "large", "large", "small", "small", "tiny"]);
    expect(namespaces(2)).toEqual(["large", "small"]);
  });
});

describe("a claim", () => {
  it("takes turns among more tenants than it can look at", { timeout: 60_000 }, async () => {
    const { store } = await open(temporaryFile(), { synchronous: "normal" });
    const tenants = 700;
    for (let round = 0; round < 2; round += 1) {
      await store.create(Array.from({ length: tenants }, (_, place) => workflow({ namespace: `tenant-${place}` })));
    }
    const counts = new Map<string, number>();
    for (let claims = 0; claims < tenants / 10; claims += 1) {
      const claimed = await store.claim({ lease: "l", limit: 10, definitions: [definition], format: 1 });
      expect(claimed).toHaveLength(10);
      for (const { row } of claimed) counts.set(row.namespace, (counts.get(row.namespace) ?? 0) + 1);
    }
    // Nobody has been left out by more than the window that one claim looks at.
    expect(counts.size).toBeGreaterThan(tenants / 2);
    const rest = await store.claim({ lease: "l", limit: 2 * tenants, definitions: [definition], format: 1 });
    expect(rest).toHaveLength(tenants);
  });

  it("passes over lanes in which nothing is due yet", async () => {
    const { store } = await open(temporaryFile(), { synchronous: "normal" });
    const later = runtime.clock.now() + 3_600_000;
    await store.create(
      Array.from({ length: 300 }, (_, place) => workflow({ namespace: `a-${place}`, startAt: later })),
    );
    await store.create(Array.from({ length: 30 }, () => workflow({ namespace: "b", priority: 2 })));
    await store.create(Array.from({ length: 30 }, () => workflow({ namespace: "b", priority: -2 })));
    const claim = () => store.claim({ lease: "l", limit: 20, definitions: [definition], format: 1 });
    const claimed = [...(await claim()), ...(await claim()), ...(await claim()), ...(await claim())];
    expect(claimed).toHaveLength(60);
    expect(claimed.slice(0, 30).every(({ row }) => row.priority === 2)).toBe(true);
  });
});
