import { type NewWorkflow, type PersistenceProvider, type Run, systemRuntime } from "@wfe/core/providers";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { postgres } from "../src/index.ts";
import { definition, event, turn, workflow } from "./support/records.ts";
import { admin, schemas, server, url } from "./support/server.ts";

const mebi = 1024 * 1024;
/** Of JSON as it is stored, in which each quote takes another character on the wire. */
const blob = JSON.stringify({ blob: "x".repeat(mebi) });

describe.skipIf(server === undefined)("much data", { timeout: 120_000 }, () => {
  it("is claimed a part at a time, the rest as if nobody had asked", async () => {
    const { store, schema } = await opened();
    const runs = await large(store, schema, 12, 6, ({ n }) => ({ priority: n === 5 ? 9 : 0 }));
    const rows = `SELECT run::int, claim::int, due_at::text FROM ${schema}.wfe_workflows WHERE owner IS NULL ORDER BY run`;
    const { rows: before } = await admin.query<{ run: Run }>(rows);

    const first = await store.claim({ lease: "a", limit: 100, definitions: [definition], format: 1 });
    expect(first.map(({ row }) => row.run)).toEqual([runs[5], runs[0]]);
    for (const { row } of first) {
      expect(row).toMatchObject({ owner: "a", claim: 1 });
      expect(row.startText.length).toBe(12 * mebi);
    }
    const { rows: after } = await admin.query<{ run: Run }>(rows);
    expect(after).toEqual(before.slice(1, 5));

    const second = await store.claim({ lease: "b", limit: 100, definitions: [definition], format: 1 });
    expect(second.map(({ row }) => row.run)).toEqual([runs[1], runs[2]]);
  });

  it("is claimed a part at a time by name and of many lanes too, and remains marked as a dead host's", async () => {
    const { store, schema } = await opened();
    const runs = await large(store, schema, 12, 6, ({ n }) => ({ namespace: `n${n % 3}`, priority: n % 2 }));
    const dead = { lease: "dead", limit: 3, definitions: [definition], format: 1 };
    const left: Run[] = [];
    for (let n = 0; n < 2; n += 1) {
      const claimed = await store.claim(dead);
      expect(claimed).toHaveLength(2);
      left.push(...claimed.map(({ row }) => row.run));
    }
    expect(await store.orphan(["dead"], 100)).toBe(4);
    const heir = { lease: "heir", limit: 100, definitions: [definition], format: 1 };
    const byName = [...(await store.claim({ ...heir, runs: left })), ...(await store.claim({ ...heir, runs: left }))];
    expect(byName.map(({ row, orphaned }) => [row.run, row.claim, orphaned]).toSorted()).toEqual(
      left.map((run) => [run, 3, true]).toSorted(),
    );
    const rest = await store.claim(heir);
    expect(rest.map(({ row }) => row.run).toSorted()).toEqual(runs.filter((run) => !left.includes(run)));
  });

  it("is claimed alone where one workflow alone has too much", async () => {
    const { store, schema } = await opened();
    const [huge] = await large(store, schema, 36, 1, () => ({}));
    const small = await store.create([workflow(), workflow()]);
    const claims = [];
    for (let n = 0; n < 2; n += 1) {
      const claimed = await store.claim({ lease: "a", limit: 10, definitions: [definition], format: 1 });
      claims.push(claimed.map(({ row }) => row.run));
    }
    expect(claims).toEqual([[huge], small.map(({ run }) => run)]);
  });

  it("is read without a text that has it all", async () => {
    const { store, longest } = await opened();
    const count = 4;
    const created = await store.create(Array.from({ length: count }, () => workflow({ startText: blob })));
    const runs = created.map(({ run }) => run);
    await store.commit(runs.map((run) => turn(run, 0, { checkpoint: { seq: 0, stateText: blob } })));
    for (let seq = 1; seq <= 3; seq += 1) await store.commit(runs.map((run) => turn(run, seq, { entriesText: blob })));
    await store.publish(Array.from({ length: count }, () => event({ payloadText: blob })));
    await store.deliver(
      runs.flatMap((to) =>
        [1, 2].map((n) => ({
          deliveryId: `${to}-${n}`,
          to,
          kind: "signal",
          bodyText: blob,
          keepOutcome: false,
          exempt: false,
        })),
      ),
      100,
    );

    longest.reset();
    const loaded = await store.load([...runs, 999_999]);
    expect(loaded.map((one) => one?.turns.map(({ seq }) => seq))).toEqual([...runs.map(() => [1, 2, 3]), undefined]);
    expect(loaded[0]?.checkpoint).toEqual({ seq: 0, stateText: blob });
    expect(loaded.every((one) => one === undefined || one.row.startText === blob)).toBe(true);
    expect(longest.length).toBeLessThan(8 * mebi);

    longest.reset();
    const stream = { name: "paid", key: "o-1", after: 0, since: 0, limit: 100 };
    const pulled = await store.pull(runs.map((run) => ({ run, namespace: "default", streams: [stream] })));
    expect(pulled.map(({ deliveries }) => deliveries.map(({ number }) => number))).toEqual(runs.map(() => [1, 2]));
    expect(pulled.map(({ events }) => events[0]?.events.length)).toEqual(runs.map(() => count));
    expect(pulled[0]?.deliveries[0]?.bodyText).toBe(blob);
    expect(pulled[0]?.events[0]?.events[0]?.payloadText).toBe(blob);
    expect(longest.length).toBeLessThan(2 * mebi);

    longest.reset();
    const ids = loaded.flatMap((one) => (one === undefined ? [] : [one.row.id]));
    expect((await store.find("default", ids)).map((row) => row?.run)).toEqual(runs);
    expect((await store.list({ namespace: "default" }, { limit: 100 })).items.map(({ run }) => run)).toEqual(
      runs.toReversed(),
    );
    expect((await store.turns(runs[0] ?? 0, { from: 0, limit: 100 })).map(({ seq }) => seq)).toEqual([0, 1, 2, 3]);
    expect(longest.length).toBeLessThan(2 * mebi);
  });
});

/** Workflows whose texts have so many MiB each, which are made where they are stored. */
async function large(
  store: PersistenceProvider,
  schema: string,
  size: number,
  count: number,
  over: (at: { readonly n: number }) => Partial<NewWorkflow>,
): Promise<Run[]> {
  const created = await store.create(Array.from({ length: count }, (_, n) => workflow(over({ n }))));
  await admin.query(`UPDATE ${schema}.wfe_starts SET text = repeat('x', ${size * mebi})`);
  return created.map(({ run }) => run);
}

interface Longest {
  readonly length: number;
  reset(): void;
}

/** A store whose pool tells of the longest text that a server has sent it. */
async function opened(): Promise<{ store: PersistenceProvider; schema: string; longest: Longest }> {
  const schema = schemas.take();
  let length = 0;
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on("connect", (client) => {
    const query = client.query.bind(client) as (...values: readonly unknown[]) => Promise<pg.QueryResult<object>>;
    client.query = (async (...values: readonly unknown[]) => {
      const result = await query(...values);
      for (const row of result.rows) {
        for (const value of Object.values(row)) if (typeof value === "string") length = Math.max(length, value.length);
      }
      return result;
    }) as typeof client.query;
  });
  const provider = postgres(pool, { schema });
  await provider.open({ runtime: systemRuntime() });
  onTestFinished(async () => {
    await provider.close();
    await pool.end();
  });
  const longest = {
    get length() {
      return length;
    },
    reset: () => void (length = 0),
  };
  return { store: provider.persistence!, schema, longest };
}
