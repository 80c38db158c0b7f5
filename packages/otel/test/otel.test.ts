import { readFileSync } from "node:fs";
import { context, createContextKey, ROOT_CONTEXT, trace, type SpanContext } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BatchSpanProcessor,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
  type ReadableSpan,
  type SpanExporter,
} from "@opentelemetry/sdk-trace";
import { retry, workflow, WorkflowHost, type Telemetry, type WorkflowDefinition } from "@wfe/core";
import { memory } from "@wfe/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metrics, otel, spans } from "../src/index.ts";

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function tracing(exporter: SpanExporter = new InMemorySpanExporter()): TracerProvider {
  return new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
}

async function hosted<Result>(
  telemetry: Telemetry,
  workflows: readonly WorkflowDefinition[],
  work: (host: WorkflowHost) => Promise<Result>,
): Promise<Result> {
  const host = new WorkflowHost({ providers: [memory()], workflows, telemetry, log: silent });
  await host.start();
  try {
    return await work(host);
  } finally {
    await host.stop({ timeout: 0 });
  }
}

describe("spans", () => {
  it("are there for every attempt and every turn, each linked to the span in which the workflow was started", async () => {
    const exporter = new InMemorySpanExporter();
    const tracerProvider = tracing(exporter);
    const tracer = tracerProvider.getTracer("test");
    let fails = 1;
    let inside: SpanContext | undefined;
    const child = workflow()
      .then(() => 1)
      .id("in child")
      .build("child", 1);
    const definition = workflow()
      .then(() => {
        inside = trace.getSpanContext(context.active());
        if (fails-- > 0) throw new Error("once");
      })
      .id("shaky")
      .onError(retry({ interval: 1, maxRetries: 1 }))
      .runWorkflow("child", () => ({}))
      .build("w", 1);
    let starter: SpanContext | undefined;
    const turns = await hosted(otel({ tracerProvider }), [definition, child], async (host) => {
      const handle = await tracer.startActiveSpan("request", async (span) => {
        starter = span.spanContext();
        const started = await host.startWorkflow(definition, {}, { id: "o-1" });
        span.end();
        return started;
      });
      await handle.result();
      return ((await handle.get())?.seq ?? 0) + 1;
    });
    const all = exporter.getFinishedSpans();
    const steps = all.filter(({ name }) => name === spans.step.name);
    expect(
      steps.map(({ attributes }) => [attributes["wfe.step.id"], attributes["wfe.attempt"], attributes["wfe.outcome"]]),
    ).toEqual([
      ["shaky", undefined, "threw"],
      ["shaky", 2, undefined],
      ["in child", undefined, undefined],
    ]);
    expect(steps[0]?.events.map(({ name }) => name)).toEqual(["exception"]);
    const ofWorkflow = all.filter(
      ({ name, attributes }) => name === spans.turn.name && attributes["wfe.workflow.id"] === "o-1",
    );
    expect(ofWorkflow.map(({ attributes }) => attributes["wfe.seq"])).toEqual(
      Array.from({ length: turns }, (_, seq) => seq),
    );
    for (const span of [...steps, ...ofWorkflow]) {
      expect(span.links.map((link) => link.context.spanId)).toEqual([starter?.spanId]);
      expect(span.links[0]?.context.traceId).toBe(starter?.traceId);
      expect(span.spanContext().traceId).not.toBe(starter?.traceId);
      expect(span.ended).toBe(true);
    }
    // What a step does is part of its span.
    expect(steps.some((span) => span.spanContext().spanId === inside?.spanId)).toBe(true);
    expect(unknownAttributes(all)).toEqual([]);
  });

  it("are all there is of a context in a step: it does not get that of whoever woke its host", async () => {
    const key = createContextKey("user");
    let seen: unknown;
    const definition = workflow()
      .then(() => void (seen = context.active().getValue(key)))
      .build("w", 1);
    await hosted(otel({ tracerProvider: tracing() }), [definition], async (host) => {
      const asAnn = ROOT_CONTEXT.setValue(key, "ann");
      await (await context.with(asAnn, () => host.startWorkflow(definition, {}))).result();
    });
    expect(seen).toBeUndefined();
  });

  it("end where a step times out or is left behind, and none outlives its attempt", async () => {
    const exporter = new InMemorySpanExporter();
    const definition = workflow()
      .then(() => new Promise(() => {}))
      .timeout(20)
      .onError("ignore")
      .build("w", 1);
    await hosted(otel({ tracerProvider: tracing(exporter) }), [definition], async (host) => {
      await (await host.startWorkflow(definition, {})).result();
    });
    const steps = exporter.getFinishedSpans().filter(({ name }) => name === spans.step.name);
    expect(steps.map(({ attributes }) => attributes["wfe.outcome"])).toEqual(["timed-out"]);
  });

  it("of turns can be left away", async () => {
    const exporter = new InMemorySpanExporter();
    const definition = workflow()
      .then(() => 1)
      .build("w", 1);
    await hosted(otel({ tracerProvider: tracing(exporter), turns: false }), [definition], async (host) => {
      await (await host.startWorkflow(definition, {})).result();
    });
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual([spans.step.name]);
  });
});

