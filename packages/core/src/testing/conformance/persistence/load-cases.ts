import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { PersistenceSuite } from "./suite.ts";

export function loadCases({ describe, it }: PersistenceSuite): void {
  describe("load", () => {
    it("gives the row and every turn where there is no checkpoint", async (stage) => {
      const held = await stage.hold();
      await stage.journal(held, 5);
      const [loaded] = await stage.store.load([held.run]);
      deepStrictEqual(loaded, {
        row: await stage.rowOf(held.run),
        checkpoint: null,
        turns: await stage.store.turns(held.run, { from: 0, limit: 100 }),
      });
      strictEqual(loaded.turns.length, 5);
    });

    it("gives the newest checkpoint and the turns after it", async (stage) => {
      const held = await stage.hold();
      await stage.journal(held, 3);
      await stage.apply(stage.turn(held, 3, { checkpoint: { seq: 1, stateText: "one" } }));
      await stage.apply(stage.turn(held, 4, { checkpoint: { seq: 3, stateText: "three" } }));
      const [loaded] = await stage.store.load([held.run]);
      deepStrictEqual(loaded?.checkpoint, { seq: 3, stateText: "three" });
      deepStrictEqual(
        loaded.turns.map(({ seq }) => seq),
        [4],
      );
    });

    it("gives no turns where the checkpoint holds the last one", async (stage) => {
      const held = await stage.hold();
      await stage.apply(stage.turn(held, 0, { checkpoint: { seq: 0, stateText: "all" } }));
      const [loaded] = await stage.store.load([held.run]);
      deepStrictEqual([loaded?.checkpoint, loaded?.turns], [{ seq: 0, stateText: "all" }, []]);
    });

    it("keeps a checkpoint that is newer than the one written", async (stage) => {
      const held = await stage.hold();
      await stage.journal(held, 3);
      await stage.apply(stage.turn(held, 3, { checkpoint: { seq: 2, stateText: "newer" } }));
      await stage.apply(stage.turn(held, 4, { checkpoint: { seq: 1, stateText: "older" } }));
      const [loaded] = await stage.store.load([held.run]);
      deepStrictEqual(loaded?.checkpoint, { seq: 2, stateText: "newer" });
      deepStrictEqual(
        loaded.turns.map(({ seq }) => seq),
        [3, 4],
      );
    });

    it("keeps the turns before a checkpoint in the journal", async (stage) => {
      const held = await stage.hold();
      await stage.journal(held, 3);
      await stage.apply(stage.turn(held, 3, { checkpoint: { seq: 3, stateText: "all" } }));
      deepStrictEqual(
        (await stage.store.turns(held.run, { from: 0, limit: 9 })).map(({ seq }) => seq),
        [0, 1, 2, 3],
      );
    });

    it("answers in the order of runs, undefined for those that are not there", async (stage) => {
      const [a, b] = (await stage.startMany(2)) as [number, number];
      const loaded = await stage.store.load([b, 999_999, a]);
      deepStrictEqual(
        loaded.map((one) => one?.row.run),
        [b, undefined, a],
      );
    });

    it("keeps journals and checkpoints of one batch apart", async (stage) => {
      const held = await stage.holdMany(20);
      for (const [place, one] of held.entries()) {
        await stage.apply(
          stage.turn(one, 0, { entriesText: `a${place}`, checkpoint: { seq: 0, stateText: `s${place}` } }),
        );
        await stage.apply(stage.turn(one, 1, { entriesText: `b${place}` }));
      }
      const loaded = await stage.store.load(held.map(({ run }) => run));
      for (const [place, one] of loaded.entries()) {
        deepStrictEqual(
          [one?.checkpoint?.stateText, one?.turns.map(({ entriesText }) => entriesText)],
          [`s${place}`, [`b${place}`]],
        );
      }
    });

    it("does nothing for no runs", async (stage) => {
      deepStrictEqual(await stage.store.load([]), []);
    });
  });

  describe("turns", () => {
    it("gives those of a range, in order, both ends included", async (stage) => {
      const held = await stage.hold();
      await stage.journal(held, 10);
      const seqs = async (range: { from: number; to?: number; limit: number }): Promise<number[]> =>
        (await stage.store.turns(held.run, range)).map(({ seq }) => seq);
      deepStrictEqual(await seqs({ from: 3, to: 6, limit: 100 }), [3, 4, 5, 6]);
      deepStrictEqual(await seqs({ from: 8, limit: 100 }), [8, 9]);
      deepStrictEqual(await seqs({ from: 0, limit: 3 }), [0, 1, 2]);
      deepStrictEqual(await seqs({ from: 4, to: 4, limit: 3 }), [4]);
      deepStrictEqual(await seqs({ from: 10, limit: 3 }), []);
      deepStrictEqual(await seqs({ from: 5, to: 4, limit: 3 }), []);
    });

    it("gives the turns of one workflow only, and none of one that is not there", async (stage) => {
      const a = await stage.hold();
      const b = await stage.hold();
      await stage.journal(a, 2);
      await stage.journal(b, 3);
      strictEqual((await stage.store.turns(a.run, { from: 0, limit: 9 })).length, 2);
      deepStrictEqual(await stage.store.turns(999_999, { from: 0, limit: 9 }), []);
    });

    it("pages through a long journal", async (stage) => {
      const held = await stage.hold();
      await stage.journal(held, 150);
      const seen: number[] = [];
      for (;;) {
        const page = await stage.store.turns(held.run, { from: seen.length, limit: 40 });
        if (page.length === 0) break;
        seen.push(...page.map(({ seq }) => seq));
      }
      deepStrictEqual(
        seen,
        Array.from({ length: 150 }, (_, seq) => seq),
      );
    });
  });
}
