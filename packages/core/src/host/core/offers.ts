import type { Run } from "../../providers/records.ts";
import type { HostCore } from "./host-core.ts";

/** What this host may take itself. A client takes nothing. */
export interface Takes {
  /** Whether it has the workflow in hand: it hears of what comes without being told. */
  readonly has: (run: Run) => boolean;
  /** Resolves when it has claimed what it can. */
  readonly settled: () => Promise<void>;
}

const takesNothing: Takes = { has: () => false, settled: () => Promise.resolve() };

/**
 * Tells other hosts, by a queue beside the store, what this process has woken and does not take itself: it may be full, lack the
 * definition, or be a client only. Best effort: other hosts find it in the store, later.
 */
export class Offers {
  readonly #core: HostCore;
  readonly #takes: Takes;
  readonly #untaken: Set<Run> = new Set();
  #isOffering = false;

  constructor(core: HostCore, takes: Takes = takesNothing) {
    this.#core = core;
    this.#takes = takes;
  }

  offer(runs: readonly Run[]): void {
    if (!this.#core.providers.queueStandsApart) return;
    for (const run of runs) if (!this.#takes.has(run)) this.#untaken.add(run);
    if (this.#isOffering || this.#untaken.size === 0) return;
    this.#isOffering = true;
    void this.#takes.settled().then(() => this.#push());
  }

  /** These need not be offered. */
  taken(runs: readonly Run[]): void {
    for (const run of runs) this.#untaken.delete(run);
  }

  #push(): void {
    this.#isOffering = false;
    if (this.#untaken.size === 0) return;
    const dueAt = this.#core.engineNow();
    const items = [...this.#untaken].map((run) => ({ run, priority: 0, dueAt }));
    this.#untaken.clear();
    this.#core.providers.queue
      .push(items)
      .catch((error: unknown) =>
        this.#core.log.debug("the queue was not told of due workflows; others find them by themselves", { error }),
      );
  }
}
