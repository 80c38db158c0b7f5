import type { Lease, LockProvider } from "../../providers/lock-provider.ts";

type Opening = Parameters<LockProvider["openLease"]>[0];

/** Of each lease that a lock service beside the store has given, one in the store's own lock, which lives and ends with it. */
export class LeaseWitnesses {
  readonly #own: LockProvider;
  readonly #witnesses: Map<string, Lease> = new Map();

  constructor(own: LockProvider) {
    this.#own = own;
  }

  async open(lease: Lease, opening: Opening): Promise<Lease> {
    const witness = await this.#own.openLease(opening);
    this.#witnesses.set(lease.id, witness);
    return witness;
  }

  /** false: it is dead, since the store has gone over to another lock provider. A store that cannot be reached has not. */
  async renew(leases: readonly Lease[]): Promise<readonly boolean[]> {
    const witnesses = leases.map(({ id }) => this.#witnesses.get(id));
    const known = witnesses.filter((witness) => witness !== undefined);
    const renewed = await this.#own.renewLeases(known).catch(() => known.map(() => true));
    const dead = new Set(known.filter((_, index) => renewed[index] !== true));
    return witnesses.map((witness) => witness === undefined || !dead.has(witness));
  }

  async close(leases: readonly Lease[]): Promise<void> {
    const witnesses = leases.flatMap(({ id }) => this.#witnesses.get(id) ?? []);
    for (const { id } of leases) this.#witnesses.delete(id);
    await this.#own.closeLeases(witnesses);
  }
}
