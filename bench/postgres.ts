import { WorkflowHost } from "@wfe/core";
import { postgres } from "@wfe/postgres";
import pg from "pg";
import { startPostgres } from "../tests/services/postgres.ts";
import { median, row, timed } from "./measure.ts";
import { noOps } from "./steps.ts";

const workflows = 1_000;
const stepsEach = 10;
const rounds = 5;
/** Rounds that are not counted: until then the compiler and the server's caches are still at work. */
const warmUps = 4;
/** Workflows that a host runs before its time is taken, and no part of the floor: on each connection the server plans its functions once. */
const warmUpWorkflows = 200;
/** Rows of one INSERT of the floor: the best of these counts. */
const batches = [250, 1_000, 4_000];

/**
 * 1,000 workflows of 10 no-op steps on PostgreSQL, as durable as in production, beside a floor that inserts the rows they leave
 * into the same tables, by unnest, in the best batches. Without the search index, whose rows are no part of the floor either; and,
 * not compared with anything, the same with it.
 */
export async function postgresSteps(): Promise<void> {
  await using server = await startPostgres({ durable: true });
  const client = new pg.Client(server.url);
  client.on("error", () => {});
  await client.connect();
  const engineTimes: number[] = [];
  const floors: number[][] = [];
  const searchTimes: number[] = [];
  for (let round = -warmUps; round < rounds; round += 1) {
    const engine = await runEngine(server.url, "engine", false);
    const floor = await runFloors(client, server.url);
    await client.query("DROP SCHEMA engine CASCADE");
    if (round < 0) continue;
    engineTimes.push(engine);
    floors.push(floor);
    searchTimes.push(await runEngine(server.url, "searched", true));
    await client.query("DROP SCHEMA searched CASCADE");
  }
  const perSecond = (ms: number): string => `${Math.round((workflows * stepsEach * 1_000) / ms)} steps/s`;
  // The best batches are so in the middle of all rounds: the best of each round would be the luckiest.
  const byBatch = batches.map((_, at) => floors.map((times) => times[at] ?? Number.NaN));
  const floorTimes = byBatch.reduce((best, times) => (median(times) < median(best) ? times : best));
  const share = median(floorTimes.map((floor, round) => floor / (engineTimes[round] ?? Number.NaN)));
  row("engine, synchronous_commit=on", perSecond(median(engineTimes)));
  row("floor: the same rows by unnest, in the best batches", perSecond(median(floorTimes)));
  row("share of the floor (median of interleaved rounds)", `${(100 * share).toFixed(0)} %`);
  row("engine with a search index in the same database", perSecond(median(searchTimes)));
  await client.end();
}

async function runEngine(url: string, schema: string, search: boolean): Promise<number> {
  const definition = noOps(stepsEach);
  const host = new WorkflowHost({
    providers: [postgres(url, { schema, search })],
    workflows: [definition],
    concurrency: workflows,
  });
  await host.start();
  const runAll = async (prefix: string, count: number): Promise<void> => {
    const starts = Array.from({ length: count }, (_, n) => ({
      definition,
      data: {},
      options: { id: `${prefix}-${n}` },
    }));
    const halves = [starts.slice(0, count / 2), starts.slice(count / 2)];
    const handles = await Promise.all(halves.map((half) => host.startWorkflows(half)));
    await Promise.all(handles.flat().map((handle) => handle.result()));
  };
  await runAll("warm-up", warmUpWorkflows);
  const ms = await timed(() => runAll("w", workflows));
  await host.stop();
  return ms;
}

/** Inserts all that the timed workflows have left in the engine's tables into another schema with the same tables and indexes: the time by size of batch. */
async function runFloors(client: pg.Client, url: string): Promise<number[]> {
  const tables: Insertion[] = [];
  for (const name of ["wfe_workflows", "wfe_starts", "wfe_ends", "wfe_turns"]) tables.push(await readAll(client, name));
  const times: number[] = [];
  for (const batch of batches) {
    const host = new WorkflowHost({
      providers: [postgres(url, { schema: "floor", search: false })],
      workflows: [noOps(1)],
    });
    await host.start();
    await host.stop();
    times.push(await timed(() => insertAll(client, tables, batch)));
    await client.query("DROP SCHEMA floor CASCADE");
  }
  return times;
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
    `SELECT ${names.map((name) => `${name}::text`).join(", ")} FROM engine.${table}
    WHERE run IN (SELECT run FROM engine.wfe_workflows WHERE id LIKE 'w-%')`,
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
