import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { EventType } from "../../definition/event-type.ts";
import type { Delivery } from "../../engine/index.ts";
import { InvalidOptionError } from "../../errors.ts";
import type { LifecycleEventType } from "../../providers/lifecycle-publisher.ts";
import type { LifecycleListener } from "../lifecycle-hub.ts";
import type { TransactionOptions } from "./batches.ts";
import { checkBulkOptions, deliverAll, type BulkOptions, type BulkResult } from "./bulk.ts";
import { checkDefinitions, type CheckOptions, type CheckResult } from "./check.ts";
import type { ClientShared } from "./client-shared.ts";
import {
  deliver,
  migrateDelivery,
  retryDelivery,
  setDataDelivery,
  setItemDelivery,
  skipDelivery,
  suspendDelivery,
  terminateDelivery,
  type Accepted,
  type MigrateOptions,
  type RetryOptions,
  type SkipOptions,
  type SuspendOptions,
  type TerminateOptions,
} from "./control.ts";
import { EventStream, type LifecycleEvents } from "./event-stream.ts";
import { explain, type Explanation } from "./explain.ts";
import { fork, type ForkOptions } from "./fork.ts";
import { health, type HostHealth } from "./health.ts";
import { readHistory, type HistoryItem } from "./history.ts";
import type { SearchFacet } from "../../providers/search-index.ts";
import type { SearchQuery } from "../../search/query.ts";
import { lifecycleEventTypes } from "./lifecycle-types.ts";
import { countWorkflows, listWorkflows, type ListFilter, type ListOptions } from "./list.ts";
import { readLogs, type LogLine } from "./logs.ts";
import { checkName, describeValue } from "./names.ts";
import { publish, publishAll, type PublishItem, type PublishOptions, type Published } from "./publish.ts";
import { readStateAt, readWorkflow } from "./read-workflow.ts";
import { countSearch, reindex, searchWorkflows, type SearchCount, type SearchOptions } from "./search.ts";
import { exportLines, importFile, type ImportOptions } from "./transfer.ts";
import { start, startAll, type StartItem, type StartOptions } from "./start.ts";
import { workflowHandle, type WorkflowHandle } from "./workflow-handle.ts";
import type { Page, PageOptions, PastState, WorkflowData, WorkflowDetails, WorkflowSummary } from "./workflow-views.ts";

/** What a workflow of this definition is started with. */
type DataOf<Definition> = Definition extends WorkflowDefinition<infer Data, any> ? Data : unknown;
/** The handle of a workflow of this definition. */
type HandleOf<Definition> = WorkflowHandle<
  Definition extends WorkflowDefinition<any, infer Result> ? Result : WorkflowData
>;
/** What an event of this type carries. */
type PayloadOf<Event> = Event extends EventType<infer Payload> ? Payload : unknown;

/**
 * Everything a caller does with workflows, for one namespace and under one name: a `WorkflowHost` is one, and `in` and `as` give
 * others of the same host. All of it works on a host that was not started, which then runs nothing.
 */
export class WorkflowClient {
  /** The tenant that all calls are for. */
  readonly namespace: string;
  readonly #actor: string | undefined;
  readonly #shared: ClientShared;

  constructor(shared: ClientShared, namespace: string, actor: string | undefined) {
    this.#shared = shared;
    this.namespace = namespace;
    this.#actor = actor;
  }

