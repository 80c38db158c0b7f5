import type { FinalBehavior, RetryBehavior } from "../definition/error-behavior.ts";
import { parseDuration, type Duration } from "../duration.ts";
import { InvalidOptionError } from "../errors.ts";
import { isAsyncFunction } from "./functions.ts";
import { shown } from "./names.ts";

/** Options of {@link retry}. */
export interface StepRetryOptions<Then extends FinalBehavior = FinalBehavior> {
  /** Pause before the first retry. Default `"1s"`. */
  readonly interval?: Duration;
  /** Retries after the first attempt: a whole number from 0, or `Infinity`. Default 3. */
  readonly maxRetries?: number;
  /** Factor, from 1, by which each pause is longer than the one before. Default 1: all pauses are equal. */
  readonly backoff?: number;
  /** The longest pause that `backoff` may come to. Default `"1h"`, or `interval` where that is longer. */
  readonly maxInterval?: Duration;
  /** Makes each pause a random share of it, 50 % to 100 %, so that many workflows do not come back at once. Default false. */
  readonly jitter?: boolean;
  /** What follows the last retry. Default `"fail"`. */
  readonly then?: Then;
  /**
   * Retries only errors for which it gives true; for others `then` follows at once. Default: all. A `FatalError` is never retried.
   *
   * It is called while the engine decides. Where it throws, or gives a promise, that is an error of the step: there is no retry, and
   * the step has failed with an `ExpressionError` that says so and has what the step itself had thrown as its `cause`.
   */
  readonly when?: (error: unknown) => boolean;
}

/** What {@link retry} makes; `Then` is what follows the last retry. */
export interface Retry<Then extends FinalBehavior = FinalBehavior> extends RetryBehavior {
  readonly then: Then;
}

const finalBehaviors: readonly FinalBehavior[] = ["fail", "suspend", "terminate", "compensate", "ignore"];
const optionNames = ["interval", "maxRetries", "backoff", "maxInterval", "jitter", "then", "when"];

/**
 * For `.onError`: tries a step again, at most `maxRetries` times, with pauses between.
 *
 * Attempts that a crash interrupted do not count. Throws `InvalidOptionError`.
 */
export function retry<const Then extends FinalBehavior = "fail">(options: StepRetryOptions<Then> = {}): Retry<Then> {
  if (typeof options !== "object" || options === null) {
    throw new InvalidOptionError(`the options of \`retry\` must be an object, got ${shown(options)}`);
  }
  const { maxRetries = 3, backoff = 1, jitter = false, then = "fail" as Then, when } = options;
  for (const name of Object.keys(options)) {
    if (!optionNames.includes(name)) {
      throw new InvalidOptionError(`\`retry\` has no option \`${name}\`; it has ${optionNames.join(", ")}`);
    }
  }
  const intervalMs = parseDuration(options.interval ?? "1s", "interval");
  const maxIntervalMs = parseDuration(options.maxInterval ?? Math.max(intervalMs, 3_600_000), "maxInterval");
  if (!(maxRetries === Infinity || (Number.isSafeInteger(maxRetries) && maxRetries >= 0))) {
    throw new InvalidOptionError(`\`maxRetries\` must be a whole number from 0, or Infinity, got ${shown(maxRetries)}`);
  }
  if (!(Number.isFinite(backoff) && backoff >= 1)) {
    throw new InvalidOptionError(`\`backoff\` must be a number from 1, got ${shown(backoff)}`);
  }
  if (maxIntervalMs < intervalMs) {
    throw new InvalidOptionError(
      `\`maxInterval\` must not be shorter than \`interval\`, got ${maxIntervalMs} ms and ${intervalMs} ms`,
    );
  }
  if (typeof jitter !== "boolean")
    throw new InvalidOptionError(`\`jitter\` must be true or false, got ${shown(jitter)}`);
  if (!finalBehaviors.includes(then)) {
    throw new InvalidOptionError(`\`then\` must be one of ${finalBehaviors.join(", ")}, got ${shown(then)}`);
  }
  if (when !== undefined && (typeof when !== "function" || isAsyncFunction(when))) {
    throw new InvalidOptionError(
      "`when` must be a function of the error that gives true or false at once, not a promise",
    );
  }
  return Object.freeze({
    kind: "retry",
    intervalMs,
    maxRetries,
    backoff,
    maxIntervalMs,
    jitter,
    then,
    ...(when === undefined ? {} : { when }),
  });
}
