import type { DefinitionNode } from "../definition/nodes.ts";
import { ExpressionError } from "../errors.ts";
import { refusePromise } from "./expressions.ts";
import type { Failure } from "./flow.ts";
import type { Pointer } from "./state.ts";
import { reviveError, storeError, type StoredError } from "./stored-error.ts";
import type { Turn } from "./turn.ts";

/** What a failed attempt comes to. */
export interface AfterFailure {
  /** The pause before the next attempt, in milliseconds; undefined: there is none. */
  readonly delay?: number;
  /** What the step has failed with. */
  readonly error: StoredError;
}

export function afterFailure(turn: Turn, pointer: Pointer, node: DefinitionNode, failure: Failure): AfterFailure {
  const retry = node.onError;
  const { error } = failure;
  if (
    typeof retry !== "object" ||
    failure.noRetry === true ||
    error.fatal === true ||
    pointer.retries >= retry.maxRetries
  )
    return { error };
  try {
    if (retry.when !== undefined && !accepts(retry.when, failure)) return { error };
  } catch (thrown) {
    return { error: withoutAnswer(node, error, thrown) };
  }
  const full = Math.min(retry.intervalMs * retry.backoff ** pointer.retries, retry.maxIntervalMs);
  return { delay: Math.round(retry.jitter ? full * (0.5 + turn.context.random() / 2) : full), error };
}

function accepts(when: (error: unknown) => boolean, failure: Failure): boolean {
  const answer: unknown = when(failure.thrown ?? reviveError(failure.error));
  refusePromise(answer, "it");
  return answer === true;
}

const noAnswer = "`when` of `retry` did not say whether to try again";

/** A `when` that throws is an error of the step: with its own stack, and what it was asked about as the cause. */
function withoutAnswer(node: DefinitionNode, cause: StoredError, thrown: unknown): StoredError {
  const { name, message, stack } = storeError(thrown);
  const { stepId, attempt } = cause;
  const error = storeError(
    new ExpressionError(
      `${noAnswer}: ${name}: ${message}; step \`${node.id}\` had failed with ${cause.name}: ${cause.message}; mend \`when\`, then retry the workflow`,
    ),
    { stepId, attempt },
  );
  return { ...error, ...(stack === undefined ? {} : { stack }), cause };
}

/** What a `when` that gave no answer was asked about; undefined: this is another error. */
export function askedAbout({ code, message, cause }: StoredError): StoredError | undefined {
  return code === "EXPRESSION" && message.startsWith(noAnswer) ? cause : undefined;
}
