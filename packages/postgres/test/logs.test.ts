import { type LogStore, type PersistenceProvider, systemRuntime } from "@wfe/core/providers";
import { describe, expect, it, onTestFinished } from "vitest";
import { postgres } from "../src/index.ts";
import { definition, turn, waitingRow, workflow } from "./support/records.ts";
import { admin, schemas, server, url } from "./support/server.ts";

describe.skipIf(server === undefined)("lines of steps", () => {
  it("are numbered without a gap where several hosts write, so that who reads on misses none", async () => {
    const schema = schemas.take();
    const stores = await Promise.all([open(schema), open(schema), open(schema)]);
    const [one, two] = await stores[0].create([workflow(), workflow()]);
    const runs = [one?.run ?? 0, two?.run ?? 0];
    let writing = true;
    const seen = new Map(runs.map((run) => [run, [] as number[]]));
    const follow = async (run: number): Promise<void> => {
      for (let last = false; !last;) {
        last = !writing;
        const after = seen.get(run)?.at(-1) ?? 0;
        const lines = await logsOf(stores[0]).read(run, { after, limit: 50 });
        seen.get(run)?.push(...lines.map(({ number }) => number));
        last &&= lines.length === 0;
      }
    };
    const following = runs.map(follow);
    const write = async (store: PersistenceProvider, order: readonly number[]): Promise<void> => {
      for (let n = 0; n < 20; n += 1) {
        const lines = order.flatMap((run) => [0, 1].map(() => ({ run, at: n, lineText: `${n}` })));
        await logsOf(store).append(lines, 1_000);
      }
    };
    await Promise.all(stores.map((store, place) => write(store, place === 1 ? runs.toReversed() : runs)));
    writing = false;
    await Promise.all(following);
    const all = Array.from({ length: 3 * 20 * 2 }, (_, n) => n + 1);
    expect(runs.map((run) => seen.get(run))).toEqual([all, all]);
  });

  it("leave nothing behind of a workflow that is purged while they are written", async () => {
    const schema = schemas.take();
    const [writer, purger] = await Promise.all([open(schema), open(schema)]);
    const created = await writer.create(Array.from({ length: 40 }, () => workflow()));
    const runs = created.map(({ run }) => run);
    await writer.claim({ lease: "lease", limit: 40, definitions: [definition], format: 1 });
    const row = waitingRow({ status: "completed", completedAt: 1 });
    await writer.commit(runs.map((run) => turn(run, 0, { row })));
    const write = async (run: number): Promise<void> => {
      for (let n = 0; n < 5; n += 1) await logsOf(writer).append([{ run, at: n, lineText: "line" }], 10);
    };
    let purged = 0;
    const purge = async (): Promise<void> => {
      while (purged < 40) purged += (await purger.purge({ workflowsBefore: Date.now(), limit: 3 })).workflows;
    };
    await Promise.all([...runs.map(write), purge()]);
    await purger.purge({ workflowsBefore: Date.now(), limit: 3 });
    const { rows } = await admin.query(
      `SELECT (SELECT count(*) FROM ${schema}.wfe_logs)::int AS lines, (SELECT count(*) FROM ${schema}.wfe_log_ends)::int AS ends`,
    );
    expect(rows).toEqual([{ lines: 0, ends: 0 }]);
  });

  it("may be more than one message holds", async () => {
    const store = await open(schemas.take());
    const [created] = await store.create([workflow()]);
    const run = created?.run ?? 0;
    const lineText = "x".repeat(1_000_000);
    await logsOf(store).append(
      Array.from({ length: 6 }, (_, at) => ({ run, at, lineText })),
      5,
    );
    const lines = await logsOf(store).read(run, { after: 0, limit: 100 });
    expect(lines.map(({ at }) => at)).toEqual([1, 2, 3, 4, 5]);
  });
});

async function open(schema: string): Promise<PersistenceProvider> {
  const provider = postgres(url, { schema });
  await provider.open({ runtime: systemRuntime() });
  onTestFinished(() => provider.close());
  return provider.persistence as PersistenceProvider;
}

function logsOf(store: PersistenceProvider): LogStore {
  return store.logs as LogStore;
}
