import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { recordFormat } from "../../../providers/index.ts";
import { order, type Stage } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

export function claimCases({ describe, it }: PersistenceSuite): void {
  describe("claim", () => {
    it("takes what is due: sets the owner, raises the claim, clears the due time", async (stage) => {
      const run = await stage.start();
      const before = await stage.rowOf(run);
      const claimed = await stage.claim({ lease: "lease-1" });
      deepStrictEqual(claimed, [
        {
          row: {
            ...before,
            owner: "lease-1",
            claim: claimed[0]?.row.claim,
            dueAt: null,
            updatedAt: claimed[0]?.row.updatedAt,
          },
          headSeq: -1,
          orphaned: false,
        },
      ]);
      ok((claimed[0]?.row.claim ?? 0) > before.claim);
    });

    it("answers with the rows as they are stored", async (stage) => {
      const run = await stage.start();
      const [claimed] = await stage.claim();
      deepStrictEqual(claimed?.row, await stage.rowOf(run));
    });

    it("gives the highest seq of the journal", async (stage) => {
      const held = await stage.hold();
      await stage.journal(held, 3);
      await stage.park(held, { dueAt: stage.clock.now() });
      strictEqual((await stage.claim())[0]?.headSeq, 2);
    });

    it("takes only workflows of the structure that is named, where one is", async (stage) => {
      const { store } = stage;
      const [one, other] = [
        await stage.start({ definitionHash: "one" }),
        await stage.start({ definitionHash: "other" }),
      ];
      const definitions = [{ ...order, hash: "one" }];
      deepStrictEqual(await stage.claim({ definitions, runs: [other] }), []);
      deepStrictEqual(await stage.claim({ definitions: [{ ...order, hash: "none" }] }), []);
      strictEqual(await store.nextDueAt([{ ...order, hash: "none" }]), null);
      deepStrictEqual(
        (await stage.claim({ definitions })).map(({ row }) => row.run),
        [one],
      );
      strictEqual(await store.nextDueAt(definitions), null);
      ok((await store.nextDueAt([order])) !== null);
      deepStrictEqual(
        (await stage.claim()).map(({ row }) => row.run),
        [other],
      );
    });

    it("takes nothing twice", async (stage) => {
      await stage.startMany(3);
      strictEqual((await stage.claim({ lease: "a" })).length, 3);
      deepStrictEqual(await stage.claim({ lease: "b" }), []);
    });

    it("gives each of 200 workflows to one of 50 claimers at once", async (stage) => {
      const runs = await stage.startMany(200);
      const leases = Array.from({ length: 50 }, (_, number) => `lease-${number}`);
      const answers = await Promise.all(leases.map((lease) => stage.claim({ lease, limit: 10 })));
      // A store may skip what another claimer is just taking: nothing is left, though, when they ask once more.
      const claimed = [...answers.flat(), ...(await stage.claim({ limit: 200 }))];
      deepStrictEqual(claimed.map(({ row }) => row.run).sort(ascending), runs);
      for (const [number, answer] of answers.entries()) {
        for (const { row } of answer) strictEqual((await stage.rowOf(row.run)).owner, leases[number]);
      }
    });

    it("leaves a workflow before its start time, and takes it then", async (stage) => {
      const run = await stage.start({ startAt: stage.clock.now() + 60_000 });
      await stage.clock.advance(59_999);
      deepStrictEqual(await stage.claim(), []);
      await stage.clock.advance(1);
      deepStrictEqual(runsOf(await stage.claim()), [run]);
    });

    it("takes nothing early where the clock is set back", async (stage) => {
      await stage.startMany(3, { startAt: stage.clock.now() + 60_000 });
      await stage.clock.advance("1m");
      strictEqual((await stage.claim({ limit: 1 })).length, 1);
      stage.clock.jump(-30_000);
      deepStrictEqual(await stage.claim(), []);
      stage.clock.jump(30_000);
      strictEqual((await stage.claim()).length, 2);
    });

    it("leaves a workflow that sleeps until something wakes it", async (stage) => {
      await stage.sleeping();
      await stage.clock.advance("30d");
      deepStrictEqual(await stage.claim(), []);
    });

    it("takes a workflow again that was let go, with a higher claim", async (stage) => {
      const first = await stage.hold();
      await stage.park(first, { dueAt: stage.clock.now() + 1_000 });
      deepStrictEqual(await stage.claim(), []);
      await stage.clock.advance(1_000);
      const [second] = await stage.claim({ lease: "other" });
      strictEqual(second?.row.owner, "other");
      ok((second?.row.claim ?? 0) > first.claim);
    });

    it("gives a parked workflow as its last owner wrote it", async (stage) => {
      const held = await stage.hold();
      const waitingFor = [{ event: "paid", key: "o-1", until: stage.clock.now() + 5 }];
      await stage.park(held, { status: "suspended", dueAt: stage.clock.now(), errorText: "e", waitingFor });
      const [claimed] = await stage.claim();
      deepStrictEqual(
        [claimed?.row.status, claimed?.row.errorText, claimed?.row.waitingFor, claimed?.orphaned],
        ["suspended", "e", waitingFor, false],
      );
    });

    it("takes the highest priority first", async (stage) => {
      for (const priority of [1, 3, -2, 2, 0]) await stage.start({ priority });
      deepStrictEqual(
        (await stage.claim({ limit: 3 })).map(({ row }) => row.priority),
        [3, 2, 1],
      );
      deepStrictEqual(
        (await stage.claim()).map(({ row }) => row.priority),
        [0, -2],
      );
    });

    it("takes the one that has waited longest first, of equal priority", async (stage) => {
      const runs: number[] = [];
      for (let number = 0; number < 4; number += 1) {
        runs.push(await stage.start());
        await stage.clock.advance(120_000);
      }
      deepStrictEqual(runsOf(await stage.claim({ limit: 2 })), runs.slice(0, 2));
      deepStrictEqual(runsOf(await stage.claim()), runs.slice(2));
    });

    it("counts a minute overdue for a point of priority", async (stage) => {
      const patient = await stage.start({ priority: 0 });
      await stage.clock.advance(240_000);
      const urgent = await stage.start({ priority: 5 });
      deepStrictEqual(runsOf(await stage.claim({ limit: 1 })), [urgent]);
      await stage.clock.advance(120_000);
      const later = await stage.start({ priority: 5 });
      deepStrictEqual(runsOf(await stage.claim()), [patient, later]);
    });

    it("takes no more than the limit", async (stage) => {
      await stage.startMany(10);
      strictEqual((await stage.claim({ limit: 4 })).length, 4);
      strictEqual((await stage.claim({ limit: 4 })).length, 4);
      strictEqual((await stage.claim({ limit: 4 })).length, 2);
    });

    it("takes definitions by id and version only", async (stage) => {
      const wanted = await stage.start({ definitionId: "a", version: 2 });
      await stage.start({ definitionId: "a", version: 1 });
      await stage.start({ definitionId: "b", version: 2 });
      deepStrictEqual(runsOf(await stage.claim({ definitions: [{ id: "a", version: 2 }] })), [wanted]);
      deepStrictEqual(await stage.claim({ definitions: [{ id: "a", version: 3 }] }), []);
      deepStrictEqual(await stage.claim({ definitions: [] }), []);
    });

    it("takes any of several definitions, in one order", async (stage) => {
      await stage.start({ definitionId: "a", priority: 1 });
      await stage.start({ definitionId: "b", version: 7, priority: 2 });
      await stage.start({ definitionId: "c", priority: 3 });
      const definitions = [
        { id: "a", version: 1 },
        { id: "c", version: 1 },
        { id: "b", version: 7 },
      ];
      deepStrictEqual(
        (await stage.claim({ definitions })).map(({ row }) => row.definitionId),
        ["c", "b", "a"],
      );
    });

    it("leaves what was written in a newer format than the host reads", async (stage) => {
      await stage.start();
      deepStrictEqual(await stage.claim({ format: recordFormat - 1 }), []);
      strictEqual((await stage.claim({ format: recordFormat + 1 })).length, 1);
    });

    it("takes only among the runs asked for, and only those that are due", async (stage) => {
      const [a, b, c] = (await stage.startMany(3)) as [number, number, number];
      const later = await stage.start({ startAt: stage.clock.now() + 60_000 });
      const foreign = await stage.start({ definitionId: "other" });
      const taken = await stage.take(c);
      const runs = [b, later, foreign, taken.run, 999_999];
      deepStrictEqual(runsOf(await stage.claim({ runs })), [b]);
      deepStrictEqual(await stage.claim({ runs: [] }), []);
      deepStrictEqual(runsOf(await stage.claim()), [a]);
    });

    it("keeps to the limit and the order among the runs asked for", async (stage) => {
      const low = await stage.start({ priority: 1 });
      const high = await stage.start({ priority: 2 });
      await stage.start({ priority: 9 });
      deepStrictEqual(runsOf(await stage.claim({ runs: [low, high], limit: 1 })), [high]);
    });

    it("gives each namespace its share of the limit", async (stage) => {
      await stage.startMany(50, { namespace: "busy", priority: 100 });
      await stage.startMany(5, { namespace: "quiet" });
      deepStrictEqual(await namespacesOf(stage, 10), { busy: 5, quiet: 5 });
    });

    it("gives what a namespace does not need of its share to the others", async (stage) => {
      await stage.startMany(50, { namespace: "busy" });
      await stage.startMany(2, { namespace: "quiet" });
      deepStrictEqual(await namespacesOf(stage, 10), { busy: 8, quiet: 2 });
    });

    it("shares among more namespaces, whatever they have waiting", async (stage) => {
      for (const [namespace, count] of [
        ["a", 40],
        ["b", 30],
        ["c", 3],
        ["d", 1],
        ["e", 20],
      ] as const) {
        await stage.startMany(count, { namespace });
      }
      const taken = await namespacesOf(stage, 20);
      deepStrictEqual([taken["c"], taken["d"]], [3, 1]);
      for (const busy of ["a", "b", "e"]) ok((taken[busy] ?? 0) >= 4, `${busy} gets its share`);
      strictEqual(
        Object.values(taken).reduce((sum, count) => sum + count, 0),
        20,
      );
    });

    it("takes the highest priority of all namespaces where the limit is one", async (stage) => {
      await stage.start({ namespace: "a", priority: 1 });
      await stage.start({ namespace: "b", priority: 3 });
      await stage.start({ namespace: "c", priority: 2 });
      deepStrictEqual(
        (await stage.claim({ limit: 1 })).map(({ row }) => row.namespace),
        ["b"],
      );
    });

    it("finds the few that are due among 5,000 that are parked", async (stage) => {
      await stage.startMany(5_000, { startAt: stage.clock.now() + 86_400_000 });
      const due = await stage.startMany(3);
      deepStrictEqual(runsOf(await stage.claim()), due);
      await stage.clock.advance("1d");
      strictEqual((await stage.claim({ limit: 500 })).length, 500);
    });

    it("is found by its new definition after a migration", async (stage) => {
      const held = await stage.hold();
      await stage.park(held, { version: 2, definitionHash: "hash 2", dueAt: stage.clock.now() });
      deepStrictEqual(await stage.claim(), []);
      const [claimed] = await stage.claim({ definitions: [{ id: order.id, version: 2 }] });
      deepStrictEqual([claimed?.row.run, claimed?.row.definitionHash], [held.run, "hash 2"]);
    });
  });
}

function runsOf(claimed: readonly { readonly row: { readonly run: number } }[]): number[] {
  return claimed.map(({ row }) => row.run);
}

async function namespacesOf(stage: Stage, limit: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { row } of await stage.claim({ limit })) counts[row.namespace] = (counts[row.namespace] ?? 0) + 1;
  return counts;
}

function ascending(a: number, b: number): number {
  return a - b;
}
