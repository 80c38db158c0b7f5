import type { Lease } from "../../providers/lock-provider.ts";
import type { Timer } from "../../runtime/runtime.ts";
import { backOffMs } from "../core/back-off.ts";
import type { HostCore } from "../core/host-core.ts";
import { processIdentity } from "../core/process-identity.ts";

/** What becomes of the lease, for whoever acts under it. */
export interface LeaseEvents {
  /** A heartbeat has gone through. */
  beat(): void;
  /** It could not be renewed in time: others may have taken over, or be about to. `goOn` or `lost` follows. */
  fenced(): void;
  /** It is in order again after it was in doubt. */
  goOn(): void;
  /** It is dead. `opened` follows when there is a new one. */
  lost(): void;
  opened(): void;
}

/**
 * Keeps the host's lease alive by a heartbeat every third of its length, and knows, by the monotonic clock, when the host can no
 * longer rely on it: two thirds after the last renewal was asked for.
 */
export class LeaseKeeper {
  readonly #core: HostCore;
  readonly #events: LeaseEvents;
  readonly #ttlMs: number;
  #lease: Lease | undefined;
  /** The opening under way, or the last one. */
  #opening: Promise<void> | undefined;
  /** Monotonic time at which the last successful renewal was asked for. */
  #renewedAt = 0;
  /** The same of the renewal under way; undefined: there is none. */
  #askedAt: number | undefined;
  #failed = false;
  #inDoubt = false;
  #closed = false;
  #beatTimer: Timer | undefined;
  #fenceTimer: Timer | undefined;

  constructor(core: HostCore, events: LeaseEvents) {
    this.#core = core;
    this.#events = events;
    this.#ttlMs = core.options.leaseMs;
  }

  /** The lease; undefined while there is none. */
  get lease(): Lease | undefined {
    return this.#lease;
  }

  /** Whether it was in doubt when it was looked at last, or is not there: the same without a look at the clock. */
  get inDoubt(): boolean {
    return this.#inDoubt || this.#lease === undefined;
  }

  /** Whether the lease can be relied upon now. Where it cannot, it is being renewed, and `goOn` or `lost` will be told. */
  isSure(): boolean {
    if (this.#inDoubt || this.#lease === undefined) return false;
    if (this.#core.runtime.clock.monotonic() - this.#renewedAt < this.#doubtAfterMs) return true;
    // The process was paused, or its event loop was blocked: the heartbeat is late, and its timer may be later still.
    this.#inDoubt = true;
    this.#beat();
    return false;
  }

  open(): Promise<void> {
    this.#opening = this.#open();
    return this.#opening;
  }

  /** Ends the lease, also one that is being opened. Where the store cannot be reached it runs out by itself. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTimers();
    // Whoever opens it hears of its failure.
    await this.#opening?.catch(() => {});
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease === undefined) return;
    try {
      await this.#core.runtime.clock.track(this.#core.providers.lock.closeLeases([lease]), "engine");
    } catch (error) {
      this.#core.log.warn("the lease could not be ended and runs out by itself", { error });
    }
  }

  async #open(): Promise<void> {
    const { clock } = this.#core.runtime;
    const askedAt = clock.monotonic();
    const holder = { host: this.#core.hostName, process: processIdentity() };
    const lease = await clock.track(this.#core.providers.lock.openLease({ ttlMs: this.#ttlMs, holder }), "engine");
    if (this.#closed) return this.#core.providers.lock.closeLeases([lease]);
    this.#lease = lease;
    this.#failed = false;
    this.#renewed(askedAt);
    this.#inDoubt = this.#isStale(askedAt);
    if (this.#inDoubt) this.#beat();
  }

  get #doubtAfterMs(): number {
    return (this.#ttlMs * 2) / 3;
  }

  /** Whether an answer was so long in coming that the lease cannot be relied upon any more. */
  #isStale(askedAt: number): boolean {
    return this.#core.runtime.clock.monotonic() - askedAt >= this.#doubtAfterMs;
  }

  #renewed(askedAt: number): void {
    const { clock } = this.#core.runtime;
    this.#renewedAt = askedAt;
    this.#stopTimers();
    this.#beatTimer = clock.setTimer(this.#ttlMs / 3, () => this.#beat(), { background: true });
    this.#fenceTimer = clock.setTimer(
      Math.max(1, this.#doubtAfterMs - (clock.monotonic() - askedAt)),
      () => this.#fence(),
      { background: true },
    );
  }

  #beat(): void {
    const lease = this.#lease;
    if (this.#closed || lease === undefined) return;
    const { clock } = this.#core.runtime;
    const now = clock.monotonic();
    // One that hangs is not waited for.
    if (this.#askedAt !== undefined && now - this.#askedAt < this.#ttlMs / 3) return;
    this.#askedAt = now;
    const renewal = this.#core.providers.lock.renewLeases([lease]).then(
      ([alive]) => {
        if (this.#lease !== lease) return;
        this.#askedAt = undefined;
        if (alive === true) this.#alive(now);
        else this.#lost();
      },
      (error: unknown) => {
        if (this.#lease !== lease) return;
        this.#askedAt = undefined;
        this.#failed = true;
        this.#core.log.warn("the host's lease could not be renewed; trying again", { error });
        this.#beatTimer?.cancel();
        this.#beatTimer = clock.setTimer(this.#ttlMs / 12, () => this.#beat(), { background: true });
      },
    );
    void clock.track(renewal, "engine");
  }

  #alive(askedAt: number): void {
    const wasInDoubt = this.#inDoubt;
    this.#failed = false;
    this.#renewed(askedAt);
    this.#inDoubt = this.#isStale(askedAt);
    if (this.#inDoubt) {
      this.#beat();
      if (!wasInDoubt) this.#events.fenced();
      return;
    }
    if (wasInDoubt) this.#events.goOn();
    this.#events.beat();
  }

  /** Two thirds of the lease have passed since it was renewed. */
  #fence(): void {
    if (this.#closed || this.#lease === undefined) return;
    const { clock } = this.#core.runtime;
    const tried = this.#failed || (this.#askedAt !== undefined && clock.monotonic() - this.#askedAt >= this.#ttlMs / 6);
    if (!tried) {
      // The timers were late as well: the heartbeat gets a chance before anything is stopped.
      this.#beat();
      this.#fenceTimer = clock.setTimer(this.#ttlMs / 6, () => this.#fence(), { background: true });
      return;
    }
    this.#inDoubt = true;
    this.#core.log.error(
      "the host's lease could not be renewed in time: no step begins and nothing is committed until it is",
      {},
    );
    this.#events.fenced();
  }

  #lost(): void {
    this.#stopTimers();
    this.#lease = undefined;
    this.#inDoubt = false;
    this.#core.log.error(
      "the host's lease is dead: its workflows are left to whoever takes them over, and it starts anew",
      {},
    );
    this.#events.lost();
    this.#openAgain(1);
  }

  #openAgain(tries: number): void {
    if (this.#closed) return;
    this.open().then(
      () => {
        if (!this.#closed) this.#events.opened();
      },
      (error: unknown) => {
        const { clock, random } = this.#core.runtime;
        if (tries === 1) this.#core.log.warn("no new lease could be opened; trying again", { error });
        clock.setTimer(backOffMs(tries, random), () => this.#openAgain(tries + 1));
      },
    );
  }

  #stopTimers(): void {
    this.#beatTimer?.cancel();
    this.#fenceTimer?.cancel();
    this.#askedAt = undefined;
  }
}
