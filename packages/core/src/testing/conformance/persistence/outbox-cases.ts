import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { Run, SearchOutbox } from "../../../providers/index.ts";
import type { Stage } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

export function outboxCases({ describe, it: declare }: PersistenceSuite): void {
  // A store that can feed no index has none.
  const it = (claim: string, body: (stage: Stage, outbox: SearchOutbox) => Promise<void>): void =>
    declare(claim, async (stage) => {
      const { outbox } = stage.store;
      if (outbox !== undefined) await body(stage, outbox);
    });

  describe("outbox", () => {
    it("keeps nothing before it is asked to", async (stage, outbox) => {
      await stage.end(await stage.hold());
      deepStrictEqual(await outbox.read(10), []);
      deepStrictEqual(await outbox.backlog(), { rows: 0, oldestAt: null });
    });

    it("has a row for each workflow created, also in one batch, and none for one that was there", async (stage, outbox) => {
      outbox.keep();
      const runs = await stage.startMany(70);
      const twice = stage.workflow();
      const again = await stage.start(twice);
      await stage.store.create([twice]);
      deepStrictEqual(await runsIn(outbox), [...runs, again]);
      strictEqual((await outbox.read(1))[0]?.at, stage.clock.now());
    });

    it("has a row for each row written, with a turn and without, and none for a turn alone", async (stage, outbox) => {
      const held = await stage.hold();
      const other = await stage.hold();
      outbox.keep();
      await stage.apply(stage.turn(held, 0));
      await stage.apply(stage.turn(held, 1, { checkpoint: { seq: 1, stateText: "s" } }));
      deepStrictEqual(await runsIn(outbox), []);
      await stage.apply(stage.turn(held, 2, { row: stage.row({ release: false }) }));
      await stage.park(other);
      deepStrictEqual(await runsIn(outbox), [held.run, other.run]);
    });

    it("has no row for a row that was not written: a lost claim, or a turn that was refused", async (stage, outbox) => {
      const held = await stage.hold();
      outbox.keep();
      const stale = { ...held, claim: held.claim - 1 };
      await stage.commit(stage.turn(stale, 0, { row: stage.row() }));
      await stage.commit(stage.turn(held, 5, { row: stage.row() }));
      await stage.store.writeRows([{ run: stale.run, claim: stale.claim, row: stage.row() }]);
      deepStrictEqual(await runsIn(outbox), []);
    });

    it("has a row for each child that a turn creates", async (stage, outbox) => {
      const held = await stage.hold();
      outbox.keep();
      const child = stage.workflow({ parent: { run: held.run, pointer: 1 } });
      await stage.apply(stage.turn(held, 0, { create: [child] }));
      const [row] = await stage.store.find("default", [child.id]);
      deepStrictEqual(await runsIn(outbox), [row?.run]);
    });

    it("has a row for each workflow that retention deletes", async (stage, outbox) => {
      const held = await stage.hold();
      await stage.end(held);
      outbox.keep();
      await stage.clock.advance(10);
      await stage.store.purge({ workflowsBefore: stage.clock.now(), limit: 10 });
      deepStrictEqual(await runsIn(outbox), [held.run]);
    });

    it("numbers rows upwards, and gives no number again when all have been deleted", async (stage, outbox) => {
      outbox.keep();
      const run = await stage.start();
      const [first] = await outbox.read(10);
      ok(first);
      await outbox.remove([first.place]);
      deepStrictEqual(await outbox.read(10), []);
      await stage.take(run);
      await stage.start();
      const [second] = await outbox.read(10);
      ok(second);
      ok(second.place > first.place, "a later change has a higher revision");
      ok(Number.isSafeInteger(second.place) && second.place > 0);
    });

    it("gives the lowest rows first, as many as are asked for, until they are deleted", async (stage, outbox) => {
      outbox.keep();
      const runs = await stage.startMany(5);
      const some = await outbox.read(3);
      deepStrictEqual(
        some.map(({ run }) => run),
        runs.slice(0, 3),
      );
      deepStrictEqual(await outbox.read(3), some);
      await outbox.remove([...some.slice(0, 2).map(({ place }) => place), 1_000_000_000]);
      deepStrictEqual(await runsIn(outbox), runs.slice(2));
      await outbox.remove([]);
    });

    it("tells how much waits, and since when", async (stage, outbox) => {
      outbox.keep();
      const at = stage.clock.now();
      await stage.start();
      await stage.clock.advance(1_000);
      await stage.start();
      deepStrictEqual(await outbox.backlog(), { rows: 2, oldestAt: at });
    });

    it("is filled with all workflows, some at a time", async (stage, outbox) => {
      const runs = await stage.startMany(5);
      const first = await outbox.refill(0, 3);
      strictEqual(first, runs[2]);
      const second = await outbox.refill(first ?? 0, 3);
      strictEqual(second, runs[4]);
      strictEqual(await outbox.refill(second ?? 0, 3), null);
      deepStrictEqual(await runsIn(outbox), runs);
    });

    it("keeps one note, which is replaced only where it is the expected one", async (stage, outbox) => {
      strictEqual(await outbox.note(), null);
      strictEqual(await outbox.replaceNote("one", "two"), false);
      strictEqual(await outbox.replaceNote(null, 'one "1"'), true);
      strictEqual(await outbox.replaceNote(null, "two"), false);
      strictEqual(await outbox.replaceNote('one "1"', "two"), true);
      strictEqual(await outbox.note(), "two");
    });
  });
}

async function runsIn(outbox: SearchOutbox): Promise<readonly Run[]> {
  return (await outbox.read(1_000)).map(({ run }) => run);
}
