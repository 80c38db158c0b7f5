import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { PersistenceProvider } from "../../../providers/index.ts";
import { Stage } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

/** Cases for which the same data is seen through another provider, as another process would see it. */
export function reopenCases({ harness, describe, it }: PersistenceSuite): void {
  if (harness.reopen === undefined) return;

  describe("a store that is opened again", () => {
    it("holds workflows with their journals, checkpoints and inboxes", async (stage) => {
      const held = await stage.hold({ id: "kept", tags: ["t"] });
      await stage.journal(held, 2);
      await stage.apply(stage.turn(held, 2, { checkpoint: { seq: 1, stateText: "state" } }));
      await stage.deliver(held.run, { bodyText: "unread" });
      await stage.park(held, { waitingFor: [{ event: "paid", key: "1" }] });
      const before = [await stage.store.load([held.run]), await stage.pull(held.run)];
      const later = await restarted(stage);
      deepStrictEqual([await later.store.load([held.run]), await later.pull(held.run)], before);
      strictEqual((await later.takeWoken(held.run)).row.id, "kept");
    });

    it("holds events, what is to come of them and who waits for them", async (stage) => {
      await stage.publish({ payloadText: "past" });
      const effectiveAt = stage.clock.now() + 1_000;
      const event = stage.event({ effectiveAt, payloadText: "future" });
      await stage.store.publish([event]);
      const held = await stage.hold();
      const subscribe = [{ pointer: 1, name: "paid", key: "o-1", after: 1 }];
      await stage.apply(stage.turn(held, 0, { subscribe, row: stage.row() }));
      const later = await restarted(stage);
      deepStrictEqual(await later.store.publish([event]), [{ number: null, duplicate: true }]);
      await later.clock.advance("1s");
      await later.advanceEvents();
      deepStrictEqual(await later.payloads(), ["past", "future"]);
      await later.takeWoken(held.run);
    });

    it("goes on waking where many waited for an event", async (stage) => {
      const held = await stage.holdMany(1_000);
      const subscribe = [{ pointer: 1, name: "paid", key: "o-1", after: 0 }];
      await stage.store.commit(held.map((one) => stage.turn(one, 0, { subscribe, row: stage.row() })));
      await stage.publish();
      const later = await restarted(stage);
      await later.advanceEvents();
      let woken = 0;
      for (let claimed = 1; claimed > 0; woken += claimed) claimed = (await later.claim({ limit: 500 })).length;
      strictEqual(woken, 1_000);
    });

    it("knows what hosts owned, and which of it died with them", async (stage) => {
      await stage.hold({}, { lease: "a" });
      await stage.hold({}, { lease: "b" });
      await stage.store.orphan(["a"], 10);
      const later = await restarted(stage);
      deepStrictEqual(await later.store.owners(), ["b"]);
      strictEqual((await later.claim())[0]?.orphaned, true);
    });

    it("knows outcomes, numbers that are taken, and the lock provider", async (stage) => {
      const held = await stage.hold();
      const delivery = stage.delivery(held.run, { keepOutcome: true });
      await stage.store.deliver([delivery], 10);
      const read = [{ number: 1, outcome: "applied", reason: null }] as const;
      await stage.apply(stage.turn(held, 0, { read }));
      await stage.store.bindLockProvider("first");
      const later = await restarted(stage);
      deepStrictEqual(await later.store.deliveryOutcomes([{ run: held.run, number: 1 }]), [...read]);
      deepStrictEqual(await later.store.deliver([delivery], 10), [{ outcome: "accepted", number: 1 }]);
      strictEqual(await later.deliver(held.run), 2);
      strictEqual((await later.store.bindLockProvider("second")).name, "first");
    });

    it("never uses a run again, though all workflows have gone", async (stage) => {
      const held = await stage.hold();
      await stage.end(held);
      await stage.clock.advance(1);
      await stage.store.purge({ workflowsBefore: stage.clock.now(), limit: 10 });
      ok((await (await restarted(stage)).start()) > held.run);
    });

    it("can be opened by many at once", async (stage) => {
      const run = await stage.start();
      const stores = await Promise.all(Array.from({ length: 8 }, () => another(stage)));
      for (const { store } of stores) strictEqual((await store.load([run]))[0]?.row.run, run);
    });
  });

  describe("a store with two processes", () => {
    it("gives each workflow to one of them", async (stage) => {
      const runs = await stage.startMany(100);
      const stores = [stage.store, (await another(stage)).store, (await another(stage)).store];
      const taken: number[] = [];
      for (let round = 0; taken.length < runs.length && round < 100; round += 1) {
        const claims = stores.map((store, place) =>
          store.claim({ lease: `lease-${place}`, limit: 7, definitions: [{ id: "order", version: 1 }], format: 1 }),
        );
        for (const { row } of (await Promise.all(claims)).flat()) taken.push(row.run);
      }
      deepStrictEqual(
        taken.sort((a, b) => a - b),
        runs,
      );
    });

    it("lets exactly one of them win a seq", async (stage) => {
      const held = await stage.hold();
      const stores = [stage.store, (await another(stage)).store];
      for (let seq = 0; seq < 20; seq += 1) {
        const results = await Promise.all(stores.map((store) => store.commit([stage.turn(held, seq)])));
        deepStrictEqual(
          results
            .flat()
            .map(({ outcome }) => outcome)
            .sort(),
          ["applied", "conflict"],
        );
      }
    });

    it("numbers deliveries and events of both without gaps", async (stage) => {
      const run = await stage.start();
      const stores = [stage.store, (await another(stage)).store];
      await Promise.all(
        Array.from({ length: 40 }, (_, place) => {
          const store = stores[place % 2] as PersistenceProvider;
          return Promise.all([store.deliver([stage.delivery(run)], 100), store.publish([stage.event()])]);
        }),
      );
      const { deliveries, events } = await stage.pull(run, [stage.cursor()]);
      const expected = Array.from({ length: 40 }, (_, place) => place + 1);
      deepStrictEqual(
        deliveries.map(({ number }) => number),
        expected,
      );
      deepStrictEqual(
        events[0]?.events.map(({ number }) => number),
        expected,
      );
    });

    it("creates one workflow of one id that both start", async (stage) => {
      const other = await another(stage);
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, place) => {
          const { store } = place % 2 === 0 ? stage : other;
          return store.create([stage.workflow({ id: "one" })]);
        }),
      );
      strictEqual(results.flat().filter(({ created }) => created).length, 1);
    });

    it("hints in one at what the other has done", async (stage) => {
      const { run } = await stage.sleeping();
      const other = await another(stage);
      let hints = 0;
      const stop = other.store.hints(() => {
        hints += 1;
      });
      await stage.clock.advance("2s");
      hints = 0;
      await stage.deliver(run);
      await stage.soon(() => hints > 0);
      stop();
    });
  });
}

/** The same data, through another provider that is open beside the first. */
async function another(stage: Stage): Promise<Stage> {
  const provider = await stage.open.again?.();
  ok(provider?.persistence, "the harness gives another provider");
  return new Stage({ ...stage.open, provider }, provider.persistence);
}

/** The same data, through another provider that was opened after the first was closed. */
async function restarted(stage: Stage): Promise<Stage> {
  await stage.open.close();
  return another(stage);
}
