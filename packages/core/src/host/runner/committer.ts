import { StoreError } from "../../errors.ts";
import type { CommitResult, PersistenceProvider, TurnCommit } from "../../providers/persistence-provider.ts";
import type { HostCore } from "../core/host-core.ts";
import { backOffMs } from "../core/back-off.ts";

/** A workflow with something to append. It has at most one turn under way. */
export interface CommitSource {
  /** Decides its turn, as late as can be: everything that has ended by now is in it. undefined: there is nothing to append. */
  takeTurn(): TurnCommit | undefined;
  /**
   * How its turn ended; a failed one was refused for itself, and nothing of it is stored. Told also when the source is gone by
   * then: what was committed was.
   */
  settle(result: CommitResult): void;
  /** Whether its turn need not be sent again. */
  readonly gone: boolean;
}

interface Attempted {
  readonly source: CommitSource;
  readonly turn: TurnCommit;
}

/** Turns that failed together and are tried again together, with the same bytes. */
interface RetryBatch {
  readonly items: readonly Attempted[];
  readonly tries: number;
  readonly firstFailedAt: number;
}

/** Tries apart before the cause is taken to be lasting, of a turn that fails alone with an error that is not transient. */
const mostPermanentTries = 5;
/** Turns that are worth two flushes, where the store takes two at once: while it works on one, the next is made. */
const worthSplitting = 64;
/** Tries of a batch as a whole before it is halved. */
const triesBeforeSplit = 3;

/**
 * Group commit: the turns of all workflows in hand go to the store in one call per flush. A flush starts when the one before has
 * ended (or one of those before, in a store that takes several at once) and everything that is ready to run has had a turn.
 *
 * What the store did not take, or may or may not have taken, is sent again with the same bytes at the same seq, beside the flushes
 * that go on, until it is known. That decides nothing anew: closures may answer differently the second time.
 */
export class Committer {
  readonly #core: HostCore;
  readonly #persistence: PersistenceProvider;
  readonly #maxBatch: number;
  #queue: CommitSource[] = [];
  readonly #mostFlushes: number;
  /** Flushes that are being gathered or under way, and those of them under way. */
  #flushes = 0;
  #flights = 0;
  #paused = false;
  /** Raised when everything under way is given up. */
  #epoch = 0;
  #lastSuccessAt = Number.NEGATIVE_INFINITY;
  #retryFlights = 0;
  #retriesWaiting: RetryBatch[] = [];
  readonly #mayCommit: () => boolean;

  /** `mayCommit` is asked before each flush: false puts it off until `resume`. */
  constructor(core: HostCore, mayCommit: () => boolean) {
    this.#core = core;
    this.#mayCommit = mayCommit;
    this.#persistence = core.providers.persistence;
    this.#mostFlushes = core.providers.persistence.commitsAtOnce ?? 1;
    this.#maxBatch = Math.max(core.options.limits.batch, 1_000);
  }

  /** The source's `takeTurn` is called with the next flush. */
  enqueue(source: CommitSource): void {
    this.#queue.push(source);
    this.#kick();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#kick();
    this.#retryWaiting();
  }

  /** Gives up everything under way: the lease is lost. Nobody is told; the workflows are dropped by their owner. */
  abandon(): void {
    this.#epoch += 1;
    this.#queue = [];
    this.#retriesWaiting = [];
    // The call under way may hang for long; the next lease's turns are not to wait for it.
    this.#flushes = 0;
    this.#flights = 0;
  }

  #kick(): void {
    if (this.#flushes >= this.#mostFlushes || this.#paused || this.#queue.length === 0) return;
    this.#flushes += 1;
    void this.#core.runtime.clock.track(this.#flush(), "engine");
  }

