import { isProvenGone, type Lease, type LockProvider, type ProcessIdentity } from "@wfe/core/providers";
import type { Session } from "./session.ts";
import type { OpenStore } from "./sqlite.ts";

interface StoredLease {
  readonly expires_at: number;
  readonly pid: number | null;
  readonly boot_id: string | null;
  readonly pid_namespace: string | null;
  readonly started_at: string | null;
}

/**
 * Leases and keys in the store's own database, by the store's clock. A lease that is there is not dead, one that is not there
 * is: it dies once, by the transaction that deletes it.
 */
export function sqliteLock(name: () => string, opened: () => OpenStore): LockProvider {
  /** Of a lease opened here: says which machine this is, where there is no /proc to ask. */
  let own: ProcessIdentity | null = null;

  return {
    // Of one file, so that two hosts with locks in different files find out that they have no lock in common.
    get name() {
      return name();
    },

    openLease: async ({ ttlMs, holder }) => {
      const { transactions, runtime } = opened();
      own ??= holder.process;
      const lease: Lease = { id: runtime.randomId(), ttlMs };
      await transactions.write((session) => {
        session.run(
          `INSERT INTO wfe_leases (lease, expires_at, host, pid, boot_id, pid_namespace, started_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)`,
          lease.id,
          session.now() + ttlMs,
          holder.host,
          holder.process?.pid ?? null,
          holder.process?.bootId ?? null,
          holder.process?.pidNamespace ?? null,
          holder.process?.startedAt ?? null,
        );
      });
      return lease;
    },

    renewLeases: async (leases) => {
      if (leases.length === 0) return [];
      const renew = "UPDATE wfe_leases SET expires_at = ? WHERE lease = ?";
      return opened().transactions.write((session) =>
        leases.map(({ id, ttlMs }) => session.run(renew, session.now() + ttlMs, id) === 1),
      );
    },

    closeLeases: async (leases) => {
      if (leases.length === 0) return;
      await opened().transactions.write((session) => {
        for (const { id } of leases) bury(session, id);
      });
    },

    reap: async (leaseIds) => {
      if (leaseIds.length === 0) return [];
      const { transactions } = opened();
      // Hosts ask often, and mostly about the living: no need for the write lock.
      const all = await transactions.read((session) => leaseIds.every((id) => isSound(session, id, own)));
      if (all) return [];
      return transactions.write((session) => {
        const dead = leaseIds.filter((id) => !isSound(session, id, own));
        for (const id of dead) bury(session, id);
        return dead;
      });
    },

    acquire: async (keys, lease) => {
      if (keys.length === 0) return [];
      return opened().transactions.write((session) => keys.map((key) => acquire(session, key, lease.id)));
    },

    release: async (keys, lease) => {
      if (keys.length === 0) return;
      // Compare with the holder: a lease that came back from a long pause must not free its successor's key.
      const free = "DELETE FROM wfe_keys WHERE key = ? AND lease = ?";
      await opened().transactions.write((session) => {
        for (const key of keys) session.run(free, key, lease.id);
      });
    },
  };
}

/** What is dead holds no key. */
export function bury(session: Session, lease: string): void {
  session.run("DELETE FROM wfe_leases WHERE lease = ?", lease);
  session.run("DELETE FROM wfe_keys WHERE lease = ?", lease);
}

/** Neither expired nor held by a process that is proven gone. */
function isSound(session: Session, id: string, own: ProcessIdentity | null): boolean {
  const lease = session.get<StoredLease>(
    "SELECT expires_at, pid, boot_id, pid_namespace, started_at FROM wfe_leases WHERE lease = ?",
    id,
  );
  if (lease === undefined || lease.expires_at <= session.now()) return false;
  const { pid, boot_id: bootId, pid_namespace: pidNamespace, started_at: startedAt } = lease;
  if (pid === null || bootId === null || pidNamespace === null || startedAt === null) return true;
  return !isProvenGone({ pid, bootId, pidNamespace, startedAt }, own);
}

function acquire(session: Session, key: string, lease: string): boolean {
  const live = "SELECT 1 FROM wfe_leases WHERE lease = ? AND expires_at > ?";
  if (session.value(live, lease, session.now()) === undefined) return false;
  const holder = session.value<string>("SELECT lease FROM wfe_keys WHERE key = ?", key);
  if (holder === lease) return true;
  if (holder !== undefined && session.value(live, holder, session.now()) !== undefined) return false;
  session.run("INSERT OR REPLACE INTO wfe_keys (key, lease) VALUES (?, ?)", key, lease);
  return true;
}
