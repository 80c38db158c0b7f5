import { type Duration, parseDuration } from "../../duration.ts";
import { InvalidOptionError } from "../../errors.ts";
import type { Clock } from "../../runtime/runtime.ts";
import { checkObject, refuseUnknown } from "./host-options.ts";
import { describeValue } from "./names.ts";
import type { Waiting } from "./watch.ts";

/** How long to wait. */
export interface WaitOptions {
  /** Rejects with `ResultTimeoutError` after this long. The workflow goes on. Default: waits for ever. */
  readonly timeout?: Duration;
  /** Rejects with the signal's reason when it is aborted. The workflow goes on. */
  readonly signal?: AbortSignal;
}

export interface WaitBounds {
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

export function checkWaitOptions(options: WaitOptions): WaitBounds {
  checkObject("the options of a wait", options);
  refuseUnknown("the options of a wait", options, ["timeout", "signal"]);
  const { timeout, signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidOptionError(`\`signal\` must be an AbortSignal, got ${describeValue(signal)}`);
  }
  return { timeoutMs: timeout === undefined ? undefined : parseDuration(timeout, "timeout"), signal };
}

/** The wait's promise, given up when the time is over or the signal is aborted. Costs nothing where neither is given. */
export function bounded<Fact>(
  clock: Clock,
  waiting: Waiting<Fact>,
  bounds: WaitBounds,
  timedOut: () => Error,
): Promise<Fact> {
  const { timeoutMs, signal } = bounds;
  if (timeoutMs === undefined && signal === undefined) return waiting.promise;

  const timer = timeoutMs === undefined ? undefined : clock.setTimer(timeoutMs, () => waiting.cancel(timedOut()));
  const abort = (): void => waiting.cancel(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted === true) abort();
  const release = (): void => {
    timer?.cancel();
    signal?.removeEventListener("abort", abort);
  };
  waiting.promise.then(release, release);
  return waiting.promise;
}
