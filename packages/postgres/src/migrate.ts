import { StoreError } from "@wfe/core/providers";
import { pendingMigrations } from "@wfe/sql";
import { runStatement } from "./lane.ts";
import { inSchema, migrationsOf, quoteName } from "./schema.ts";
import type { Store } from "./store.ts";
import type { Querier } from "./target.ts";

/** The first server that has all that is used here. */
const oldestServer = 13;

/**
 * Brings the schema up to date, in one transaction: of many hosts one does it while the others wait, and one that is killed
 * leaves nothing. Rejects with an error that says what to do where the server or its schema will not do, and without `mayMigrate`
 * where there is something to bring up to date.
 */
export async function migrate(store: Store, schema: string, mayMigrate: boolean): Promise<void> {
  // On a connection of our own, which is closed where the login fails: a pool leaves the line open until the server loses patience.
  await store.heartbeat.use((connection) => checkServer(connection, store.target.name));
  // Most find the schema as it should be, and need no rights to change it.
  const stored = await store.shared.use((connection) => storedVersion(connection, schema));
  const migrations = migrationsOf(schema);
  if (pendingMigrations(migrations, stored, store.target.name).length > 0) {
    if (!mayMigrate) throw notUpToDate(store.target.name, schema, stored);
    await store.transaction(store.shared, async (connection) => {
      // Of the transaction, not of the session, which a pooler may give to somebody else.
      await runStatement(
        connection,
        "statement",
        "SELECT pg_advisory_xact_lock(hashtextextended('wfe schema ' || $1, 0))",
        [schema],
      );
      const before = await storedVersion(connection, schema);
      const pending = pendingMigrations(migrations, before, store.target.name);
      if (pending.length === 0) return;
      const quoted = quoteName(schema);
      const run = (statement: string, values?: readonly unknown[]): Promise<unknown> =>
        runStatement(connection, "statement", inSchema(statement, quoted), values);
      // Asked before: to name one that is there needs no right to make one.
      if (!(await hasSchema(connection, schema))) await run(`CREATE SCHEMA ${quoted}`);
      if (before === 0) await run("CREATE TABLE $s.wfe_meta (name text PRIMARY KEY, value text NOT NULL)");
      for (const { statements } of pending) for (const statement of statements()) await run(statement);
      const set = "INSERT INTO $s.wfe_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO";
      await run(`${set} UPDATE SET value = excluded.value`, ["schema", String(pending.at(-1)?.version)]);
      await run(`${set} NOTHING`, ["store", store.runtime.randomId()]);
    });
  }
  const [row] = await store.read("SELECT value FROM $s.wfe_meta WHERE name = 'store'");
  store.storeId = String(row?.["value"]);
}

function notUpToDate(name: string, schema: string, stored: number): StoreError {
  const text =
    stored === 0
      ? `there is no WFE store in its schema "${schema}": name the database and the schema of one; the first host makes it, or \`wfe migrate\``
      : `the store in its schema "${schema}" is of an older WFE: start a host of this version, or say \`wfe migrate\``;
  return new StoreError("STORE_SCHEMA", `${name}: ${text}`, { outcome: "not-applied", transient: false });
}

/** Rejects where the server is not one that WFE can write to. */
async function checkServer(connection: Querier, name: string): Promise<void> {
  const [row] = await runStatement(
    connection,
    "statement",
    `SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS version,
      current_setting('server_encoding') AS encoding, pg_is_in_recovery()::text AS standby`,
  );
  const fail = (code: string, text: string, transient = false): never => {
    throw new StoreError(code, `${name}: ${text}`, { outcome: "not-applied", transient });
  };
  if (Number(row?.["number"]) < oldestServer * 10_000) {
    fail("STORE_VERSION", `the server is PostgreSQL ${String(row?.["version"])}: WFE needs ${oldestServer} or later`);
  }
  if (row?.["encoding"] !== "UTF8") {
    fail("STORE_ENCODING", `the database's encoding is ${String(row?.["encoding"])}: create one with ENCODING 'UTF8'`);
  }
  if (row?.["standby"] === "true") {
    fail("STORE_READ_ONLY", "the server is a standby, which takes no writes: connect to the primary", true);
  }
}

async function hasSchema(connection: Querier, schema: string): Promise<boolean> {
  const rows = await runStatement(connection, "statement", "SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema]);
  return rows.length > 0;
}

async function storedVersion(connection: Querier, schema: string): Promise<number> {
  const tables = await runStatement(
    connection,
    "statement",
    "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'wfe_meta'",
    [schema],
  );
  if (tables.length === 0) return 0;
  const read = inSchema("SELECT value FROM $s.wfe_meta WHERE name = 'schema'", quoteName(schema));
  const [row] = await runStatement(connection, "statement", read);
  return Number(row?.["value"] ?? 0);
}
