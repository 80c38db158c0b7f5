import { statSync } from "node:fs";
import { join } from "node:path";
import { inTransaction, sqlite } from "@wfe/sqlite";
import Database from "better-sqlite3";
import { effectColumns, type OpenStore, type StoreKind } from "./store-kind.ts";

/** A file. */
export const sqliteKind: StoreKind = {
  provider: (file) => sqlite(file),
  effect: ({ before, after }) =>
    inTransaction((effect, given) => {
      const ctx = given;
      before(effect, ctx);
      ctx.tx
        .prepare("INSERT INTO effects (workflow, label, key) VALUES (?, ?, ?)")
        .run(effect.owner, effect.label, ctx.idempotencyKey);
      after(effect);
      return effect.label;
    }),
  create: async (directory) => {
    const file = join(directory, "app.db");
    await new SqliteStore(file).query(`CREATE TABLE effects (place INTEGER PRIMARY KEY, ${effectColumns})`);
    return file;
  },
  open: (file) => new SqliteStore(file),
};

class SqliteStore implements OpenStore {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async query<Row>(sql: string): Promise<Row[]> {
    const database = new Database(this.#file, { timeout: 10_000 });
    try {
      const statement = database.prepare(sql);
      if (statement.reader) return statement.all() as Row[];
      statement.run();
      return [];
    } finally {
      database.close();
    }
  }

  async bytes(): Promise<number> {
    return [this.#file, `${this.#file}-wal`].reduce((sum, file) => sum + statSync(file).size, 0);
  }

  async isWritable(): Promise<boolean> {
    const database = new Database(this.#file, { timeout: 100 });
    try {
      database.exec("BEGIN IMMEDIATE; ROLLBACK");
      return true;
    } catch (error) {
      if ((error as { code?: string }).code === "SQLITE_BUSY") return false;
      throw error;
    } finally {
      database.close();
    }
  }

  async damage(): Promise<readonly string[]> {
    const integrity = await this.query<{ integrity_check: string }>("PRAGMA integrity_check");
    const heads = await this.query(
      `SELECT * FROM (
         SELECT h.run, min(t.seq) AS lowest, max(t.seq) AS highest, count(*) AS turns, h.seq AS head
         FROM wfe_heads h LEFT JOIN wfe_turns t ON t.run = h.run GROUP BY h.run
       ) WHERE lowest <> 0 OR highest <> turns - 1 OR head <> highest`,
    );
    return [
      ...integrity.map((row) => row.integrity_check).filter((line) => line !== "ok"),
      ...heads.map((row) => `a journal and its head differ: ${JSON.stringify(row)}`),
    ];
  }

  /** Its file goes with the directory. */
  async [Symbol.asyncDispose](): Promise<void> {}
}
