import { finalStatuses, type Run, type WorkflowRow } from "../../providers/records.ts";
import type { LifecycleEvent, LifecycleEventType } from "../../providers/lifecycle-publisher.ts";
import { reviveError } from "../../engine/index.ts";
import { WorkflowNotFoundError, type WfeError } from "../../errors.ts";
import { decodeRowError } from "../core/row-record.ts";
import type { ClientShared } from "./client-shared.ts";
import { EventStream, type LifecycleEvents } from "./event-stream.ts";
import { readHistory, type HistoryItem } from "./history.ts";
import { checkId } from "./names.ts";
import { readWorkflow } from "./read-workflow.ts";
import type { WaitOptions } from "./wait-bounds.ts";
import { resultOf } from "./workflow-end.ts";
import type { Page, PageOptions, WorkflowData, WorkflowDetails } from "./workflow-views.ts";

/** One workflow, to look at and to wait for. It holds nothing: make as many as you like. */
export interface WorkflowHandle<Result = WorkflowData> {
  readonly id: string;
  readonly namespace: string;
  /** Whether the call that gave this handle has created the workflow; `false` where it was there already. */
  readonly created: boolean;

  /** The workflow as it is now; undefined where there is none of this id. */
  get(): Promise<WorkflowDetails<Partial<Result>> | undefined>;

  /**
   * The final data, once the workflow has completed. Frozen: copy it to change it.
   *
   * Pending while it runs, waits or is suspended; a workflow that ended before is answered at once. Rejects with
   * `WorkflowFailedError`, whose `cause` is the step's error, `WorkflowTerminatedError`, `WorkflowNotFoundError`,
   * `ResultTimeoutError` after `timeout` (the workflow goes on), the reason of `signal`, or `HostStoppedError` when this host
   * stops meanwhile. Thousands may be waited for at the same time.
   */
  result(options?: WaitOptions): Promise<Result>;

  /** What has happened, oldest first, as `host.history` gives it. */
  history(options?: PageOptions): Promise<Page<HistoryItem>>;

  /**
   * Lifecycle events of this workflow from now on, up to the one that ends it, which always comes; the others are best effort.
   * Of a workflow that has ended it is the only one. A reader that is slow by 10,000 events loses the oldest, and `dropped` counts
   * them. Breaking off the loop ends it.
   */
  events(): LifecycleEvents;
}

/** How long the events that other hosts still have on their way may take, once the store says that the workflow has ended. */
const lateEventsMs = 250;

/** `startedAt`: the monotonic time at which its start was begun, which gave `run`; it counts where the start has created it. */
export function workflowHandle(
  shared: ClientShared,
  namespace: string,
  id: string,
  created: boolean,
  startedAt: number = Number.NEGATIVE_INFINITY,
  run?: Run,
): WorkflowHandle<any> {
  return new Handle(shared, namespace, checkId(id), created, startedAt, run);
}

class Handle implements WorkflowHandle<any> {
  readonly id: string;
  readonly namespace: string;
  readonly created: boolean;
  readonly #shared: ClientShared;
  readonly #startedAt: number;
  readonly #run: Run | undefined;

  constructor(
    shared: ClientShared,
    namespace: string,
    id: string,
    created: boolean,
    startedAt: number,
    run: Run | undefined,
  ) {
    this.#shared = shared;
    this.#run = run;
    this.#startedAt = created ? startedAt : Number.NEGATIVE_INFINITY;
    this.namespace = namespace;
    this.id = id;
    this.created = created;
  }

  get(): Promise<WorkflowDetails<any> | undefined> {
    return this.#shared.call(() => readWorkflow(this.#shared, this.namespace, this.id));
  }

  result(options: WaitOptions = {}): Promise<any> {
    return resultOf(this.#shared, this, options, this.#startedAt, this.#run);
  }

  history(options: PageOptions = {}): Promise<Page<HistoryItem>> {
    return this.#shared.call(() => readHistory(this.#shared, this.namespace, this.id, options));
  }

  events(): LifecycleEvents {
    const shared = this.#shared;
    const stopWaiting = new AbortController();
    const unsubscribe = shared.core.hub.subscribe((event) => {
      if (event.workflowId !== this.id || event.namespace !== this.namespace) return;
      stream.push(event);
      if (isFinalEvent(event)) stream.end();
    });
    const stream = new EventStream(() => {
      unsubscribe();
      stopWaiting.abort();
    });
    endInAnyCase(shared, this, stream, stopWaiting.signal).catch((error: unknown) => stream.end(error));
    return stream;
  }
}

/** Ends the stream also where the event that ends the workflow was never heard of: the store knows. */
async function endInAnyCase(
  shared: ClientShared,
  handle: WorkflowHandle,
  stream: EventStream,
  ended: AbortSignal,
): Promise<void> {
  await shared.open();
  const key = { namespace: handle.namespace, id: handle.id };
  const before = await shared.store.find(key);
  if (before === undefined) throw new WorkflowNotFoundError(handle.id, handle.namespace);
  if (finalStatuses.includes(before.status) && before.owner === null && before.dueAt === null) {
    stream.push(finalEvent(shared, before));
    return stream.end();
  }

  const waiting = shared.ends.wait(key);
  const stop = (): void => waiting.cancel(ended.reason);
  ended.addEventListener("abort", stop, { once: true });
  if (ended.aborted) stop();
  await waiting.promise;
  const row = await shared.store.find(key);
  shared.core.runtime.clock.setTimer(lateEventsMs, () => {
    // Nothing happens where the event itself has come.
    if (row !== undefined) stream.push(finalEvent(shared, row));
    stream.end();
  });
}

function isFinalEvent({ type }: LifecycleEvent): boolean {
  return finalStatuses.some((status) => type === `workflow.${status}`);
}

/** The event that a row tells of. */
function finalEvent(shared: ClientShared, row: WorkflowRow): LifecycleEvent {
  const error =
    row.errorText === null ? undefined : (reviveError(decodeRowError(row.errorText)) as Partial<WfeError> & Error);
  return {
    type: `workflow.${row.status}` as LifecycleEventType,
    at: row.completedAt ?? row.updatedAt,
    host: shared.core.hostName,
    namespace: row.namespace,
    workflowId: row.id,
    definitionId: row.definitionId,
    version: row.version,
    ...(error === undefined
      ? {}
      : {
          error: {
            name: error.name,
            message: error.message,
            ...(error.code === undefined ? {} : { code: error.code }),
          },
        }),
  };
}
