import type { Run } from "@wfe/core/providers";
import type { Head } from "./append.ts";
import type Database from "better-sqlite3";
import { KnownDefinitions } from "./definitions.ts";
import { guard } from "./guard.ts";

export type Connection = Database.Database;
type Statement = Database.Statement;

/** Rows of one INSERT: so many save most of what can be saved. */
export const rowsPerInsert = 32;

/** Heads that a session keeps: of more workflows than a busy host has in hand. */
const mostHeads = 10_000;

/**
 * One connection with its prepared statements and the store's time.
 *
 * Statements are kept by their text, one per way of reading, so that the SQL stands where it is used.
 */
export class Session {
  readonly db: Connection;
  readonly now: () => number;
  /** What this transaction has woken, to be told when it is committed. */
  readonly woken: Set<Run> = new Set();
  /** Whether it has changed something that others may wait for, without waking anyone. */
  changed = false;
  /** Whether a step's body has the connection. */
  lent = false;
  /** Workflows of which it has created, written or removed the row: what a search index has to hear of. */
  readonly touched: Set<Run> = new Set();
  readonly definitions: KnownDefinitions = new KnownDefinitions();

  readonly #heads: Map<Run, Head> = new Map();
  #headsVersion: unknown;
  readonly #statements: Map<string, Statement> = new Map();
  readonly #plucked: Map<string, Statement> = new Map();
  readonly #raw: Map<string, Statement> = new Map();

  /** `own`: a connection that nobody else has, and that is lent to the bodies of steps. */
  constructor(db: Connection, now: () => number, { own = false }: { readonly own?: boolean } = {}) {
    this.db = db;
    this.now = now;
    if (own) guard(db, () => this.lent);
  }

  /** Runs it and gives how many rows it has changed. */
  run(sql: string, ...values: readonly unknown[]): number {
    return this.statement(sql).run(...values).changes;
  }

  /** The same, for the number of the row that it has inserted; undefined where it has inserted none. */
  insert(sql: string, ...values: readonly unknown[]): number | undefined {
    const { changes, lastInsertRowid } = this.statement(sql).run(...values);
    return changes === 0 ? undefined : Number(lastInsertRowid);
  }

  /**
   * Inserts rows into a table and its columns, such as `t (a, b)`, many with one statement: that saves most of what a statement
   * costs beside its rows.
   */
  insertAll(into: string, rows: readonly (readonly unknown[])[], insert: string = "INSERT"): void {
    if (rows.length === 0) return;
    const row = `(${rows[0]?.map(() => "?").join(", ")})`;
    let start = 0;
    for (; rows.length - start >= rowsPerInsert; start += rowsPerInsert) {
      const many = `${insert} INTO ${into} VALUES ${Array<string>(rowsPerInsert).fill(row).join(", ")}`;
      this.statement(many).run(rows.slice(start, start + rowsPerInsert).flat());
    }
    for (const values of rows.slice(start)) this.statement(`${insert} INTO ${into} VALUES ${row}`).run(values);
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what a row holds is known where its SQL stands
  get<Row>(sql: string, ...values: readonly unknown[]): Row | undefined {
    return this.statement(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: readonly unknown[]): Row[] {
    return this.statement(sql).all(...values) as Row[];
  }

  /** The same one by one, for what may break off. To be read within one call: the connection can do nothing else meanwhile. */
  iterate<Row>(sql: string, ...values: readonly unknown[]): IterableIterator<Row> {
    return this.statement(sql).iterate(...values) as IterableIterator<Row>;
  }

  /** The first column of the first row. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as above
  value<Value>(sql: string, ...values: readonly unknown[]): Value | undefined {
    return this.#plucking(sql).get(...values) as Value | undefined;
  }

  /** The first column of every row. */
  values<Value>(sql: string, ...values: readonly unknown[]): Value[] {
    return this.#plucking(sql).all(...values) as Value[];
  }

  /** Every row as an array: cheaper than objects where there are many. */
  rows<Row>(sql: string, ...values: readonly unknown[]): Row[] {
    let statement = this.#raw.get(sql);
    if (statement === undefined) {
      statement = this.#prepare(sql).raw();
      this.#raw.set(sql, statement);
    }
    return statement.all(...values) as Row[];
  }

  statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /**
   * Ends of journals as this connection has left them: of what it appends to again and again it need not read them. Ask in each
   * write transaction: where another connection has committed meanwhile, they are forgotten.
   */
  knownHeads(): Map<Run, Head> {
    const version = this.value("PRAGMA data_version");
    if (version !== this.#headsVersion || this.#heads.size > mostHeads) this.#heads.clear();
    this.#headsVersion = version;
    return this.#heads;
  }

  /** Call for what changes a head and does not append. */
  forgetHead(run: Run): void {
    this.#heads.delete(run);
  }

  /** What was woken, and whether something changed, since it was last asked. */
  takeHints(): { readonly woken: readonly Run[]; readonly changed: boolean } {
    const hints = { woken: [...this.woken], changed: this.changed };
    this.woken.clear();
    this.changed = false;
    this.touched.clear();
    return hints;
  }

  /** Call after every rollback, of a savepoint too. */
  forget(): void {
    this.#heads.clear();
    this.definitions.clear();
  }

  #plucking(sql: string): Statement {
    let statement = this.#plucked.get(sql);
    if (statement === undefined) {
      statement = this.#prepare(sql).pluck();
      this.#plucked.set(sql, statement);
    }
    return statement;
  }

  #prepare(sql: string): Statement {
    // The application may read its own numbers as BigInt, on a connection that it shares with us.
    return this.db.prepare(withoutPeeking(sql)).safeIntegers(false);
  }
}

/**
 * Hides values from SQLite's planner, by a `+` that changes nothing. It would look at the values that are compared, and prepare
 * the statement anew for every other one: measured, that is ten times the cost of what most statements do.
 */
function withoutPeeking(sql: string): string {
  return sql.replaceAll(/([=<>]|\blimit) \?/gi, "$1 +?");
}

/** JSON of run numbers, for `json_each`. */
export function jsonOf(runs: Iterable<Run>): string {
  return `[${[...runs].join(",")}]`;
}
