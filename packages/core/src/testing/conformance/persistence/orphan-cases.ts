import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { PersistenceSuite } from "./suite.ts";

export function orphanCases({ describe, it }: PersistenceSuite): void {
  describe("owned and owners", () => {
    it("gives the rows that a lease owns, with claim and signals", async (stage) => {
      const a = await stage.hold({}, { lease: "a" });
      await stage.hold({}, { lease: "b" });
      await stage.start();
      deepStrictEqual(await stage.store.owned("a"), [{ run: a.run, claim: a.claim, signals: a.row.signals }]);
      deepStrictEqual(await stage.store.owned("none"), []);
    });

    it("gives all rows of a lease that owns 300", async (stage) => {
      const held = await stage.holdMany(300);
      deepStrictEqual(
        (await stage.store.owned("lease")).map(({ run }) => run).sort((x, y) => x - y),
        held.map(({ run }) => run).sort((x, y) => x - y),
      );
    });

    it("forgets a row that its owner has let go", async (stage) => {
      const held = await stage.hold();
      await stage.park(held);
      deepStrictEqual([await stage.store.owned("lease"), await stage.store.owners()], [[], []]);
    });

    it("names every lease that owns something, once", async (stage) => {
      deepStrictEqual(await stage.store.owners(), []);
      for (const lease of ["a", "b", "a", "c"]) await stage.hold({}, { lease });
      deepStrictEqual([...(await stage.store.owners())].sort(), ["a", "b", "c"]);
    });
  });

  describe("orphan", () => {
    it("frees what dead leases own: due now, without an owner, with a higher claim", async (stage) => {
      const held = await stage.hold({}, { lease: "dead" });
      await stage.clock.advance("10s");
      strictEqual(await stage.store.orphan(["dead"], 10), 1);
      const row = await stage.rowOf(held.run);
      deepStrictEqual([row.owner, row.dueAt, row.status], [null, stage.clock.now(), held.row.status]);
      ok(row.claim > held.claim);
      deepStrictEqual(await stage.store.owners(), []);
    });

    it("tells the next claimer that the last owner has died", async (stage) => {
      const held = await stage.hold({}, { lease: "dead" });
      await stage.journal(held, 2);
      const { claim } = await stage.rowOf(held.run);
      await stage.store.orphan(["dead"], 10);
      const [claimed] = await stage.claim({ lease: "heir" });
      deepStrictEqual([claimed?.orphaned, claimed?.headSeq, claimed?.row.owner], [true, 1, "heir"]);
      ok((claimed?.row.claim ?? 0) > claim);
    });

    it("tells it to that claimer only", async (stage) => {
      const held = await stage.hold({}, { lease: "dead" });
      await stage.store.orphan(["dead"], 10);
      await stage.park(await stage.take(held.run), { dueAt: stage.clock.now() });
      strictEqual((await stage.claim())[0]?.orphaned, false);
    });

    it("tells it again when the claimer dies too", async (stage) => {
      await stage.hold({}, { lease: "dead" });
      await stage.store.orphan(["dead"], 10);
      await stage.claim({ lease: "heir" });
      await stage.store.orphan(["heir"], 10);
      strictEqual((await stage.claim())[0]?.orphaned, true);
    });

    it("takes the row out of the dead host's hands", async (stage) => {
      const held = await stage.hold({}, { lease: "dead" });
      await stage.store.orphan(["dead"], 10);
      const before = await stage.rowOf(held.run);
      deepStrictEqual(await stage.store.writeRows([{ run: held.run, claim: held.claim, row: stage.row() }]), [false]);
      deepStrictEqual(await stage.rowOf(held.run), before);
    });

    it("leaves what other leases own, and what nobody owns", async (stage) => {
      const live = await stage.hold({}, { lease: "live" });
      const free = await stage.sleeping();
      await stage.hold({}, { lease: "dead" });
      const before = [await stage.rowOf(live.run), await stage.rowOf(free.run)];
      strictEqual(await stage.store.orphan(["dead", "unknown"], 10), 1);
      deepStrictEqual([await stage.rowOf(live.run), await stage.rowOf(free.run)], before);
    });

    it("frees what several leases own", async (stage) => {
      for (const lease of ["a", "b", "c"]) await stage.hold({}, { lease });
      strictEqual(await stage.store.orphan(["a", "c"], 10), 2);
      deepStrictEqual(await stage.store.owners(), ["b"]);
    });

    it("frees at most so many, and the rest in further calls", async (stage) => {
      await stage.holdMany(25);
      deepStrictEqual(
        [
          await stage.store.orphan(["lease"], 10),
          await stage.store.orphan(["lease"], 10),
          await stage.store.orphan(["lease"], 10),
        ],
        [10, 10, 5],
      );
      strictEqual(await stage.store.orphan(["lease"], 10), 0);
    });

    it("frees each once where several hosts do it at once", async (stage) => {
      const held = await stage.holdMany(60);
      const counts = await Promise.all(Array.from({ length: 6 }, () => stage.store.orphan(["lease"], 100)));
      strictEqual(
        counts.reduce((sum, count) => sum + count, 0),
        60,
      );
      const claims = new Set<number>();
      for (const { run } of held) claims.add((await stage.rowOf(run)).claim);
      strictEqual(claims.size, 1);
    });

    it("does nothing for no leases", async (stage) => {
      await stage.hold();
      strictEqual(await stage.store.orphan([], 10), 0);
    });
  });
}
