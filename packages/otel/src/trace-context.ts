import { context, isSpanContextValid, trace, TraceFlags, type Link, type SpanContext } from "@opentelemetry/api";

const pattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The W3C `traceparent` of the span that is active now; undefined: there is none. */
export function activeTraceparent(): string | undefined {
  const active = trace.getSpanContext(context.active());
  if (active === undefined || !isSpanContextValid(active)) return undefined;
  return `00-${active.traceId}-${active.spanId}-${active.traceFlags.toString(16).padStart(2, "0")}`;
}

/** A link to whoever a `traceparent` names; none where it is none. */
export function linksTo(traceparent: string | undefined): Link[] {
  const parts = traceparent === undefined ? null : pattern.exec(traceparent);
  const [, traceId, spanId, flags] = parts ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return [];
  const traceFlags = (Number.parseInt(flags, 16) & 1) === 1 ? TraceFlags.SAMPLED : TraceFlags.NONE;
  const linked: SpanContext = { traceId, spanId, traceFlags, isRemote: true };
  return [{ context: linked }];
}
