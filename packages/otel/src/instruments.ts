import { monitorEventLoopDelay } from "node:perf_hooks";
import {
  createNoopMeter,
  type BatchObservableResult,
  type Counter,
  type Histogram,
  type Meter,
  type ObservableGauge,
} from "@opentelemetry/api";
import type { TelemetryHost } from "@wfe/core";
import { metrics, type MetricInfo } from "./names.ts";
import { orElse, quietly } from "./quietly.ts";

export interface Instruments {
  readonly stepDuration: Histogram;
  readonly queueDelay: Histogram;
  readonly timerLag: Histogram;
  readonly commitDuration: Histogram;
  readonly lostAppends: Counter;
  readonly takeOvers: Counter;
  readonly close: () => void;
}

/** How often the event loop is looked at, in milliseconds. */
const resolutionMs = 20;

/** Makes the instruments of one host. What is counted in the store is asked for when it is collected, and not before. */
export function instruments(host: TelemetryHost, meter: Meter): Instruments {
  const none = createNoopMeter();
  const histogram = ({ name, unit, description }: MetricInfo): Histogram =>
    orElse(
      () => meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: [...boundaries] } }),
      none.createHistogram(name),
    );
  const counter = ({ name, unit, description }: MetricInfo): Counter =>
    orElse(() => meter.createCounter(name, { unit, description }), none.createCounter(name));
  const gauge = ({ name, unit, description }: MetricInfo): ObservableGauge =>
    orElse(() => meter.createObservableGauge(name, { unit, description }), none.createObservableGauge(name));

  const workflows = gauge(metrics.workflows);
  const inHand = gauge(metrics.inHand);
  const bodies = gauge(metrics.bodies);
  const lag = gauge(metrics.lag);
  const outboxDepth = gauge(metrics.outboxDepth);
  const loopBlock = gauge(metrics.loopBlock);
  const loop = monitorEventLoopDelay({ resolution: resolutionMs });
  loop.enable();

  const observe = async (result: BatchObservableResult): Promise<void> => {
    const stats = host.stats();
    result.observe(inHand, stats.inHand);
    result.observe(bodies, stats.bodies, { "wfe.state": "running" });
    result.observe(bodies, stats.bodiesLeftBehind, { "wfe.state": "left-behind" });
    result.observe(lag, stats.lagMs / 1000);
    result.observe(loopBlock, Math.max(0, loop.max / 1e9 - resolutionMs / 1000));
    loop.reset();
    // What cannot be counted now is left out: a gap in a graph says so.
    const counts = await host.countByStatus().catch(() => new Map<string, number>());
    for (const [status, count] of counts) result.observe(workflows, count, { "wfe.status": status });
    const depth = await host.outboxDepth().catch(() => undefined);
    if (depth !== undefined) result.observe(outboxDepth, depth);
  };
  const observed = [workflows, inHand, bodies, lag, outboxDepth, loopBlock];
  quietly(() => meter.addBatchObservableCallback(observe, observed));
  return {
    stepDuration: histogram(metrics.stepDuration),
    queueDelay: histogram(metrics.queueDelay),
    timerLag: histogram(metrics.timerLag),
    commitDuration: histogram(metrics.commitDuration),
    lostAppends: counter(metrics.lostAppends),
    takeOvers: counter(metrics.takeOvers),
    close: () => {
      loop.disable();
      meter.removeBatchObservableCallback(observe, observed);
    },
  };
}

/** In seconds, from half a millisecond to an hour. */
const boundaries: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600,
];
