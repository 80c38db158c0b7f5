import { context, SpanStatusCode, trace, type Attributes, type Histogram, type Span } from "@opentelemetry/api";
import type { AttemptTelemetry, TelemetryAttempt } from "@wfe/core";
import { quietly } from "./quietly.ts";

/** The attributes of a step's measurements, by outcome: made once for each step, not for each attempt. */
export type OutcomeAttributes = (outcome: string) => Attributes;

/** One attempt: a span around its body, and its duration. */
export class AttemptSpan implements AttemptTelemetry {
  readonly #span: Span;
  readonly #duration: Histogram;
  readonly #attributes: OutcomeAttributes;
  readonly #beganAt: number = performance.now();
  #ended = false;

  constructor(span: Span, duration: Histogram, attributes: OutcomeAttributes) {
    this.#span = span;
    this.#duration = duration;
    this.#attributes = attributes;
  }

  run<Result>(body: () => Result): Result {
    return context.with(trace.setSpan(context.active(), this.#span), body);
  }

  ended(outcome: "returned" | "threw" | "timed-out" | "abandoned", error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    quietly(() => this.#end(outcome, error));
  }

  #end(outcome: string, error: unknown): void {
    this.#duration.record((performance.now() - this.#beganAt) / 1000, this.#attributes(outcome));
    const span = this.#span;
    if (span.isRecording()) {
      if (outcome !== "returned") span.setAttribute("wfe.outcome", outcome);
      if (outcome === "threw" || outcome === "timed-out") {
        if (error instanceof Error) span.recordException(error);
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : outcome });
      }
    }
    span.end();
  }
}

/** Few: each costs an SDK about as much as a step costs the engine to decide. What is not here is in the history. */
export function attemptAttributes({ workflow, node, attempt }: TelemetryAttempt): Attributes {
  return {
    "wfe.workflow.id": workflow.id,
    "wfe.definition.id": workflow.definitionId,
    "wfe.step.id": node.id,
    "wfe.attempt": attempt,
  };
}
