import { randomFillSync } from "node:crypto";
import type { Clock, Runtime, Timer } from "./runtime.ts";

/** `setTimeout` fires at once for delays beyond 2^31-1 ms; long delays are cut into pieces of this size. */
const longestTimeoutMs = 3_600_000;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, callback, options) => new SystemTimer(delayMs, callback, options?.background ?? false),
  yield: () => new Promise((resolve) => setImmediate(resolve)),
  track: (work) => work,
};

/** The runtime of production: the machine's clock, or the one given, and the system's randomness. */
export function systemRuntime(clock: Clock = systemClock): Runtime {
  return { clock, random: Math.random, randomId };
}

const bytesPerId = 16;
/** Random bytes for ids to come: to ask for many at once costs little more than to ask for those of one. */
const pool = Buffer.alloc(256 * bytesPerId);
let used = pool.length;

function randomId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytesPerId;
  return pool.toString("base64url", used - bytesPerId, used);
}

class SystemTimer implements Timer {
  #timeout: NodeJS.Timeout | undefined;

  constructor(delayMs: number, callback: () => void, background: boolean) {
    const dueAt = performance.now() + delayMs;
    const arm = (leftMs: number): void => {
      this.#timeout = setTimeout(
        () => {
          const left = dueAt - performance.now();
          if (left >= 1) arm(left);
          else callback();
        },
        Math.min(Math.max(leftMs, 0), longestTimeoutMs),
      );
      if (background) this.#timeout.unref();
    };
    arm(delayMs);
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }
}
