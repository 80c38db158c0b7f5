export { metrics, spans } from "./names.ts";
export type { MetricInfo, SpanInfo } from "./names.ts";
export { otel } from "./otel.ts";
export type { OtelOptions } from "./otel.ts";
