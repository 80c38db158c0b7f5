import type { DefinitionRef } from "@wfe/core/providers";

/**
 * What becomes due is due from then on, and is seen when it has been committed: so long may that take, and so far may the clocks of
 * hosts be apart, before it is found by looking at everything.
 */
const marginMs = 1_000;
/** At least so often a claim looks at everything. */
const wholeEveryMs = 30_000;

interface Bound {
  readonly since: number;
  readonly wholeAt: number;
  readonly round: number;
}

/**
 * From which due time on claims look for work, of the same definitions.
 *
 * A workflow that is claimed leaves a dead entry in the index over what is due, which stays while any transaction of the server is
 * older than the claim. All of them lie before what is due now: a claim that began at the front would go past every one. What is
 * there all the same (it took long to commit, or was due in the past when it was stored) is seen by whoever looks twice a second
 * whether something is due, and the next claim looks at everything.
 */
export class DueSince {
  readonly #bounds: WeakMap<readonly DefinitionRef[], Bound> = new WeakMap();
  #round = 0;
  #highest = Number.NEGATIVE_INFINITY;

  /** null: at everything. `now` is monotonic time. */
  of(definitions: readonly DefinitionRef[], now: number): number | null {
    const bound = this.#bounds.get(definitions);
    if (bound === undefined || bound.round !== this.#round || now - bound.wholeAt >= wholeEveryMs) return null;
    return bound.since;
  }

  /** A claim that had looked from `from` on has left nothing that is due before `left`, by the store's clock. */
  claimed(definitions: readonly DefinitionRef[], from: number | null, left: number, now: number): void {
    const before = this.#bounds.get(definitions);
    // Something older was seen meanwhile.
    if (from !== null && before?.round !== this.#round) return;
    const wholeAt = from === null ? now : (before?.wholeAt ?? now);
    const since = left - marginMs;
    this.#bounds.set(definitions, { since, wholeAt, round: this.#round });
    this.#highest = Math.max(this.#highest, since);
  }

  /** Something is due since then. */
  saw(dueAt: number): void {
    if (dueAt >= this.#highest) return;
    this.#round += 1;
    this.#highest = Number.NEGATIVE_INFINITY;
  }
}
