import { type Provider, systemRuntime } from "@wfe/core/providers";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { until } from "../../../tests/processes/support/until.ts";
import { postgres, type PostgresSource } from "../src/index.ts";
import { definition, turn, waitingRow, workflow } from "./support/records.ts";
import { schemas, server, url } from "./support/server.ts";

describe.skipIf(server === undefined)(
  "a host that is frozen between its turn and the COMMIT of a transactional step",
  () => {
    it("keeps others from that workflow for a few seconds, and from no other one", async () => {
      const schema = schemas.take();
      const frozen = frozenAtCommit();
      const heir = await opened(url, schema);
      const sick = await opened(frozen.pool, schema);
      const [stuck, free] = await sick.persistence!.create([workflow(), workflow()]);
      const claimed = await sick.persistence!.claim({ lease: "sick", limit: 2, definitions: [definition], format: 1 });
      expect(claimed).toHaveLength(2);
      const committed = sick.persistence!.commit([
        { run: stuck!.run, seq: 0, execute: () => turn(stuck!.run, 0, { row: waitingRow() }) },
      ]);
      committed.catch(() => {});
      await frozen.reached;

      expect(await heir.persistence!.orphan(["sick"], 10)).toBe(1);
      expect(await heir.persistence!.owned("sick")).toMatchObject([{ run: stuck!.run }]);
      await until(
        { what: "the other one is free too" },
        async () => (await heir.persistence!.orphan(["sick"], 10)) === 1,
      );
      const heirs = await heir.persistence!.claim({ lease: "heir", limit: 2, definitions: [definition], format: 1 });
      expect(heirs.map(({ row }) => row.run).toSorted()).toEqual([stuck!.run, free!.run].toSorted());
      expect(await heir.persistence!.turns(stuck!.run, { from: 0, limit: 10 })).toEqual([]);

      frozen.thaw();
      // Whether it was stored is found out by whoever asks: it never says that it was.
      await expect(committed).rejects.toMatchObject({ code: "STORE_UNREACHABLE", outcome: "unknown", transient: true });
      expect(await heir.persistence!.turns(stuck!.run, { from: 0, limit: 10 })).toEqual([]);
    });
  },
);

async function opened(source: PostgresSource, schema: string): Promise<Provider> {
  const provider = postgres(source, { schema });
  await provider.open({ runtime: systemRuntime() });
  onTestFinished(() => provider.close());
  return provider;
}

/** Connections that hold back a COMMIT, as a frozen process does. */
function frozenAtCommit(): { readonly pool: pg.Pool; readonly reached: Promise<void>; readonly thaw: () => void } {
  const reached = Promise.withResolvers<void>();
  const thawed = Promise.withResolvers<void>();
  const pool = new pg.Pool({ connectionString: url });
  pool.on("error", () => {});
  pool.on("connect", (client) => {
    client.on("error", () => {});
    const query = client.query.bind(client) as (...values: readonly unknown[]) => unknown;
    const isCommit = (given: unknown): boolean =>
      given === "COMMIT" || (typeof given === "object" && given !== null && "text" in given && given.text === "COMMIT");
    client.query = ((...values: readonly unknown[]) => {
      if (!isCommit(values[0])) return query(...values);
      reached.resolve();
      return thawed.promise.then(() => query(...values));
    }) as typeof client.query;
  });
  onTestFinished(() => pool.end());
  return { pool, reached: reached.promise, thaw: thawed.resolve };
}
