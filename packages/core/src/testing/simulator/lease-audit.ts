import type { LockProvider } from "../../providers/index.ts";
import type { Verdict } from "./verdict.ts";

/** Watches a lock provider: a lease that was declared dead, or ended, never lives again. */
export class LeaseAudit {
  readonly dead: Set<string> = new Set();
  readonly lock: LockProvider;
  readonly #verdict: Verdict;
  /** When each lease was renewed last, by the store's time. */
  readonly #renewedAt: Map<string, number> = new Map();

  /** `storeNow`: undefined once the store's clock has jumped: what has expired depends on it. */
  constructor(lock: LockProvider, verdict: Verdict, storeNow: () => number | undefined) {
    this.#verdict = verdict;
    const ttls = new Map<string, number>();
    const lived = (id: string): number => (storeNow() ?? Number.POSITIVE_INFINITY) - (this.#renewedAt.get(id) ?? 0);
    this.lock = {
      name: lock.name,
      openLease: async (options) => {
        const lease = await lock.openLease(options);
        ttls.set(lease.id, lease.ttlMs);
        this.#renewedAt.set(lease.id, storeNow() ?? 0);
        return lease;
      },
      renewLeases: async (leases) => {
        const renewed = await lock.renewLeases(leases);
        for (const [index, { id }] of leases.entries()) {
          if (renewed[index] === true) this.#renewedAt.set(id, storeNow() ?? 0);
          if (renewed[index] === true && this.dead.has(id))
            this.#verdict.fail("a lease dies once", `lease ${id} was renewed after it had died`);
        }
        return renewed;
      },
      closeLeases: async (leases) => {
        await lock.closeLeases(leases);
        for (const { id } of leases) this.dead.add(id);
      },
      reap: async (ids) => {
        const dead = await lock.reap(ids);
        for (const id of ids) {
          if (dead.includes(id) && !this.dead.has(id) && lived(id) < (ttls.get(id) ?? 0))
            this.#verdict.fail(
              "only dead hosts are robbed",
              `lease ${id} was declared dead ${lived(id)} ms after it was renewed`,
            );
          if (dead.includes(id)) this.dead.add(id);
          else if (this.dead.has(id)) this.#verdict.fail("a lease dies once", `lease ${id} is said to live again`);
        }
        return dead;
      },
      acquire: (keys, lease) => lock.acquire(keys, lease),
      release: (keys, lease) => lock.release(keys, lease),
    };
  }
}
