import { type ClaimedWorkflow, type PersistenceProvider, systemRuntime } from "@wfe/core/providers";
import { postgres } from "@wfe/postgres";
import pg from "pg";
import { startPostgres } from "../tests/services/postgres.ts";
import { row } from "./measure.ts";

const finished = 1_000_000;
const claims = 400;
const perClaim = 50;
const definitions = [{ id: "order", version: 1 }];

/**
 * The time of a claim of 50 workflows with a million finished ones in the tables, before and while a transaction elsewhere is
 * open for long, so that nothing that is dead can be cleaned up; beside the same with empty tables.
 */
export async function postgresClaims(): Promise<void> {
  await using server = await startPostgres();
  const client = new pg.Client(server.url);
  await client.connect();
  await measure("claims, empty tables", server.url, "empty");
  const provider = postgres(server.url, { schema: "full" });
  await provider.open({ runtime: systemRuntime() });
  await provider.persistence?.create([workflow("first")]);
  await provider.close();
  await client.query(`INSERT INTO "full".wfe_workflows (definition, status, ended, priority, created_at, updated_at, completed_at,
      namespace, id, uid)
    SELECT (SELECT definition FROM "full".wfe_definitions LIMIT 1), 'completed', 1, 0, n, n, n, 'default', 'f-' || n, 'u-' || n
    FROM generate_series(1, ${finished}) AS n`);
  await client.query('VACUUM ANALYZE "full".wfe_workflows');
  await measure("claims, a million finished", server.url, "full");
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT txid_current()");
  await measure("claims, and a transaction open for long", server.url, "full");
  await client.query("ROLLBACK");
  await client.end();
}

async function measure(label: string, url: string, schema: string): Promise<void> {
  const provider = postgres(url, { schema });
  await provider.open({ runtime: systemRuntime() });
  const store = provider.persistence as PersistenceProvider;
  const times: number[] = [];
  for (let claim = 0; claim < claims; claim += 1) {
    await store.create(Array.from({ length: perClaim }, (_, n) => workflow(`${label}-${claim}-${n}`)));
    const begun = performance.now();
    const claimed = await store.claim({
      lease: "bench",
      limit: perClaim,
      definitions,
      format: 1,
    });
    times.push(performance.now() - begun);
    await finish(store, claimed);
  }
  await provider.close();
  times.sort((one, other) => one - other);
  const at = (share: number): string => `${(times[Math.floor(times.length * share)] ?? Number.NaN).toFixed(1)} ms`;
  row(label, `median ${at(0.5)}`, `p99 ${at(0.99)}`);
}

async function finish(store: PersistenceProvider, claimed: readonly ClaimedWorkflow[]): Promise<void> {
  await store.writeRows(
    claimed.map(({ row: { run, claim } }) => ({
      run,
      claim,
      row: {
        status: "completed",
        dueAt: null,
        release: true,
        notedSignals: 0,
        version: 1,
        definitionHash: "hash",
        completedAt: 1,
        resultText: "{}",
        errorText: null,
        waitingFor: [],
      },
    })),
  );
}

function workflow(id: string): Parameters<PersistenceProvider["create"]>[0][number] {
  return {
    namespace: "default",
    id,
    uid: id,
    definitionId: "order",
    version: 1,
    definitionHash: "hash",
    priority: 0,
    tags: [],
    startAt: null,
    startText: "{}",
    parent: null,
    firstTurn: null,
  };
}
