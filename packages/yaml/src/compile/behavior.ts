import { retry, type ErrorBehavior, type FinalBehavior } from "@wfe/core";
import type { ErrorBehaviorKey, RetryKey } from "../schema/modifiers.ts";
import { keyOf, type Located } from "../source/located.ts";
import type { Problems } from "../source/problem.ts";

/** WFE's own default. */
const defaultInterval = "60s";

interface Given {
  readonly error_behavior?: ErrorBehaviorKey | undefined;
  readonly retry?: RetryKey | number | undefined;
}

/** What follows a failure of a step. `fallback` is what its workflow says. */
export function behaviorOf(
  step: Given,
  located: Located,
  fallback: ErrorBehaviorKey | undefined,
  problems: Problems,
): ErrorBehavior | undefined {
  const own = step.error_behavior;
  checkUseless(own, located, problems);
  if (step.retry === undefined) {
    const behavior = own ?? fallback;
    if (behavior === undefined || behavior.type === "fail") return own === undefined ? undefined : "fail";
    return behavior.type === "retry"
      ? retry({ interval: behavior.interval ?? defaultInterval, maxRetries: behavior.max_retries ?? 3 })
      : behavior.type;
  }
  if (own?.type === "retry") {
    problems.add(
      "conflict",
      keyOf(located, "retry"),
      "`retry` and an `error_behavior` that retries are the same thing twice",
      "leave one of them out",
    );
    return undefined;
  }
  const options = typeof step.retry === "number" ? { max_retries: step.retry } : step.retry;
  if (own !== undefined && options.then !== undefined && options.then !== own.type) {
    problems.add(
      "conflict",
      keyOf(located, "error_behavior"),
      `\`then: ${options.then}\` of \`retry\` says something else about the last failure`,
      "leave one of them out",
    );
  }
  const after = own?.type ?? (fallback?.type === "retry" ? undefined : fallback?.type);
  const then: FinalBehavior = options.then ?? after ?? "fail";
  const { interval, max_retries: maxRetries, backoff, max_interval: maxInterval, jitter } = options;
  try {
    return retry({
      then,
      ...(interval === undefined ? {} : { interval }),
      ...(maxRetries === undefined ? {} : { maxRetries }),
      ...(backoff === undefined ? {} : { backoff }),
      ...(maxInterval === undefined ? {} : { maxInterval }),
      ...(jitter === undefined ? {} : { jitter }),
    });
  } catch (error) {
    problems.add(
      "wrong-value",
      keyOf(located, "retry"),
      (error as Error).message.replaceAll("maxInterval", "max_interval"),
    );
    return undefined;
  }
}

export function checkUseless(behavior: ErrorBehaviorKey | undefined, located: Located, problems: Problems): void {
  if (behavior === undefined || behavior.type === "retry") return;
  for (const key of ["interval", "max_retries"] as const) {
    if (behavior[key] === undefined) continue;
    problems.add(
      "conflict",
      keyOf(located, "error_behavior"),
      `\`${key}\` has no effect with \`type: ${behavior.type}\`: it belongs to \`type: retry\``,
    );
  }
}

/** What remains after the last retry. */
export function finalOf(behavior: ErrorBehavior | undefined): FinalBehavior {
  if (behavior === undefined) return "fail";
  return typeof behavior === "object" ? behavior.then : behavior;
}
