import { createHash } from "node:crypto";
import { join } from "node:path";
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { TracerProvider, BatchSpanProcessor, InMemorySpanExporter } from "@opentelemetry/sdk-trace";
import { workflow, WorkflowHost, type Telemetry, type WorkflowDefinition } from "@wfe/core";
import { otel } from "@wfe/otel";
import { sqlite } from "@wfe/sqlite";
import { inFolder, median, row } from "./measure.ts";
import { noOps } from "./steps.ts";

const workflows = 500;
const stepsEach = 20;
const rounds = 11;
const warmUps = 4;

/** What spans and metrics cost: CPU time of the same workflows with and without them, in rounds that take turns. */
export async function telemetry(): Promise<void> {
  console.log("steps that do nothing:");
  await compare(noOps(stepsEach));
  console.log("steps that hash 64 KiB:");
  await compare(hashing(stepsEach));
}

async function compare(definition: WorkflowDefinition<object, object>): Promise<void> {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const exporter = new InMemorySpanExporter();
  const processor = new BatchSpanProcessor({ exporter, maxQueueSize: 1_000_000, maxExportBatchSize: 5_000 });
  const tracerProvider = new TracerProvider({ spanProcessors: [processor] });
  const reader = new PeriodicExportingMetricReader({
    exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
    exportIntervalMillis: 60_000,
  });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const modes = {
    off: undefined,
    "no SDK": otel(),
    "an in-memory span exporter": otel({ tracerProvider }),
    "spans and metrics in memory": otel({ tracerProvider, meterProvider }),
  } satisfies Record<string, Telemetry | undefined>;
  const costs = Object.keys(modes).map((): number[] => []);
  let spans = 0;
  for (let round = -warmUps; round < rounds; round++) {
    for (const [place, mode] of Object.values(modes).entries()) {
      const cpu = await inFolder((folder) => run(join(folder, "wfe.db"), definition, mode));
      await processor.forceFlush();
      spans = Math.max(spans, exporter.getFinishedSpans().length);
      exporter.reset();
      if (round >= 0) costs[place]?.push(cpu);
    }
  }
  await meterProvider.shutdown();
  await tracerProvider.shutdown();
  context.disable();
  const [off = []] = costs;
  for (const [place, name] of Object.keys(modes).entries()) {
    const ms = costs[place] ?? [];
    const shares = ms.map((each, round) => each / (off[round] ?? Number.NaN));
    row(`CPU time with ${name}`, `${median(ms).toFixed(0)} ms`, `${(100 * (median(shares) - 1)).toFixed(1)} %`);
  }
  row("spans of a run", String(spans));
}

const bytes = new Uint8Array(64 * 1024);

function hashing(count: number): WorkflowDefinition<object, object> {
  const hash = (): string => createHash("sha256").update(bytes).digest("hex");
  let builder = workflow().then(hash);
  for (let n = 1; n < count; n++) builder = builder.then(hash);
  return builder.build("hashing", 1);
}

async function run(
  file: string,
  definition: WorkflowDefinition<object, object>,
  mode: Telemetry | undefined,
): Promise<number> {
  const host = new WorkflowHost({
    providers: [sqlite(file)],
    workflows: [definition],
    concurrency: workflows,
    ...(mode === undefined ? {} : { telemetry: mode }),
  });
  await host.start();
  const before = process.cpuUsage();
  const handles = await host.startWorkflows(
    Array.from({ length: workflows }, (_, n) => ({ definition, data: {}, options: { id: `w-${n}` } })),
  );
  await Promise.all(handles.map((handle) => handle.result()));
  const { user, system } = process.cpuUsage(before);
  await host.stop();
  return (user + system) / 1000;
}
