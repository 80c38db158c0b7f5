import { context, isSpanContextValid, trace, TraceFlags, type Link, type SpanContext } from "@opentelemetry/api";

const pattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The W3C `traceparent` of the span that is active now; undefined: there is none. */
export function activeTraceparent(): string | undefined {
  const active = trace.getSpanContext(context.active());
  if (active === undefined || !isSpanContextValid(active)) return undefined;
  return `00-${active.traceId}-${active.spanId}-${active.traceFlags.toString(16).padStart(2, "0")}`;
}

/** How many are kept: as many as workflows are usually in hand. */
const mostKept = 1_000;

/** Read twice for each step of a workflow, and always the same. */
const kept = new Map<string, Link | undefined>();

/** A link to whoever a `traceparent` names; none where it is none. */
export function linksTo(traceparent: string | undefined): Link[] {
  if (traceparent === undefined) return [];
  if (!kept.has(traceparent)) {
    if (kept.size >= mostKept) kept.clear();
    kept.set(traceparent, readLink(traceparent));
  }
  const link = kept.get(traceparent);
  return link === undefined ? [] : [link];
}

function readLink(traceparent: string): Link | undefined {
  const [, traceId, spanId, flags] = pattern.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const traceFlags = (Number.parseInt(flags, 16) & 1) === 1 ? TraceFlags.SAMPLED : TraceFlags.NONE;
  const linked: SpanContext = { traceId, spanId, traceFlags, isRemote: true };
  return { context: linked };
}
