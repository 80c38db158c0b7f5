import type { Session } from "./session.ts";
import type { Transactions } from "./transactions.ts";

/** The newest version of the schema that this version knows. */
const schemaVersion = 3;

/**
 * Brings the schema up to date, in a transaction of its own: of many processes one does it, and one that is killed leaves
 * nothing. `storeId` becomes the store's, if it has none yet. Rejects where a newer WFE has changed the schema.
 */
export async function migrate(transactions: Transactions, store: string, storeId: string): Promise<void> {
  if ((await transactions.read(storedVersion)) === schemaVersion) return;

  // Only now: building SQL takes ten times as long to load as the driver, and most processes find the schema as it should be.
  const [{ migrations }, { pendingMigrations }] = await Promise.all([import("./schema.ts"), import("@wfe/sql")]);
  await transactions.write((session) => {
    const pending = pendingMigrations(migrations, storedVersion(session), store);
    const last = pending.at(-1);
    if (last === undefined) return;

    session.db.exec("CREATE TABLE IF NOT EXISTS wfe_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
    for (const { statements } of pending) for (const statement of statements()) session.db.exec(statement);
    session.run("INSERT OR REPLACE INTO wfe_meta (name, value) VALUES ('schema', ?)", String(last.version));
    session.run("INSERT OR IGNORE INTO wfe_meta (name, value) VALUES ('store', ?)", storeId);
  });
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
