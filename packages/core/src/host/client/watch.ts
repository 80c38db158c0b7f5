import type { StepLog } from "../../definition/step-context.ts";
import { StoreError } from "../../errors.ts";
import type { StoreHint } from "../../providers/persistence-provider.ts";
import type { Run } from "../../providers/records.ts";
import type { Clock, Timer } from "../../runtime/runtime.ts";
import { KeepAlive } from "./keep-alive.ts";

/** The first polls are left out for a key that will most likely be told of. */
const pollsLeftOut = 4;
/** Keys in one look-up. */
const lookUpBatch = 500;
/** A key is looked up again soon after it was first, then less and less often. */
const firstPollMs = 50;
const slowestPollMs = 1_000;
/** Many keys are looked up less often: one more millisecond between two rounds for each key (at first half of one), up to this. */
const slowestCrowdedPollMs = 10_000;
/** How many keys are remembered that were told of: whoever waits for one of them later has to look it up. */
const mostRemembered = 1_000;
/** The time between two look-ups of all keys that hints cause; for many keys a quarter of a millisecond for each. */
const hintGapMs = 25;

export interface WatchOptions<Key, Fact> {
  readonly clock: Clock;
  readonly log: StepLog;
  /** What is watched, for the log. */
  readonly what: string;
  readonly textOf: (key: Key) => string;
  /** Asks the store, which is the truth. */
  readonly lookUp: (keys: readonly Key[]) => Promise<readonly LookUp<Fact>[]>;
  /** Calls the listener when the store may have changed. */
  readonly hints: (listener: (hint: StoreHint) => void) => () => void;
  /** Whether the workflow is in hand here, so that what comes true of it will most likely be told. Absent: never. */
  readonly inHand?: (run: Run) => boolean;
}

/** What the store says of a key. */
export interface LookUp<Fact> {
  /** Absent: there is nothing to say yet. */
  readonly fact?: Fact;
  /** The workflow it is about, so that hints that name workflows are understood. */
  readonly run?: Run;
}

/** One wait for a fact. */
export interface Waiting<Fact> {
  readonly promise: Promise<Fact>;
  /** Gives up; the promise rejects with the reason. */
  readonly cancel: (reason: unknown) => void;
}

interface Watched<Key, Fact> {
  readonly key: Key;
  readonly waiters: Set<{ readonly resolve: (fact: Fact) => void; readonly reject: (reason: unknown) => void }>;
  run: Run | undefined;
  /** Whether the fact, should it come true here, will be told: it was not there when the wait began. */
  willBeTold: boolean;
  /** How often it was looked up, and when it is to be again. */
  lookUps: number;
  nextAt: number;
}

/**
 * Waits for facts of the store, many at the price of one.
 *
 * A fact is told by whoever knows it (`tell`), or found by a look-up: at once when a wait begins, soon after the store hints at a
 * change, and every now and then in any case. All keys share the look-ups, in batches, one batch at a time; no key has a timer.
 */
export class Watch<Key, Fact> {
  readonly #options: WatchOptions<Key, Fact>;
  readonly #watched: Map<string, Watched<Key, Fact>> = new Map();
  readonly #byRun: Map<Run, Set<string>> = new Map();
  #requested: Set<string> = new Set();
  #looking = false;
  #hintedMeanwhile = false;
  #poll: Timer | undefined;
  #pollAt = Number.POSITIVE_INFINITY;
  /** When all keys are to be looked up, whatever their own times say. */
  #allAt = Number.POSITIVE_INFINITY;
  #endHints: (() => void) | undefined;
  #hintsHeardAt = Number.NEGATIVE_INFINITY;
  /** Keys that were told of lately, since this time. */
  readonly #told: Set<string> = new Set();
  #remembersSince = Number.NEGATIVE_INFINITY;
  readonly #keepAlive: KeepAlive = new KeepAlive();
  #failing = false;
  #closed: Error | undefined;

  constructor(options: WatchOptions<Key, Fact>) {
    this.#options = options;
  }

