import type { DefinitionNode } from "../definition/nodes.ts";
import type { Failure } from "./flow.ts";
import type { Pointer } from "./state.ts";
import { reviveError } from "./stored-error.ts";
import type { Turn } from "./turn.ts";

/** The pause before the next attempt, in milliseconds; undefined: there is none. */
export function retryDelay(turn: Turn, pointer: Pointer, node: DefinitionNode, failure: Failure): number | undefined {
  const retry = node.onError;
  if (
    typeof retry !== "object" ||
    failure.noRetry === true ||
    failure.error.fatal === true ||
    pointer.retries >= retry.maxRetries
  )
    return undefined;
  if (retry.when !== undefined && !accepts(retry.when, failure)) return undefined;
  const full = Math.min(retry.intervalMs * retry.backoff ** pointer.retries, retry.maxIntervalMs);
  return Math.round(retry.jitter ? full * (0.5 + turn.context.random() / 2) : full);
}

/** A `when` that throws itself has not said yes. */
function accepts(when: (error: unknown) => boolean, failure: Failure): boolean {
  try {
    return when(failure.thrown ?? reviveError(failure.error)) === true;
  } catch {
    return false;
  }
}
