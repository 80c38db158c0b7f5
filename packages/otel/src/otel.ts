import {
  createNoopMeter,
  INVALID_SPAN_CONTEXT,
  metrics as metricsApi,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  type Attributes,
  type MeterProvider,
  type Tracer,
  type TracerProvider,
} from "@opentelemetry/api";
import type {
  AttemptTelemetry,
  HostTelemetry,
  Telemetry,
  TelemetryAttempt,
  TelemetryHost,
  TelemetryTurn,
} from "@wfe/core";
import { AttemptSpan, describeAttempt, type OutcomeAttributes } from "./attempt.ts";
import { instruments, type Instruments } from "./instruments.ts";
import { spans } from "./names.ts";
import { orElse, quietly } from "./quietly.ts";
import { activeTraceparent, linksTo } from "./trace-context.ts";

export interface OtelOptions {
  /** Default: the one that is registered globally. */
  readonly tracerProvider?: TracerProvider;
  /** Default: the one that is registered globally. */
  readonly meterProvider?: MeterProvider;
  /** A span for every turn as well. Default `true`. */
  readonly turns?: boolean;
}

/**
 * Spans and metrics of hosts, by whichever OpenTelemetry SDK the application has set up; without one they cost next to nothing.
 *
 * ```ts
 * const host = new WorkflowHost({ providers, workflows, telemetry: otel() });
 * ```
 *
 * Attempts and turns are spans of their own, each linked to the span in which the workflow was started: none lives as long as a
 * workflow does. Nothing here waits for an exporter.
 */
export function otel(options: OtelOptions = {}): Telemetry {
  return { open: (host) => new HostInstruments(host, options) };
}

/** What the API gives where no SDK has been set up. */
const noTracers: TracerProvider = new ProxyTracerProvider().getDelegate();

/** Measured: kept by step, a span's or point's fixed parts cost nothing for each attempt. */
class HostInstruments implements HostTelemetry {
  readonly #tracers: TracerProvider;
  readonly #tracer: Tracer;
  readonly #measures: boolean;
  readonly #instruments: Instruments;
  readonly #turns: boolean;
  readonly #steps: Map<string, OutcomeAttributes> = new Map();

  constructor(host: TelemetryHost, { tracerProvider, meterProvider, turns = true }: OtelOptions) {
    const meter = orElse(
      () => (meterProvider ?? metricsApi.getMeterProvider()).getMeter("@wfe/otel"),
      createNoopMeter(),
    );
    this.#tracers = tracerProvider ?? trace.getTracerProvider();
    this.#tracer = orElse(() => this.#tracers.getTracer("@wfe/otel"), noTracers.getTracer("@wfe/otel"));
    this.#measures = meter !== createNoopMeter();
    this.#instruments = instruments(host, meter);
    this.#turns = turns;
  }

  /** Asked each time: an application may set its SDK up after its host. */
  get active(): boolean {
    if (this.#measures) return true;
    const tracers = this.#tracers;
    return !(tracers instanceof ProxyTracerProvider) || tracers.getDelegate() !== noTracers;
  }

  caller(): string | undefined {
    return orElse(activeTraceparent, undefined);
  }

  attempt(attempt: TelemetryAttempt, traceparent: string | undefined): AttemptTelemetry {
    const attributes = this.#attributesOf(attempt.workflow.definitionId, attempt.node.id);
    try {
      const span = this.#tracer.startSpan(spans.step.name, { links: linksTo(traceparent) }, ROOT_CONTEXT);
      describeAttempt(span, attempt);
      return new AttemptSpan(span, this.#instruments.stepDuration, attributes);
    } catch {
      // An SDK that throws is as good as none.
      return new AttemptSpan(trace.wrapSpanContext(INVALID_SPAN_CONTEXT), this.#instruments.stepDuration, attributes);
    }
  }

  turn(turn: TelemetryTurn): void {
    quietly(() => this.#tellTurn(turn));
  }

  queued(delayMs: number): void {
    quietly(() => this.#instruments.queueDelay.record(delayMs / 1000));
  }

  timer(lagMs: number): void {
    quietly(() => this.#instruments.timerLag.record(lagMs / 1000));
  }

  lost(reason: "conflict" | "hole"): void {
    quietly(() => this.#instruments.lostAppends.add(1, { "wfe.reason": reason }));
  }

  takenOver(): void {
    quietly(() => this.#instruments.takeOvers.add(1));
  }

  close(): void {
    quietly(() => this.#instruments.close());
  }

  #tellTurn(turn: TelemetryTurn): void {
    this.#instruments.commitDuration.record(turn.durationMs / 1000, byOutcome[turn.outcome]);
    if (!this.#turns) return;
    const endTime = Date.now();
    const { workflowId, seq, kind, outcome, traceparent } = turn;
    const span = this.#tracer.startSpan(
      spans.turn.name,
      { startTime: endTime - turn.durationMs, links: linksTo(traceparent) },
      ROOT_CONTEXT,
    );
    if (span.isRecording()) {
      span.setAttribute("wfe.workflow.id", workflowId);
      span.setAttribute("wfe.seq", seq);
      if (kind !== mostCommonKind) span.setAttribute("wfe.kind", kind);
      if (outcome !== "applied") {
        span.setAttribute("wfe.outcome", outcome);
        span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
      }
    }
    span.end(endTime);
  }

  #attributesOf(definitionId: string, stepId: string): OutcomeAttributes {
    const key = `${definitionId}\0${stepId}`;
    let attributes = this.#steps.get(key);
    if (attributes === undefined) {
      const kept = new Map<string, Attributes>();
      attributes = (outcome) => {
        let made = kept.get(outcome);
        if (made === undefined) {
          made = { "wfe.definition.id": definitionId, "wfe.step.id": stepId, "wfe.outcome": outcome };
          kept.set(outcome, made);
        }
        return made;
      };
      this.#steps.set(key, attributes);
    }
    return attributes;
  }
}

/** Not told: nearly all turns are of this kind, and each attribute costs. */
const mostCommonKind = "step-completed";

const byOutcome: Readonly<Record<TelemetryTurn["outcome"], Attributes>> = {
  applied: { "wfe.outcome": "applied" },
  conflict: { "wfe.outcome": "conflict" },
  hole: { "wfe.outcome": "hole" },
  failed: { "wfe.outcome": "failed" },
};
