import { pendingMigrations } from "@wfe/sql";
import { migrations } from "./schema.ts";
import type { Session } from "./session.ts";

/** Whether the schema is as this version wants it. Throws where a newer WFE has changed it. */
export function isMigrated(session: Session, store: string): boolean {
  return pendingMigrations(migrations, storedVersion(session), store).length === 0;
}

/**
 * Brings the schema up to date; in a write transaction, so that of many processes one does it, and one that is killed leaves
 * nothing. `storeId` becomes the store's, if it has none yet.
 */
export function migrate(session: Session, store: string, storeId: string): void {
  const pending = pendingMigrations(migrations, storedVersion(session), store);
  const last = pending.at(-1);
  if (last === undefined) return;

  session.db.exec("CREATE TABLE IF NOT EXISTS wfe_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
  for (const { statements } of pending) for (const statement of statements()) session.db.exec(statement);
  session.run("INSERT OR REPLACE INTO wfe_meta (name, value) VALUES ('schema', ?)", String(last.version));
  session.run("INSERT OR IGNORE INTO wfe_meta (name, value) VALUES ('store', ?)", storeId);
}

/** Which store this is, for ever: a copy of the file included. */
export function storeIdOf(session: Session): string {
  return session.value<string>("SELECT value FROM wfe_meta WHERE name = 'store'") ?? "";
}

function storedVersion(session: Session): number {
  const exists = session.value("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'wfe_meta'");
  if (exists === undefined) return 0;
  return Number(session.value("SELECT value FROM wfe_meta WHERE name = 'schema'") ?? 0);
}
