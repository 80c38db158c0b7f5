import { join } from "node:path";
import { workflow, WorkflowHost, type WorkflowDefinition } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import Database from "better-sqlite3";
import { inFolder, median, row, timed } from "./measure.ts";

const workflows = 1000;
const stepsEach = 10;
const rounds = 7;

/** 1,000 workflows of 10 no-op steps, each result durable before the next step, beside bare inserts of the same rows in the best batches. */
export async function steps(): Promise<void> {
  const definition = noOps(stepsEach);
  const ratios: number[] = [];
  const engineTimes: number[] = [];
  const floorTimes: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await inFolder(async (folder) => {
      const file = join(folder, "wfe.db");
      const engine = await runEngine(file, definition);
      const floor = await runFloor(file, join(folder, "floor.db"));
      // The first round warms up.
      if (round === 0) return;
      engineTimes.push(engine);
      floorTimes.push(floor);
      ratios.push(floor / engine);
    });
  }
  const perSecond = (ms: number): string => `${Math.round((workflows * stepsEach * 1000) / ms)} steps/s`;
  row("engine, synchronous=FULL", perSecond(median(engineTimes)));
  row("floor: the same rows with bare better-sqlite3", perSecond(median(floorTimes)));
  row("share of the floor (median of interleaved rounds)", `${(median(ratios) * 100).toFixed(0)} %`);
}

export function noOps(count: number): WorkflowDefinition<object, object> {
  let builder = workflow().then(noOp);
  for (let n = 1; n < count; n++) builder = builder.then(noOp);
  return builder.build("no-ops", 1);
}

function noOp(): void {}

async function runEngine(file: string, definition: WorkflowDefinition<object, object>): Promise<number> {
  const host = new WorkflowHost({ providers: [sqlite(file)], workflows: [definition], concurrency: workflows });
  await host.start();
  const ms = await timed(async () => {
    const starts = Array.from({ length: workflows }, (_, n) => ({ definition, data: {}, options: { id: `w-${n}` } }));
    const handles = (
      await Promise.all([host.startWorkflows(starts.slice(0, 500)), host.startWorkflows(starts.slice(500))])
    ).flat();
    await Promise.all(handles.map((handle) => handle.result()));
  });
  await host.stop();
  return ms;
}

/** Rows of one INSERT in the floor: more save nothing. */
const rowsPerInsert = 32;

/**
 * Writes the rows that the engine left into tables of the same schema: rows of workflows in one transaction, then the turns in one
 * transaction for each turn of all workflows, since a turn has to be durable before the next one. Many rows to an INSERT, no
 * reads, no checks.
 */
async function runFloor(engineFile: string, floorFile: string): Promise<number> {
  const source = new Database(engineFile, { readonly: true });
  const tables = ["wfe_workflows", "wfe_heads", "wfe_turns"];
  const schema = source
    .prepare(
      `SELECT sql FROM sqlite_master WHERE tbl_name IN (${tables.map(() => "?").join(", ")}) AND sql IS NOT NULL`,
    )
    .all(...tables) as { sql: string }[];
  const rowsOf = (sql: string): unknown[][] => source.prepare(sql).raw().all() as unknown[][];
  const workflowRows = rowsOf("SELECT * FROM wfe_workflows");
  const headRows = rowsOf("SELECT * FROM wfe_heads");
  const turnRows = rowsOf("SELECT * FROM wfe_turns ORDER BY seq, place");
  const columns = source.prepare("SELECT * FROM wfe_turns LIMIT 0").columns() as { name: string }[];
  const seqColumn = columns.findIndex((column) => column.name === "seq");
  source.close();

  const db = new Database(floorFile);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  for (const { sql } of schema) db.exec(sql);
  const writeAll = (table: string, rows: readonly unknown[][]): (() => void) => {
    const width = rows[0]?.length ?? 0;
    const one = `(${Array<string>(width).fill("?").join(", ")})`;
    const statement = (count: number): Database.Statement =>
      db.prepare(`INSERT INTO ${table} VALUES ${Array<string>(count).fill(one).join(", ")}`);
    const many = statement(rowsPerInsert);
    const rest = rows.length % rowsPerInsert === 0 ? undefined : statement(rows.length % rowsPerInsert);
    return db.transaction(() => {
      for (let start = 0; start < rows.length; start += rowsPerInsert) {
        const some = rows.slice(start, start + rowsPerInsert);
        (some.length === rowsPerInsert ? many : rest)?.run(...some.flat());
      }
    });
  };
  const writes = [
    writeAll("wfe_workflows", workflowRows),
    writeAll("wfe_heads", headRows),
    ...[...Map.groupBy(turnRows, (row) => row[seqColumn]).values()].map((rows) => writeAll("wfe_turns", rows)),
  ];
  const ms = await timed(() => {
    for (const write of writes) write();
  });
  db.close();
  return ms;
}
