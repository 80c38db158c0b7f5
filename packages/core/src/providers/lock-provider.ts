/**
 * Leases of hosts, and roles that only one of them may have. What guards data is never a lock but the store's `claim`; so a
 * lock service that forgets everything, or gives a lock twice, costs repeated attempts only.
 */
export interface LockProvider {
  /** Which lock service this is: hosts of one store must agree on it. */
  readonly name: string;

  /** Opens a lease that lives for `ttlMs` from each renewal, by the lock service's own clock. Its id is random and never reused. */
  openLease(options: { readonly ttlMs: number; readonly holder: LeaseHolder }): Promise<Lease>;

  /**
   * Extends leases by their `ttlMs`. false: it is dead, and stays dead: renewing never revives. A lease that has expired but that
   * nobody has declared dead is renewed.
   */
  renewLeases(leases: readonly Lease[]): Promise<readonly boolean[]>;

  /** Ends leases and frees the keys they hold. An unknown or dead one is fine. */
  closeLeases(leases: readonly Lease[]): Promise<void>;

  /**
   * Declares dead, once and for all, those that have expired, or whose holder is proven gone (a process of this machine and boot
   * that no longer runs). Gives those that are dead, unknown ones included.
   */
  reap(leaseIds: readonly string[]): Promise<readonly string[]>;

  /**
   * Takes each key for the lease, or leaves it to whoever holds it; never waits. A key whose holder's lease has expired or ended
   * counts as free; one that this lease holds already is taken again. Answers in the order asked.
   */
  acquire(keys: readonly string[], lease: Lease): Promise<readonly boolean[]>;

  /** Frees keys that this lease holds; others are left alone. */
  release(keys: readonly string[], lease: Lease): Promise<void>;
}

export interface Lease {
  readonly id: string;
  readonly ttlMs: number;
}

/** Who opens a lease. Process id, boot id, pid namespace and start time together identify a process of this machine. */
export interface LeaseHolder {
  readonly host: string;
  readonly process: ProcessIdentity | null;
}

export interface ProcessIdentity {
  readonly pid: number;
  readonly bootId: string;
  readonly pidNamespace: string;
  /** The process's start time in clock ticks since boot. */
  readonly startedAt: string;
}
