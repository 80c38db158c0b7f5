import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { PersistenceSuite } from "./suite.ts";

export function childrenCases({ describe, it }: PersistenceSuite): void {
  describe("commit: children and deliveries", () => {
    it("creates children with the turn", async (stage) => {
      const parent = await stage.hold();
      const child = stage.workflow({ id: "child", parent: { run: parent.run, pointer: 3 }, startText: "child's" });
      await stage.apply(stage.turn(parent, 0, { create: [child] }));
      const [claimed] = await stage.claim();
      deepStrictEqual(
        [claimed?.row.id, claimed?.row.uid, claimed?.row.parent, claimed?.row.startText],
        ["child", child.uid, { run: parent.run, pointer: 3 }, "child's"],
      );
    });

    it("creates many children, each due at its start time", async (stage) => {
      const parent = await stage.hold();
      const later = stage.clock.now() + 60_000;
      const create = Array.from({ length: 50 }, (_, place) => stage.workflow({ startAt: place < 10 ? later : null }));
      await stage.apply(stage.turn(parent, 0, { create }));
      strictEqual((await stage.claim()).length, 40);
      await stage.clock.advance(60_000);
      strictEqual((await stage.claim()).length, 10);
    });

    it("leaves out a child whose id is taken, and applies the rest of the turn", async (stage) => {
      const first = await stage.start({ id: "taken", startText: "first" });
      const parent = await stage.hold();
      await stage.apply(
        stage.turn(parent, 0, {
          create: [stage.workflow({ id: "taken", startText: "second" }), stage.workflow({ id: "free" })],
        }),
      );
      const [taken, free] = await stage.store.find("default", ["taken", "free"]);
      deepStrictEqual([taken?.run, taken?.startText], [first, "first"]);
      ok(free);
      strictEqual((await stage.store.turns(parent.run, { from: 0, limit: 9 })).length, 1);
    });

    it("creates a child that two turns of one batch ask for once", async (stage) => {
      const [a, b] = await stage.holdMany(2);
      ok(a && b);
      const turns = [a, b].map((held) => stage.turn(held, 0, { create: [stage.workflow({ id: "shared" })] }));
      const results = await stage.store.commit(turns);
      deepStrictEqual(
        results.map(({ outcome }) => outcome),
        ["applied", "applied"],
      );
      strictEqual(await stage.store.count({ namespace: "default" }), 3);
    });

    it("stores a child's first turn with it", async (stage) => {
      const parent = await stage.hold();
      const firstTurn = { turn: "first", entriesText: "[1]", host: "host" };
      await stage.apply(stage.turn(parent, 0, { create: [stage.workflow({ id: "child", firstTurn })] }));
      strictEqual((await stage.claim())[0]?.headSeq, 0);
    });

    it("delivers a child's end to its parent in the turn that ends the child", async (stage) => {
      const parent = await stage.sleeping();
      const child = await stage.hold({ parent: { run: parent.run, pointer: 3 } });
      const done = stage.delivery(parent.run, { kind: "child-ended", bodyText: "result", exempt: true });
      const row = stage.row({ status: "completed", completedAt: stage.clock.now(), resultText: "result" });
      const result = await stage.apply(stage.turn(child, 0, { row, deliver: [done] }));
      ok(result.rowWritten);
      strictEqual((await stage.rowOf(child.run)).status, "completed");
      await stage.takeWoken(parent.run);
      const { deliveries } = await stage.pull(parent.run);
      deepStrictEqual(
        deliveries.map(({ deliveryId, kind, bodyText }) => [deliveryId, kind, bodyText]),
        [[done.deliveryId, "child-ended", "result"]],
      );
    });

    it("delivers in the order of the turn, numbered after what was there", async (stage) => {
      const target = await stage.sleeping();
      await stage.deliver(target.run, { kind: "earlier" });
      const held = await stage.hold();
      const deliver = ["a", "b", "c"].map((kind) => stage.delivery(target.run, { kind }));
      await stage.apply(stage.turn(held, 0, { deliver }));
      const { deliveries } = await stage.pull(target.run);
      deepStrictEqual(
        deliveries.map(({ number, kind }) => [number, kind]),
        [
          [1, "earlier"],
          [2, "a"],
          [3, "b"],
          [4, "c"],
        ],
      );
    });

    it("delivers what several turns of one batch send to one workflow", async (stage) => {
      const target = await stage.sleeping();
      const held = await stage.holdMany(30);
      await stage.store.commit(held.map((one) => stage.turn(one, 0, { deliver: [stage.delivery(target.run)] })));
      const { deliveries } = await stage.pull(target.run);
      deepStrictEqual(
        deliveries.map(({ number }) => number),
        Array.from({ length: 30 }, (_, place) => place + 1),
      );
    });

    it("applies a turn whose delivery has no workflow to go to", async (stage) => {
      const held = await stage.hold();
      await stage.apply(stage.turn(held, 0, { deliver: [stage.delivery(999_999)] }));
    });

    it("delivers a turn's deliveries to a full inbox", async (stage) => {
      const target = await stage.sleeping();
      deepStrictEqual(
        (await stage.store.deliver([stage.delivery(target.run)], 1)).map(({ outcome }) => outcome),
        ["accepted"],
      );
      deepStrictEqual(
        (await stage.store.deliver([stage.delivery(target.run)], 1)).map(({ outcome }) => outcome),
        ["inbox-full"],
      );
      const held = await stage.hold();
      await stage.apply(stage.turn(held, 0, { deliver: [stage.delivery(target.run, { exempt: true })] }));
      strictEqual((await stage.pull(target.run)).deliveries.length, 2);
    });

    it("makes a workflow due that delivers to itself as it goes to sleep", async (stage) => {
      const held = await stage.hold();
      await stage.apply(stage.turn(held, 0, { deliver: [stage.delivery(held.run)], row: stage.row() }));
      await stage.takeWoken(held.run);
    });
  });
}
