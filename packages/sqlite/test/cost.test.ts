import type Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { connect, definition, delivery, event, open, row, runtime, temporaryFile, turn, workflow } from "./stage.ts";

describe("the cost of a call", () => {
  it("does not grow with what is stored: no statement reads through a table", async () => {
    let ours: Database.Database | undefined;
    const texts = new Set<string>();
    const { provider, store, hold, claim } = await open(temporaryFile(), {
      onConnect: (db) => {
        ours = db;
        const prepare = db.prepare.bind(db);
        db.prepare = (text: string) => {
          texts.add(text);
          return prepare(text);
        };
      },
    });

    // Everything that a host calls.
    const [a = 0, b = 0, c = 0] = await hold(3);
    await store.create([
      workflow({ startAt: runtime.clock.now() + 1, namespace: "other" }),
      workflow({ tags: ["vip"] }),
    ]);
    const subscribe = [{ pointer: 1, name: "paid", key: "o-1", after: 0 }];
    await store.commit([
      turn(a, 0, { checkpoint: { seq: 0, stateText: "{}" }, subscribe, row: row() }),
      turn(b, 0, { deliver: [delivery(a, { keepOutcome: true })] }),
    ]);
    await store.commit([turn(a, 1, { read: [{ number: 1, outcome: "applied", reason: null }], unsubscribe: [1] })]);
    for (let seq = 1; seq < 70; seq += 1) await store.commit([turn(b, seq)]);
    await store.turns(b, { from: 3, to: 4, limit: 9 });
    await store.commit([turn(b, 3)]);
    await store.publish([event(), event({ effectiveAt: runtime.clock.now() + 5 })]);
    await new Promise((resolve) => setTimeout(resolve, 10));
    await store.advanceEvents(10);
    await store.deliveryOutcomes([{ run: a, number: 1 }]);
    await store.load([a]);
    await store.pull([
      { run: a, namespace: "default", streams: [{ name: "paid", key: "o-1", after: 0, since: 0, limit: 9 }] },
    ]);
    await store.find("default", ["x"]);
    await store.claim({ lease: "l", limit: 1, definitions: [definition], format: 1 });
    await store.claim({ lease: "l", limit: 1, definitions: [definition], format: 1, runs: [a] });
    await claim();
    await store.nextDueAt([definition]);
    await store.owned("lease-1");
    await store.owners();
    await store.orphan(["lease-1"], 9);
    await store.writeRows([{ run: c, claim: 2, row: row({ status: "failed", completedAt: 1 }) }]);
    for (const filter of [{}, { status: "failed" as const }, { tag: "vip" }, { createdAfter: 1, createdBefore: 2 }]) {
      await store.list({ namespace: "default", ...filter }, { limit: 2 });
      await store.list({ namespace: "default", ...filter }, { limit: 2, cursor: "5.5" });
    }
    await store.purge({ workflowsBefore: runtime.clock.now(), eventsBefore: runtime.clock.now(), limit: 9 });
    const lock = provider.lock;
    const lease = await lock?.openLease({ ttlMs: 1_000, holder: { host: "h", process: null } });
    if (lease !== undefined) {
      await lock?.renewLeases([lease]);
      await lock?.acquire(["k"], lease);
      await lock?.reap([lease.id]);
      await lock?.release(["k"], lease);
      await lock?.closeLeases([lease]);
    }

    // Small dictionaries, a first row, and indexes that hold only what is asked for.
    const fine = /wfe_(definitions|listeners|trash|lifecycle|streams_pending)\b|json_each|sqlite_schema|^SCAN j /;
    const scans: string[] = [];
    for (const text of texts) {
      if (!/^(select|update|delete|insert into wfe_trash)/i.test(text)) continue;
      const explain = ours?.prepare(`EXPLAIN QUERY PLAN ${text}`);
      const values = Array.from(text.matchAll(/\?/g), () => (text.includes("json_each") ? "[1]" : 1));
      const plan = (explain?.all(...values) ?? []) as { readonly detail: string }[];
      for (const { detail } of plan) {
        if (detail.startsWith("SCAN") && !fine.test(detail)) scans.push(`${detail}: ${text}`);
      }
    }
    expect(texts.size).toBeGreaterThan(60);
    expect(scans).toEqual([]);
  });

  it("does not hang on the statistics of an application's ANALYZE", { timeout: 60_000 }, async () => {
    const file = temporaryFile();
    const { store, claim, provider } = await open(file);
    await store.create([workflow()]);
    connect(file).exec("ANALYZE");
    await provider.close();
    await provider.open({ runtime });
    for (let batch = 0; batch < 10; batch += 1) {
      await store.create(Array.from({ length: 500 }, () => workflow({ startAt: runtime.clock.now() + 3_600_000 })));
    }
    expect(await claim()).toHaveLength(1);
    const since = performance.now();
    for (let time = 0; time < 100; time += 1) expect(await claim()).toEqual([]);
    // A scan of 5,000 rows takes a millisecond or more.
    expect((performance.now() - since) / 100).toBeLessThan(1);
  });

  it("of reading a page of a long history is that of the page", async () => {
    const { store, hold } = await open(temporaryFile(), { synchronous: "normal" });
    const [run = 0] = await hold(1);
    for (let seq = 0; seq < 1_000; seq += 1) await store.commit([turn(run, seq, { entriesText: String(seq) })]);
    for (const from of [0, 1, 62, 63, 64, 65, 127, 500, 990, 999, 1_000]) {
      for (const limit of [1, 10, 64, 200]) {
        const turns = await store.turns(run, { from, limit });
        const expected = Array.from({ length: Math.max(0, Math.min(limit, 1_000 - from)) }, (_, place) => from + place);
        expect(turns.map(({ seq }) => seq)).toEqual(expected);
        expect(turns.map(({ entriesText }) => Number(entriesText))).toEqual(expected);
      }
    }
  });
});

