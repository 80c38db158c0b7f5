import type { LockBinding } from "@wfe/core/providers";
import { runStatement } from "./lane.ts";
import type { Open } from "./postgres.ts";
import type { Connection, Row } from "./target.ts";

/** Records which lock provider hosts use; see the contract. */
export async function bindLockProvider({ store }: Open, name: string, lease: string | undefined): Promise<LockBinding> {
  // Mostly nothing is to be changed. Under a lock, which waits for whoever changes it.
  const [agreed] = await store.write(
    store.shared,
    "SELECT value FROM $s.wfe_meta WHERE name = 'lock' AND value = $1 FOR SHARE",
    [name],
  );
  if (agreed !== undefined) return { name, leases: [] };
  const bind = async (connection: Connection): Promise<LockBinding> => {
    const run = (statement: string, values: readonly unknown[] = []): Promise<readonly Row[]> =>
      runStatement(connection, "statement", store.sql(statement), values);
    await run("INSERT INTO $s.wfe_meta (name, value) VALUES ('lock', $1) ON CONFLICT DO NOTHING", [name]);
    // Who comes with the recorded name waits here for who replaces it; by then the latter has seen the former's lease, or not.
    const [row] = await run("SELECT value FROM $s.wfe_meta WHERE name = 'lock' FOR UPDATE");
    const bound = String(row?.["value"]);
    if (bound === name || lease === undefined) return { name: bound, leases: [] };
    const living = async (): Promise<readonly string[]> => {
      const leases = await run(
        "SELECT lease FROM $s.wfe_leases WHERE lease <> $1 AND expires_at > $s.wfe_now($2::bigint) LIMIT 1000",
        [lease, store.now],
      );
      return leases.map((other) => String(other["lease"]));
    };
    const before = await living();
    if (before.length > 0) return { name: bound, leases: before };
    // Whoever has slept does not go on under another lock provider's eyes; one that has woken up at this moment does.
    await run(
      `WITH died AS (DELETE FROM $s.wfe_leases WHERE lease <> $1 AND expires_at <= $s.wfe_now($2::bigint) RETURNING lease)
      DELETE FROM $s.wfe_keys WHERE lease IN (SELECT lease FROM died)`,
      [lease, store.now],
    );
    const awake = await living();
    if (awake.length > 0) return { name: bound, leases: awake };
    await run("UPDATE $s.wfe_meta SET value = $1 WHERE name = 'lock'", [name]);
    return { name, leases: [] };
  };
  try {
    return await store.transaction(store.shared, bind);
  } catch (error) {
    throw store.failure(error);
  }
}