describe("an exporter", () => {
  const definition = workflow()
    .then(() => 1)
    .as("one")
    .then(() => 2)
    .as("two")
    .build("w", 1);
  const never: SpanExporter = {
    export: () => {},
    shutdown: () => new Promise(() => {}),
    forceFlush: () => new Promise(() => {}),
  };
  const throwing: SpanExporter = {
    export: () => {
      throw new Error("exporter is broken");
    },
    shutdown: () => Promise.resolve(),
  };

  it("that hangs or throws changes nothing, also not at the end", async () => {
    const processors = [
      new BatchSpanProcessor({ exporter: never, maxQueueSize: 8, maxExportBatchSize: 4 }),
      new SimpleSpanProcessor({ exporter: never }),
      new SimpleSpanProcessor({ exporter: throwing }),
    ];
    for (const processor of processors) {
      const tracerProvider = new TracerProvider({ spanProcessors: [processor] });
      const results = await hosted(otel({ tracerProvider }), [definition], async (host) => {
        const handles = await Promise.all(Array.from({ length: 50 }, () => host.startWorkflow(definition, {})));
        return Promise.all(handles.map((handle) => handle.result()));
      });
      expect(results).toEqual(Array.from({ length: 50 }, () => ({ one: 1, two: 2 })));
    }
  });

  const boom = (): never => {
    throw new Error("the SDK is broken");
  };
  const brokenMeter = {
    createHistogram: boom,
    createCounter: boom,
    createObservableGauge: boom,
    addBatchObservableCallback: boom,
    removeBatchObservableCallback: boom,
  };
  it.each([
    ["`getTracer` throws", { tracerProvider: { getTracer: boom } }],
    ["`getTracer` gives nothing", { tracerProvider: { getTracer: () => undefined } }],
    ["`startSpan` gives nothing", { tracerProvider: { getTracer: () => ({ startSpan: () => undefined }) } }],
    ["`getMeter` throws", { meterProvider: { getMeter: boom } }],
    ["`getMeter` gives nothing", { meterProvider: { getMeter: () => undefined } }],
    ["instruments throw", { meterProvider: { getMeter: () => brokenMeter } }],
    ["instruments are none", { meterProvider: { getMeter: () => ({}) } }],
  ])("whose %s leaves a host that is made and runs", async (_, options) => {
    const definition = workflow()
      .then(() => 1)
      .as("one")
      .build("w", 1);
    await hosted(otel(options as any), [definition], async (host) => {
      const handle = await host.startWorkflow(definition, {});
      expect(await handle.result({ timeout: "10s" })).toMatchObject({ one: 1 });
    });
  });

  it("whose SDK throws everywhere changes nothing", async () => {
    const broken = {
      getTracer: () => ({
        startSpan: () => {
          throw new Error("no spans today");
        },
        startActiveSpan: () => undefined as never,
      }),
    };
    const result = await hosted(otel({ tracerProvider: broken as never }), [definition], async (host) =>
      (await host.startWorkflow(definition, {})).result(),
    );
    expect(result).toEqual({ one: 1, two: 2 });
  });
});

describe("names", () => {
  it("are those of the documentation, and those that are emitted", async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const meterProvider = new MeterProvider({ readers: [reader] });
    const spanExporter = new InMemorySpanExporter();
    const definition = workflow()
      .then(() => 1)
      .delay(1)
      .then(() => 2)
      .build("w", 1);
    const telemetry = otel({ tracerProvider: tracing(spanExporter), meterProvider });
    // What needs several hosts that fail is told by hand.
    const opened: ReturnType<Telemetry["open"]>[] = [];
    const spying: Telemetry = {
      open: (host) => {
        const open = telemetry.open({ ...host, outboxDepth: () => Promise.resolve(3) });
        opened.push(open);
        return open;
      },
    };
    await hosted(spying, [definition], async (host) => {
      await (await host.startWorkflow(definition, {})).result();
      opened[0]?.lost("hole");
      opened[0]?.takenOver();
      await reader.forceFlush();
    });
    const emitted = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
      .map(({ descriptor, dataPoints }) => ({
        name: descriptor.name,
        unit: descriptor.unit,
        attributes: [...new Set(dataPoints.flatMap(({ attributes }) => Object.keys(attributes)))],
      }));
    await meterProvider.shutdown();
    const named = Object.values(metrics).map(({ name, unit, attributes }) => ({
      name,
      unit,
      attributes: [...attributes],
    }));
    expect(emitted.toSorted(byName)).toEqual(named.toSorted(byName));
    expect(documented().metrics).toEqual(
      Object.values(metrics).map(({ name, kind, unit, attributes, description }) => ({
        name,
        kind,
        unit,
        attributes: [...attributes],
        description,
      })),
    );
    expect(documented().spans).toEqual(
      Object.values(spans).map(({ name, attributes, description }) => ({
        name,
        attributes: [...attributes],
        description,
      })),
    );
    expect(unknownAttributes(spanExporter.getFinishedSpans())).toEqual([]);
  });
});

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1;
}

function unknownAttributes(found: readonly ReadableSpan[]): readonly string[] {
  return found.flatMap(({ name, attributes }) => {
    const known: readonly string[] =
      Object.values(spans).find((one) => one.name === name)?.attributes ?? Object.keys(attributes);
    return Object.keys(attributes).filter((key) => !known.includes(key));
  });
}

/** The tables of the documentation. */
function documented(): { readonly metrics: readonly object[]; readonly spans: readonly object[] } {
  const text = readFileSync(new URL("../../../docs/telemetry.md", import.meta.url), "utf8");
  const rows = text
    .split("\n")
    .filter((line) => line.startsWith("| `wfe."))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const words = (cell = ""): string[] =>
    cell
      .split(" ")
      .filter((word) => word !== "")
      .map((word) => word.replaceAll("`", ""));
  return {
    metrics: rows
      .filter((row) => row.length === 5)
      .map(([name, kind, unit, attributes, description]) => ({
        name: words(name)[0],
        kind,
        unit: words(unit)[0],
        attributes: words(attributes),
        description,
      })),
    spans: rows
      .filter((row) => row.length === 3)
      .map(([name, attributes, description]) => ({ name: words(name)[0], attributes: words(attributes), description })),
  };
}