describe("purge", () => {
  it("takes a long journal away in pieces, and its id is free at once", async () => {
    const file = temporaryFile();
    const { store, hold } = await open(file, { synchronous: "normal" });
    const [run = 0] = await hold(1);
    const [found] = await store.load([run]);
    const id = found?.row.id ?? "";
    for (let seq = 0; seq < 5_000; seq += 1) {
      await store.commit([turn(run, seq, seq % 4 === 0 ? { deliver: [delivery(run, { exempt: true })] } : {})]);
    }
    await store.commit([turn(run, 5_000, { row: row({ status: "completed", completedAt: 1, notedSignals: 5_000 }) })]);
    const bounds = { workflowsBefore: 2, limit: 10 };
    const purged = store.purge(bounds);
    const [created] = await store.create([workflow({ id })]);
    expect(created?.created).toBe(true);
    expect(created?.run).toBeGreaterThan(run);
    expect(await purged).toEqual({ workflows: 1, events: 0 });
    expect(await store.purge(bounds)).toEqual({ workflows: 0, events: 0 });
    const db = connect(file);
    for (const table of ["wfe_turns", "wfe_deliveries", "wfe_trash"]) {
      expect(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()).toBe(0);
    }
  });

  it("goes on with what one that was killed has left", async () => {
    const file = temporaryFile();
    const { store, hold } = await open(file);
    const [run = 0, other = 0] = await hold(2);
    await store.commit([turn(run, 0), turn(other, 0)]);
    await store.commit([turn(run, 1, { row: row({ status: "failed", completedAt: 1 }) })]);
    const db = connect(file);
    db.exec(`INSERT INTO wfe_trash SELECT run, last FROM wfe_heads WHERE run = ${run};
      DELETE FROM wfe_workflows WHERE run = ${run}; DELETE FROM wfe_heads WHERE run = ${run}`);
    expect(await store.purge({ workflowsBefore: 0, limit: 1 })).toEqual({ workflows: 0, events: 0 });
    expect(db.prepare("SELECT DISTINCT run FROM wfe_turns").pluck().all()).toEqual([other]);
  });
});
