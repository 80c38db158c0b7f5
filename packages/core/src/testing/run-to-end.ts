import { setTimeout } from "node:timers";
import type { EventType } from "../definition/event-type.ts";
import type { WorkflowDefinition } from "../definition/definition.ts";
import { type Duration, parseDuration } from "../duration.ts";
import type { WorkflowHostOptions } from "../host/client/host-options.ts";
import { WorkflowHost } from "../host/workflow-host.ts";
import { type Provider, WfeError } from "../providers/index.ts";
import { memory } from "./memory/memory.ts";
import { TestClock } from "./test-clock.ts";

/** Milliseconds of real time that a step may take without any change before time passes over it. */
const patienceMs = 200;

/** Timers after which a workflow is taken to go on for ever. */
const maxTimers = 100_000;

/** What upkeep of the host may still find, where nothing else is left to come. */
const upkeep: Duration = "1m";

/** What `runToEnd` may be told: the options of a host, and what the workflow is to meet. */
export interface RunToEndOptions extends Omit<WorkflowHostOptions, "providers" | "clock" | "runtime"> {
  /** Default: `[memory()]`. */
  readonly providers?: readonly Provider[];
  /** The clock that is advanced. Default: one of its own. */
  readonly clock?: TestClock;
  /** The workflow's id. Default: a random one. */
  readonly id?: string;
  /** Events that are published, in this order, as soon as the workflow has started. */
  readonly events?: readonly RunToEndEvent[];
}

export interface RunToEndEvent {
  readonly event: EventType | string;
  readonly key: string;
  readonly payload?: unknown;
  /** When it happens, counted from the workflow's start. Default: at once. */
  readonly after?: Duration;
}

/**
 * Runs one workflow from its start to its end and gives its final data, in no time: whenever nothing is left to do, the clock
 * advances to the next timer.
 *
 * ```ts
 * const data = await runToEnd(order, { orderId: "o-1" }, { events: [{ event: approved, key: "o-1", payload: { by: "ann" } }] });
 * ```
 *
 * The definition is registered by itself; children's are given as `workflows`. Rejects with `WorkflowFailedError` or
 * `WorkflowTerminatedError` as `handle.result()` does, and with a `WfeError` of code `NEVER_ENDS`, which says what the workflow
 * waits for, where nothing can come that would let it go on.
 */
export async function runToEnd<Data, Result>(
  definition: WorkflowDefinition<Data, Result>,
  data: NoInfer<Data>,
  options: RunToEndOptions = {},
): Promise<Result> {
  const {
    providers = [memory()],
    clock = new TestClock(undefined, { patienceMs }),
    id,
    events = [],
    ...rest
  } = options;
  const workflows = [definition, ...(rest.workflows ?? []).filter((other) => other !== definition)];
  const host = new WorkflowHost({ ...rest, providers, workflows, clock });
  try {
    await host.start();
    const handle = await host.startWorkflow(definition, data, id === undefined ? {} : { id });
    await host.publishEvents(events.map((event) => publishItem(event, clock.now())));
    return await drive(clock, handle.result(), (why) => neverEnds(host, handle.id, why));
  } finally {
    await drive(clock, host.stop({ timeout: 0 }), (why) =>
      Promise.resolve(new Error(`the host does not stop: ${why}`)),
    );
  }
}

function publishItem(
  { event, key, payload, after }: RunToEndEvent,
  now: number,
): { event: EventType | string; key: string; payload: unknown; options: { effectiveAt?: number } } {
  const options = after === undefined ? {} : { effectiveAt: now + parseDuration(after, "after") };
  return { event, key, payload, options };
}

/** Advances the clock until the work has ended. Rejects with `stuck` where no timer is left that could bring that about. */
async function drive<T>(clock: TestClock, work: Promise<T>, stuck: (why: string) => Promise<Error>): Promise<T> {
  let ended = false;
  const end = (): void => {
    ended = true;
  };
  work.then(end, end);
  for (let timers = 0, suspicious = false; ;) {
    await clock.settle();
    if (ended) return work;
    if (await clock.advanceToNextTimer()) {
      timers += 1;
      suspicious = false;
      if (timers > maxTimers) throw await stuck(`after ${maxTimers} timers it still goes on`);
    } else if (clock.runningBodies > 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    } else if (!suspicious) {
      suspicious = true;
      await clock.advance(upkeep);
    } else throw await stuck("no timer is left");
  }
}

/** Says of every workflow that has not ended what it waits for: it may be a child that holds up its parent. */
async function neverEnds(host: WorkflowHost, id: string, why: string): Promise<Error> {
  const { items } = await host.listWorkflows({ status: ["runnable", "waiting", "suspended"], limit: 20 });
  const waits = items.map(({ id: each, status, waitingFor, error }) => {
    const events = waitingFor.map(({ event, key }) => `event \`${event}\` with key ${JSON.stringify(key)}`);
    const what = events.length > 0 ? `waits for ${events.join(" and ")}` : `is ${status}`;
    return `\n  - \`${each}\` ${what}${error === undefined ? "" : `: ${error.message}`}`;
  });
  return new WfeError(
    "NEVER_ENDS",
    `workflow \`${id}\` does not end: ${why}, and${waits.join("")}\nGive the events it needs as \`events\`, or test it with a host and a \`TestClock\``,
    { workflowId: id },
  );
}
