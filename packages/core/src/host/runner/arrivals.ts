import { decode } from "../../codec/index.ts";
import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { Delivery, Input, StreamInput } from "../../engine/inputs.ts";
import type { WorkflowState } from "../../engine/state.ts";
import { awaitedStreams } from "../../engine/work.ts";
import type { StreamEvents } from "../../providers/persistence-provider.ts";
import type { Run, StoredDelivery } from "../../providers/records.ts";
import { goingBack, needsJournal, type Versions } from "./going-back.ts";
import type { StoreReads } from "./store-reads.ts";

/** Events of one stream that are read at once: a wait takes one, and what waits next on the line is read again. */
const eventsAtOnce = 16;

/** What has come for a workflow from outside. */
export interface Arrivals {
  /** The row's value before the rest was read. */
  readonly signals: number;
  readonly inputs: readonly Input[];
  /** Whether deliveries were left for the next time. */
  readonly more: boolean;
}

/** Reads inbox and streams, and what is needed to decide the deliveries. `now`: deadlines up to then will be decided; `versions`: of its definition. */
export async function readArrivals(
  reads: StoreReads,
  workflow: { readonly run: Run; readonly namespace: string },
  definition: WorkflowDefinition,
  state: WorkflowState,
  now: number,
  versions: Versions,
): Promise<Arrivals> {
  const awaited = awaitedStreams(state);
  const passed = lastDeadline(state, now);
  if (passed !== undefined) await reads.effectiveThrough(passed);
  const { signals, deliveries, events } = await reads.pull({
    ...workflow,
    streams: awaited.map(({ name, key, after, since }) => ({ name, key, after, since, limit: eventsAtOnce })),
  });
  const inputs: Input[] = [];
  let more = false;
  for (const delivery of deliveries) {
    if (delivery.number <= state.inboxRead) continue;
    const body = decode(delivery.bodyText) as Delivery;
    if (!needsJournal(body)) {
      inputs.push(deliveryInput(delivery, body));
      continue;
    }
    // Where it goes back to depends on the state, so it is decided alone.
    more = inputs.length > 0 || delivery !== deliveries.at(-1);
    if (inputs.length === 0)
      inputs.push({
        ...deliveryInput(delivery, body),
        ...(await goingBack(reads, workflow, definition, state, body, versions)),
      });
    break;
  }
  const byPointer = Map.groupBy(awaited.keys(), (index) => awaited[index]?.pointer ?? -1);
  for (const [pointer, indexes] of byPointer) {
    const streams = indexes.flatMap((index) => streamInput(awaited[index]?.label ?? "", events[index]));
    if (streams.length > 0) inputs.push({ kind: "events", pointer, streams });
  }
  return { signals, inputs, more };
}

/** The last deadline of a wait that has passed: an event that became effective before it comes first. */
function lastDeadline({ pointers, phase }: WorkflowState, now: number): number | undefined {
  let last: number | undefined;
  if (phase !== "active") return undefined;
  for (const { wait, status } of pointers.values()) {
    if (wait === null || wait.until === null || status !== "waiting" || wait.until > now) continue;
    last = Math.max(wait.until, last ?? wait.until);
  }
  return last;
}

function deliveryInput({ number }: StoredDelivery, delivery: Delivery): Extract<Input, { kind: "delivery" }> {
  return { kind: "delivery", number, delivery };
}

/** Nothing where nothing has come. */
function streamInput(label: string, read: StreamEvents | undefined): StreamInput[] {
  if (read === undefined || (read.events.length === 0 && read.expiredThrough === 0)) return [];
  const events = read.events.map(({ payloadText, ...event }) => ({ ...event, payload: decode(payloadText) }));
  return [{ label, events, expiredThrough: read.expiredThrough, expiredAt: read.expiredAt }];
}
