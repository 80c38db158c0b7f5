import type { Duration } from "../duration.ts";

/** What a step may return in place of a plain output. Made by the functions of `ExecutionResult`. */
export type StepResult<Output = unknown> =
  | NextResult<Output>
  | OutcomeResult<Output>
  | PersistResult
  | SleepResult
  | WaitForEventResult;

const brand: unique symbol = Symbol.for("wfe.execution-result") as never;

interface Branded {
  readonly [brand]: true;
}
export interface NextResult<Output> extends Branded {
  readonly kind: "next";
  readonly output: Output;
}
export interface OutcomeResult<Output> extends Branded {
  readonly kind: "outcome";
  readonly output: Output;
}
export interface PersistResult extends Branded {
  readonly kind: "persist";
  readonly data: unknown;
}
export interface SleepResult extends Branded {
  readonly kind: "sleep";
  readonly duration: Duration;
  readonly data: unknown;
}
export interface WaitForEventResult extends Branded {
  readonly kind: "wait-for-event";
  readonly name: string;
  readonly key: string;
  readonly data: unknown;
}

/** Makes the results that are more than an output. */
export const ExecutionResult: {
  /** The output; the same as returning it. */
  next<const Output = undefined>(output?: Output): NextResult<Output>;
  /** The output, and the case of a following `decide({...})`. */
  outcome<const Value>(value: Value): OutcomeResult<Value>;
  /** Run me again at once, with `data` as `ctx.persisted`. */
  persist(data: unknown): PersistResult;
  /** Run me again after `duration`; without `data`, `ctx.persisted` stays what it was. */
  sleep(duration: Duration, data?: unknown): SleepResult;
  /** Run me again when the event has come, with it as `ctx.event`; without `data`, `ctx.persisted` stays what it was. */
  waitForEvent(name: string, key: string, data?: unknown): WaitForEventResult;
} = {
  next: <const Output>(output?: Output) => ({ [brand]: true, kind: "next", output: output as Output }),
  outcome: <const Value>(value: Value) => ({ [brand]: true, kind: "outcome", output: value }),
  persist: (data: unknown) => ({ [brand]: true, kind: "persist", data }),
  sleep: (duration: Duration, data?: unknown) => ({ [brand]: true, kind: "sleep", duration, data }),
  waitForEvent: (name: string, key: string, data?: unknown) => ({
    [brand]: true,
    kind: "wait-for-event",
    name,
    key,
    data,
  }),
};

/** Whether a body returned one of the results above. */
export function isStepResult(value: unknown): value is StepResult {
  return typeof value === "object" && value !== null && brand in value;
}
