import { WorkflowHost } from "@wfe/core";
import { postgres } from "@wfe/postgres";
import pg from "pg";
import { startPostgres } from "../tests/services/postgres.ts";
import { median, row, timed } from "./measure.ts";
import { noOps } from "./steps.ts";

const workflows = 1_000;
const stepsEach = 10;
const rounds = 5;
/** Rounds that are not counted: until then compiler, plans and caches are still at work. */
const warmUps = 4;
/** Rows of one INSERT of the floor: the best of these counts. */
const batches = [250, 1_000, 4_000];

/**
 * 1,000 workflows of 10 no-op steps on PostgreSQL, as durable as in production, beside a floor that inserts the rows they leave
 * into the same tables, by unnest, in the best batches; and the time of a claim with many finished workflows in the tables.
 */
export async function postgresSteps(): Promise<void> {
  await using server = await startPostgres({ durable: true });
  const client = new pg.Client(server.url);
  client.on("error", () => {});
  await client.connect();
  const definition = noOps(stepsEach);
  const engineTimes: number[] = [];
  const floorTimes: number[] = [];
  for (let round = -warmUps; round < rounds; round += 1) {
    const host = new WorkflowHost({
      providers: [postgres(server.url, { schema: "engine" })],
      workflows: [definition],
      concurrency: workflows,
    });
    await host.start();
    const engine = await timed(async () => {
      const starts = Array.from({ length: workflows }, (_, n) => ({
        definition,
        data: {},
        options: { id: `w-${n}-${round}` },
      }));
      const handles = (
        await Promise.all([host.startWorkflows(starts.slice(0, 500)), host.startWorkflows(starts.slice(500))])
      ).flat();
      await Promise.all(handles.map((handle) => handle.result()));
    });
    await host.stop();
    const floor = await bestFloor(client, server.url);
    await client.query("DROP SCHEMA engine CASCADE");
    if (round < 0) continue;
    engineTimes.push(engine);
    floorTimes.push(floor);
  }
  const perSecond = (ms: number): string => `${Math.round((workflows * stepsEach * 1_000) / ms)} steps/s`;
  const share = median(floorTimes.map((floor, round) => floor / (engineTimes[round] ?? Number.NaN)));
  row("engine, synchronous_commit=on", perSecond(median(engineTimes)));
  row("floor: the same rows by unnest, in the best batches", perSecond(median(floorTimes)));
  row("share of the floor (median of interleaved rounds)", `${(100 * share).toFixed(0)} %`);
  await client.end();
}

/** Inserts all that is in the engine's tables into another schema with the same tables and indexes. */
async function bestFloor(client: pg.Client, url: string): Promise<number> {
  const tables: Insertion[] = [];
  for (const name of ["wfe_workflows", "wfe_starts", "wfe_ends", "wfe_turns"]) tables.push(await readAll(client, name));
  let best = Number.POSITIVE_INFINITY;
  for (const batch of batches) {
    const host = new WorkflowHost({ providers: [postgres(url, { schema: "floor" })], workflows: [noOps(1)] });
    await host.start();
    await host.stop();
    best = Math.min(best, await timed(() => insertAll(client, tables, batch)));
    await client.query("DROP SCHEMA floor CASCADE");
  }
  return best;
}

interface Insertion {
  readonly sql: string;
  /** By column, as text. */
  readonly columns: readonly (readonly (string | null)[])[];
}

async function readAll(client: pg.Client, table: string): Promise<Insertion> {
  const { rows: described } = await client.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
    WHERE attrelid = ('engine.' || $1)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [table],
  );
  const names = described.map(({ name }) => name);
  const { rows } = await client.query<Record<string, string | null>>(
    `SELECT ${names.map((name) => `${name}::text`).join(", ")} FROM engine.${table}`,
  );
  const types = described.map(({ type }, place) => `$${place + 1}::${type}[]`);
  return {
    sql: `INSERT INTO floor.${table} (${names.join(", ")}) SELECT * FROM unnest(${types.join(", ")})`,
    columns: names.map((name) => rows.map((stored) => stored[name] ?? null)),
  };
}

async function insertAll(client: pg.Client, tables: readonly Insertion[], batch: number): Promise<void> {
  for (const { sql, columns } of tables) {
    const count = columns[0]?.length ?? 0;
    for (let from = 0; from < count; from += batch) {
      await client.query(
        sql,
        columns.map((column) => column.slice(from, from + batch)),
      );
    }
  }
}
