import * as z from "zod";
import { condition, count, countFromZero, duration, flag, scalar, step, text, word } from "./values.ts";

/** `error_behavior`: WFE's own words for what follows a failure. */
export const errorBehavior = z.strictObject({
  type: word(["retry", "suspend", "terminate", "compensate", "fail", "ignore"]).describe(
    "retry: again after `interval`, `max_retries` times; suspend: wait for someone; terminate: end the workflow without undoing; compensate: undo this step and go on; fail: fail the workflow (the default); ignore: go on",
  ),
  interval: duration.optional().describe("Pause before each retry; 60s by default"),
  max_retries: countFromZero.optional().describe("3 by default"),
});
export type ErrorBehaviorKey = z.infer<typeof errorBehavior>;

const final = word(["fail", "suspend", "terminate", "compensate", "ignore"]);

const retry = z.strictObject({
  interval: duration.optional().describe("Pause before the first retry; 1s by default"),
  max_retries: countFromZero.optional().describe("Retries after the first attempt; 3 by default"),
  backoff: z
    .number()
    .min(1)
    .meta({ expected: "a number from 1" })
    .optional()
    .describe("Factor by which each pause is longer than the one before"),
  max_interval: duration.optional().describe("The longest pause that `backoff` may come to; 1h by default"),
  jitter: flag.optional().describe("Makes each pause a random share of it, 50 % to 100 %"),
  then: final.optional().describe("What follows the last retry; fail by default"),
});
export type RetryKey = z.infer<typeof retry>;

const cancelWhen = z.strictObject({
  when: condition,
  proceed: flag.optional().describe("Go on after it; without it its branch ends there"),
});

const cache = z.strictObject({
  key: scalar
    .optional()
    .describe("What a result is kept under; by default a hash of the step's configuration and inputs"),
  ttl: duration.describe("How long a result is good for"),
});
export type CacheKey = z.infer<typeof cache>;

const matrix = z
  .record(z.string(), z.union([z.array(z.unknown()), z.string()]))
  .meta({ expected: "names with lists of values, and `include` and `exclude`" });

/** Keys that every step may have, whatever it is. */
export const ofEveryStep = {
  name: text.min(1).describe("Unique in the workflow"),
  when: condition.optional().describe("The step is skipped where this is false"),
  needs: z
    .union([z.array(text), text])
    .meta({ expected: "a list of names of steps" })
    .optional()
    .describe("Steps that must have ended before this one starts; the steps of the list are then a graph"),
};

/** Keys that change what happens around a step. */
export const modifiers = {
  error_behavior: errorBehavior.optional().describe("What follows a failure"),
  retry: z
    .union([retry, countFromZero])
    .meta({ expected: "options of retries, or how many" })
    .optional()
    .describe("Tries the step again when it fails"),
  timeout: duration.optional().describe("Per attempt"),
  compensate: step.optional().describe("A step that undoes this one"),
  cancel_when: cancelWhen.optional().describe("Cancels the step while it is live"),
  on_success: step.optional().describe("A step that runs after this one has succeeded"),
  on_failure: step.optional().describe("A step that runs when this one has failed"),
  ensure: step.optional().describe("A step that always runs, last"),
  matrix: matrix.optional().describe("Runs the step once for every combination of these values"),
  fail_fast: flag
    .optional()
    .describe("Whether the first run of a matrix that fails cancels the others; true by default"),
  max_parallel: count.optional().describe("How many runs of a matrix there are at the same time; all by default"),
};

/** Of steps that run a body. */
export const ofBodies = {
  on_crash: word(["retry", "fail", "suspend"])
    .optional()
    .describe("What follows when the host died while the step may have been running"),
  cache: cache.optional().describe("Takes the result of an earlier run with the same configuration and inputs"),
};

const output = z.strictObject({
  name: text.min(1),
  path: text.optional().describe("A file whose text is the value, from the step's working folder"),
  json_path: text.optional().describe("A JSONPath into what the step printed"),
});
export type OutputKey = z.infer<typeof output>;

const inputReference = z.strictObject({
  name: text.min(1),
  path: text.optional().describe("A key of the data, tried whole first, then by its parts; the name by default"),
  json_path: text.optional().describe("A JSONPath into the data"),
});

/** Data of a step's own: a list of references, or names with values. */
export const inputs = z
  .union([z.array(inputReference), z.record(z.string(), z.unknown())])
  .meta({ expected: "names with values, or a list of `{ name, path }`" });
export type InputsKey = z.infer<typeof inputs>;
export const outputs = z.array(output).meta({ expected: "a list of `{ name, path?, json_path? }`" });
