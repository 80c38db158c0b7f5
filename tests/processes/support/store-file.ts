import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";

/** A directory of its own with the file of a store, which is deleted with it. */
export class StoreFile implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), "wfe-processes-"));
  /** The database. Nobody has made it yet. */
  readonly file: string = join(this.directory, "app.db");

  /** The name of another file of the directory. */
  path(name: string): string {
    return join(this.directory, name);
  }

  /** Asks the database past WFE, on a connection of its own. */
  query<Row>(sql: string, ...values: readonly unknown[]): Row[] {
    using opened = this.open();
    return opened.database.prepare(sql).all(...values) as Row[];
  }

  /** Changes the database past WFE. */
  change(sql: string, ...values: readonly unknown[]): number {
    using opened = this.open();
    return opened.database.prepare(sql).run(...values).changes;
  }

  /** A connection of the application's own. */
  open(): { readonly database: Database.Database } & Disposable {
    const database = new Database(this.file, { timeout: 10_000 });
    return { database, [Symbol.dispose]: () => database.close() };
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
