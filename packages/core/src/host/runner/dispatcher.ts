import type { ClaimedWorkflow, ClaimRequest } from "../../providers/persistence-provider.ts";
import type { Pulled, QueueItem } from "../../providers/queue-provider.ts";
import { recordFormat } from "../../providers/records.ts";
import type { Timer } from "../../runtime/runtime.ts";
import type { HostCore } from "../core/host-core.ts";
import type { Chosen } from "./chosen.ts";

export interface DispatcherOptions {
  /** The lease to claim under; undefined: none can be claimed now. */
  readonly lease: () => string | undefined;
  readonly freeSlots: () => number;
  /** Takes claimed workflows into hand. */
  readonly take: (claimed: readonly ClaimedWorkflow[]) => void;
  /** Those among which is claimed; undefined: among all. */
  readonly chosen?: Chosen | undefined;
}

const advancedAtOnce = 500;
/** A queue that could not be asked is left alone for so long: its answer may be slow in failing. */
const queuePauseMs = 5_000;

/**
 * Fills free slots with due workflows.
 *
 * Hints of store and queue, freed slots and the time at which something is due next all lead to a sweep of the store's due index;
 * so does a slow poll, which is what counts when every hint is lost. Sweeps never overlap, each call is bounded, and a host
 * without a free slot does not ask.
 */
export class Dispatcher {
  readonly #core: HostCore;
  readonly #options: DispatcherOptions;
  #stopped = false;
  #sweeping = false;
  #sweep: Promise<void> = Promise.resolve();
  #again = false;
  #queueHinted = true;
  /** The queue is the store's due index: it has given claimed workflows, so that asking the store as well asks twice. */
  #queueClaims = false;
  /** Monotonic time before which the queue is not asked. */
  #queueRestsUntil = Number.NEGATIVE_INFINITY;
  /** More was due than there were slots. */
  #starved = false;
  #pollTimer: Timer | undefined;
  #dueTimer: Timer | undefined;
  #dueTimerAt = Number.POSITIVE_INFINITY;
  /** A due time that was there although nothing could be claimed: looked for again by the next poll only. */
  #stuckAt: number | undefined;

  constructor(core: HostCore, options: DispatcherOptions) {
    this.#core = core;
    this.#options = options;
  }

  /** Whether a claim may be under way. */
  get isSweeping(): boolean {
    return this.#sweeping;
  }

  start(): void {
    this.#schedulePoll();
    this.poke();
  }

  stop(): void {
    this.#stopped = true;
    this.#pollTimer?.cancel();
    this.#dueTimer?.cancel();
  }

  /** Resolves when no claim is under way. */
  async settled(): Promise<void> {
    await this.#sweep;
  }

