import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { Run } from "../../../providers/index.ts";
import type { Stage } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

export function namespaceCases({ describe, it }: PersistenceSuite): void {
  describe("namespaces", () => {
    it("do not find each other's workflows", async (stage) => {
      const { mine } = await twins(stage);
      deepStrictEqual(
        (await stage.store.find("mine", ["same", "theirs only"])).map((row) => row?.run),
        [mine, undefined],
      );
    });

    it("do not list or count each other's workflows", async (stage) => {
      const { mine } = await twins(stage);
      for (const filter of [
        {},
        { definitionId: "order" },
        { tag: "t" },
        { status: "waiting" as const },
        { waitingForEvent: "paid" },
      ]) {
        const page = await stage.store.list({ namespace: "mine", ...filter }, { limit: 10 });
        deepStrictEqual(
          page.items.map(({ run }) => run),
          [mine],
        );
        strictEqual(await stage.store.count({ namespace: "mine", ...filter }), 1);
      }
      strictEqual(await stage.store.count({ namespace: "none" }), 0);
    });

    it("do not page into each other", async (stage) => {
      for (let number = 0; number < 10; number += 1) {
        await stage.start({ namespace: "mine" });
        await stage.start({ namespace: "theirs" });
      }
      let cursor: string | undefined;
      const seen: string[] = [];
      do {
        const page = await stage.store.list(
          { namespace: "mine" },
          { limit: 3, ...(cursor === undefined ? {} : { cursor }) },
        );
        seen.push(...page.items.map(({ namespace }) => namespace));
        cursor = page.cursor;
      } while (cursor !== undefined);
      deepStrictEqual(
        seen,
        Array.from({ length: 10 }, () => "mine"),
      );
    });

    it("do not read each other's events", async (stage) => {
      await twins(stage);
      await stage.publish({ namespace: "theirs", payloadText: "secret" });
      deepStrictEqual(await stage.payloads({ namespace: "mine" }), []);
      await stage.publish({ namespace: "mine", payloadText: "own" });
      deepStrictEqual(await stage.payloads({ namespace: "mine" }), ["own"]);
    });

    it("do not wake each other's workflows", async (stage) => {
      const { mine, theirs } = await twins(stage);
      await stage.publish({ namespace: "theirs" });
      await stage.advanceEvents();
      deepStrictEqual([await stage.isDue(mine), await stage.isDue(theirs)], [false, true]);
    });

    it("do not wake each other's workflows with events to come", async (stage) => {
      const { mine, theirs } = await twins(stage);
      await stage.publish({ namespace: "mine", effectiveAt: stage.clock.now() + 1_000 });
      await stage.clock.advance("1s");
      await stage.advanceEvents();
      deepStrictEqual([await stage.isDue(mine), await stage.isDue(theirs)], [true, false]);
    });

    it("do not end each other's subscriptions", async (stage) => {
      const { mine, theirs } = await twins(stage);
      await stage.deliver(theirs);
      const held = await stage.take(theirs);
      await stage.apply(stage.turn(held, 1, { namespace: "theirs", unsubscribe: [1] }));
      await stage.publish({ namespace: "mine" });
      strictEqual(await stage.isDue(mine), true);
    });

    it("do not take each other's ids for their children", async (stage) => {
      await stage.start({ namespace: "theirs", id: "child" });
      const parent = await stage.hold({ namespace: "mine" });
      const create = [stage.workflow({ namespace: "mine", id: "child" })];
      await stage.apply(stage.turn(parent, 0, { namespace: "mine", create }));
      strictEqual((await stage.store.find("mine", ["child"]))[0]?.namespace, "mine");
    });

    it("do not learn of each other's expired events", async (stage) => {
      const run = await stage.start({ namespace: "mine" });
      await stage.publish({ namespace: "theirs" });
      await stage.clock.advance(1);
      await stage.store.purge({ eventsBefore: stage.clock.now(), limit: 10 });
      deepStrictEqual((await stage.pull(run, [stage.cursor()], "mine")).events, [
        { events: [], expiredThrough: 0, expiredAt: 0 },
      ]);
    });
  });
}

/** Two workflows that differ in their namespace alone, both asleep until an event comes; and one more of the others'. */
async function twins(stage: Stage): Promise<{ readonly mine: Run; readonly theirs: Run }> {
  const runs: Run[] = [];
  for (const namespace of ["mine", "theirs"]) {
    const held = await stage.hold({ namespace, id: "same", tags: ["t"] });
    const subscribe = [{ pointer: 1, name: "paid", key: "o-1", after: 0 }];
    const row = stage.row({ waitingFor: [{ event: "paid", key: "o-1" }] });
    await stage.apply(stage.turn(held, 0, { namespace, subscribe, row }));
    runs.push(held.run);
  }
  const [mine = 0, theirs = 0] = runs;
  await stage.start({ namespace: "theirs", id: "theirs only", tags: ["t"], startAt: stage.clock.now() + 86_400_000 });
  return { mine, theirs };
}
