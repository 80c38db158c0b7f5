import type { Clock, Lease, LockProvider, Runtime } from "../../providers/index.ts";

/** Leases that are not dead, and who holds which key. */
export interface Locks {
  readonly leases: Map<string, { readonly ttlMs: number; expiresAt: number }>;
  readonly holders: Map<string, string>;
}

/** What locks are made of: time and ids. */
export interface LockSource {
  readonly clock: Clock;
  readonly runtime: Runtime;
}

/** `opened` gives clock and runtime, or throws where the provider is not open. */
export function memoryLock(name: string, locks: Locks, opened: () => LockSource): LockProvider {
  const { leases, holders } = locks;

  const isLive = (id: string): boolean =>
    (leases.get(id)?.expiresAt ?? Number.NEGATIVE_INFINITY) > opened().clock.now();

  const renew = ({ id, ttlMs }: Lease): boolean => {
    const lease = leases.get(id);
    if (lease === undefined) return false;
    lease.expiresAt = opened().clock.now() + ttlMs;
    return true;
  };

  const acquire = (key: string, { id }: Lease): boolean => {
    if (!isLive(id)) return false;
    const holder = holders.get(key);
    if (holder !== undefined && holder !== id && isLive(holder)) return false;
    holders.set(key, id);
    return true;
  };

  return {
    name,

    openLease: async ({ ttlMs }) => {
      const { clock, runtime } = opened();
      const lease: Lease = Object.freeze({ id: runtime.randomId(), ttlMs });
      leases.set(lease.id, { ttlMs, expiresAt: clock.now() + ttlMs });
      return lease;
    },

    renewLeases: async (renewed) => renewed.map(renew),

    closeLeases: async (closed) => {
      opened();
      for (const { id } of closed) bury(locks, id);
    },

    reap: async (leaseIds) => {
      const dead = leaseIds.filter((id) => !isLive(id));
      for (const id of dead) bury(locks, id);
      return dead;
    },

    acquire: async (keys, lease) => keys.map((key) => acquire(key, lease)),

    release: async (keys, { id }) => {
      opened();
      // Compare with the holder: a lease that came back from a long pause must not free its successor's key.
      for (const key of keys) if (holders.get(key) === id) holders.delete(key);
    },
  };
}

/** What is dead holds no key. */
export function bury({ leases, holders }: Locks, id: string): void {
  leases.delete(id);
  for (const [key, holder] of holders) if (holder === id) holders.delete(key);
}
