import {
  context,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  type Attributes,
  type Histogram,
  type Span,
} from "@opentelemetry/api";
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

  /** Not in the context that is active: a host runs bodies on behalf of whoever woke it, and that is not who the step belongs to. */
  run<Result>(body: () => Result): Result {
    let hasBegun = false;
    try {
      return context.with(trace.setSpan(ROOT_CONTEXT, this.#span), () => {
        hasBegun = true;
        return body();
      });
    } catch (error) {
      if (hasBegun) throw error;
      // The context manager's: the body has not run yet.
      return body();
    }
  }

  ended(outcome: "returned" | "threw" | "timed-out" | "abandoned", error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    quietly(() => this.#end(outcome, error));
  }

  #end(outcome: string, error: unknown): void {
    this.#duration.record((performance.now() - this.#beganAt) / 1000, this.#attributes(outcome));
    const span = this.#span;
    if (outcome !== "returned" && span.isRecording()) {
      span.setAttribute("wfe.outcome", outcome);
      if (outcome === "threw" || outcome === "timed-out") {
        if (error instanceof Error) span.recordException(error);
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : outcome });
      }
    }
    span.end();
  }
}

/**
 * Few, and each set by itself: most of what a span costs are its attributes, and an SDK looks at one that is given when the span is
 * created twice. What is not here is in the history.
 */
export function describeAttempt(span: Span, { workflow, node, attempt }: TelemetryAttempt): void {
  if (!span.isRecording()) return;
  span.setAttribute("wfe.workflow.id", workflow.id);
  span.setAttribute("wfe.definition.id", workflow.definitionId);
  span.setAttribute("wfe.step.id", node.id);
  if (attempt > 1) span.setAttribute("wfe.attempt", attempt);
}
