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
import { inFolder, median, row, timed } from "./measure.ts";
import { noOps } from "./steps.ts";

const workflows = 1_000;
const stepsEach = 10;
const rounds = 9;
const warmUps = 4;

/** What spans and metrics take away of the throughput: the same workflows with and without them, durably, in rounds that take turns. */
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
    "the same without spans of turns": otel({ tracerProvider, turns: false }),
    "spans and metrics in memory": otel({ tracerProvider, meterProvider }),
  } satisfies Record<string, Telemetry | undefined>;
  const tracer = tracerProvider.getTracer("bare");
  const costs = Object.keys(modes).map((): Cost[] => []);
  const bare: number[] = [];
  let spans = 0;
  for (let round = -warmUps; round < rounds; round++) {
    for (const [place, mode] of Object.values(modes).entries()) {
      const cost = await inFolder((folder) => run(join(folder, "wfe.db"), definition, mode));
      await processor.forceFlush();
      spans = Math.max(spans, exporter.getFinishedSpans().length);
      exporter.reset();
      if (round >= 0) costs[place]?.push(cost);
    }
    const before = process.threadCpuUsage();
    for (let n = 0; n < spans; n++) tracer.startSpan("bare").end();
    await processor.forceFlush();
    exporter.reset();
    if (round >= 0) bare.push(processorMs(before));
  }
  await meterProvider.shutdown();
  await tracerProvider.shutdown();
  context.disable();
  const [off = []] = costs;
  row("", "steps/s", "less, of time", "of processor");
  for (const [place, name] of Object.keys(modes).entries()) {
    const all = costs[place] ?? [];
    const less = (part: keyof Cost): string => {
      const shares = all.map((cost, round) => (off[round]?.[part] ?? Number.NaN) / cost[part]);
      return `${(100 * (1 - median(shares))).toFixed(1)} %`;
    };
    const perSecond = (workflows * stepsEach * 1_000) / median(all.map(({ ms }) => ms));
    row(name, perSecond.toFixed(0), less("ms"), less("processorMs"));
  }
  const ofEngine = median(bare.map((ms, round) => ms / (ms + (off[round]?.processorMs ?? Number.NaN))));
  row("what the SDK takes for as many empty spans", "", "", `${(100 * ofEngine).toFixed(1)} %`, `${spans} spans`);
}

/** What a run took. */
interface Cost {
  readonly ms: number;
  /** Of the thread that the engine is in: other work on the machine changes it little. */
  readonly processorMs: number;
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
): Promise<Cost> {
  const host = new WorkflowHost({
    providers: [sqlite(file)],
    workflows: [definition],
    concurrency: workflows,
    ...(mode === undefined ? {} : { telemetry: mode }),
  });
  await host.start();
  const before = process.threadCpuUsage();
  const ms = await timed(async () => {
    const starts = Array.from({ length: workflows }, (_, n) => ({ definition, data: {}, options: { id: `w-${n}` } }));
    const handles = (
      await Promise.all([host.startWorkflows(starts.slice(0, 500)), host.startWorkflows(starts.slice(500))])
    ).flat();
    await Promise.all(handles.map((handle) => handle.result()));
  });
  const cost = { ms, processorMs: processorMs(before) };
  await host.stop();
  return cost;
}

function processorMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}
