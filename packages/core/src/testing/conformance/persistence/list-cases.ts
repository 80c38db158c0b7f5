import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { WorkflowFilter, WorkflowRow, WorkflowStatus } from "../../../providers/index.ts";
import type { Stage } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

export function listCases({ describe, it }: PersistenceSuite): void {
  describe("list and count", () => {
    it("gives the newest first", async (stage) => {
      const ids = ["a", "b", "c"];
      for (const id of ids) {
        await stage.start({ id });
        await stage.clock.advance(1);
      }
      deepStrictEqual(await idsOf(stage), ["c", "b", "a"]);
    });

    it("gives whole rows, as they are stored", async (stage) => {
      const held = await stage.hold({ tags: ["x"] });
      await stage.park(held, { errorText: "e", waitingFor: [{ event: "paid", key: "1" }] });
      const { items } = await stage.store.list({ namespace: "default" }, { limit: 10 });
      deepStrictEqual(items, [await stage.rowOf(held.run)]);
    });

    it("gives nothing and no cursor where nothing matches", async (stage) => {
      const page = await stage.store.list({ namespace: "default" }, { limit: 10 });
      deepStrictEqual([page.items, page.cursor], [[], undefined]);
      strictEqual(await stage.store.count({ namespace: "default" }), 0);
    });

    it("filters by definition and version", async (stage) => {
      await populate(stage);
      await expectMatches(stage, { definitionId: "a" }, ["a1", "a2"]);
      await expectMatches(stage, { definitionId: "a", version: 2 }, ["a2"]);
      await expectMatches(stage, { version: 1 }, ["a1", "b1", "c1"]);
      await expectMatches(stage, { definitionId: "A" }, []);
    });

    it("filters by one status or several", async (stage) => {
      await populate(stage);
      await expectMatches(stage, { status: "runnable" }, ["a1", "c1"]);
      await expectMatches(stage, { status: "failed" }, ["b1"]);
      await expectMatches(stage, { status: ["failed", "waiting"] }, ["a2", "b1"]);
      await expectMatches(stage, { status: "terminated" }, []);
    });

    it("filters by a tag, as a whole", async (stage) => {
      await populate(stage);
      await expectMatches(stage, { tag: "red" }, ["a1", "b1"]);
      await expectMatches(stage, { tag: "re" }, []);
      await expectMatches(stage, { tag: "100%" }, ["c1"]);
      await expectMatches(stage, { tag: "%" }, []);
      await expectMatches(stage, { tag: "it's" }, ["c1"]);
      await expectMatches(stage, { tag: '"red"' }, []);
    });

    it("filters by the time of creation", async (stage) => {
      const start = stage.clock.now();
      await populate(stage);
      await expectMatches(stage, { createdAfter: start + 1_500 }, ["b1", "c1"]);
      await expectMatches(stage, { createdBefore: start + 1_500 }, ["a1", "a2"]);
      await expectMatches(stage, { createdAfter: start + 500, createdBefore: start + 2_500 }, ["a2", "b1"]);
    });

    it("filters by the event that a workflow waits for", async (stage) => {
      await populate(stage);
      await expectMatches(stage, { waitingForEvent: "paid" }, ["a2"]);
      await expectMatches(stage, { waitingForEvent: "sent" }, ["a2"]);
      await expectMatches(stage, { waitingForEvent: "pai" }, []);
    });

    it("takes all filters together", async (stage) => {
      await populate(stage);
      await expectMatches(stage, { definitionId: "a", status: ["waiting", "runnable"], tag: "red" }, ["a1"]);
      await expectMatches(stage, { definitionId: "b", status: "waiting" }, []);
    });

    it("follows what rows become", async (stage) => {
      const held = await stage.hold({ id: "one" });
      await stage.park(held, { status: "suspended", waitingFor: [{ event: "paid", key: "" }], version: 5 });
      await expectMatches(stage, { status: "suspended", waitingForEvent: "paid", version: 5 }, ["one"]);
      await expectMatches(stage, { status: "runnable" }, []);
      await expectMatches(stage, { version: 1 }, []);
    });

    it("pages through everything, each row once, in the order of the whole", async (stage) => {
      for (let second = 0; second < 5; second += 1) {
        await stage.startMany(5);
        await stage.clock.advance("1s");
      }
      const whole = (await stage.store.list({ namespace: "default" }, { limit: 100 })).items.map(({ id }) => id);
      for (const limit of [1, 3, 5, 12, 24, 25]) {
        const pages = await allPages(stage, { namespace: "default" }, limit);
        ok(pages.every((page) => page.length <= limit));
        deepStrictEqual(
          pages.flat().map(({ id }) => id),
          whole,
        );
      }
    });

    it("pages through what matches", async (stage) => {
      await stage.startMany(30, { definitionId: "a" });
      await stage.startMany(30, { definitionId: "b" });
      const pages = await allPages(stage, { namespace: "default", definitionId: "a" }, 7);
      strictEqual(pages.flat().length, 30);
      ok(pages.flat().every(({ definitionId }) => definitionId === "a"));
    });

    it("skips and repeats nothing while rows are created between pages", async (stage) => {
      const before = await stage.startMany(20);
      const seen: number[] = [];
      let cursor: string | undefined;
      do {
        const page = await stage.store.list(
          { namespace: "default" },
          { limit: 3, ...(cursor === undefined ? {} : { cursor }) },
        );
        seen.push(...page.items.map(({ run }) => run));
        await stage.start();
        if (seen.length % 2 === 0) await stage.clock.advance(1);
        cursor = page.cursor;
      } while (cursor !== undefined && seen.length < 200);
      strictEqual(new Set(seen).size, seen.length);
      for (const run of before) ok(seen.includes(run), "each row that was there is seen");
    });

    it("goes on from a cursor whose row has gone", async (stage) => {
      const held: number[] = [];
      for (let number = 0; number < 4; number += 1) {
        const one = await stage.hold();
        held.push(one.run);
        await stage.end(one);
        await stage.clock.advance(1_000);
      }
      const first = await stage.store.list({ namespace: "default" }, { limit: 2 });
      await stage.store.purge({ workflowsBefore: stage.clock.now() + 1, limit: 100 });
      const left = await stage.start();
      const second = await stage.store.list(
        { namespace: "default" },
        { limit: 2, ...(first.cursor === undefined ? {} : { cursor: first.cursor }) },
      );
      ok(second.items.every(({ run }) => run === left));
      strictEqual(first.items.length, 2);
    });

    it("counts what it lists", async (stage) => {
      await populate(stage);
      for (const filter of [
        {},
        { definitionId: "a" },
        { status: "waiting" as WorkflowStatus },
        { tag: "red" },
        { tag: "none" },
      ]) {
        const { items } = await stage.store.list({ namespace: "default", ...filter }, { limit: 100 });
        strictEqual(await stage.store.count({ namespace: "default", ...filter }), items.length);
      }
    });
  });
}

