import type { StepLog } from "../../definition/step-context.ts";
import { LockProviderError } from "../../errors.ts";
import type { Lease, LockProvider } from "../../providers/lock-provider.ts";
import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import { LeaseWitnesses } from "./lease-witnesses.ts";

export interface BoundLockOptions {
  readonly lock: LockProvider;
  /** The lock that the store itself brings, if any. */
  readonly own: LockProvider | undefined;
  readonly persistence: PersistenceProvider;
  readonly log: StepLog;
}

/**
 * The lock as a host uses it: a lease is opened only under the lock provider that all hosts of the store use. The store records which
 * that is, and goes over to another one when no host lives any more; the leases of its own lock tell. So a host whose locks are
 * elsewhere has one of those as well, by which others see that it lives.
 */
export function boundLock(options: BoundLockOptions): LockProvider {
  const { lock, own } = options;
  const service = own === lock ? lock : vouchedLock(options);
  const witnesses = own === undefined || own === lock ? undefined : new LeaseWitnesses(own);

  const close = async (leases: readonly Lease[]): Promise<void> => {
    await Promise.all([lock.closeLeases(leases), witnesses?.close(leases)]);
  };

  return {
    get name() {
      return lock.name;
    },
    openLease: async (opening) => {
      const lease = await lock.openLease(opening);
      try {
        // The lease is there first: of two hosts that disagree and start at once, one sees the other's.
        await bind(options, witnesses === undefined ? lease : await witnesses.open(lease, opening));
      } catch (error) {
        await close([lease]);
        throw error;
      }
      return lease;
    },
    closeLeases: close,
    renewLeases: async (leases) => {
      const [inService, inStore] = await Promise.all([service.renewLeases(leases), witnesses?.renew(leases)]);
      return inStore === undefined ? inService : leases.map((_, at) => inService[at] === true && inStore[at] === true);
    },
    reap: (leaseIds) => lock.reap(leaseIds),
    acquire: (keys, lease) => lock.acquire(keys, lease),
    release: (keys, lease) => lock.release(keys, lease),
  };
}

/** `inStore`: the host's lease in the store's own lock. */
async function bind({ lock, own, persistence }: BoundLockOptions, inStore: Lease): Promise<void> {
  const lease = own === undefined ? undefined : inStore.id;
  let bound = await persistence.bindLockProvider(lock.name, lease);
  if (bound.name !== lock.name && bound.leases.length > 0) {
    // A process of this machine that was killed is not waited for.
    await own?.reap(bound.leases);
    bound = await persistence.bindLockProvider(lock.name, lease);
  }
  if (bound.name !== lock.name) throw new LockProviderError(lock.name, bound.name, bound.leases.length);
}

/**
 * A lock service beside the store, for which the store vouches while it cannot be reached: a host that still reaches the store goes
 * on under its lease instead of standing still, since nobody can declare it dead meanwhile either. Should somebody have done so all
 * the same, the rows tell: each heartbeat compares them with what is in hand, and no turn is ever committed twice.
 */
function vouchedLock({ lock, persistence, log }: BoundLockOptions): Pick<LockProvider, "renewLeases"> {
  let isReached = true;
  return {
    renewLeases: async (leases) => {
      try {
        const renewed = await lock.renewLeases(leases);
        if (!isReached) log.info("the lock service answers again", { lock: lock.name });
        isReached = true;
        return renewed;
      } catch (error) {
        for (const { id } of leases) await persistence.owned(id);
        if (isReached) {
          log.warn(
            "the lock service cannot be reached: the host goes on, and what other hosts leave behind waits until it can",
            { lock: lock.name, error },
          );
        }
        isReached = false;
        return leases.map(() => true);
      }
    },
  };
}