  /** Something may be due. */
  poke(): void {
    if (this.#stopped) return;
    this.#again = true;
    if (this.#sweeping) return;
    this.#sweeping = true;
    this.#sweep = this.#core.runtime.clock.track(this.#sweepUntilDone(), "engine");
  }

  /** The queue may have something. */
  pokeQueue(): void {
    this.#queueHinted = true;
    this.poke();
  }

  /** A slot has become free. */
  freed(): void {
    if (this.#starved) this.poke();
  }

  /** A workflow was let go until then. */
  noteDue(dueAt: number): void {
    if (dueAt <= this.#core.engineNow()) this.poke();
    else if (dueAt < this.#dueTimerAt) this.#wakeAt(dueAt);
  }

  /** Never rejects. */
  async #sweepUntilDone(): Promise<void> {
    await this.#core.runtime.clock.yield();
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        await this.#sweepOnce();
      } catch (error) {
        // The poll tries again. What was claimed although its answer was lost is found by the heartbeat.
        if (!this.#stopped) this.#core.log.warn("due workflows could not be claimed; trying again", { error });
      }
    }
    this.#sweeping = false;
  }

  async #sweepOnce(): Promise<void> {
    const lease = this.#options.lease();
    const definitions = this.#core.registry.all();
    if (lease === undefined || definitions.length === 0) return;
    const limit = Math.min(this.#options.freeSlots(), this.#core.options.limits.batch);
    this.#starved = limit <= 0;
    if (this.#starved) return;
    let request: ClaimRequest = { lease, limit, definitions, format: recordFormat };
    const { chosen } = this.#options;
    if (chosen !== undefined) {
      const runs = await chosen.runs();
      if (runs.length === 0) return;
      request = { ...request, runs };
    }
    // What it pulled from a queue, a host that takes only some would keep from the others.
    const asksQueue =
      chosen === undefined && this.#queueHinted && this.#core.runtime.clock.monotonic() >= this.#queueRestsUntil;
    const pulled = asksQueue ? await this.#pullFromQueue(request) : { claimed: [], candidates: [] };
    const left = Math.min(limit, this.#options.freeSlots());
    if (left <= 0) {
      this.#starved = true;
      return;
    }
    const claimed = asksQueue && this.#queueClaims ? 0 : await this.#claim({ ...request, limit: left });
    await this.#forget(pulled.candidates);
    const taken = pulled.claimed.length + claimed;
    if (Math.max(pulled.claimed.length, pulled.candidates.length) >= limit || claimed >= left) this.#again = true;
    else if (!this.#again) await this.#lookAhead(request, taken > 0);
  }

  async #claim(request: ClaimRequest): Promise<number> {
    const claimed = await this.#core.providers.persistence.claim(request);
    this.#take(claimed);
    return claimed.length;
  }

  /**
   * What the queue has claimed is taken. Its candidates are not claimed by name: it knows of some of what is due, so that the less
   * urgent would come before what the store alone knows of. They say that it is time to claim, and come again where that fails.
   */
  async #pullFromQueue(request: ClaimRequest): Promise<Pulled> {
    this.#queueHinted = false;
    const pulled = await this.#pull(request);
    this.#take(pulled.claimed);
    this.#queueClaims ||= pulled.claimed.length > 0;
    this.#queueHinted ||= pulled.claimed.length + pulled.candidates.length >= request.limit;
    return pulled;
  }

  /** Of candidates: those that were not taken are in the store still, which gives them to whoever has room. */
  async #forget(candidates: readonly QueueItem[]): Promise<void> {
    if (candidates.length === 0) return;
    await this.#core.providers.queue.remove(candidates).catch((error: unknown) => this.#queueFailed(error));
  }

  /** A queue only hints: where it cannot be asked, the store can. */
  async #pull(request: ClaimRequest): Promise<Pulled> {
    const { queue } = this.#core.providers;
    try {
      return await queue.pull({ ...request, visibilityMs: this.#core.options.leaseMs });
    } catch (error) {
      if (!this.#core.providers.queueStandsApart) throw error;
      this.#queueFailed(error);
      return { claimed: [], candidates: [] };
    }
  }

  #queueFailed(error: unknown): void {
    this.#queueRestsUntil = this.#core.runtime.clock.monotonic() + queuePauseMs;
    this.#core.log.warn("the queue cannot be reached: due workflows are looked for in the store alone", { error });
  }

  #take(claimed: readonly ClaimedWorkflow[]): void {
    if (claimed.length === 0) return;
    this.#options.chosen?.taken(claimed);
    this.#options.take(claimed);
  }

  /** Sets the timer for what is due next. */
  async #lookAhead({ definitions }: ClaimRequest, claimedSome: boolean): Promise<void> {
    const { persistence } = this.#core.providers;
    const { chosen } = this.#options;
    const next =
      chosen === undefined
        ? await persistence.nextDueAt(definitions)
        : earlier(await persistence.nextDueAt([]), chosen.nextDueAt());
    this.#dueTimer?.cancel();
    this.#dueTimerAt = Number.POSITIVE_INFINITY;
    if (next === null) return;
    if (next > this.#core.engineNow()) return this.#wakeAt(next);
    if (next === this.#stuckAt && !claimedSome) return;
    // An event may have become effective, or waiters may be left to be woken; or somebody else was quicker.
    this.#stuckAt = next;
    this.#again = true;
    if (!claimedSome) await persistence.advanceEvents(advancedAtOnce);
  }

  #wakeAt(dueAt: number): void {
    if (this.#stopped) return;
    this.#dueTimer?.cancel();
    this.#dueTimerAt = dueAt;
    // A store's clock that is set meanwhile is noticed by the poll.
    const delayMs = Math.max(1, dueAt - this.#core.engineNow());
    this.#dueTimer = this.#core.runtime.clock.setTimer(delayMs, () => {
      this.#dueTimerAt = Number.POSITIVE_INFINITY;
      this.poke();
    });
  }

  #schedulePoll(): void {
    if (this.#stopped) return;
    const { clock, random } = this.#core.runtime;
    const delayMs = this.#core.options.pollMs * (0.9 + random() * 0.2);
    this.#pollTimer = clock.setTimer(
      delayMs,
      () => {
        this.#stuckAt = undefined;
        this.#options.chosen?.lookAgain();
        this.pokeQueue();
        this.#schedulePoll();
      },
      { background: true },
    );
  }
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