  /**
   * Waits for the fact of a key. `unknownAt`: a (monotonic) time at which the store had none. Who is told of everything that
   * comes true here need not look at once then, nor soon while the workflow (`run`) is in hand here.
   */
  wait(key: Key, unknownAt?: number, run?: Run): Waiting<Fact> {
    if (this.#closed !== undefined) return { promise: Promise.reject(this.#closed), cancel: () => {} };
    const text = this.#options.textOf(key);
    const watched = this.#watched.get(text) ?? {
      key,
      waiters: new Set(),
      run: undefined,
      willBeTold: false,
      lookUps: 0,
      nextAt: 0,
    };
    this.#begin();
    this.#watched.set(text, watched);
    let cancel: (reason: unknown) => void = () => {};
    const promise = new Promise<Fact>((resolve, reject) => {
      const waiter = { resolve, reject };
      watched.waiters.add(waiter);
      cancel = (reason) => {
        if (!watched.waiters.delete(waiter)) return;
        if (watched.waiters.size === 0) this.#forget(text, watched);
        // An aborted signal's reason is the caller's, whatever it is.
        reject(reason);
      };
    });
    const mayBeKnown = unknownAt === undefined || unknownAt < this.#remembersSince || this.#told.has(text);
    if (mayBeKnown) this.#request([text]);
    else {
      watched.willBeTold = true;
      if (run !== undefined) this.#isAbout(text, watched, run);
      this.#planNext([watched]);
    }
    return { promise, cancel };
  }

  /** Says what is known from elsewhere. */
  tell(key: Key, fact: Fact): void {
    const text = this.#options.textOf(key);
    const watched = this.#watched.get(text);
    if (watched !== undefined) this.#settle(text, watched, fact);
    // Whoever waits from now on is not told.
    if (this.#told.size >= mostRemembered) {
      this.#told.clear();
      this.#remembersSince = this.#options.clock.monotonic();
    }
    this.#told.add(text);
  }

  /** How many keys are waited for. */
  get size(): number {
    return this.#watched.size;
  }

  /** Ends every wait, and those to come, with this error. */
  close(error: Error): void {
    this.#closed = error;
    for (const [text, watched] of this.#watched) this.#reject(text, watched, error);
  }

  #begin(): void {
    if (this.#endHints !== undefined) return;
    this.#endHints = this.#options.hints((hint) => this.#hinted(hint));
    this.#keepAlive.hold();
  }

  #forget(text: string, watched: Watched<Key, Fact>): void {
    this.#watched.delete(text);
    if (watched.run !== undefined) {
      const texts = this.#byRun.get(watched.run);
      texts?.delete(text);
      if (texts?.size === 0) this.#byRun.delete(watched.run);
    }
    if (this.#watched.size > 0) return;
    this.#keepAlive.release();
    this.#endHints?.();
    this.#endHints = undefined;
    this.#poll?.cancel();
    this.#poll = undefined;
    this.#pollAt = Number.POSITIVE_INFINITY;
    this.#allAt = Number.POSITIVE_INFINITY;
  }

  #settle(text: string, watched: Watched<Key, Fact>, fact: Fact): void {
    this.#forget(text, watched);
    for (const waiter of watched.waiters) waiter.resolve(fact);
    watched.waiters.clear();
  }

