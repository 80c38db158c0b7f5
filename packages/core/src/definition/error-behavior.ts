/** What happens when a node fails for good. */
export type FinalBehavior = "fail" | "suspend" | "terminate" | "compensate" | "ignore";

/** Retries, as the engine reads them: durations are milliseconds, everything is set. */
export interface RetryBehavior {
  readonly kind: "retry";
  /** Pause before the first retry. */
  readonly intervalMs: number;
  /** How many retries after the first attempt; Infinity: no limit. */
  readonly maxRetries: number;
  /** Factor by which each pause is longer than the one before. */
  readonly backoff: number;
  readonly maxIntervalMs: number;
  /** Whether each pause is a random share (50 % to 100 %) of what it would be. */
  readonly jitter: boolean;
  /** What follows the last retry. */
  readonly then: FinalBehavior;
  /** Only errors for which it gives true are retried. One that throws, or gives a promise, makes a failure of its own. */
  readonly when?: (error: unknown) => boolean;
}

export type ErrorBehavior = FinalBehavior | RetryBehavior;