  /** The same host for another namespace. */
  in(namespace: string): WorkflowClient {
    return new WorkflowClient(this.#shared, checkName("a namespace", namespace), this.#actor);
  }

  /** The same host in somebody's name: it stands in the history of every workflow that this one controls or repairs. */
  as(actor: string): WorkflowClient {
    return new WorkflowClient(this.#shared, this.namespace, checkName("an actor", actor));
  }

  /** Starts a workflow by the id of its definition, which must be registered. Otherwise as with the definition itself. */
  startWorkflow<Result = WorkflowData>(
    definitionId: string,
    data?: unknown,
    options?: StartOptions,
  ): Promise<WorkflowHandle<Result>>;
  /** Starts a workflow that needs no data. */
  startWorkflow<Result>(definition: WorkflowDefinition<{}, Result>): Promise<WorkflowHandle<Result>>;
  /**
   * Starts a workflow. Resolves when it is stored, and so will run whatever happens.
   *
   * Where the namespace has a workflow of the same id already, that one is given, with `created: false`. On a host that was
   * not started the definition need not be registered.
   *
   * Rejects with `WorkflowIdConflictError` (the id belongs to a workflow of another definition), `ValidationError` (the data
   * does not fit the definition's schema), `InvalidValueError` (it cannot be stored), `DefinitionNotFoundError`,
   * `DefinitionConflictError`, `InvalidOptionError`, or a `StoreError` when the store was out of reach for ten seconds: then it
   * may have been started, and starting again with the same `id` is harmless.
   */
  startWorkflow<Data, Result>(
    definition: WorkflowDefinition<Data, Result>,
    data: NoInfer<Data>,
    options?: StartOptions,
  ): Promise<WorkflowHandle<Result>>;
  startWorkflow(
    definition: WorkflowDefinition | string,
    data?: unknown,
    options: StartOptions = {},
  ): Promise<WorkflowHandle<any>> {
    return this.#shared.call(async (late) => {
      const startedAt = this.#shared.core.runtime.clock.monotonic();
      const { id, created, run } = await start(this.#shared, this.namespace, definition, data, options, late);
      return workflowHandle(this.#shared, this.namespace, id, created, startedAt, run);
    });
  }

  /**
   * Starts at most 500 workflows in one transaction; the handles come in the order of the items. With an item that is not valid,
   * or whose id is seen to belong to another definition, nothing is started.
   */
  startWorkflows<const Definitions extends readonly (WorkflowDefinition | string)[]>(
    items: {
      readonly [Index in keyof Definitions]: StartItem<Definitions[Index], NoInfer<DataOf<Definitions[Index]>>>;
    },
    options?: TransactionOptions,
  ): Promise<{ -readonly [Index in keyof Definitions]: HandleOf<Definitions[Index]> }>;
  startWorkflows(items: readonly StartItem[], options: TransactionOptions = {}): Promise<any> {
    return this.#shared.call(async (late) => {
      const startedAt = this.#shared.core.runtime.clock.monotonic();
      const started = await startAll(this.#shared, this.namespace, items, options, late);
      return started.map(({ id, created, run }) =>
        workflowHandle(this.#shared, this.namespace, id, created, startedAt, run),
      );
    });
  }

  /** Publishes an event by its name. Otherwise as with a typed event, but for the check of its payload. */
  publishEvent(name: string, key: string, payload?: unknown, options?: PublishOptions): Promise<Published>;
  /** Publishes an event that carries nothing. */
  publishEvent(event: EventType<undefined>, key: string): Promise<Published>;
  /**
   * Publishes an event. Resolves when it is stored: who waits for it will get it, and whoever begins to wait later and counts
   * it. An event for which nobody waits is fine.
   *
   * Rejects with `ValidationError` (the payload does not fit the event's schema), `InvalidValueError`, `InvalidOptionError`, or a
   * `StoreError`: publishing again with the same `id` is harmless.
   */
  publishEvent<Payload>(
    event: EventType<Payload>,
    key: string,
    payload: NoInfer<Payload>,
    options?: PublishOptions,
  ): Promise<Published>;
  publishEvent(
    event: EventType | string,
    key: string,
    payload?: unknown,
    options: PublishOptions = {},
  ): Promise<Published> {
    return this.#shared.call((late) => publish(this.#shared, this.namespace, event, key, payload, options, late));
  }

  /** Publishes at most 500 events in one transaction, in the order of the items. */
  publishEvents<const Events extends readonly (EventType | string)[]>(
    items: { readonly [Index in keyof Events]: PublishItem<Events[Index], NoInfer<PayloadOf<Events[Index]>>> },
    options?: TransactionOptions,
  ): Promise<readonly Published[]>;
  publishEvents(items: readonly PublishItem[], options: TransactionOptions = {}): Promise<readonly Published[]> {
    return this.#shared.call((late) => publishAll(this.#shared, this.namespace, items, options, late));
  }

  /** A handle of a workflow by its id. Nothing is read; with the definition its result is typed. */
  handle<Result = WorkflowData>(id: string): WorkflowHandle<Result>;
  handle<Result>(definition: WorkflowDefinition<any, Result>, id: string): WorkflowHandle<Result>;
  handle(first: WorkflowDefinition | string, second?: string): WorkflowHandle<any> {
    return workflowHandle(this.#shared, this.namespace, typeof first === "string" ? first : (second as string), false);
  }

  /** A workflow as it is now, exactly, also while a host has it in hand; undefined where there is none of this id. */
  getWorkflow(id: string): Promise<WorkflowDetails | undefined> {
    return this.#shared.call(() => readWorkflow(this.#shared, this.namespace, id));
  }

  /** A page of the workflows that match, newest first, as they were when a host last let go of them. */
  listWorkflows(options: ListOptions = {}): Promise<Page<WorkflowSummary>> {
    return this.#shared.call(() => listWorkflows(this.#shared, this.namespace, options));
  }

  /** How many workflows match. */
  countWorkflows(filter: ListFilter = {}): Promise<number> {
    return this.#shared.call(() => countWorkflows(this.#shared, this.namespace, filter));
  }

  /**
   * Finds workflows by words and filters: `"declined status:failed tag:vip"`, or the same as an object. All words have to occur, in
   * the id, the data, errors, step names, tags or what is waited for. Newest first.
   *
   * An index is a little behind (`health().search` tells how far); what it finds is given as the store has it now. Rejects with
   * `SearchUnavailableError` where no provider brings an index, or a `StoreError` where the index cannot be reached.
   */
  searchWorkflows(query: string | SearchOptions, page: PageOptions = {}): Promise<Page<WorkflowSummary>> {
    return this.#shared.call(() => searchWorkflows(this.#shared, this.namespace, query, page));
  }

  /** How many workflows a search finds, and how many of them have each definition, status, tag... Rejects as `searchWorkflows` does. */
  countSearch(query: string | SearchQuery, facets: readonly SearchFacet[] = []): Promise<SearchCount> {
    return this.#shared.call(() => countSearch(this.#shared, this.namespace, query, facets));
  }

  /**
   * Rebuilds the search index of this host from the store, for all namespaces: empties it, and notes that hosts that run are to fill
   * it again, beside their work. Resolves when that is noted; `health().search` tells when it is done. Also moves a store from one
   * index to another, such as to OpenSearch.
   */
  reindex(): Promise<void> {
    return this.#shared.call(() => reindex(this.#shared));
  }

  /** A page of what has happened to a workflow, oldest first. Rejects with `WorkflowNotFoundError`. */
  history(id: string, options: PageOptions = {}): Promise<Page<HistoryItem>> {
    return this.#shared.call(() => readHistory(this.#shared, this.namespace, id, options));
  }

  /**
   * A workflow in words: what happened, why it failed, what it waits for and until when, and what can be done about it; as text, and
   * as what the text is made of. Costs a reading of the history. Rejects with `WorkflowNotFoundError`.
   */
  explain(id: string): Promise<Explanation> {
    return this.#shared.call(() => explain(this.#shared, this.namespace, id));
  }

  /**
   * A workflow with its history as the text of a file, in JSON lines: to keep it, to look at it elsewhere, or to move it. Rejects with
   * `WorkflowNotFoundError`.
   */
  exportWorkflow(id: string): Promise<string> {
    return this.#shared.call(async () => {
      const lines: string[] = [];
      for await (const line of exportLines(this.#shared, { namespace: this.namespace, id })) lines.push(line);
      return lines.join("");
    });
  }

  /**
   * Stores the workflow of such a file, with its history. One that had not ended is suspended: resume it when the original is gone.
   *
   * Rejects with `WorkflowIdConflictError` where there is a workflow of its id, `CorruptedRecordError` or `NewerFormatError` where the
   * file cannot be used; then nothing is stored.
   */
  importWorkflow(file: string | Uint8Array, options: ImportOptions = {}): Promise<WorkflowHandle> {
    return this.#shared.call(async () => {
      const id = await importFile(this.#shared, this.namespace, file, options, this.#actor);
      return workflowHandle(this.#shared, this.namespace, id, true);
    });
  }

  /**
   * A page of what a workflow's steps wrote (`ctx.write`, `ctx.progress`, `ctx.log`), oldest first, also while they run: the newest
   * 1,000 lines are kept (`limits.logLines`). Where a line's `line` is not the one after that of the line before it of the same attempt,
   * those between are gone. What another host wrote is there a tenth of a second later.
   */
  logs(id: string, options: PageOptions = {}): Promise<Page<LogLine>> {
    return this.#shared.call(() => readLogs(this.#shared, this.namespace, id, options));
  }

  /** A workflow as it was after turn `seq` of its history. Costs a reading of the history up to there. */
  stateAt(id: string, seq: number): Promise<PastState> {
    return this.#shared.call(() => readStateAt(this.#shared, this.namespace, id, seq));
  }

  /**
   * Stops a workflow until `resumeWorkflow`. Steps that are running hear of it by `ctx.signal`, and run again afterwards.
   *
   * As all calls that follow, it resolves when it is stored, and nothing but the workflow's own answer is missing: `applied()`
   * waits for that. Rejects with `WorkflowNotFoundError`, or `LimitExceededError` where its inbox is full.
   */
  suspendWorkflow(id: string, options: SuspendOptions = {}): Promise<Accepted> {
    return this.#deliver(id, () => suspendDelivery(options));
  }

  /** Lets a suspended workflow go on; what had used up its retries gets new ones. */
  resumeWorkflow(id: string): Promise<Accepted> {
    return this.#deliver(id, () => ({ kind: "resume" }));
  }

  /** Ends a workflow, with `compensate` after undoing what it has done. Its children are terminated with it. */
  terminateWorkflow(id: string, options: TerminateOptions = {}): Promise<Accepted> {
    return this.#deliver(id, () => terminateDelivery(options));
  }

  /**
   * Lets a failed or suspended workflow try again: what failed runs again, under the same keys, and what had nothing to do with it
   * stays as it is. With `from`, `item` or `execution` it goes back to an earlier step, or retries one item alone.
   *
   * A child that failed is retried in the same way, and not started anew; and where a child is retried, its parent goes on when the
   * child completes. What was undone begins again at its earliest step, with new keys.
   */
  retryWorkflow(id: string, options: RetryOptions = {}): Promise<Accepted> {
    return this.#deliver(id, () => retryDelivery(options));
  }

  /** Gives a step an output by hand, in place of running it. */
  skipStep(id: string, stepId: string, output?: unknown, options: SkipOptions = {}): Promise<Accepted> {
    return this.#deliver(id, () => skipDelivery(this.#shared, stepId, output, options));
  }

  /** Sets keys of a workflow's data; the others stay. What is retried after it gets its input anew. */
  setData(id: string, patch: Readonly<Record<string, unknown>>): Promise<Accepted> {
    return this.#deliver(id, () => setDataDelivery(this.#shared, patch));
  }

  /**
   * Replaces an item of a `forEach`, whose collection is fixed on entry. `index` counts from 0; of nested ones a list, the innermost
   * last, which may be left out where one of them alone has failed at that number. Of a workflow that has failed it counts when that
   * is retried.
   */
  setItem(id: string, stepId: string, index: number | readonly number[], item: unknown): Promise<Accepted> {
    return this.#deliver(id, () => setItemDelivery(this.#shared, stepId, index, item));
  }

  /**
   * `retryWorkflow` for all workflows that match and have failed or are suspended. `preview` counts them, and does nothing.
   *
   * As the calls for many that follow, it resolves when all calls are stored. Rejects with `InvalidOptionError` where the filter is
   * empty, so that a forgotten one does not mean everything.
   */
  retryWorkflows(filter: ListFilter, options: RetryOptions & BulkOptions = {}): Promise<BulkResult> {
    const { preview, limit, ...own } = options;
    return this.#deliverAll(filter, { preview, limit }, () => retryDelivery(own));
  }

  /** `suspendWorkflow` for all that match and are under way. */
  suspendWorkflows(filter: ListFilter, options: SuspendOptions & BulkOptions = {}): Promise<BulkResult> {
    const { preview, limit, ...own } = options;
    return this.#deliverAll(filter, { preview, limit }, () => suspendDelivery(own));
  }

  /** `resumeWorkflow` for all that match and are suspended. */
  resumeWorkflows(filter: ListFilter, options: BulkOptions = {}): Promise<BulkResult> {
    return this.#deliverAll(filter, options, () => {
      checkBulkOptions(options);
      return { kind: "resume" };
    });
  }

  /** `terminateWorkflow` for all that match and have not ended. */
  terminateWorkflows(filter: ListFilter, options: TerminateOptions & BulkOptions = {}): Promise<BulkResult> {
    const { preview, limit, ...own } = options;
    return this.#deliverAll(filter, { preview, limit }, () => terminateDelivery(own));
  }

  /** `setData` for all that match, whatever their status. */
  setDataOf(
    filter: ListFilter,
    patch: Readonly<Record<string, unknown>>,
    options: BulkOptions = {},
  ): Promise<BulkResult> {
    return this.#deliverAll(filter, options, () => {
      checkBulkOptions(options);
      return setDataDelivery(this.#shared, patch);
    });
  }

