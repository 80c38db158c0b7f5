import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { hostileTexts } from "./hostile.ts";
import type { PersistenceSuite } from "./suite.ts";

export function inboxCases({ describe, it }: PersistenceSuite): void {
  describe("deliver", () => {
    it("puts a delivery into the inbox as it is given", async (stage) => {
      const run = await stage.start();
      await stage.clock.advance(5);
      const delivery = stage.delivery(run, { kind: "terminate", bodyText: '{"reason":"r"}' });
      deepStrictEqual(await stage.store.deliver([delivery], 10), [{ outcome: "accepted", number: 1 }]);
      const { deliveryId, kind, bodyText } = delivery;
      deepStrictEqual((await stage.pull(run)).deliveries, [
        { number: 1, deliveryId, kind, bodyText, at: stage.clock.now() },
      ]);
    });

    for (const [kind, text] of Object.entries(hostileTexts)) {
      it(`gives back ${kind} in bodies and reasons`, async (stage) => {
        const held = await stage.hold();
        await stage.deliver(held.run, { bodyText: text, kind: `k${text}`, keepOutcome: true });
        const { deliveries } = await stage.pull(held.run);
        deepStrictEqual(
          deliveries.map((delivery) => [delivery.kind, delivery.bodyText]),
          [[`k${text}`, text]],
        );
        await stage.apply(stage.turn(held, 0, { read: [{ number: 1, outcome: "refused", reason: text }] }));
        const [outcome] = await stage.store.deliveryOutcomes([{ run: held.run, number: 1 }]);
        strictEqual(outcome?.reason, text);
      });
    }

    it("numbers them per workflow from 1, without gaps", async (stage) => {
      const [a, b] = (await stage.startMany(2)) as [number, number];
      const results = await stage.store.deliver(
        [a, b, a, a, b].map((run) => stage.delivery(run)),
        10,
      );
      deepStrictEqual(
        results.map((result) => ("number" in result ? result.number : 0)),
        [1, 1, 2, 3, 2],
      );
      strictEqual(await stage.deliver(a), 4);
    });

    it("numbers 60 deliveries at once without gaps, in the order in which they are read", async (stage) => {
      const run = await stage.start();
      const numbers = await Promise.all(
        Array.from({ length: 60 }, (_, place) => stage.deliver(run, { bodyText: `${place}` })),
      );
      deepStrictEqual(
        [...numbers].sort((a, b) => a - b),
        Array.from({ length: 60 }, (_, place) => place + 1),
      );
      for (const { number, bodyText } of (await stage.pull(run)).deliveries)
        strictEqual(numbers[Number(bodyText)], number);
    });

    it("stores a repeated delivery once, and answers with its number", async (stage) => {
      const run = await stage.start();
      const delivery = stage.delivery(run);
      await stage.deliver(run);
      for (let time = 0; time < 3; time += 1) {
        deepStrictEqual(await stage.store.deliver([delivery], 10), [{ outcome: "accepted", number: 2 }]);
      }
      strictEqual((await stage.pull(run)).deliveries.length, 2);
      strictEqual(await stage.deliver(run), 3);
    });

    it("stores a delivery once that comes ten times at once", async (stage) => {
      const run = await stage.start();
      const delivery = stage.delivery(run);
      const results = await Promise.all(Array.from({ length: 10 }, () => stage.store.deliver([delivery], 10)));
      for (const result of results) deepStrictEqual(result, [{ outcome: "accepted", number: 1 }]);
      strictEqual((await stage.pull(run)).deliveries.length, 1);
    });

    it("does not bring back a delivery that was read when it is repeated", async (stage) => {
      const held = await stage.hold();
      const delivery = stage.delivery(held.run);
      await stage.store.deliver([delivery], 10);
      await stage.apply(stage.turn(held, 0, { read: [{ number: 1, outcome: "applied", reason: null }] }));
      deepStrictEqual(await stage.store.deliver([delivery], 10), [{ outcome: "accepted", number: 1 }]);
      deepStrictEqual((await stage.pull(held.run)).deliveries, []);
    });

    it("says where there is no such workflow, and delivers the rest", async (stage) => {
      const run = await stage.start();
      const results = await stage.store.deliver([stage.delivery(999_999), stage.delivery(run)], 10);
      deepStrictEqual(results, [{ outcome: "no-such-workflow" }, { outcome: "accepted", number: 1 }]);
    });

    it("refuses what goes beyond the inbox limit, and gives no number for it", async (stage) => {
      const held = await stage.hold();
      const full = Array.from({ length: 4 }, () => stage.delivery(held.run));
      deepStrictEqual(
        (await stage.store.deliver(full, 3)).map(({ outcome }) => outcome),
        ["accepted", "accepted", "accepted", "inbox-full"],
      );
      strictEqual((await stage.pull(held.run)).deliveries.length, 3);
      await stage.apply(stage.turn(held, 0, { read: [{ number: 1, outcome: "applied", reason: null }] }));
      deepStrictEqual(await stage.store.deliver([stage.delivery(held.run)], 3), [{ outcome: "accepted", number: 4 }]);
    });

    it("refuses for the full inbox alone", async (stage) => {
      const [full, free] = (await stage.startMany(2)) as [number, number];
      await stage.deliver(full);
      const results = await stage.store.deliver([stage.delivery(full), stage.delivery(free)], 1);
      deepStrictEqual(results, [{ outcome: "inbox-full" }, { outcome: "accepted", number: 1 }]);
    });

    it("takes exempt ones beyond the limit", async (stage) => {
      const run = await stage.start();
      await stage.deliver(run);
      const results = await stage.store.deliver([stage.delivery(run, { exempt: true }), stage.delivery(run)], 1);
      deepStrictEqual(results, [{ outcome: "accepted", number: 2 }, { outcome: "inbox-full" }]);
    });

    it("answers the repetition of an accepted one although the inbox is full by now", async (stage) => {
      const run = await stage.start();
      const delivery = stage.delivery(run);
      await stage.store.deliver([delivery], 1);
      deepStrictEqual(await stage.store.deliver([delivery], 1), [{ outcome: "accepted", number: 1 }]);
    });

    it("does nothing for an empty batch", async (stage) => {
      deepStrictEqual(await stage.store.deliver([], 10), []);
    });

    it("takes a batch of 500", async (stage) => {
      const runs = await stage.startMany(100);
      const deliveries = Array.from({ length: 500 }, (_, place) =>
        stage.delivery(runs[place % 100] ?? 0, { bodyText: `${place}` }),
      );
      ok((await stage.store.deliver(deliveries, 10)).every(({ outcome }) => outcome === "accepted"));
      const [first] = await stage.store.pull([{ run: runs[7] ?? 0, namespace: "default", streams: [] }]);
      deepStrictEqual(
        first?.deliveries.map(({ bodyText }) => bodyText),
        ["7", "107", "207", "307", "407"],
      );
    });
  });

  describe("deliver: waking", () => {
    it("wakes a sleeping workflow: raises its signals, makes it due now", async (stage) => {
      const held = await stage.sleeping();
      await stage.clock.advance("1h");
      await stage.deliver(held.run);
      const { dueAt, signals } = await stage.rowOf(held.run);
      strictEqual(dueAt, stage.clock.now());
      ok(signals > held.row.signals);
      await stage.takeWoken(held.run);
    });

    it("wakes a workflow that waits for a time", async (stage) => {
      const held = await stage.hold();
      await stage.park(held, { dueAt: stage.clock.now() + 86_400_000 });
      await stage.deliver(held.run);
      await stage.takeWoken(held.run);
    });

    it("wakes a workflow before its start time", async (stage) => {
      const run = await stage.start({ startAt: stage.clock.now() + 86_400_000 });
      await stage.deliver(run);
      await stage.takeWoken(run);
    });

    for (const status of ["completed", "failed", "terminated", "suspended"] as const) {
      it(`wakes a ${status} workflow`, async (stage) => {
        const held = await stage.hold();
        await stage.end(held, { status });
        await stage.deliver(held.run);
        strictEqual((await stage.takeWoken(held.run)).row.status, status);
      });
    }

    it("leaves an earlier due time as it is", async (stage) => {
      const run = await stage.start();
      const { dueAt } = await stage.rowOf(run);
      await stage.clock.advance("1h");
      await stage.deliver(run);
      strictEqual((await stage.rowOf(run)).dueAt, dueAt);
    });

    it("leaves an owned workflow to its owner, who sees its signals", async (stage) => {
      const held = await stage.hold();
      await stage.deliver(held.run);
      const row = await stage.rowOf(held.run);
      deepStrictEqual([row.owner, row.claim], ["lease", held.claim]);
      deepStrictEqual(await stage.claim(), []);
      deepStrictEqual(await stage.store.owned("lease"), [{ run: held.run, claim: held.claim, signals: row.signals }]);
      ok(row.signals > held.row.signals);
      strictEqual((await stage.pull(held.run)).signals, row.signals);
    });
  });

  describe("reading deliveries", () => {
    it("takes what a turn has read out of the inbox", async (stage) => {
      const held = await stage.hold();
      for (const kind of ["a", "b", "c", "d"]) await stage.deliver(held.run, { kind });
      const read = [1, 3].map((number) => ({ number, outcome: "applied", reason: null }) as const);
      await stage.apply(stage.turn(held, 0, { read }));
      deepStrictEqual(
        (await stage.pull(held.run)).deliveries.map(({ number, kind }) => [number, kind]),
        [
          [2, "b"],
          [4, "d"],
        ],
      );
    });

    it("keeps outcomes that are asked for, with their reasons", async (stage) => {
      const held = await stage.hold();
      await stage.deliver(held.run, { keepOutcome: true });
      await stage.deliver(held.run, { keepOutcome: true });
      const asked = [2, 1].map((number) => ({ run: held.run, number }));
      deepStrictEqual(await stage.store.deliveryOutcomes(asked), [undefined, undefined]);
      const applied = { number: 1, outcome: "applied", reason: null } as const;
      const refused = { number: 2, outcome: "refused", reason: "it has ended" } as const;
      await stage.apply(stage.turn(held, 0, { read: [applied, refused] }));
      deepStrictEqual(await stage.store.deliveryOutcomes(asked), [refused, applied]);
    });

    it("gives no outcome of a delivery that is not there", async (stage) => {
      const run = await stage.start();
      deepStrictEqual(
        await stage.store.deliveryOutcomes([
          { run, number: 5 },
          { run: 999_999, number: 1 },
        ]),
        [undefined, undefined],
      );
      deepStrictEqual(await stage.store.deliveryOutcomes([]), []);
    });

    it("keeps the first outcome where two turns say that they have read a delivery", async (stage) => {
      const held = await stage.hold();
      await stage.deliver(held.run, { keepOutcome: true });
      await stage.apply(stage.turn(held, 0, { read: [{ number: 1, outcome: "refused", reason: "first" }] }));
      await stage.apply(stage.turn(held, 1, { read: [{ number: 1, outcome: "applied", reason: null }] }));
      const [outcome] = await stage.store.deliveryOutcomes([{ run: held.run, number: 1 }]);
      deepStrictEqual(outcome, { number: 1, outcome: "refused", reason: "first" });
    });

    it("applies a turn that has read a delivery that is not there", async (stage) => {
      const held = await stage.hold();
      await stage.apply(stage.turn(held, 0, { read: [{ number: 9, outcome: "applied", reason: null }] }));
      strictEqual(await stage.deliver(held.run), 1);
    });

    it("pulls for many workflows in the order asked, each its own", async (stage) => {
      const runs = await stage.startMany(10);
      for (const run of runs) await stage.deliver(run, { bodyText: `${run}` });
      const asked = runs.toReversed();
      const pulled = await stage.store.pull(asked.map((run) => ({ run, namespace: "default", streams: [] })));
      deepStrictEqual(
        pulled.map(({ deliveries }) => deliveries.map(({ bodyText }) => bodyText)),
        asked.map((run) => [`${run}`]),
      );
      deepStrictEqual(await stage.store.pull([]), []);
    });

    it("pulls everything unread of an inbox of 1,000, in order", async (stage) => {
      const run = await stage.start();
      for (let batch = 0; batch < 2; batch += 1) {
        await stage.store.deliver(
          Array.from({ length: 500 }, () => stage.delivery(run)),
          10_000,
        );
      }
      const { deliveries } = await stage.pull(run);
      deepStrictEqual(
        deliveries.map(({ number }) => number),
        Array.from({ length: 1_000 }, (_, place) => place + 1),
      );
    });
  });
}
