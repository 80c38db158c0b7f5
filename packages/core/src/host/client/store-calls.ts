import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import type {
  CreatedWorkflow,
  DeliverResult,
  NewDelivery,
  NewEvent,
  NewWorkflow,
  PublishedEvent,
  WorkflowRow,
} from "../../providers/records.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { persistently } from "../core/back-off.ts";
import { Batcher } from "../core/batcher.ts";
import type { HostLimits } from "../core/host-core.ts";
import type { WorkflowKey } from "./workflow-end.ts";

/** How long a call goes on trying while the store is busy or out of reach, before its caller hears of it. */
const patienceMs = 10_000;

/**
 * The calls of a store that callers make one at a time and that travel together. What failed with an unknown outcome, or because
 * the store is busy, is repeated as it is: the ids in it were made before, so it takes effect once.
 */
export class StoreCalls {
  readonly #runtime: Runtime;
  readonly #creates: Batcher<NewWorkflow, CreatedWorkflow>;
  readonly #events: Batcher<NewEvent, PublishedEvent>;
  readonly #deliveries: Batcher<NewDelivery, DeliverResult>;
  readonly #finds: Batcher<WorkflowKey, WorkflowRow | undefined>;

  constructor(runtime: Runtime, persistence: PersistenceProvider, limits: HostLimits) {
    const { clock } = runtime;
    this.#runtime = runtime;
    this.#creates = new Batcher(clock, limits.batch, (workflows) => persistence.create(workflows));
    this.#events = new Batcher(clock, limits.batch, (events) => persistence.publish(events));
    this.#deliveries = new Batcher(clock, limits.batch, (deliveries) =>
      persistence.deliver(deliveries, limits.inboxDeliveries),
    );
    this.#finds = new Batcher(clock, limits.batch, (keys) => findAll(persistence, keys));
  }

  create(workflow: NewWorkflow): Promise<CreatedWorkflow> {
    return this.persistently(() => this.#creates.add(workflow));
  }

  /** All in one transaction. */
  createAll(workflows: readonly NewWorkflow[]): Promise<readonly CreatedWorkflow[]> {
    return this.persistently(() => this.#creates.addAll(workflows));
  }

  publish(event: NewEvent): Promise<PublishedEvent> {
    return this.persistently(() => this.#events.add(event));
  }

  /** All in one transaction. */
  publishAll(events: readonly NewEvent[]): Promise<readonly PublishedEvent[]> {
    return this.persistently(() => this.#events.addAll(events));
  }

  deliver(delivery: NewDelivery): Promise<DeliverResult> {
    return this.persistently(() => this.#deliveries.add(delivery));
  }

  find(key: WorkflowKey): Promise<WorkflowRow | undefined> {
    return this.persistently(() => this.#finds.add(key));
  }

  /** Any other call that may be repeated. */
  persistently<Result>(call: () => Promise<Result>): Promise<Result> {
    const { clock } = this.#runtime;
    const until = clock.monotonic() + patienceMs;
    return persistently(this.#runtime, call, () => clock.monotonic() < until);
  }
}

/** Rows of any namespaces, one call for each. */
export async function findAll(
  persistence: PersistenceProvider,
  keys: readonly WorkflowKey[],
): Promise<readonly (WorkflowRow | undefined)[]> {
  const found = new Map<WorkflowKey, WorkflowRow | undefined>();
  for (const [namespace, ofNamespace] of Map.groupBy(keys, (key) => key.namespace)) {
    const rows = await persistence.find(
      namespace,
      ofNamespace.map(({ id }) => id),
    );
    for (const [index, key] of ofNamespace.entries()) found.set(key, rows[index]);
  }
  return keys.map((key) => found.get(key));
}