  /** `migrateWorkflow` for all that match, whatever their status. */
  migrateWorkflows(
    filter: ListFilter,
    toVersion: number,
    options: MigrateOptions & BulkOptions = {},
  ): Promise<BulkResult> {
    const { preview, limit, ...own } = options;
    return this.#deliverAll(filter, { preview, limit }, () => migrateDelivery(toVersion, own));
  }

  /**
   * Which workflows that are under way could not go on with these definitions, before they are deployed. Neither registers them nor
   * changes anything.
   */
  check(definitions: readonly WorkflowDefinition[], options: CheckOptions = {}): Promise<CheckResult> {
    return this.#shared.call(() => checkDefinitions(this.#shared, this.namespace, definitions, options));
  }

  /**
   * Moves a workflow to another version of its definition. Refused where that one lacks a step at which the workflow stands, or the
   * compensation of one that it has done; `steps` says what steps are called there that have another id.
   */
  migrateWorkflow(id: string, toVersion: number, options: MigrateOptions = {}): Promise<Accepted> {
    return this.#deliver(id, () => migrateDelivery(toVersion, options));
  }

  /**
   * Starts a new workflow that goes on from a past point of another one, which is left alone. What was done before that point
   * belongs to the original: the fork does not undo it.
   *
   * Rejects with `RefusedError` where the workflow had ended at that point.
   */
  forkWorkflow(id: string, options: ForkOptions): Promise<WorkflowHandle> {
    return this.#shared.call(async () => {
      const forkId = await fork(this.#shared, { namespace: this.namespace, id }, options, this.#actor);
      return workflowHandle(this.#shared, this.namespace, forkId, true);
    });
  }

