import { isProvenGone, type Lease, type LockProvider, type ProcessIdentity } from "@wfe/core/providers";
import { arrayOf } from "./arrays.ts";
import type { Open } from "./postgres.ts";

/** How long another host's call about the same lease or key may take. */
const lockMs = 5_000;

interface StoredLease {
  readonly lease: string;
  readonly expired: boolean;
  readonly pid: number | null;
  readonly bootId: string | null;
  readonly pidNamespace: string | null;
  readonly startedAt: string | null;
}

/**
 * Leases and keys in the store's own database, by the server's clock. A lease that is there is not dead, one that is not there
 * is: it dies once, by the transaction that deletes it.
 */
export function postgresLock(name: () => string, opened: () => Open): LockProvider {
  /** Of a lease opened here: says which machine this is, where there is no /proc to ask. */
  let own: ProcessIdentity | null = null;

  return {
    // Of one schema, so that two hosts with locks in different ones find out that they have no lock in common.
    get name() {
      return name();
    },

    openLease: async ({ ttlMs, holder }) => {
      const { store } = opened();
      own ??= holder.process;
      const lease: Lease = { id: store.runtime.randomId(), ttlMs };
      const { process } = holder;
      await store.write(
        store.heartbeat,
        `INSERT INTO $s.wfe_leases (lease, expires_at, host, pid, boot_id, pid_namespace, started_at)
        VALUES ($1, $s.wfe_now($2::bigint) + $3::bigint, $4, $5::integer, $6, $7, $8) ON CONFLICT DO NOTHING`,
        [
          lease.id,
          store.now,
          ttlMs,
          holder.host,
          process?.pid ?? null,
          process?.bootId ?? null,
          process?.pidNamespace ?? null,
          process?.startedAt ?? null,
        ],
      );
      return lease;
    },

    renewLeases: async (leases) => {
      if (leases.length === 0) return [];
      const { store } = opened();
      const renewed = await store.write(
        store.heartbeat,
        `UPDATE $s.wfe_leases l SET expires_at = $s.wfe_now($1::bigint) + i.ttl
        FROM unnest($2::text[], $3::bigint[]) AS i (lease, ttl) WHERE l.lease = i.lease RETURNING l.lease`,
        [store.now, arrayOf(leases.map(({ id }) => id)), arrayOf(leases.map(({ ttlMs }) => ttlMs))],
      );
      const alive = new Set(renewed.map(({ lease }) => lease));
      return leases.map(({ id }) => alive.has(id));
    },

    closeLeases: async (leases) => {
      if (leases.length === 0) return;
      const { store } = opened();
      await store.write(
        store.heartbeat,
        `WITH closed AS (DELETE FROM $s.wfe_leases WHERE lease = ANY ($1::text[]))
        DELETE FROM $s.wfe_keys WHERE lease = ANY ($1::text[])`,
        [arrayOf(leases.map(({ id }) => id))],
      );
    },

    reap: async (leaseIds) => {
      if (leaseIds.length === 0) return [];
      const { store } = opened();
      const stored = await store.readJson<StoredLease[]>(
        `SELECT json_agg(json_build_object('lease', lease, 'expired', expires_at <= $s.wfe_now($1::bigint), 'pid', pid,
          'bootId', boot_id, 'pidNamespace', pid_namespace, 'startedAt', started_at))::text AS json
        FROM $s.wfe_leases WHERE lease = ANY ($2::text[])`,
        [store.now, arrayOf(leaseIds)],
      );
      const living = new Set(stored?.map(({ lease }) => lease));
      const expired = stored?.filter((lease) => lease.expired) ?? [];
      const gone = stored?.filter((lease) => !lease.expired && isGone(lease, own)) ?? [];
      if (expired.length + gone.length > 0) {
        // Asked again as it is taken away: one that has expired may have been renewed in this moment, and then it lives.
        const died = await store.write(
          store.shared,
          `WITH died AS (
            DELETE FROM $s.wfe_leases WHERE lease = ANY ($1::text[]) OR (lease = ANY ($2::text[]) AND expires_at <= $s.wfe_now($3::bigint))
            RETURNING lease
          ), freed AS (DELETE FROM $s.wfe_keys WHERE lease IN (SELECT lease FROM died))
          SELECT lease FROM died`,
          [arrayOf(gone.map(({ lease }) => lease)), arrayOf(expired.map(({ lease }) => lease)), store.now],
        );
        for (const { lease } of died) living.delete(String(lease));
      }
      return leaseIds.filter((id) => !living.has(id));
    },

    acquire: async (keys, lease) => {
      if (keys.length === 0) return [];
      const { store } = opened();
      const taken = await store.writeJson<string[]>(
        store.heartbeat,
        "SELECT $s.wfe_acquire($1::bigint, $2::integer, $3::text[], $4)::text AS json",
        [store.now, lockMs, arrayOf(keys), lease.id],
      );
      return keys.map((key) => taken?.includes(key) === true);
    },

    release: async (keys, lease) => {
      if (keys.length === 0) return;
      const { store } = opened();
      // Compare with the holder: a lease that came back from a long pause must not free its successor's key.
      const free = "DELETE FROM $s.wfe_keys WHERE key = ANY ($1::text[]) AND lease = $2";
      await store.write(store.heartbeat, free, [arrayOf(keys), lease.id]);
    },
  };
}

/** Whether its process is proven to run no more. */
function isGone({ pid, bootId, pidNamespace, startedAt }: StoredLease, own: ProcessIdentity | null): boolean {
  if (pid === null || bootId === null || pidNamespace === null || startedAt === null) return false;
  return isProvenGone({ pid, bootId, pidNamespace, startedAt }, own);
}
