import { copy } from "../../codec/index.ts";
import { keyProblem } from "../../definition/key-problem.ts";
import { ExecutionResult, isStepResult, type StepResult } from "../../definition/execution-result.ts";
import { parseDuration } from "../../duration.ts";
import type { EngineLimits } from "../../engine/decision.ts";
import type { Input } from "../../engine/inputs.ts";
import { storeError, type StoredError } from "../../engine/stored-error.ts";
import type { Attempt } from "../../engine/work.ts";
import { InvalidValueError, StepTimeoutError } from "../../errors.ts";
import { leaveUnheardInside } from "../../thenable.ts";

type ThrewInput = Extract<Input, { kind: "attempt-threw" }>;
type AttemptInput = Extract<Input, { kind: "attempt-returned" }> | ThrewInput;

/** What a body returned, copied; a failure without retries where it cannot be stored: running it again would not help. */
export function returnedInput(attempt: Attempt, value: unknown, limits: EngineLimits): AttemptInput {
  const { pointer } = attempt;
  try {
    return { kind: "attempt-returned", pointer, attempt: attempt.attempt, value: copyReturned(value, limits) };
  } catch (error) {
    leaveUnheardInside(value);
    return unstorableInput(attempt, error);
  }
}

export function threwInput(attempt: Attempt, thrown: unknown): ThrewInput {
  return {
    kind: "attempt-threw",
    pointer: attempt.pointer,
    attempt: attempt.attempt,
    error: storedFrom(attempt, thrown),
    thrown,
  };
}

/** The body returned something, and it cannot be stored: no retries. */
export function unstorableInput(attempt: Attempt, thrown: unknown): AttemptInput {
  return {
    kind: "attempt-threw",
    pointer: attempt.pointer,
    attempt: attempt.attempt,
    error: storedFrom(attempt, thrown),
    thrown,
    unstorable: true,
  };
}

export function timedOutInput(attempt: Attempt): ThrewInput {
  const { node, workflow } = attempt;
  const error = new StepTimeoutError(
    `step \`${node.id}\` of workflow \`${workflow.id}\` ran longer than its time-out of ${attempt.timeoutMs} ms: raise the step's \`timeout\`, or make it quicker`,
    { workflowId: workflow.id, stepId: node.id, attempt: attempt.attempt },
  );
  return threwInput(attempt, error);
}

/** How a stopped body ended. What it returned is kept for its undoing where it can be. */
export function stragglerInput(attempt: Attempt, returned: boolean, value: unknown, limits: EngineLimits): Input {
  const { pointer } = attempt;
  if (!returned) return { kind: "straggler-ended", pointer, returned: false };
  try {
    const copied = copyReturned(value, limits);
    const output = !isStepResult(copied)
      ? copied
      : copied.kind === "next" || copied.kind === "outcome"
        ? copied.output
        : undefined;
    return { kind: "straggler-ended", pointer, returned: true, ...(output === undefined ? {} : { output }) };
  } catch {
    leaveUnheardInside(value);
    return { kind: "straggler-ended", pointer, returned: true };
  }
}

function storedFrom(attempt: Attempt, thrown: unknown): StoredError {
  return storeError(thrown, { stepId: attempt.node.id, attempt: attempt.attempt });
}

function copyReturned(value: unknown, limits: EngineLimits): unknown {
  if (typeof value !== "object" || value === null) return copyValue(value, limits, "output");
  return isStepResult(value) ? copyResult(value, limits) : copyValue(value, limits, "output");
}

function copyResult(result: StepResult, limits: EngineLimits): StepResult {
  switch (result.kind) {
    case "next":
      return ExecutionResult.next(copyValue(result.output, limits, "output"));
    case "outcome":
      return ExecutionResult.outcome(copyValue(result.output, limits, "output"));
    case "persist":
      return ExecutionResult.persist(copyValue(result.data, limits, "data"));
    case "sleep":
      return ExecutionResult.sleep(
        parseDuration(result.duration, "the duration of `ExecutionResult.sleep`"),
        copyValue(result.data, limits, "data"),
      );
    case "wait-for-event":
      checkName(result.name, "name");
      checkName(result.key, "key");
      return ExecutionResult.waitForEvent(result.name, result.key, copyValue(result.data, limits, "data"));
  }
}

function checkName(value: unknown, what: "name" | "key"): void {
  const isBlank = what === "name" && typeof value === "string" && value.trim() === "";
  const problem = isBlank ? "must not be blank" : keyProblem(value);
  if (problem === undefined) return;
  throw new InvalidValueError(`the ${what} given to \`ExecutionResult.waitForEvent\` ${problem}`, { path: what });
}

function copyValue(value: unknown, limits: EngineLimits, path: string): unknown {
  return copy(value, { path, maxBytes: limits.valueBytes, maxDepth: limits.depth });
}