/** Five workflows, of which one is in another namespace. */
async function populate(stage: Stage): Promise<void> {
  await stage.start({ id: "a1", definitionId: "a", tags: ["red", "blue"] });
  await stage.clock.advance(1_000);
  const a2 = await stage.hold({ id: "a2", definitionId: "a", version: 2 });
  const waitingFor = [
    { event: "paid", key: "1" },
    { event: "sent", key: "" },
  ];
  await stage.park(a2, { version: 2, waitingFor });
  await stage.clock.advance(1_000);
  const b1 = await stage.hold({ id: "b1", definitionId: "b", tags: ["red"] });
  await stage.end(b1, { status: "failed", resultText: null, errorText: "e" });
  await stage.clock.advance(1_000);
  await stage.start({ id: "c1", definitionId: "c", tags: ["100%", "it's"] });
  await stage.start({ id: "foreign", definitionId: "a", tags: ["red"], namespace: "other" });
}

async function expectMatches(
  stage: Stage,
  filter: Omit<WorkflowFilter, "namespace">,
  ids: readonly string[],
): Promise<void> {
  deepStrictEqual((await idsOf(stage, filter)).sort(), [...ids].sort());
  strictEqual(await stage.store.count({ namespace: "default", ...filter }), ids.length);
}

async function idsOf(stage: Stage, filter: Omit<WorkflowFilter, "namespace"> = {}): Promise<string[]> {
  const { items } = await stage.store.list({ namespace: "default", ...filter }, { limit: 100 });
  return items.map(({ id }) => id);
}

async function allPages(stage: Stage, filter: WorkflowFilter, limit: number): Promise<(readonly WorkflowRow[])[]> {
  const pages: (readonly WorkflowRow[])[] = [];
  let cursor: string | undefined;
  do {
    const page = await stage.store.list(filter, { limit, ...(cursor === undefined ? {} : { cursor }) });
    pages.push(page.items);
    cursor = page.cursor;
  } while (cursor !== undefined && pages.length < 1_000);
  return pages;
}
