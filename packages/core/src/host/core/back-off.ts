import { StoreError } from "../../errors.ts";
import type { Clock, Runtime } from "../../runtime/runtime.ts";

const firstMs = 20;
const longestMs = 2_000;

/** The pause before another try, after `tries` in vain: twice as long each time, up to 2 s, half of it random. */
export function backOffMs(tries: number, random: () => number): number {
  const full = Math.min(firstMs * 2 ** Math.min(tries - 1, 16), longestMs);
  return full * (0.5 + random() / 2);
}

/** Resolves after a time. Not to be awaited inside work that the clock tracks as the engine's: a test clock would wait for itself. */
function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.setTimer(delayMs, resolve));
}

/**
 * Calls the store, again and again while it says that the same call may succeed later and `wanted` says to go on. Only for calls
 * that may be repeated.
 */
export async function persistently<Result>(
  runtime: Runtime,
  call: () => Promise<Result>,
  wanted: () => boolean,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreError && error.transient) || !wanted()) throw error;
    }
    await pause(runtime.clock, backOffMs(tries, runtime.random));
  }
}