  /**
   * Lifecycle events of this namespace, from this host and from others, from now on. Best effort: a reader that is slow by
   * 10,000 events loses the oldest, and `dropped` counts them; `on` loses none. Breaking off the loop, or `return()`, ends it; so does the host's stop.
   */
  events(): LifecycleEvents {
    const unsubscribe = this.#subscribe((event) => stream.push(event));
    const forget = this.#shared.onStop(() => stream.end());
    const stream = new EventStream(() => {
      unsubscribe();
      forget();
    });
    return stream;
  }

  /**
   * Calls a function with each lifecycle event of this namespace and of one type, or of all with `"*"`. It is called while the
   * host works: it should be quick. What it throws is logged. Gives a function that ends it.
   */
  on(type: LifecycleEventType | "*", listener: LifecycleListener): () => void {
    if (type !== "*" && !lifecycleEventTypes.includes(type)) {
      throw new InvalidOptionError(
        `there is no lifecycle event ${describeValue(type)}: there is "*", ${lifecycleEventTypes.map((each) => `"${each}"`).join(", ")}`,
      );
    }
    if (typeof listener !== "function")
      throw new InvalidOptionError(`a listener must be a function, got ${describeValue(listener)}`);
    return this.#subscribe((event) => (type === "*" || event.type === type ? listener(event) : undefined));
  }

  /** How the host and its providers are. Never rejects: what is wrong stands in the answer. */
  health(): Promise<HostHealth> {
    return health(this.#shared);
  }

  #subscribe(listener: LifecycleListener): () => void {
    this.#shared.openInBackground();
    return this.#shared.core.hub.subscribe((event) =>
      event.namespace === this.namespace ? listener(event) : undefined,
    );
  }

  #deliverAll(
    filter: ListFilter,
    { preview, limit }: { readonly preview?: boolean | undefined; readonly limit?: number | undefined },
    unsigned: () => Delivery,
  ): Promise<BulkResult> {
    const options = { ...(preview === undefined ? {} : { preview }), ...(limit === undefined ? {} : { limit }) };
    return this.#shared.call(() => deliverAll(this.#shared, this.namespace, filter, options, this.#signed(unsigned())));
  }

  #signed(delivery: Delivery): Delivery {
    return this.#actor === undefined ? delivery : ({ ...delivery, actor: this.#actor } as Delivery);
  }

  #deliver(id: string, unsigned: () => Delivery): Promise<Accepted> {
    return this.#shared.call(() => deliver(this.#shared, { namespace: this.namespace, id }, this.#signed(unsigned())));
  }
}
