import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { Subscription, TurnCommit } from "../../../providers/index.ts";
import type { Applied, Held, Stage } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

export function subscriptionCases({ describe, it }: PersistenceSuite): void {
  describe("subscriptions", () => {
    it("wakes a waiting workflow: raises its signals, makes it due now", async (stage) => {
      const held = await waiting(stage, [subscription()]);
      await stage.clock.advance("1h");
      await stage.publish();
      const { dueAt, signals } = await stage.rowOf(held.run);
      strictEqual(dueAt, stage.clock.now());
      ok(signals > held.row.signals);
      await stage.takeWoken(held.run);
    });

    it("wakes nobody who waits for another name, key or namespace", async (stage) => {
      await waiting(stage, [subscription({ key: "o-2" })]);
      await waiting(stage, [subscription({ name: "sent" })]);
      await waiting(stage, [subscription()], { namespace: "other" });
      await stage.publish();
      await stage.advanceEvents();
      deepStrictEqual(await stage.claim(), []);
    });

    it("wakes everyone who waits for a stream", async (stage) => {
      const runs: number[] = [];
      for (let number = 0; number < 20; number += 1) runs.push((await waiting(stage, [subscription()])).run);
      await stage.publish();
      await stage.advanceEvents();
      for (const run of runs) await stage.takeWoken(run);
    });

    it("leaves an owned workflow to its owner, who sees its signals", async (stage) => {
      const held = await stage.hold();
      await subscribe(stage, held, 0, [subscription()]);
      await stage.publish();
      await stage.advanceEvents();
      const [owned] = await stage.store.owned("lease");
      ok((owned?.signals ?? 0) > held.row.signals);
      deepStrictEqual(await stage.claim(), []);
      await stage.park(held);
      await stage.takeWoken(held.run);
    });

    it("tells that a stream has gone beyond the cursor already", async (stage) => {
      const held = await stage.hold();
      await stage.publish();
      await stage.publish();
      strictEqual((await subscribe(stage, held, 0, [subscription({ after: 0 })])).behind, true);
      strictEqual((await subscribe(stage, held, 1, [subscription({ after: 1 })])).behind, true);
      strictEqual((await subscribe(stage, held, 2, [subscription({ after: 2 })])).behind, false);
    });

    it("tells it where one of several streams has gone beyond", async (stage) => {
      const held = await stage.hold();
      await stage.publish({ key: "b" });
      const both = [subscription({ key: "a" }), subscription({ key: "b" })];
      strictEqual((await subscribe(stage, held, 0, both)).behind, true);
      strictEqual(
        (await subscribe(stage, held, 1, [subscription({ key: "a" }), subscription({ key: "c" })])).behind,
        false,
      );
    });

    it("tells nothing of streams of another namespace", async (stage) => {
      const held = await stage.hold();
      await stage.publish({ namespace: "other" });
      strictEqual((await subscribe(stage, held, 0, [subscription()])).behind, false);
    });

    it("makes a workflow due that lets go in the turn that finds it behind", async (stage) => {
      const held = await stage.hold();
      await stage.publish();
      const result = await subscribe(stage, held, 0, [subscription()], { row: stage.row() });
      deepStrictEqual([result.behind, result.dueAt], [true, stage.clock.now()]);
      await stage.takeWoken(held.run);
    });

    it("ends the subscriptions of a pointer", async (stage) => {
      const held = await stage.hold();
      await subscribe(stage, held, 0, [subscription({ key: "a" }), subscription({ key: "b" })]);
      await stage.apply(stage.turn(held, 1, { unsubscribe: [1], row: stage.row() }));
      await stage.publish({ key: "a" });
      await stage.publish({ key: "b" });
      await stage.advanceEvents();
      deepStrictEqual(await stage.claim(), []);
    });

    it("ends the subscriptions of that pointer only", async (stage) => {
      const held = await stage.hold();
      await subscribe(stage, held, 0, [subscription(), subscription({ pointer: 2 }), subscription({ pointer: 21 })]);
      await stage.apply(stage.turn(held, 1, { unsubscribe: [2], row: stage.row() }));
      await stage.publish();
      await stage.takeWoken(held.run);
    });

    it("ends what is not there without a word", async (stage) => {
      const held = await stage.hold();
      await stage.apply(stage.turn(held, 0, { unsubscribe: [1, 2, 3] }));
    });

    it("subscribes a pointer anew in the turn that ends what it had", async (stage) => {
      const held = await stage.hold();
      await subscribe(stage, held, 0, [subscription({ key: "a" })]);
      await subscribe(stage, held, 1, [subscription({ key: "b" })], { unsubscribe: [1], row: stage.row() });
      await stage.publish({ key: "a" });
      await stage.advanceEvents();
      deepStrictEqual(await stage.claim(), []);
      await stage.publish({ key: "b" });
      await stage.takeWoken(held.run);
    });

    it("takes a second subscription of a pointer to a stream in place of the first", async (stage) => {
      const held = await stage.hold();
      await stage.publish();
      await subscribe(stage, held, 0, [subscription({ after: 0 })]);
      strictEqual((await subscribe(stage, held, 1, [subscription({ after: 1 })])).behind, false);
      await stage.apply(stage.turn(held, 2, { unsubscribe: [1], row: stage.row() }));
      await stage.publish();
      await stage.advanceEvents();
      deepStrictEqual(await stage.claim(), []);
    });

    it("wakes a workflow again for each event while it waits on", async (stage) => {
      let held = await waiting(stage, [subscription()]);
      for (let round = 0; round < 3; round += 1) {
        await stage.publish();
        held = await stage.takeWoken(held.run);
        await stage.park(held);
        deepStrictEqual(await stage.claim(), []);
      }
    });

    it("keeps subscriptions apart, whatever their keys hold", async (stage) => {
      const keys = ["", "o'1", 'o"1', "o\\1", "👩‍👩‍👧", "%", "_", "x".repeat(512)];
      const runs = new Map<string, number>();
      for (const key of keys) runs.set(key, (await waiting(stage, [subscription({ key })])).run);
      for (const key of keys) {
        await stage.publish({ key });
        await stage.advanceEvents();
        deepStrictEqual(
          (await stage.claim()).map(({ row }) => row.run),
          [runs.get(key)],
        );
      }
    });

    it("loses no event that comes while a workflow subscribes and lets go, whichever is first", async (stage) => {
      for (const held of await stage.holdMany(100)) {
        const key = `${held.run}`;
        const park = (): Promise<unknown> => subscribe(stage, held, 0, [subscription({ key })], { row: stage.row() });
        const publish = (): Promise<unknown> => stage.publish({ key });
        await Promise.all(held.run % 2 === 0 ? [park(), publish()] : [publish(), park()]);
        await stage.advanceEvents();
        ok(await stage.isDue(held.run), "the workflow is due");
      }
    });

    it("subscribes many workflows of one batch to one stream while events come", async (stage) => {
      const held = await stage.holdMany(60);
      const turns = held.map((one) => stage.turn(one, 0, { subscribe: [subscription()], row: stage.row() }));
      await Promise.all([stage.store.commit(turns), ...Array.from({ length: 5 }, () => stage.publish())]);
      await stage.advanceEvents();
      for (const { run } of held) ok(await stage.isDue(run), "the workflow is due");
    });
  });

  describe("advanceEvents: many waiters", () => {
    it("wakes all of 1,500 waiters for one event, in bounded calls", async (stage) => {
      const held = await stage.holdMany(1_500);
      for (let from = 0; from < held.length; from += 500) {
        const turns = held
          .slice(from, from + 500)
          .map((one) => stage.turn(one, 0, { subscribe: [subscription()], row: stage.row() }));
        await stage.store.commit(turns);
      }
      await stage.publish();
      let due = await takeAll(stage);
      for (let more = true; more;) {
        more = await stage.store.advanceEvents(50);
        const woken = await takeAll(stage);
        ok(woken <= 50, `a call wakes at most as many as it is asked to, not ${woken}`);
        due += woken;
      }
      strictEqual(due, 1_500);
    });

    it("wakes for the second of two events whoever it has woken for the first", async (stage) => {
      const held = await stage.holdMany(700);
      await stage.store.commit(
        held.map((one) => stage.turn(one, 0, { subscribe: [subscription()], row: stage.row() })),
      );
      await stage.publish();
      const first = await stage.claim({ limit: 10 });
      await stage.publish();
      await stage.advanceEvents();
      for (const { row } of first) ok((await stage.rowOf(row.run)).signals > row.signals);
      strictEqual(await takeAll(stage), 690);
    });

    it("wakes all of them though retention has deleted the event meanwhile", async (stage) => {
      const held = await stage.holdMany(1_000);
      await stage.store.commit(
        held.map((one) => stage.turn(one, 0, { subscribe: [subscription()], row: stage.row() })),
      );
      await stage.publish();
      await stage.clock.advance(1);
      await stage.store.purge({ eventsBefore: stage.clock.now(), limit: 100 });
      await stage.advanceEvents();
      strictEqual(await takeAll(stage), 1_000);
    });

    it("leaves who has stopped waiting, though others wait still to be woken", async (stage) => {
      const held = await stage.holdMany(700);
      await stage.store.commit(held.map((one) => stage.turn(one, 0, { subscribe: [subscription()] })));
      await stage.publish();
      // Whoever is not woken yet has read the event, and waits for the next.
      const untouched: number[] = [];
      for (const one of held) {
        if ((await stage.rowOf(one.run)).signals > one.row.signals) continue;
        untouched.push(one.run);
        await stage.apply(stage.turn(one, 1, { unsubscribe: [1], row: stage.row() }));
      }
      await stage.advanceEvents();
      for (const run of untouched) strictEqual((await stage.rowOf(run)).dueAt, null);
    });
  });
}

function subscription(over: Partial<Subscription> = {}): Subscription {
  return { pointer: 1, name: "paid", key: "o-1", after: 0, ...over };
}

function subscribe(
  stage: Stage,
  held: Held,
  seq: number,
  subscribe: readonly Subscription[],
  over: Partial<TurnCommit> = {},
): Promise<Applied> {
  return stage.apply(stage.turn(held, seq, { subscribe, namespace: held.row.namespace, ...over }));
}

/** A workflow that sleeps until an event comes. */
async function waiting(
  stage: Stage,
  subscriptions: readonly Subscription[],
  over: { readonly namespace?: string } = {},
): Promise<Held> {
  const held = await stage.hold(over);
  await subscribe(stage, held, 0, subscriptions, { row: stage.row() });
  return held;
}

/** Claims all that is due, and gives how many that were. */
async function takeAll(stage: Stage): Promise<number> {
  let taken = 0;
  for (;;) {
    const claimed = await stage.claim({ limit: 500 });
    if (claimed.length === 0) return taken;
    taken += claimed.length;
  }
}
