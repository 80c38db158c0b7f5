import { StoreError } from "../../errors.ts";
import type { Clock } from "../../runtime/runtime.ts";

interface Group<Item, Result> {
  readonly items: readonly Item[];
  readonly resolve: (results: readonly Result[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes one call of the store out of many of the same kind.
 *
 * An idle batcher calls after everything that is ready to run has had a turn; while a call is under way, what is added waits and
 * is the next call. So one caller pays no latency, and many pay one transaction.
 *
 * When a call fails for good, its items are tried again apart, so that the one at fault fails alone. When a part of them is
 * blocked, that part is found by halving, so that the rest is stored and the blocked one alone hears of it: by `apart`, where there
 * is one, so that what comes later need not wait for it.
 */
export class Batcher<Item, Result> {
  readonly #clock: Clock;
  readonly #call: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly #max: number;
  readonly #apart: Batcher<Item, Result> | undefined;
  #waiting: Group<Item, Result>[] = [];
  #flushing = false;

  /** `call` answers in order, one result per item. `max`: items of one call. */
  constructor(
    clock: Clock,
    max: number,
    call: (items: readonly Item[]) => Promise<readonly Result[]>,
    apart?: Batcher<Item, Result>,
  ) {
    this.#clock = clock;
    this.#max = max;
    this.#call = call;
    this.#apart = apart;
  }

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#push({ items: [item], resolve: (results) => resolve(results[0] as Result), reject });
    });
  }

  /** Adds items that stay together in one call, and so in one transaction. There may be at most `max`. */
  addAll(items: readonly Item[]): Promise<readonly Result[]> {
    if (items.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => this.#push({ items, resolve, reject }));
  }

  #push(group: Group<Item, Result>): void {
    this.#waiting.push(group);
    if (this.#flushing) return;
    this.#flushing = true;
    void this.#clock.track(this.#flush(), "engine");
  }

  async #flush(): Promise<void> {
    await this.#clock.yield();
    while (this.#waiting.length > 0) await this.#send(this.#takeBatch());
    this.#flushing = false;
  }

  #takeBatch(): readonly Group<Item, Result>[] {
    let groups = 0;
    let items = 0;
    for (const group of this.#waiting) {
      if (groups > 0 && items + group.items.length > this.#max) break;
      groups += 1;
      items += group.items.length;
    }
    return this.#waiting.splice(0, groups);
  }

  /** Never rejects: each group hears of its own end. */
  async #send(groups: readonly Group<Item, Result>[]): Promise<void> {
    const items =
      groups.length === 1 && groups[0] !== undefined ? groups[0].items : groups.flatMap((group) => group.items);
    try {
      const results = await this.#call(items);
      if (results.length !== items.length)
        throw new TypeError(`the store gave ${results.length} results for ${items.length} items`);
      let from = 0;
      for (const group of groups) group.resolve(results.slice(from, (from += group.items.length)));
    } catch (error) {
      if (groups.length > 1 && isBlocked(error)) await this.#sendApart(groups);
      else if (groups.length === 1 || mayPass(error)) for (const group of groups) group.reject(error);
      else for (const group of groups) await this.#send([group]);
    }
  }

  async #sendApart(groups: readonly Group<Item, Result>[]): Promise<void> {
    if (this.#apart !== undefined) {
      for (const group of groups) this.#apart.#push(group);
      return;
    }
    const half = Math.ceil(groups.length / 2);
    await this.#send(groups.slice(0, half));
    await this.#send(groups.slice(half));
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof StoreError && error.transient;
}

/** Whether nothing was stored since somebody else held what a part of it needed. */
function isBlocked(error: unknown): boolean {
  return error instanceof StoreError && error.blocked && error.outcome === "not-applied";
}
