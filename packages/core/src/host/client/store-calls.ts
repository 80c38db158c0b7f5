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

/** Those that are sent for the first time, and those that are sent again: what keeps one of these waiting keeps nobody else. */
interface Calls<Item, Result> {
  readonly first: Batcher<Item, Result>;
  readonly again: Batcher<Item, Result>;
}

/**
 * The calls of a store that callers make one at a time and that travel together. What failed with an unknown outcome, or because
 * the store is busy, is repeated as it is: the ids in it were made before, so it takes effect once.
 */
export class StoreCalls {
  readonly #runtime: Runtime;
  readonly #creates: Calls<NewWorkflow, CreatedWorkflow>;
  readonly #events: Calls<NewEvent, PublishedEvent>;
  readonly #deliveries: Calls<NewDelivery, DeliverResult>;
  readonly #finds: Batcher<WorkflowKey, WorkflowRow | undefined>;

  constructor(runtime: Runtime, persistence: PersistenceProvider, limits: HostLimits) {
    const { clock } = runtime;
    this.#runtime = runtime;
    const calls = <Item, Result>(call: (items: readonly Item[]) => Promise<readonly Result[]>): Calls<Item, Result> => {
      const again = new Batcher(clock, limits.batch, call);
      return { first: new Batcher(clock, limits.batch, call, again), again };
    };
    this.#creates = calls((workflows) => persistence.create(workflows));
    this.#events = calls((events) => persistence.publish(events));
    this.#deliveries = calls((deliveries) => persistence.deliver(deliveries, limits.inboxDeliveries));
    this.#finds = new Batcher(clock, limits.batch, (keys) => findAll(persistence, keys));
  }

  create(workflow: NewWorkflow): Promise<CreatedWorkflow> {
    return this.#send(this.#creates, (creates) => creates.add(workflow));
  }

  /** All in one transaction. */
  createAll(workflows: readonly NewWorkflow[]): Promise<readonly CreatedWorkflow[]> {
    return this.#send(this.#creates, (creates) => creates.addAll(workflows));
  }

  publish(event: NewEvent): Promise<PublishedEvent> {
    return this.#send(this.#events, (events) => events.add(event));
  }

  /** All in one transaction. */
  publishAll(events: readonly NewEvent[]): Promise<readonly PublishedEvent[]> {
    return this.#send(this.#events, (batcher) => batcher.addAll(events));
  }

  deliver(delivery: NewDelivery): Promise<DeliverResult> {
    return this.#send(this.#deliveries, (deliveries) => deliveries.add(delivery));
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

  #send<Item, Result, Sent>(
    { first, again }: Calls<Item, Result>,
    call: (batcher: Batcher<Item, Result>) => Promise<Sent>,
  ): Promise<Sent> {
    let batcher = first;
    return this.persistently(() => {
      const sent = call(batcher);
      batcher = again;
      return sent;
    });
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
