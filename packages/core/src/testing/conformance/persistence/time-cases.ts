import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { Lease, LockProvider, StoreHint } from "../../../providers/index.ts";
import { order, type Stage } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

export function timeCases({ describe, it }: PersistenceSuite): void {
  describe("now", () => {
    it("is the time of the clock that the provider was opened with", async (stage) => {
      strictEqual(await stage.store.now(), stage.clock.now());
      await stage.clock.advance("3d");
      strictEqual(await stage.store.now(), stage.clock.now());
      stage.clock.jump(-3_600_000);
      strictEqual(await stage.store.now(), stage.clock.now());
    });
  });

  describe("nextDueAt", () => {
    it("is null where nothing is to come", async (stage) => {
      strictEqual(await stage.store.nextDueAt([order]), null);
      await stage.sleeping();
      strictEqual(await stage.store.nextDueAt([order]), null);
    });

    it("is the earliest due time of the definitions asked for", async (stage) => {
      const now = stage.clock.now();
      for (const seconds of [30, 10, 20]) await stage.start({ startAt: now + seconds * 1_000 });
      await stage.start({ definitionId: "other", startAt: now + 5_000 });
      await stage.start({ version: 2, startAt: now + 6_000 });
      strictEqual(await stage.store.nextDueAt([order]), now + 10_000);
      strictEqual(await stage.store.nextDueAt([order, { id: "other", version: 1 }]), now + 5_000);
      strictEqual(await stage.store.nextDueAt([{ id: "none", version: 1 }]), null);
    });

    it("is not later than now where something is overdue", async (stage) => {
      await stage.start();
      await stage.clock.advance("1h");
      const next = await stage.store.nextDueAt([order]);
      ok(next !== null && next <= stage.clock.now());
    });

    it("takes no notice of workflows that are owned", async (stage) => {
      const held = await stage.hold();
      await stage.deliver(held.run);
      strictEqual(await stage.store.nextDueAt([order]), null);
    });

    it("follows what rows become", async (stage) => {
      const held = await stage.hold();
      const dueAt = stage.clock.now() + 60_000;
      await stage.park(held, { dueAt });
      strictEqual(await stage.store.nextDueAt([order]), dueAt);
      await stage.deliver(held.run);
      ok(((await stage.store.nextDueAt([order])) ?? Number.NaN) <= stage.clock.now());
    });

    it("knows of events to come, whatever definitions are asked for", async (stage) => {
      const effectiveAt = stage.clock.now() + 60_000;
      await stage.start({ startAt: effectiveAt + 1 });
      await stage.publish({ effectiveAt });
      strictEqual(await stage.store.nextDueAt([order]), effectiveAt);
      strictEqual(await stage.store.nextDueAt([]), effectiveAt);
      await stage.clock.advance("1m");
      await stage.advanceEvents();
      strictEqual(await stage.store.nextDueAt([order]), effectiveAt + 1);
    });
  });

  describe("hints", () => {
    const causes: Record<string, (stage: Stage) => Promise<() => Promise<unknown>>> = {
      "a workflow is created": async (stage) => () => stage.start(),
      "a delivery comes": async (stage) => {
        const { run } = await stage.sleeping();
        return () => stage.deliver(run);
      },
      "a delivery comes for an owned workflow": async (stage) => {
        const { run } = await stage.hold();
        return () => stage.deliver(run);
      },
      "an event comes": async (stage) => {
        const held = await stage.hold();
        const subscribe = [{ pointer: 1, name: "paid", key: "o-1", after: 0 }];
        await stage.apply(stage.turn(held, 0, { subscribe, row: stage.row() }));
        return () => stage.publish();
      },
      "a dead host's workflow is freed": async (stage) => {
        await stage.hold();
        return () => stage.store.orphan(["lease"], 10);
      },
      "a workflow is let go that is due": async (stage) => {
        const held = await stage.hold();
        return () => stage.park(held, { dueAt: stage.clock.now() });
      },
    };
    for (const [cause, prepare] of Object.entries(causes)) {
      it(`come soon after ${cause}`, async (stage) => {
        const act = await prepare(stage);
        const { hints, stop } = await quietHints(stage);
        await act();
        await stage.soon(() => hints.length > 0);
        stop();
      });
    }

    it("name every woken workflow where they name any", async (stage) => {
      const runs = await stage.startMany(3);
      await stage.claim();
      const { hints, stop } = await quietHints(stage);
      await stage.store.deliver(
        runs.map((run) => stage.delivery(run)),
        10,
      );
      await stage.soon(() => {
        const named = new Set(hints.flatMap((hint) => hint.runs ?? runs));
        return runs.every((run) => named.has(run));
      });
      stop();
    });

    it("reach every listener, and none whose listening has ended", async (stage) => {
      const first = await quietHints(stage);
      const second = await quietHints(stage);
      first.stop();
      await stage.start();
      await stage.soon(() => second.hints.length > 0);
      deepStrictEqual(first.hints, []);
      second.stop();
    });

    it("reach the others where a listener throws, and the writer does not notice", async (stage) => {
      const stopThrowing = stage.store.hints(() => {
        throw new Error("a listener of the suite that throws");
      });
      const { hints, stop } = await quietHints(stage);
      await stage.start();
      await stage.soon(() => hints.length > 0);
      stopThrowing();
      stop();
    });
  });

  describe("bindLockProvider", () => {
    it("records the first name, and gives it to all who come later", async (stage) => {
      for (const name of ["locks-1", "locks-2", "locks-1"])
        strictEqual((await stage.store.bindLockProvider(name)).name, "locks-1");
    });

    it("records one name where several come at once", async (stage) => {
      const bound = await Promise.all(["a", "b", "c", "d"].map((name) => stage.store.bindLockProvider(name)));
      strictEqual(new Set(bound.map(({ name }) => name)).size, 1);
    });

    const owned = (claim: string, body: (stage: Stage, lock: LockProvider) => Promise<void>): void =>
      it(claim, async (stage) => {
        const { lock } = stage.open.provider;
        if (lock !== undefined) await body(stage, lock);
      });
    const open = (lock: LockProvider, ttlMs = 1_000): Promise<Lease> =>
      lock.openLease({ ttlMs, holder: { host: "h", process: null } });

    owned("goes over to another name once no lease of the store's own lock lives", async (stage, lock) => {
      const before = await open(lock);
      strictEqual((await stage.store.bindLockProvider("old", before.id)).name, "old");
      const after = await open(lock, 5_000);
      deepStrictEqual(await stage.store.bindLockProvider("new", after.id), { name: "old", leases: [before.id] });
      await stage.clock.advance("1s");
      deepStrictEqual(await stage.store.bindLockProvider("new"), { name: "old", leases: [] });
      deepStrictEqual(await stage.store.bindLockProvider("new", after.id), { name: "new", leases: [] });
      // It is dead: its holder hears of it.
      deepStrictEqual(await lock.renewLeases([before, after]), [false, true]);
      const late = await open(lock);
      deepStrictEqual(await stage.store.bindLockProvider("old", late.id), { name: "new", leases: [after.id] });
      await lock.closeLeases([after]);
      strictEqual((await stage.store.bindLockProvider("old", late.id)).name, "old");
    });

    owned("gives at most one of several who disagree its name", async (stage, lock) => {
      await stage.store.bindLockProvider("old");
      for (let round = 0; round < 5; round += 1) {
        const names = ["a", "b", "c", "old"];
        const bound = await Promise.all(
          names.map(async (name) => {
            const lease = await open(lock);
            return { name, lease, bound: await stage.store.bindLockProvider(name, lease.id) };
          }),
        );
        const agreed = new Set(bound.filter((one) => one.bound.name === one.name).map(({ name }) => name));
        ok(agreed.size <= 1, `${[...agreed].join(" and ")} were recorded at once`);
        await lock.closeLeases(bound.map(({ lease }) => lease));
      }
    });
  });

  describe("open and close", () => {
    it("come in pairs: it serves until the last close", async (stage) => {
      const { provider, runtime } = stage.open;
      await provider.open({ runtime });
      const run = await stage.start();
      await provider.close();
      strictEqual((await stage.rowOf(run)).run, run);
    });

    it("answers a ping", async (stage) => {
      await stage.open.provider.ping();
    });
  });
}

/** Listens, from after the hints of what has been done before. */
async function quietHints(stage: Stage): Promise<{ readonly hints: StoreHint[]; readonly stop: () => void }> {
  const hints: StoreHint[] = [];
  const stop = stage.store.hints((hint) => hints.push(hint));
  await stage.clock.advance("2s");
  await new Promise((resolve) => setTimeout(resolve, 20));
  hints.length = 0;
  return { hints, stop };
}
