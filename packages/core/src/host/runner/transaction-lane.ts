import { StoreError } from "../../errors.ts";
import type { CommitResult, TransactionalTurn } from "../../providers/persistence-provider.ts";
import type { HostCore } from "../core/host-core.ts";

/** How a transactional turn ended; `not-applied`: it may be tried again; `unknown`: it may have been stored, or may still be. */
export type TransactionResult = CommitResult | { readonly outcome: "not-applied" | "unknown"; readonly error: unknown };

interface Submitted {
  readonly turn: TransactionalTurn;
  readonly settle: (result: TransactionResult) => void;
}

/** Transactions that are open at once, where the store does not say. */
const mostOpen = 8;

/**
 * The way of transactional steps to the store, apart from other turns: their bodies may take their time.
 *
 * With a synchronous driver everything that is ready goes in one call, and is committed together. Where the store says that
 * bodies are asynchronous, or one has turned out to be, each goes alone, so that a slow one holds up nobody else.
 */
export class TransactionLane {
  readonly #core: HostCore;
  #queue: Submitted[] = [];
  #scheduled = false;
  #open = 0;
  #asynchronous: boolean;
  readonly #mostOpen: number;
  readonly #mayCommit: () => boolean;

  /** `mayCommit` is asked before anything begins: false puts it off until `resume`. */
  constructor(core: HostCore, mayCommit: () => boolean) {
    this.#core = core;
    const { transactionsAtOnce } = core.providers.persistence;
    this.#asynchronous = transactionsAtOnce !== undefined;
    this.#mostOpen = transactionsAtOnce ?? mostOpen;
    this.#mayCommit = mayCommit;
  }

  submit(turn: TransactionalTurn, settle: (result: TransactionResult) => void): void {
    this.#queue.push({ turn, settle });
    this.#schedule();
  }

  /** Whether a body may run now, and its transaction be committed. */
  mayCommit(): boolean {
    return this.#mayCommit();
  }

  resume(): void {
    this.#schedule();
  }

  /** An `execute` has given a promise. */
  sawAsynchronous(): void {
    this.#asynchronous = true;
  }

  #schedule(): void {
    if (this.#scheduled || this.#queue.length === 0) return;
    this.#scheduled = true;
    void this.#core.runtime.clock.track(this.#start(), "engine");
  }

  async #start(): Promise<void> {
    await this.#core.runtime.clock.yield();
    this.#scheduled = false;
    while (this.#queue.length > 0 && this.#open < this.#mostOpen && this.#mayCommit()) {
      const batch = this.#queue.splice(0, this.#asynchronous ? 1 : this.#core.options.limits.batch);
      this.#open += 1;
      // What a driver waits for may be the body, which may wait for a timer: bodies are not the engine's own work.
      void this.#core.runtime.clock.track(this.#send(batch), "body");
    }
  }

  async #send(batch: readonly Submitted[]): Promise<void> {
    try {
      await this.#commit(batch);
    } finally {
      this.#open -= 1;
    }
    this.#schedule();
  }

  async #commit(batch: readonly Submitted[]): Promise<void> {
    let results: readonly TransactionResult[];
    try {
      results = await this.#core.providers.persistence.commit(batch.map(({ turn }) => turn));
    } catch (error) {
      const notApplied = error instanceof StoreError && error.outcome === "not-applied";
      if (notApplied && !error.transient && batch.length > 1) return this.#commitHalves(batch);
      results = batch.map(() => ({ outcome: notApplied ? "not-applied" : "unknown", error }));
    }
    for (const [index, { settle }] of batch.entries())
      settle(results[index] ?? { outcome: "unknown", error: new TypeError("the store gave too few results") });
  }

  /**
   * What was refused as a whole may be the fault of one, whose writes break a rule that is asked for at COMMIT. None was stored,
   * so all may be executed again.
   */
  async #commitHalves(batch: readonly Submitted[]): Promise<void> {
    const half = Math.ceil(batch.length / 2);
    await this.#commit(batch.slice(0, half));
    await this.#commit(batch.slice(half));
  }
}