  async #flush(): Promise<void> {
    const epoch = this.#epoch;
    while (this.#queue.length > 0 && !this.#paused) {
      await this.#core.runtime.clock.yield();
      if (epoch !== this.#epoch) return;
      if (this.#paused || !this.#mayCommit()) break;
      const batch = this.#takeBatch();
      this.#flights += 1;
      if (batch.length > 0) await this.#send({ items: batch, tries: 0, firstFailedAt: 0 });
      if (epoch !== this.#epoch) return;
      this.#flights -= 1;
    }
    this.#flushes -= 1;
  }

  #takeBatch(): Attempted[] {
    const { length } = this.#queue;
    const split = this.#flights < this.#mostFlushes - 1 && length >= worthSplitting;
    const most = Math.min(this.#maxBatch, split ? Math.ceil(length / 2) : length);
    const sources = length <= most ? this.#queue : this.#queue.slice(0, most);
    this.#queue = length <= most ? [] : this.#queue.slice(most);
    const batch: Attempted[] = [];
    for (const source of sources) {
      const turn = source.takeTurn();
      if (turn !== undefined) batch.push({ source, turn });
    }
    return batch;
  }

  /** Never rejects. */
  async #send(batch: RetryBatch): Promise<void> {
    const epoch = this.#epoch;
    let results: readonly CommitResult[];
    try {
      results = await this.#persistence.commit(batch.items.map((item) => item.turn));
      if (results.length !== batch.items.length) {
        throw new StoreError(
          "STORE_CONTRACT",
          `the store gave ${results.length} results for ${batch.items.length} turns`,
          { outcome: "unknown", transient: false },
        );
      }
    } catch (error) {
      if (epoch === this.#epoch) this.#failed(batch, error);
      return;
    }
    this.#lastSuccessAt = this.#core.runtime.clock.monotonic();
    // The answer may have been long in coming: what it leads to begins only under a lease that can be relied upon.
    this.#mayCommit();
    for (let i = 0; i < results.length; i++) {
      const result = results[i];
      if (result !== undefined) batch.items[i]?.source.settle(result);
    }
  }

  #failed(batch: RetryBatch, error: unknown): void {
    const { clock } = this.#core.runtime;
    const transient = error instanceof StoreError && error.transient;
    const tries = batch.tries + 1;
    const firstFailedAt = batch.tries === 0 ? clock.monotonic() : batch.firstFailedAt;
    if (tries === 1 || tries % 10 === 0) {
      this.#core.log.warn("the store did not take a batch of turns; they are sent again", {
        error,
        turns: batch.items.length,
        tries,
      });
    }
    if (transient) {
      // Where other batches come through, the cause is in this one: halves part the sound from the rest.
      const split = tries >= triesBeforeSplit && batch.items.length > 1 && this.#lastSuccessAt > firstFailedAt;
      const half = Math.ceil(batch.items.length / 2);
      const parts = split ? [batch.items.slice(0, half), batch.items.slice(half)] : [batch.items];
      for (const items of parts) this.#retryLater({ items, tries, firstFailedAt });
      return;
    }
    const [alone] = batch.items;
    if (batch.items.length > 1 || alone === undefined) {
      for (const item of batch.items) this.#retry({ items: [item], tries: 0, firstFailedAt });
      return;
    }
    const unknown = !(error instanceof StoreError && error.outcome === "not-applied");
    if (unknown && tries < mostPermanentTries) return this.#retryLater({ items: batch.items, tries, firstFailedAt });
    // Whether an unknown one was stored is for the journal to say: the workflow is loaded again.
    if (unknown) alone.source.settle({ outcome: "hole" });
    else alone.source.settle({ outcome: "failed", error: error });
  }

  #retryLater(batch: RetryBatch): void {
    const { clock, random } = this.#core.runtime;
    const epoch = this.#epoch;
    clock.setTimer(backOffMs(batch.tries, random), () => {
      if (epoch === this.#epoch) this.#retry(batch);
    });
  }

  #retry(batch: RetryBatch): void {
    if (this.#paused || this.#retryFlights >= 4) {
      this.#retriesWaiting.push(batch);
      return;
    }
    const items = batch.items.filter(({ source }) => !source.gone);
    if (items.length === 0) return this.#retryWaiting();
    this.#retryFlights += 1;
    const flight = this.#send({ ...batch, items }).then(() => {
      this.#retryFlights -= 1;
      this.#retryWaiting();
    });
    void this.#core.runtime.clock.track(flight, "engine");
  }

  #retryWaiting(): void {
    if (this.#paused || this.#retryFlights >= 4) return;
    const next = this.#retriesWaiting.shift();
    if (next !== undefined) this.#retry(next);
  }
}
