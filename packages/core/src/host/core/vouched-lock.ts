import type { StepLog } from "../../definition/step-context.ts";
import type { LockProvider } from "../../providers/lock-provider.ts";
import type { PersistenceProvider } from "../../providers/persistence-provider.ts";

/**
 * A lock service beside the store, for which the store vouches while it cannot be reached: a host that still reaches the store goes
 * on under its lease instead of standing still, since nobody can declare it dead meanwhile either. Should somebody have done so all
 * the same, the rows tell: each heartbeat compares them with what is in hand, and no turn is ever committed twice.
 */
export function vouchedLock(lock: LockProvider, persistence: PersistenceProvider, log: StepLog): LockProvider {
  let isReached = true;

  const reached = (answers: readonly boolean[]): readonly boolean[] => {
    if (!isReached) log.info("the lock service answers again", { lock: lock.name });
    isReached = true;
    return answers;
  };

  return {
    get name() {
      return lock.name;
    },
    openLease: (options) => lock.openLease(options),
    closeLeases: (leases) => lock.closeLeases(leases),
    reap: (leaseIds) => lock.reap(leaseIds),
    acquire: (keys, lease) => lock.acquire(keys, lease),
    release: (keys, lease) => lock.release(keys, lease),
    renewLeases: async (leases) => {
      try {
        return reached(await lock.renewLeases(leases));
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
