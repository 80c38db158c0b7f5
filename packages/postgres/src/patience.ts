import type { Clock } from "@wfe/core/providers";

/** How long what is written waits for a lock that somebody else has. */
export const lockMs = 2_000;
/** The same where one has been waited for in vain already: only what is blocked waits for long. */
export const splitLockMs = 200;
/** For how long after that. */
const impatientMs = 10_000;

/** How long calls that travel together wait for locks: what has kept one of them waiting in vain may keep the next ones too. */
export class Patience {
  readonly #clock: Clock;
  #blockedAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For the next call. */
  get ms(): number {
    if (this.#blockedAt === undefined) return lockMs;
    return this.#clock.monotonic() - this.#blockedAt < impatientMs ? splitLockMs : lockMs;
  }

  /** A call has waited in vain. */
  blocked(): void {
    this.#blockedAt = this.#clock.monotonic();
  }
}
