import { deepStrictEqual, notStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { Held, Stage } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

export function purgeCases({ describe, it }: PersistenceSuite): void {
  describe("purge: workflows", () => {
    it("deletes those that ended before, and no others", async (stage) => {
      for (const status of ["completed", "failed", "terminated"] as const)
        await ended(stage, { id: status }, { status });
      await stage.start({ id: "runnable" });
      await stage.park(await stage.hold({ id: "waiting" }));
      await stage.park(await stage.hold({ id: "suspended" }), { status: "suspended" });
      await stage.clock.advance("1h");
      const workflowsBefore = stage.clock.now();
      await ended(stage, { id: "later" });
      strictEqual(await purgeWorkflows(stage, workflowsBefore), 3);
      const { items } = await stage.store.list({ namespace: "default" }, { limit: 10 });
      deepStrictEqual(items.map(({ id }) => id).sort(), ["later", "runnable", "suspended", "waiting"]);
    });

    it("deletes all that is a workflow's own", async (stage) => {
      const held = await stage.hold({ id: "gone" });
      await stage.deliver(held.run, { keepOutcome: true });
      await stage.deliver(held.run);
      await stage.apply(
        stage.turn(held, 0, {
          read: [{ number: 1, outcome: "applied", reason: null }],
          checkpoint: { seq: 0, stateText: "s" },
          subscribe: [{ pointer: 1, name: "paid", key: "o-1", after: 0 }],
        }),
      );
      const { signals } = await stage.pull(held.run);
      await stage.end(held, { notedSignals: signals });
      await stage.clock.advance(1);
      strictEqual(await purgeWorkflows(stage, stage.clock.now()), 1);
      deepStrictEqual(await stage.store.load([held.run]), [undefined]);
      deepStrictEqual(await stage.store.find("default", ["gone"]), [undefined]);
      deepStrictEqual(await stage.store.turns(held.run, { from: 0, limit: 10 }), []);
      deepStrictEqual(await stage.store.deliveryOutcomes([{ run: held.run, number: 1 }]), [undefined]);
      deepStrictEqual(await stage.store.deliver([stage.delivery(held.run)], 10), [{ outcome: "no-such-workflow" }]);
      deepStrictEqual(await stage.commit(stage.turn(held, 1)), { outcome: "hole" });
      strictEqual(await stage.publish(), 1);
      await stage.advanceEvents();
    });

    it("frees the id, and never uses the run again", async (stage) => {
      const { run } = await ended(stage, { id: "again" });
      await stage.clock.advance(1);
      await purgeWorkflows(stage, stage.clock.now());
      const next = await stage.start({ id: "again" });
      notStrictEqual(next, run);
      ok(next > 0);
      deepStrictEqual(
        (await stage.store.load([run, next])).map((loaded) => loaded?.row.run),
        [undefined, next],
      );
    });

    it("deletes at most so many in one call, and says when there are none left", async (stage) => {
      for (const held of await stage.holdMany(25)) await stage.end(held);
      await stage.clock.advance(1);
      const bounds = { workflowsBefore: stage.clock.now(), limit: 10 };
      let deleted = 0;
      for (;;) {
        const { workflows } = await stage.store.purge(bounds);
        ok(workflows <= 10);
        if (workflows === 0) break;
        deleted += workflows;
      }
      deepStrictEqual([deleted, await stage.store.count({ namespace: "default" })], [25, 0]);
    });

    it("deletes none without a bound for them", async (stage) => {
      await ended(stage, { id: "kept" });
      await stage.clock.advance(1);
      const eventsBefore = stage.clock.now() + 1_000;
      deepStrictEqual(await stage.store.purge({ limit: 10 }), { workflows: 0, events: 0 });
      deepStrictEqual(await stage.store.purge({ eventsBefore, limit: 10 }), { workflows: 0, events: 0 });
      strictEqual(await stage.store.count({ namespace: "default" }), 1);
    });

    it("deletes in every namespace", async (stage) => {
      for (const namespace of ["a", "b", "c"]) await ended(stage, { namespace });
      await stage.clock.advance(1);
      strictEqual(await purgeWorkflows(stage, stage.clock.now()), 3);
    });

    it("keeps one for which a call has come, until that has been read", async (stage) => {
      const { run } = await ended(stage, { id: "called" });
      await stage.clock.advance(1);
      await stage.deliver(run);
      strictEqual(await purgeWorkflows(stage, stage.clock.now()), 0);
      const held = await stage.take(run);
      strictEqual(await purgeWorkflows(stage, stage.clock.now()), 0);
      const { signals } = await stage.pull(run);
      await stage.end(held, { notedSignals: signals });
      await stage.clock.advance(1);
      strictEqual(await purgeWorkflows(stage, stage.clock.now()), 1);
    });

    it("keeps a child that has not completed for as long as its parent", async (stage) => {
      const parent = await stage.hold({ id: "parent" });
      const child = { parent: { run: parent.run, pointer: 1 } };
      await ended(stage, { id: "completed", ...child });
      await ended(stage, { id: "failed", ...child }, { status: "failed" });
      await ended(stage, { id: "terminated", ...child }, { status: "terminated" });
      await stage.clock.advance(1);
      strictEqual(await purgeWorkflows(stage, stage.clock.now()), 1);
      await stage.end(parent, { status: "failed" });
      await stage.clock.advance(1);
      strictEqual(await purgeWorkflows(stage, stage.clock.now()), 1);
      deepStrictEqual(await stage.store.find("default", ["completed", "parent"]), [undefined, undefined]);
      strictEqual(await purgeWorkflows(stage, stage.clock.now()), 2);
      strictEqual(await purgeWorkflows(stage, stage.clock.now()), 0);
    });

    it("keeps a workflow that was revived", async (stage) => {
      const first = await ended(stage, { id: "revived" });
      await stage.deliver(first.run);
      await stage.park(await stage.take(first.run), { notedSignals: 1_000 });
      await stage.clock.advance(1);
      strictEqual(await purgeWorkflows(stage, stage.clock.now()), 0);
    });
  });

  describe("purge: events", () => {
    it("deletes those that were numbered before, and goes on counting", async (stage) => {
      await stage.store.publish(["1", "2", "3"].map((payloadText) => stage.event({ payloadText })));
      await stage.clock.advance("1h");
      await stage.publish({ payloadText: "4" });
      strictEqual(await purgeEvents(stage, stage.clock.now()), 3);
      deepStrictEqual(await stage.payloads(), ["4"]);
      strictEqual(await stage.publish(), 5);
    });

    it("remembers the highest number that is gone, and its time", async (stage) => {
      const run = await stage.start();
      await stage.publish();
      await stage.clock.advance(10);
      const last = stage.clock.now();
      await stage.store.publish([stage.event(), stage.event({ key: "o-2" })]);
      await stage.clock.advance(1);
      await purgeEvents(stage, stage.clock.now());
      await stage.publish();
      const { events } = await stage.pull(run, [
        stage.cursor(),
        stage.cursor({ key: "o-2" }),
        stage.cursor({ key: "o-3" }),
      ]);
      deepStrictEqual(
        events.map((stream) => [stream.expiredThrough, stream.expiredAt, stream.events.map(({ number }) => number)]),
        [
          [2, last, [3]],
          [1, last, []],
          [0, 0, []],
        ],
      );
    });

    it("still tells a new subscription that it is behind", async (stage) => {
      await stage.publish();
      await stage.clock.advance(1);
      await purgeEvents(stage, stage.clock.now());
      const held = await stage.hold();
      const subscribe = [{ pointer: 1, name: "paid", key: "o-1", after: 0 }];
      strictEqual((await stage.apply(stage.turn(held, 0, { subscribe }))).behind, true);
    });

    it("keeps events to come", async (stage) => {
      await stage.publish({ effectiveAt: stage.clock.now() + 60_000, payloadText: "later" });
      await stage.clock.advance("30s");
      strictEqual(await purgeEvents(stage, stage.clock.now() + 86_400_000), 0);
      await stage.clock.advance("30s");
      await stage.advanceEvents();
      deepStrictEqual(await stage.payloads(), ["later"]);
    });

    it("deletes at most so many in one call, in streams of every namespace", async (stage) => {
      for (const namespace of ["a", "b"]) {
        await stage.store.publish(
          Array.from({ length: 12 }, (_, place) => stage.event({ namespace, key: `${place % 3}` })),
        );
      }
      await stage.clock.advance(1);
      let deleted = 0;
      for (;;) {
        const { events } = await stage.store.purge({ eventsBefore: stage.clock.now(), limit: 7 });
        ok(events <= 7);
        if (events === 0) break;
        deleted += events;
      }
      strictEqual(deleted, 24);
      for (const namespace of ["a", "b"]) deepStrictEqual(await stage.payloads({ namespace, key: "1" }), []);
    });

    it("deletes none without a bound for them", async (stage) => {
      await stage.publish();
      await stage.clock.advance("1h");
      await stage.store.purge({ workflowsBefore: stage.clock.now(), limit: 10 });
      strictEqual((await stage.payloads()).length, 1);
    });
  });
}

async function ended(
  stage: Stage,
  workflow: Parameters<Stage["hold"]>[0],
  row: Parameters<Stage["end"]>[1] = {},
): Promise<Held> {
  const held = await stage.hold(workflow);
  await stage.end(held, row);
  return held;
}

async function purgeWorkflows(stage: Stage, workflowsBefore: number): Promise<number> {
  return (await stage.store.purge({ workflowsBefore, limit: 1_000 })).workflows;
}

async function purgeEvents(stage: Stage, eventsBefore: number): Promise<number> {
  return (await stage.store.purge({ eventsBefore, limit: 1_000 })).events;
}
