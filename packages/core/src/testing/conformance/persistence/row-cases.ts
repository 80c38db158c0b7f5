import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { PersistenceSuite } from "./suite.ts";

export function rowCases({ describe, it }: PersistenceSuite): void {
  describe("commit: the row", () => {
    it("writes every field of it", async (stage) => {
      const held = await stage.hold();
      await stage.clock.advance(1_000);
      const now = stage.clock.now();
      const written = {
        status: "failed",
        dueAt: now + 5_000,
        version: 3,
        definitionHash: "hash 3",
        completedAt: now,
        resultText: "result",
        errorText: "error",
        waitingFor: [
          { event: "a", key: "1" },
          { event: "b", key: "", until: now + 9 },
        ],
      } as const;
      const result = await stage.apply(stage.turn(held, 0, { row: stage.row(written) }));
      ok(result.rowWritten);
      const row = await stage.rowOf(held.run);
      deepStrictEqual(row, { ...held.row, ...written, owner: null, updatedAt: row.updatedAt });
    });

    it("writes it over what was there, absence included", async (stage) => {
      const held = await stage.hold();
      const full = { errorText: "e", resultText: "r", completedAt: 5, waitingFor: [{ event: "a", key: "" }] };
      await stage.apply(stage.turn(held, 0, { row: stage.row({ ...full, release: false }) }));
      await stage.apply(stage.turn(held, 1, { row: stage.row({ release: false }) }));
      const { errorText, resultText, completedAt, waitingFor } = await stage.rowOf(held.run);
      deepStrictEqual([errorText, resultText, completedAt, waitingFor], [null, null, null, []]);
    });

    it("keeps the owner where it does not let go, and tells no due time", async (stage) => {
      const held = await stage.hold();
      const result = await stage.apply(stage.turn(held, 0, { row: stage.row({ release: false, status: "runnable" }) }));
      ok(result.rowWritten);
      strictEqual(result.dueAt, undefined);
      const { owner, claim } = await stage.rowOf(held.run);
      deepStrictEqual([owner, claim], ["lease", held.claim]);
    });

    it("lets go, and tells the due time", async (stage) => {
      const held = await stage.hold();
      const dueAt = stage.clock.now() + 5_000;
      const result = await stage.apply(stage.turn(held, 0, { row: stage.row({ dueAt }) }));
      strictEqual(result.dueAt, dueAt);
      const row = await stage.rowOf(held.run);
      deepStrictEqual([row.owner, row.dueAt, row.claim], [null, dueAt, held.claim]);
    });

    it("tells null where it lets go until something comes", async (stage) => {
      const held = await stage.hold();
      strictEqual((await stage.apply(stage.turn(held, 0, { row: stage.row() }))).dueAt, null);
    });

    it("makes the row due now where signals came that its owner has not noted", async (stage) => {
      const held = await stage.hold();
      await stage.deliver(held.run);
      await stage.clock.advance(10);
      const row = stage.row({ notedSignals: held.row.signals, dueAt: stage.clock.now() + 86_400_000 });
      strictEqual((await stage.apply(stage.turn(held, 0, { row }))).dueAt, stage.clock.now());
      await stage.takeWoken(held.run);
    });

    it("lets it sleep where its owner has noted all signals", async (stage) => {
      const held = await stage.hold();
      await stage.deliver(held.run);
      const { signals } = await stage.pull(held.run);
      strictEqual((await stage.apply(stage.turn(held, 0, { row: stage.row({ notedSignals: signals }) }))).dueAt, null);
      deepStrictEqual(await stage.claim(), []);
    });

    it("makes a finished row due too where signals came", async (stage) => {
      const held = await stage.hold();
      await stage.deliver(held.run);
      await stage.end(held);
      strictEqual((await stage.takeWoken(held.run)).row.status, "completed");
    });

    it("does not mind signals where the row is not let go", async (stage) => {
      const held = await stage.hold();
      await stage.deliver(held.run);
      await stage.apply(stage.turn(held, 0, { row: stage.row({ release: false }) }));
      strictEqual((await stage.rowOf(held.run)).owner, "lease");
      await stage.apply(stage.turn(held, 1, { row: stage.row({ notedSignals: held.row.signals }) }));
      await stage.takeWoken(held.run);
    });

    it("tells when the row was written last", async (stage) => {
      const held = await stage.hold();
      await stage.clock.advance(1_234);
      await stage.apply(stage.turn(held, 0, { row: stage.row() }));
      const { createdAt, updatedAt } = await stage.rowOf(held.run);
      deepStrictEqual([createdAt, updatedAt], [held.row.createdAt, stage.clock.now()]);
    });
  });

  describe("writeRows", () => {
    it("writes a row without a turn", async (stage) => {
      const held = await stage.hold();
      const row = stage.row({ status: "suspended", dueAt: 5 });
      deepStrictEqual(await stage.store.writeRows([{ run: held.run, claim: held.claim, row }]), [true]);
      const stored = await stage.rowOf(held.run);
      deepStrictEqual([stored.status, stored.dueAt, stored.owner], ["suspended", 5, null]);
      deepStrictEqual(await stage.store.turns(held.run, { from: 0, limit: 10 }), []);
    });

    it("writes nothing where the claim is lost", async (stage) => {
      const held = await stage.hold();
      await stage.park(held, { dueAt: stage.clock.now() });
      await stage.take(held.run, { lease: "other" });
      const before = await stage.rowOf(held.run);
      const row = stage.row({ status: "failed" });
      deepStrictEqual(await stage.store.writeRows([{ run: held.run, claim: held.claim, row }]), [false]);
      deepStrictEqual(await stage.rowOf(held.run), before);
    });

    it("answers each of a batch in its order, missing workflows included", async (stage) => {
      const a = await stage.hold();
      const b = await stage.hold();
      const row = stage.row();
      const written = await stage.store.writeRows([
        { run: a.run, claim: a.claim, row },
        { run: 999_999, claim: 1, row },
        { run: b.run, claim: b.claim + 1, row },
        { run: b.run, claim: b.claim, row },
      ]);
      deepStrictEqual(written, [true, false, false, true]);
    });

    it("makes of a row that is there twice what the last one says", async (stage) => {
      const [a, b] = [await stage.hold(), await stage.hold()];
      const [early, late] = [stage.row({ dueAt: 5 }), stage.row({ dueAt: 7 })];
      const writes = [
        { run: b.run, claim: b.claim, row: late },
        { run: a.run, claim: a.claim, row: early },
        { run: a.run, claim: a.claim, row: late },
      ];
      deepStrictEqual(await stage.store.writeRows(writes), [true, true, true]);
      deepStrictEqual([(await stage.rowOf(a.run)).dueAt, (await stage.rowOf(b.run)).dueAt], [7, 7]);
    });

    it("writes a batch of 100, each its own", async (stage) => {
      const held = await stage.holdMany(100);
      const writes = held.map(({ run, claim }, place) => ({ run, claim, row: stage.row({ errorText: `${place}` }) }));
      ok((await stage.store.writeRows(writes)).every(Boolean));
      for (const [place, { run }] of held.entries()) strictEqual((await stage.rowOf(run)).errorText, `${place}`);
    });

    it("does nothing for an empty batch", async (stage) => {
      deepStrictEqual(await stage.store.writeRows([]), []);
    });

    it("makes the row due now where signals came that its owner has not noted", async (stage) => {
      const held = await stage.hold();
      await stage.deliver(held.run);
      await stage.park(held);
      await stage.takeWoken(held.run);
    });

    it("answers alike when it is repeated", async (stage) => {
      const held = await stage.hold();
      const write = { run: held.run, claim: held.claim, row: stage.row({ dueAt: 7 }) };
      deepStrictEqual(await stage.store.writeRows([write]), [true]);
      deepStrictEqual(await stage.store.writeRows([write]), [true]);
      deepStrictEqual(await stage.claim({ limit: 2 }).then((claimed) => claimed.length), 1);
    });

    it("loses no delivery that comes while the row is let go, whichever is first", async (stage) => {
      for (const held of await stage.holdMany(100)) {
        await Promise.all(
          held.run % 2 === 0
            ? [stage.park(held), stage.deliver(held.run)]
            : [stage.deliver(held.run), stage.park(held)],
        );
        ok(await stage.isDue(held.run), "the workflow is due");
      }
    });
  });
}
