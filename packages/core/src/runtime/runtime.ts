/**
 * Everything that is not a function of its arguments: clock, timers, randomness and ids.
 *
 * Engine, host and providers take it from here and from nowhere else, so that a test clock or a simulator can own it.
 */
export interface Runtime {
  readonly clock: Clock;
  /** A number in [0, 1). */
  random(): number;
  /** An id that no other call anywhere has given: 128 random bits, URL-safe. */
  randomId(): string;
}

/** Time and timers. */
export interface Clock {
  /** Wall time, milliseconds since the epoch. May jump. */
  now(): number;
  /** Milliseconds since some fixed moment. Never goes back. */
  monotonic(): number;
  /**
   * Calls `callback` once, after `delayMs`, which may be longer than the 2^31-1 ms of a raw `setTimeout`.
   *
   * `background` marks upkeep (heartbeats, sweeps, polling): such a timer does not keep the process alive, and a test clock
   * runs it once where it jumps over many of its periods.
   */
  setTimer(delayMs: number, callback: () => void, options?: { readonly background?: boolean }): Timer;
  /** Resolves after everything that is ready to run now has had a turn. A group commit collects its batch meanwhile. */
  yield(): Promise<void>;
  /** Tells the clock that work is under way until the promise settles; a test clock does not advance meanwhile. Gives the promise back. */
  track<T>(work: Promise<T>, kind: "engine" | "body"): Promise<T>;
}

export interface Timer {
  cancel(): void;
}
