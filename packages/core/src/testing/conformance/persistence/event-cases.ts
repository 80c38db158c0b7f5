import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { hostileNames, hostileTexts } from "./hostile.ts";
import type { PersistenceSuite } from "./suite.ts";

export function eventCases({ describe, it }: PersistenceSuite): void {
  describe("publish", () => {
    it("numbers the events of a stream from 1, without gaps", async (stage) => {
      deepStrictEqual(
        await stage.store.publish([stage.event(), stage.event(), stage.event()]),
        [1, 2, 3].map((number) => ({ number, duplicate: false })),
      );
      strictEqual(await stage.publish(), 4);
    });

    it("gives events back as they are given, with the store's time", async (stage) => {
      const run = await stage.start();
      await stage.clock.advance(7);
      const event = stage.event({ payloadText: '{"by":"ann"}' });
      await stage.store.publish([event]);
      const { eventId, name, key, payloadText } = event;
      deepStrictEqual((await stage.pull(run, [stage.cursor()])).events, [
        {
          events: [{ number: 1, eventId, name, key, payloadText, at: stage.clock.now() }],
          expiredThrough: 0,
          expiredAt: 0,
        },
      ]);
    });

    for (const [kind, text] of Object.entries(hostileTexts)) {
      it(`gives back ${kind} in payloads and keys`, async (stage) => {
        await stage.publish({ key: text, payloadText: text });
        deepStrictEqual(await stage.payloads({ key: text }), [text]);
      });
    }

    it("keeps streams apart, whatever their names and keys hold, up to 512 bytes", async (stage) => {
      const streams = [
        ...hostileNames.flatMap((name) => [
          { name, key: "" },
          { name: "n", key: name },
        ]),
        { name: "a", key: "bc" },
        { name: "ab", key: "c" },
        { name: "a:b", key: "c" },
        { name: "a", key: "b:c" },
        { name: "A", key: "bc" },
        { name: "a", key: "bc " },
      ];
      const published = await stage.store.publish(
        streams.map((stream, place) => stage.event({ ...stream, payloadText: `${place}` })),
      );
      ok(published.every(({ number }) => number === 1));
      for (const [place, stream] of streams.entries()) deepStrictEqual(await stage.payloads(stream), [`${place}`]);
    });

    it("numbers each namespace, name and key by itself", async (stage) => {
      await stage.publish();
      for (const stream of [{ key: "o-2" }, { name: "sent" }, { namespace: "other" }])
        strictEqual(await stage.publish(stream), 1);
      strictEqual(await stage.publish(), 2);
    });

    it("numbers 60 events at once without gaps, in the order in which they are read", async (stage) => {
      const numbers = await Promise.all(
        Array.from({ length: 60 }, (_, place) => stage.publish({ payloadText: `${place}` })),
      );
      deepStrictEqual(
        [...numbers].sort((a, b) => (a ?? 0) - (b ?? 0)),
        Array.from({ length: 60 }, (_, place) => place + 1),
      );
      const payloads = await stage.payloads();
      deepStrictEqual(
        payloads.map((payload) => numbers[Number(payload)]),
        payloads.map((_, place) => place + 1),
      );
    });

    it("numbers 20 batches over the same streams at once without gaps", async (stage) => {
      const keys = ["a", "b", "c", "d"];
      await Promise.all(
        Array.from({ length: 20 }, (_, batch) => {
          const ordered = batch % 2 === 0 ? keys : keys.toReversed();
          return stage.store.publish(ordered.map((key) => stage.event({ key })));
        }),
      );
      for (const key of keys) strictEqual((await stage.payloads({ key })).length, 20);
    });

    it("stores an event id once, and answers with the first one's number", async (stage) => {
      const event = stage.event({ payloadText: "first" });
      await stage.publish();
      await stage.store.publish([event]);
      await stage.publish();
      const repeated = await stage.store.publish([event, { ...event, payloadText: "second" }]);
      deepStrictEqual(
        repeated,
        [2, 2].map((number) => ({ number, duplicate: true })),
      );
      deepStrictEqual(await stage.payloads(), ["{}", "first", "{}"]);
    });

    it("stores an event id once that comes twice in one batch", async (stage) => {
      const event = stage.event();
      deepStrictEqual(await stage.store.publish([event, event, stage.event()]), [
        { number: 1, duplicate: false },
        { number: 1, duplicate: true },
        { number: 2, duplicate: false },
      ]);
    });

    it("stores an event id once that comes 20 times at once", async (stage) => {
      const event = stage.event();
      const results = (await Promise.all(Array.from({ length: 20 }, () => stage.store.publish([event])))).flat();
      strictEqual(results.filter(({ duplicate }) => !duplicate).length, 1);
      ok(results.every(({ number }) => number === 1));
      strictEqual((await stage.payloads()).length, 1);
    });

    it("knows an event id in all streams of its namespace, and in no other namespace", async (stage) => {
      const event = stage.event({ eventId: "same" });
      await stage.publish();
      await stage.store.publish([event]);
      deepStrictEqual(await stage.store.publish([stage.event({ eventId: "same", name: "sent" })]), [
        { number: 2, duplicate: true },
      ]);
      deepStrictEqual(await stage.payloads({ name: "sent" }), []);
      deepStrictEqual(await stage.store.publish([{ ...event, namespace: "other" }]), [{ number: 1, duplicate: false }]);
    });

    it("takes a batch of 500, in its order", async (stage) => {
      const events = Array.from({ length: 500 }, (_, place) =>
        stage.event({ key: `k${place % 7}`, payloadText: `${place}` }),
      );
      await stage.store.publish(events);
      deepStrictEqual((await stage.payloads({ key: "k3" })).slice(0, 4), ["3", "10", "17", "24"]);
    });

    it("goes on numbering where the clock is set back", async (stage) => {
      await stage.publish({ payloadText: "first" });
      stage.clock.jump(-3_600_000);
      strictEqual(await stage.publish({ payloadText: "second" }), 2);
      stage.clock.jump(7_200_000);
      strictEqual(await stage.publish({ payloadText: "third" }), 3);
      deepStrictEqual(await stage.payloads(), ["first", "second", "third"]);
    });

    it("does nothing for an empty batch", async (stage) => {
      deepStrictEqual(await stage.store.publish([]), []);
    });
  });

  describe("pull: events", () => {
    it("gives those beyond the cursor, in order, up to the limit", async (stage) => {
      await stage.store.publish(Array.from({ length: 10 }, (_, place) => stage.event({ payloadText: `${place + 1}` })));
      deepStrictEqual(await stage.payloads({ after: 7 }), ["8", "9", "10"]);
      deepStrictEqual(await stage.payloads({ after: 2, limit: 3 }), ["3", "4", "5"]);
      deepStrictEqual(await stage.payloads({ after: 10 }), []);
      deepStrictEqual(await stage.payloads({ after: 99 }), []);
    });

    it("gives those that were numbered at a time or after it", async (stage) => {
      const times: number[] = [];
      for (let number = 0; number < 4; number += 1) {
        await stage.clock.advance(10);
        times.push(stage.clock.now());
        await stage.publish({ payloadText: `${number}` });
      }
      deepStrictEqual(await stage.payloads({ since: times[2] ?? 0 }), ["2", "3"]);
      deepStrictEqual(await stage.payloads({ since: (times[2] ?? 0) + 1 }), ["3"]);
      deepStrictEqual(await stage.payloads({ since: times[1] ?? 0, limit: 1 }), ["1"]);
      deepStrictEqual(await stage.payloads({ since: times[0] ?? 0, after: 2 }), ["2", "3"]);
    });

    it("answers for each stream asked for, in order, those without events too", async (stage) => {
      const run = await stage.start();
      await stage.publish({ key: "a", payloadText: "1" });
      await stage.publish({ key: "b", payloadText: "2" });
      const { events } = await stage.pull(
        run,
        ["b", "none", "a", "b"].map((key) => stage.cursor({ key })),
      );
      deepStrictEqual(
        events.map((stream) => stream.events.map(({ payloadText }) => payloadText)),
        [["2"], [], ["1"], ["2"]],
      );
    });

    it("reads many streams for many workflows in one call", async (stage) => {
      const runs = await stage.startMany(20);
      await stage.store.publish(
        runs.flatMap((run) =>
          ["a", "b"].map((name) => stage.event({ name, key: `${run}`, payloadText: `${name}${run}` })),
        ),
      );
      const pulled = await stage.store.pull(
        runs.map((run) => ({
          run,
          namespace: "default",
          streams: ["b", "a"].map((name) => stage.cursor({ name, key: `${run}` })),
        })),
      );
      for (const [place, run] of runs.entries()) {
        deepStrictEqual(
          pulled[place]?.events.map((stream) => stream.events.map(({ payloadText }) => payloadText)),
          [[`b${run}`], [`a${run}`]],
        );
      }
    });
  });

  describe("publish: events to come", () => {
    it("holds an event back until it is effective, and numbers it then", async (stage) => {
      const run = await stage.start();
      const effectiveAt = stage.clock.now() + 60_000;
      deepStrictEqual(await stage.store.publish([stage.event({ effectiveAt, payloadText: "later" })]), [
        { number: null, duplicate: false },
      ]);
      await stage.clock.advance(59_999);
      await stage.advanceEvents();
      deepStrictEqual(await stage.payloads(), []);
      await stage.clock.advance(1);
      await stage.advanceEvents();
      const [stream] = (await stage.pull(run, [stage.cursor()])).events;
      deepStrictEqual(
        stream?.events.map(({ number, payloadText, at }) => [number, payloadText, at]),
        [[1, "later", effectiveAt]],
      );
    });

    it("dates an event that is numbered late from when it became effective, unless one before it is younger", async (stage) => {
      const run = await stage.start();
      const now = stage.clock.now();
      for (const seconds of [10, 30])
        await stage.publish({ effectiveAt: now + seconds * 1_000, payloadText: `${seconds}` });
      await stage.clock.advance("20s");
      await stage.publish({ payloadText: "meanwhile" });
      await stage.clock.advance("1m");
      await stage.advanceEvents();
      const [stream] = (await stage.pull(run, [stage.cursor()])).events;
      deepStrictEqual(
        stream?.events.map(({ payloadText, at }) => [payloadText, at - now]),
        [
          ["meanwhile", 20_000],
          ["10", 20_000],
          ["30", 30_000],
        ],
      );
    });

    it("numbers an event at once whose time has come or is past", async (stage) => {
      strictEqual(await stage.publish({ effectiveAt: stage.clock.now() }), 1);
      strictEqual(await stage.publish({ effectiveAt: stage.clock.now() - 86_400_000 }), 2);
      strictEqual(await stage.publish({ effectiveAt: 0 }), 3);
    });

    it("numbers in the order in which events become effective, among those published meanwhile", async (stage) => {
      const now = stage.clock.now();
      for (const seconds of [30, 10, 20])
        await stage.publish({ effectiveAt: now + seconds * 1_000, payloadText: `${seconds}` });
      await stage.publish({ payloadText: "first" });
      await stage.clock.advance("15s");
      await stage.advanceEvents();
      await stage.publish({ payloadText: "meanwhile" });
      await stage.clock.advance("1m");
      await stage.advanceEvents();
      deepStrictEqual(await stage.payloads(), ["first", "10", "meanwhile", "20", "30"]);
    });

    it("numbers what becomes effective at one instant in the order of publishing", async (stage) => {
      const effectiveAt = stage.clock.now() + 1_000;
      await stage.store.publish(["a", "b", "c"].map((payloadText) => stage.event({ effectiveAt, payloadText })));
      await stage.publish({ effectiveAt, payloadText: "d" });
      await stage.clock.advance("1s");
      await stage.advanceEvents();
      deepStrictEqual(await stage.payloads(), ["a", "b", "c", "d"]);
    });

    it("stores an event to come once, however often it is published", async (stage) => {
      const event = stage.event({ effectiveAt: stage.clock.now() + 1_000 });
      await stage.store.publish([event]);
      deepStrictEqual(await stage.store.publish([event]), [{ number: null, duplicate: true }]);
      await stage.clock.advance("1s");
      await stage.advanceEvents();
      deepStrictEqual(await stage.store.publish([event]), [{ number: 1, duplicate: true }]);
      strictEqual((await stage.payloads()).length, 1);
    });

    it("wakes waiters when an event becomes effective, and not before", async (stage) => {
      const held = await stage.hold();
      const subscribe = [{ pointer: 1, name: "paid", key: "o-1", after: 0 }];
      await stage.apply(stage.turn(held, 0, { subscribe, row: stage.row() }));
      await stage.publish({ effectiveAt: stage.clock.now() + 1_000 });
      await stage.advanceEvents();
      deepStrictEqual(await stage.claim(), []);
      await stage.clock.advance("1s");
      await stage.advanceEvents();
      await stage.takeWoken(held.run);
    });

    it("wakes a workflow that has subscribed after an event to come was published", async (stage) => {
      await stage.publish({ effectiveAt: stage.clock.now() + 1_000 });
      const held = await stage.hold();
      const subscribe = [{ pointer: 1, name: "paid", key: "o-1", after: 0 }];
      const { behind } = await stage.apply(stage.turn(held, 0, { subscribe, row: stage.row() }));
      strictEqual(behind, false);
      await stage.clock.advance("1s");
      await stage.advanceEvents();
      await stage.takeWoken(held.run);
    });

    it("makes 250 events effective in bounded calls", async (stage) => {
      const effectiveAt = stage.clock.now() + 1_000;
      await stage.store.publish(Array.from({ length: 250 }, () => stage.event({ effectiveAt })));
      await stage.clock.advance("1s");
      await stage.advanceEvents();
      strictEqual((await stage.payloads()).length, 250);
    });

    it("numbers each event once where several hosts do what is due at once", async (stage) => {
      const effectiveAt = stage.clock.now() + 1_000;
      await stage.store.publish(
        Array.from({ length: 40 }, (_, place) => stage.event({ effectiveAt, payloadText: `${place}` })),
      );
      await stage.clock.advance("1s");
      await Promise.all(Array.from({ length: 8 }, () => stage.advanceEvents()));
      deepStrictEqual(
        await stage.payloads(),
        Array.from({ length: 40 }, (_, place) => `${place}`),
      );
    });

    it("has nothing to do where nothing has become due", async (stage) => {
      strictEqual(await stage.store.advanceEvents(100), false);
      await stage.publish();
      await stage.publish({ effectiveAt: stage.clock.now() + 1_000 });
      await stage.advanceEvents();
      strictEqual(await stage.store.advanceEvents(100), false);
    });
  });
}
