// A workflow that does something every second, seen by OpenTelemetry: spans go to a file, metrics to http://localhost:9464/metrics for
// Prometheus. `npm run observability` runs it for a minute; with a number of seconds as its argument, for that long.
import { appendFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { context, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, TracerProvider, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace";
import { retry, workflow, WorkflowHost } from "@wfe/core";
import { otel } from "@wfe/otel";
import { sqlite } from "@wfe/sqlite";

const seconds = Number(process.argv[2] ?? 60);
const port = Number(process.env["METRICS_PORT"] ?? 9464);
const folder = mkdtempSync(join(tmpdir(), "wfe-observability-"));
const spansFile = join(folder, "spans.jsonl");

/** Any exporter would do, such as one that sends OTLP. */
const toFile: SpanExporter = {
  export: (spans, done) => {
    appendFileSync(spansFile, spans.map((span) => `${JSON.stringify(shown(span))}\n`).join(""));
    done({ code: 0 });
  },
  shutdown: () => Promise.resolve(),
};

function shown({ name, attributes, duration, links, status }: ReadableSpan): object {
  const durationMs = duration[0] * 1_000 + duration[1] / 1e6;
  return { name, attributes, durationMs, startedBy: links.map((link) => link.context.traceId), status: status.code };
}

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const tracerProvider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter: toFile })] });
trace.setGlobalTracerProvider(tracerProvider);
const prometheus = new PrometheusExporter({ port });
const meterProvider = new MeterProvider({ readers: [prometheus] });
metrics.setGlobalMeterProvider(meterProvider);

const parcel = workflow<{ n: number }>()
  .then(async (data) => {
    await wait(5 + Math.random() * 40);
    if (data.n % 7 === 0 && Math.random() < 0.7) throw new Error("the printer is jammed");
  })
  .id("print label")
  .onError(retry({ interval: "500ms", maxRetries: 3 }))
  .delay("1s")
  .id("wait for the van")
  .then(() => wait(10))
  .id("hand over")
  .build("parcel", 1);

const host = new WorkflowHost({
  providers: [sqlite(join(folder, "parcels.db"))],
  workflows: [parcel],
  telemetry: otel(),
});
await host.start();
console.log(`metrics: http://localhost:${port}/metrics   spans: ${spansFile}`);
const tracer = trace.getTracer("shop");
for (let second = 0, n = 0; second < seconds; second++) {
  for (let each = 0; each < 5; each++, n++)
    await tracer.startActiveSpan("request", async (span) => {
      await host.startWorkflow(parcel, { n });
      span.end();
    });
  await wait(1_000);
}
const text = await (await fetch(`http://localhost:${port}/metrics`)).text();
console.log(
  text
    .split("\n")
    .filter((line) => line.startsWith("wfe_") && !line.includes("_bucket"))
    .join("\n"),
);
await host.stop({ timeout: "2s" });
await tracerProvider.shutdown();
await meterProvider.shutdown();
