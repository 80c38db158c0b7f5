import Database from "better-sqlite3";
import { timed } from "./measure.ts";

/** Rows of one INSERT in the floors: more save nothing. */
const rowsPerInsert = 32;

/** What is in a table of the engine's file, and how it got there. */
interface Left {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/**
 * Writes with bare better-sqlite3 what the engine left, into tables of the same schema, without a read or a check: everything that
 * is the same for all workflows by one statement, many rows to an INSERT, and one transaction for each turn of all workflows, since
 * a turn has to be durable before the next one.
 *
 * `everyWrite`: the same writes, so that a row that the engine writes and later changes (a workflow that is started, claimed and
 * ended, the end of a journal) is written and changed here. Otherwise each row is written once, as it is in the end.
 */
export async function runFloor(engineFile: string, floorFile: string, everyWrite: boolean): Promise<number> {
  const source = new Database(engineFile, { readonly: true });
  const tables = ["wfe_workflows", "wfe_starts", "wfe_heads", "wfe_turns", "wfe_ends"];
  const schema = source
    .prepare(
      `SELECT sql FROM sqlite_master WHERE tbl_name IN (${tables.map(() => "?").join(", ")}) AND sql IS NOT NULL`,
    )
    .all(...tables) as { sql: string }[];
  const left = (table: string, order: string): Left => {
    const statement = source.prepare(`SELECT * FROM ${table} ORDER BY ${order}`).raw();
    return {
      columns: statement.columns().map(({ name }) => name),
      rows: statement.all() as unknown[][],
    };
  };
  const ended = left("wfe_workflows", "run");
  const [starts, heads, turns, ends] = [
    left("wfe_starts", "run"),
    left("wfe_heads", "run"),
    left("wfe_turns", "seq, place"),
    left("wfe_ends", "run"),
  ];
  source.close();

  const db = new Database(floorFile);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  for (const { sql } of schema) db.exec(sql);
  const insert = (table: string, { rows }: Left): (() => void) => {
    const width = rows[0]?.length ?? 0;
    const one = `(${Array<string>(width).fill("?").join(", ")})`;
    const statement = (count: number): Database.Statement =>
      db.prepare(`INSERT INTO ${table} VALUES ${Array<string>(count).fill(one).join(", ")}`);
    const many = statement(rowsPerInsert);
    const rest = rows.length % rowsPerInsert === 0 ? undefined : statement(rows.length % rowsPerInsert);
    return () => {
      for (let start = 0; start < rows.length; start += rowsPerInsert) {
        const some = rows.slice(start, start + rowsPerInsert);
        (some.length === rowsPerInsert ? many : rest)?.run(some.flat());
      }
    };
  };
  const change = (sql: string, ...values: readonly unknown[]): (() => void) => {
    const statement = db.prepare(sql);
    return () => void statement.run(...values);
  };
  const together = (...writes: readonly (() => void)[]): (() => void) =>
    db.transaction(() => {
      for (const write of writes) write();
    });
  const withColumns = ({ columns, rows }: Left, values: Readonly<Record<string, unknown>>): Left => ({
    columns,
    rows: rows.map((row) => columns.map((name, place) => (Object.hasOwn(values, name) ? values[name] : row[place]))),
  });
  const column = ({ columns, rows }: Left, name: string): readonly unknown[] =>
    rows.map((row) => row[columns.indexOf(name)]);

  const seq = turns.columns.indexOf("seq");
  const rounds = [...Map.groupBy(turns.rows, (row) => row[seq]).values()].map((rows) => ({ ...turns, rows }));
  const [createdAt, completedAt] = [column(ended, "created_at")[0], column(ended, "completed_at")[0]];
  const runs = JSON.stringify(column(ended, "run"));
  const ofRuns = "FROM json_each(?) j WHERE run = j.value";
  const writes = everyWrite
    ? [
        together(
          insert(
            "wfe_workflows",
            withColumns(ended, { status: "runnable", due_at: createdAt, claim: 0, ended: 0, completed_at: null }),
          ),
          insert("wfe_starts", starts),
          insert("wfe_heads", withColumns(heads, { seq: -1, last: null })),
        ),
        together(change(`UPDATE wfe_workflows SET owner = ?, claim = claim + 1, due_at = NULL ${ofRuns}`, "me", runs)),
        ...rounds.map((round, index) => {
          const first = column(round, "place")[0];
          const inOrder = JSON.stringify(column(round, "run"));
          const move = change(`UPDATE wfe_heads SET seq = seq + 1, last = ? + j.key ${ofRuns}`, first, inOrder);
          const end = change(
            `UPDATE wfe_workflows SET status = 'completed', owner = NULL, updated_at = ?, ended = 1, completed_at = ? ${ofRuns}`,
            completedAt,
            completedAt,
            runs,
          );
          const last = index === rounds.length - 1 ? [end, insert("wfe_ends", ends)] : [];
          return together(insert("wfe_turns", round), move, ...last);
        }),
      ]
    : [
        together(insert("wfe_workflows", ended), insert("wfe_starts", starts), insert("wfe_heads", heads)),
        ...rounds.map((round) => together(insert("wfe_turns", round))),
        together(insert("wfe_ends", ends)),
      ];
  const ms = await timed(() => {
    for (const write of writes) write();
  });
  db.close();
  return ms;
}
