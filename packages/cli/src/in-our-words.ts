import { ResultTimeoutError, type WfeError, WorkflowFailedError, WorkflowTerminatedError } from "@wfe/core";
import type { StoreOptions } from "./options.ts";
import { quoted } from "./quoted.ts";

/** An error of the library, with advice for whoever types commands. Its `cause` says what kind of error it is. */
export class AdvisedError extends Error {}

/** How a person calls the same with `wfe`. */
export function commandLine(words: readonly string[], { db, schema, namespace }: StoreOptions): string {
  const options = { db, schema, namespace: namespace === "default" ? undefined : namespace };
  const given = Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
  return ["wfe", ...[...words, ...given].map(quoted)].join(" ");
}

/** What waiting for a workflow rejects with: what the library advises are calls, and here it is to be commands. */
export function inOurWords(
  error: unknown,
  { id, options }: { readonly id: string; readonly options: StoreOptions & { readonly timeout?: string } },
): unknown {
  const command = (name: string): string => commandLine([name, id], options);
  if (error instanceof WorkflowFailedError) {
    const { stepId, message } = (error.cause ?? {}) as Partial<WfeError>;
    const step = stepId === undefined ? "" : ` at step \`${stepId}\``;
    const why = (message ?? "its error is not on record").trimEnd();
    return advised(error, `workflow \`${id}\` failed${step}: ${why}\nmend what caused it, then: ${command("retry")}`);
  }
  if (error instanceof ResultTimeoutError) {
    const within = options.timeout === undefined ? "in time" : `within ${options.timeout}`;
    return advised(
      error,
      `workflow \`${id}\` has not ended ${within} and is stopped here; it goes on with: ${command("resume")}`,
    );
  }
  if (error instanceof WorkflowTerminatedError) {
    const why = error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return advised(error, `workflow \`${id}\` was terminated${why}; who ended it: ${command("history")}`);
  }
  return error;
}

function advised(cause: Error, message: string): AdvisedError {
  return new AdvisedError(message, { cause });
}