  #reject(text: string, watched: Watched<Key, Fact>, error: unknown): void {
    this.#forget(text, watched);
    for (const waiter of watched.waiters) waiter.reject(error);
    watched.waiters.clear();
  }

  /** The store may have changed. A busy store hints all the time, so look-ups of all keys keep a distance. */
  #hinted(hint: StoreHint): void {
    if (hint.runs !== undefined) {
      for (const run of hint.runs) this.#request(this.#byRun.get(run) ?? []);
      return;
    }
    // While a look-up is under way, all hints add up to one.
    this.#hintedMeanwhile = this.#looking;
    if (this.#looking) return;
    const now = this.#options.clock.monotonic();
    const sinceMs = now - this.#hintsHeardAt;
    const gapMs = Math.max(hintGapMs, this.#watched.size / 4);
    // Between two hints some time has passed, unless it is a test clock that stands still: then there is none to wait for.
    if (sinceMs >= gapMs || sinceMs === 0) {
      this.#hintsHeardAt = now;
      this.#request(this.#watched.keys());
    } else if (this.#allAt === Number.POSITIVE_INFINITY) {
      this.#allAt = this.#hintsHeardAt + gapMs;
      this.#pollBy(this.#allAt);
    }
  }

  #request(texts: Iterable<string>): void {
    for (const text of texts) if (this.#watched.has(text)) this.#requested.add(text);
    if (this.#looking || this.#requested.size === 0) return;
    this.#looking = true;
    void this.#options.clock.track(this.#lookUpRequested(), "engine");
  }

  /** Never rejects. */
  async #lookUpRequested(): Promise<void> {
    await this.#options.clock.yield();
    while (this.#requested.size > 0) {
      const requested = [...this.#requested];
      this.#requested = new Set();
      for (let from = 0; from < requested.length; from += lookUpBatch) {
        await this.#lookUp(requested.slice(from, from + lookUpBatch));
      }
    }
    this.#looking = false;
    if (this.#hintedMeanwhile) this.#hinted({});
  }

  async #lookUp(texts: readonly string[]): Promise<void> {
    const asked = texts
      .map((text) => this.#watched.get(text))
      .filter((watched) => watched !== undefined && !this.#isLeftOut(watched)) as Watched<Key, Fact>[];
    if (asked.length === 0) return;
    this.#planNext(asked);
    try {
      const found = await this.#options.lookUp(asked.map((watched) => watched.key));
      this.#failing = false;
      for (const [index, watched] of asked.entries()) this.#found(watched, found[index]);
    } catch (error) {
      this.#lookUpFailed(asked, error);
    }
  }

  #found(watched: Watched<Key, Fact>, found: LookUp<Fact> | undefined): void {
    const text = this.#options.textOf(watched.key);
    // Told meanwhile, and perhaps asked for anew: the next look-up speaks for that one.
    if (found === undefined || this.#watched.get(text) !== watched) return;
    if (found.fact !== undefined) return this.#settle(text, watched, found.fact);
    if (found.run === undefined || watched.run !== undefined) return;
    this.#isAbout(text, watched, found.run);
  }

  #isAbout(text: string, watched: Watched<Key, Fact>, run: Run): void {
    watched.run = run;
    const texts = this.#byRun.get(run) ?? new Set();
    this.#byRun.set(run, texts.add(text));
  }

  /** Whether it need not be looked up now: it will be told. Not for ever: another host may have taken the workflow from this one. */
  #isLeftOut(watched: Watched<Key, Fact>): boolean {
    const { run, willBeTold, lookUps } = watched;
    const told = willBeTold && run !== undefined && lookUps <= pollsLeftOut && this.#options.inHand?.(run) === true;
    if (told && watched.nextAt <= this.#options.clock.monotonic()) this.#planNext([watched]);
    return told;
  }

  #lookUpFailed(asked: readonly Watched<Key, Fact>[], error: unknown): void {
    if (error instanceof StoreError && error.transient) {
      // It is asked again; one line in the log is enough.
      if (!this.#failing) this.#options.log.warn(`${this.#options.what} cannot be read, it is tried again`, { error });
      this.#failing = true;
      return;
    }
    for (const watched of asked) {
      const text = this.#options.textOf(watched.key);
      if (this.#watched.get(text) === watched) this.#reject(text, watched, error);
    }
  }

  #planNext(asked: readonly Watched<Key, Fact>[]): void {
    const now = this.#options.clock.monotonic();
    const slowestMs = Math.min(Math.max(slowestPollMs, this.#watched.size), slowestCrowdedPollMs);
    const firstMs = Math.max(firstPollMs, this.#watched.size / 2);
    for (const watched of asked) {
      watched.nextAt = now + Math.min(firstMs * 2 ** Math.min(watched.lookUps, 10), slowestMs);
      watched.lookUps += 1;
      this.#pollBy(watched.nextAt);
    }
  }

  /** Polls at this time at the latest. */
  #pollBy(at: number): void {
    if (at >= this.#pollAt) return;
    this.#poll?.cancel();
    this.#pollAt = at;
    const { clock } = this.#options;
    this.#poll = clock.setTimer(Math.max(1, at - clock.monotonic()), () => this.#polled(), { background: true });
  }

  #polled(): void {
    this.#poll = undefined;
    this.#pollAt = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.monotonic();
    const all = this.#allAt <= now;
    if (all) {
      this.#allAt = Number.POSITIVE_INFINITY;
      this.#hintsHeardAt = now;
    }
    const due: string[] = [];
    let nextAt = this.#allAt;
    for (const [text, watched] of this.#watched) {
      if (all || watched.nextAt <= now) due.push(text);
      else nextAt = Math.min(nextAt, watched.nextAt);
    }
    this.#request(due);
    if (nextAt < Number.POSITIVE_INFINITY) this.#pollBy(nextAt);
  }
}
