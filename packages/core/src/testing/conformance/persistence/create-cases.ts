import { deepStrictEqual, notStrictEqual, ok, strictEqual } from "node:assert/strict";
import { hostileNames, hostileTexts } from "./hostile.ts";
import { order } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

export function createCases({ describe, it }: PersistenceSuite): void {
  describe("create", () => {
    it("stores a workflow as it is given, new and runnable", async (stage) => {
      const workflow = stage.workflow({
        priority: 7,
        tags: ["b", "a"],
        startText: '{"amount":3}',
        definitionHash: "h1",
      });
      const run = await stage.start(workflow);
      const now = stage.clock.now();
      const { startAt, firstTurn, ...given } = workflow;
      deepStrictEqual(await stage.rowOf(run), {
        ...given,
        run,
        status: "runnable",
        createdAt: now,
        updatedAt: now,
        completedAt: null,
        dueAt: now,
        owner: null,
        claim: (await stage.rowOf(run)).claim,
        signals: (await stage.rowOf(run)).signals,
        resultText: null,
        errorText: null,
        waitingFor: [],
      });
      deepStrictEqual([startAt, firstTurn], [null, null]);
    });

    it("answers with what it has stored", async (stage) => {
      const workflow = stage.workflow({ version: 4 });
      const [created] = await stage.store.create([workflow]);
      const run = created?.run ?? -1;
      deepStrictEqual(created, { created: true, run, uid: workflow.uid, definitionId: order.id, version: 4 });
      strictEqual((await stage.rowOf(run)).id, workflow.id);
    });

    it("stores an empty journal", async (stage) => {
      const run = await stage.start();
      const [loaded] = await stage.store.load([run]);
      deepStrictEqual([loaded?.checkpoint, loaded?.turns], [null, []]);
    });

    for (const [kind, text] of Object.entries(hostileTexts)) {
      it(`gives back ${kind} in every text`, async (stage) => {
        const workflow = stage.workflow({
          startText: text,
          definitionHash: text,
          tags: [`tag ${text}`],
          uid: `uid ${text}`,
        });
        const row = await stage.rowOf(await stage.start(workflow));
        deepStrictEqual(
          [row.startText, row.definitionHash, row.tags, row.uid],
          [text, text, [`tag ${text}`], `uid ${text}`],
        );
      });
    }

    it("keeps ids and namespaces apart, whatever they hold, up to 512 bytes", async (stage) => {
      const workflows = hostileNames.flatMap((name) => [
        stage.workflow({ id: name }),
        stage.workflow({ id: "plain", namespace: name }),
        stage.workflow({ id: "plain", namespace: `${name.slice(0, 200)}.`, definitionId: name }),
      ]);
      const created = await stage.store.create(workflows);
      strictEqual(created.filter((result) => result.created).length, workflows.length);
      for (const [place, { namespace, id, definitionId }] of workflows.entries()) {
        const [row] = await stage.store.find(namespace, [id]);
        deepStrictEqual(
          [row?.run, row?.id, row?.namespace, row?.definitionId],
          [created[place]?.run, id, namespace, definitionId],
        );
      }
    });

    it("tells ids apart that differ in case, in space or in their spelling only", async (stage) => {
      const ids = ["order", "Order", "ORDER", "order ", " order", "\u00e9", "e\u0301", "ss", "ß", "1", "01", "1.0"];
      const created = await stage.store.create(ids.map((id) => stage.workflow({ id })));
      ok(created.every((result) => result.created));
      const found = await stage.store.find("default", ids);
      deepStrictEqual(
        found.map((row) => row?.run),
        created.map(({ run }) => run),
      );
    });

    it("keeps a text of one megabyte", async (stage) => {
      const startText = `"${"é".repeat(500_000)}"`;
      strictEqual((await stage.rowOf(await stage.start({ startText }))).startText, startText);
    });

    it("keeps priorities below 0 and large ones", async (stage) => {
      for (const priority of [-1_000_000, -1, 0, 1, 1_000_000]) {
        strictEqual((await stage.rowOf(await stage.start({ priority }))).priority, priority);
      }
    });

    it("keeps who waits for a workflow", async (stage) => {
      const parent = await stage.start();
      const run = await stage.start({ parent: { run: parent, pointer: 12 } });
      deepStrictEqual((await stage.rowOf(run)).parent, { run: parent, pointer: 12 });
    });

    it("stores a first turn with the row", async (stage) => {
      const firstTurn = { turn: "first", entriesText: '["forked"]', host: "host-1" };
      const run = await stage.start({ firstTurn });
      deepStrictEqual(await stage.store.turns(run, { from: 0, limit: 10 }), [
        { seq: 0, turn: "first", at: stage.clock.now(), host: "host-1", entriesText: '["forked"]' },
      ]);
      strictEqual((await stage.claim())[0]?.headSeq, 0);
      strictEqual((await stage.commit(stage.turn({ run, claim: 1 }, 1))).outcome, "applied");
    });

    it("makes a workflow due at its start time", async (stage) => {
      const startAt = stage.clock.now() + 60_000;
      strictEqual((await stage.rowOf(await stage.start({ startAt }))).dueAt, startAt);
    });

    it("keeps a start time thousands of years ahead", async (stage) => {
      const startAt = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
      strictEqual((await stage.rowOf(await stage.start({ startAt }))).dueAt, startAt);
    });

    it("describes the workflow that has the id already, and stores nothing", async (stage) => {
      const first = stage.workflow({ id: "taken", version: 2, startText: "first" });
      const run = await stage.start(first);
      await stage.clock.advance(1_000);
      const before = await stage.rowOf(run);
      const [second] = await stage.store.create([
        stage.workflow({
          id: "taken",
          definitionId: "other",
          startText: "second",
          firstTurn: { turn: "t", entriesText: "[]", host: "h" },
        }),
      ]);
      deepStrictEqual(second, { created: false, run, uid: first.uid, definitionId: order.id, version: 2 });
      deepStrictEqual(await stage.rowOf(run), before);
      deepStrictEqual(await stage.store.turns(run, { from: 0, limit: 10 }), []);
    });

    it("answers a repeated start as the first time", async (stage) => {
      const workflow = stage.workflow({ firstTurn: { turn: "first", entriesText: "[]", host: "host" } });
      const [first] = await stage.store.create([workflow]);
      const [second] = await stage.store.create([workflow]);
      deepStrictEqual(second, first);
      strictEqual(await stage.store.count({ namespace: "default" }), 1);
      strictEqual((await stage.store.turns(first?.run ?? -1, { from: 0, limit: 10 })).length, 1);
    });

    it("leaves a workflow alone that has gone on when its start is repeated", async (stage) => {
      const workflow = stage.workflow();
      const run = await stage.start(workflow);
      const held = await stage.take(run);
      await stage.end(held);
      const before = await stage.rowOf(run);
      const [repeated] = await stage.store.create([workflow]);
      deepStrictEqual([repeated?.created, repeated?.run], [true, run]);
      deepStrictEqual(await stage.rowOf(run), before);
    });

    it("creates one workflow of 30 starts with one id at once, and describes it to all", async (stage) => {
      const workflows = Array.from({ length: 30 }, () => stage.workflow({ id: "one" }));
      const results = (await Promise.all(workflows.map((workflow) => stage.store.create([workflow])))).flat();
      const winners = results.filter(({ created }) => created);
      strictEqual(winners.length, 1);
      ok(results.every(({ run, uid }) => run === winners[0]?.run && uid === winners[0]?.uid));
      strictEqual(await stage.store.count({ namespace: "default" }), 1);
    });

    it("creates 30 workflows of 30 starts with ids of their own at once", async (stage) => {
      const workflows = Array.from({ length: 30 }, () => stage.workflow());
      const results = (await Promise.all(workflows.map((workflow) => stage.store.create([workflow])))).flat();
      strictEqual(new Set(results.map(({ run }) => run)).size, 30);
      deepStrictEqual(
        (
          await stage.store.find(
            "default",
            workflows.map(({ id }) => id),
          )
        ).map((row) => row?.uid),
        workflows.map(({ uid }) => uid),
      );
    });

    it("sees an id that comes twice in one batch as taken the second time", async (stage) => {
      const [first, second] = await stage.store.create([
        stage.workflow({ id: "twice" }),
        stage.workflow({ id: "twice" }),
      ]);
      deepStrictEqual([first?.created, second?.created], [true, false]);
      deepStrictEqual([second?.run, second?.uid], [first?.run, first?.uid]);
    });

    it("takes the same id in another namespace for another workflow", async (stage) => {
      const first = await stage.start({ id: "same", namespace: "a" });
      const second = await stage.start({ id: "same", namespace: "b" });
      notStrictEqual(first, second);
      deepStrictEqual(
        (await stage.store.find("b", ["same"])).map((row) => row?.run),
        [second],
      );
    });

    it("answers a batch of 500 in its order, what is taken already among it", async (stage) => {
      const taken = await stage.start({ id: "taken" });
      const workflows = Array.from({ length: 500 }, (_, place) => stage.workflow(place === 250 ? { id: "taken" } : {}));
      const results = await stage.store.create(workflows);
      const found = await stage.store.find(
        "default",
        workflows.map(({ id }) => id),
      );
      deepStrictEqual(
        results.map(({ run }) => run),
        found.map((row) => row?.run),
      );
      deepStrictEqual([results[250]?.created, results[250]?.run], [false, taken]);
      strictEqual(results.filter(({ created }) => created).length, 499);
    });

    it("does nothing for an empty batch", async (stage) => {
      deepStrictEqual(await stage.store.create([]), []);
      strictEqual(await stage.store.count({ namespace: "default" }), 0);
    });
  });

  describe("find", () => {
    it("answers in the order of ids, undefined for those that are not there", async (stage) => {
      const a = await stage.start({ id: "a" });
      const b = await stage.start({ id: "b" });
      const found = await stage.store.find("default", ["b", "none", "a", "b"]);
      deepStrictEqual(
        found.map((row) => row?.run),
        [b, undefined, a, b],
      );
    });

    it("gives nothing for no ids", async (stage) => {
      await stage.start();
      deepStrictEqual(await stage.store.find("default", []), []);
    });

    it("gives rows that a caller may change without changing the store", async (stage) => {
      const run = await stage.start({ id: "own", tags: ["kept"] });
      const [row] = await stage.store.find("default", ["own"]);
      ok(row);
      try {
        (row.tags as string[]).push("added");
        Object.assign(row, { status: "failed" });
      } catch {
        // A frozen row is as good.
      }
      const stored = await stage.rowOf(run);
      deepStrictEqual([stored.tags, stored.status], [["kept"], "runnable"]);
    });

    it("keeps what it was given when the caller changes it afterwards", async (stage) => {
      const tags = ["kept"];
      const run = await stage.start({ tags });
      tags.push("added");
      deepStrictEqual((await stage.rowOf(run)).tags, ["kept"]);
    });
  });
}
