import type { StepLog } from "../definition/step-context.ts";
import type { LifecycleEvent, LifecyclePublisher } from "../providers/lifecycle-publisher.ts";
import type { DeliveryOutcome, Run } from "../providers/records.ts";
import type { EndedWorkflow, LifecycleHub } from "./core/host-core.ts";

/** Called with one event. What it returns is not waited for; what it throws is logged. */
export type LifecycleListener = (event: LifecycleEvent) => unknown;

/**
 * Where a host's runner tells what happens and its callers listen, joined with what other hosts tell by the lifecycle
 * provider.
 *
 * Events of this host reach its listeners at once, in the call that tells them, and are passed to the provider soon after.
 * The provider is listened to only while somebody listens here: its `hasListeners` decides whether other hosts make events.
 */
export class HostLifecycle implements LifecycleHub {
  readonly #host: string;
  readonly #now: () => number;
  readonly #log: StepLog;
  #publisher: LifecyclePublisher | undefined;
  #endFanIn: (() => void) | undefined;
  /** Replaced when it changes, so that a listener may subscribe and unsubscribe while events are handed out. */
  #listeners: readonly LifecycleListener[] = [];
  #toPublish: LifecycleEvent[] = [];
  readonly #endedListeners: Set<(workflow: EndedWorkflow) => void> = new Set();
  readonly #readListeners: Set<(run: Run, outcomes: readonly DeliveryOutcome[]) => void> = new Set();

  constructor(options: { readonly host: string; readonly now: () => number; readonly log: StepLog }) {
    this.#host = options.host;
    this.#now = options.now;
    this.#log = options.log;
  }

  get active(): boolean {
    return this.#listeners.length > 0 || this.#publisher?.hasListeners === true;
  }

  emit(event: Omit<LifecycleEvent, "at" | "host">): void {
    const told: LifecycleEvent = { ...event, at: this.#now(), host: this.#host };
    this.#tell(told);
    if (this.#publisher === undefined) return;
    this.#toPublish.push(told);
    if (this.#toPublish.length === 1) queueMicrotask(() => this.#publish());
  }

  ended(workflow: EndedWorkflow): void {
    for (const listener of this.#endedListeners) listener(workflow);
  }

  deliveriesRead(run: Run, outcomes: readonly DeliveryOutcome[]): void {
    for (const listener of this.#readListeners) listener(run, outcomes);
  }

  /** Calls the listener with every event, of every namespace. Gives a function that ends it. */
  subscribe(listener: LifecycleListener): () => void {
    // One of its own, so that a function that listens twice also ends twice.
    const own: LifecycleListener = (event) => listener(event);
    this.#listeners = [...this.#listeners, own];
    this.#fanIn();
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== own);
      this.#fanIn();
    };
  }

  /** Calls the listener when a workflow that this host ran has ended. */
  onEnded(listener: (workflow: EndedWorkflow) => void): () => void {
    this.#endedListeners.add(listener);
    return () => void this.#endedListeners.delete(listener);
  }

  /** Calls the listener when a workflow that this host ran has read deliveries. */
  onDeliveriesRead(listener: (run: Run, outcomes: readonly DeliveryOutcome[]) => void): () => void {
    this.#readListeners.add(listener);
    return () => void this.#readListeners.delete(listener);
  }

  /** From now on events go to other hosts and come from them. */
  connect(publisher: LifecyclePublisher | undefined): void {
    this.#publisher = publisher;
    this.#fanIn();
  }

  /** Hands over what is still to be told, and leaves the provider. */
  disconnect(): void {
    this.#publish();
    this.#publisher = undefined;
    this.#fanIn();
  }

  #fanIn(): void {
    const wanted = this.#publisher !== undefined && this.#listeners.length > 0;
    if (!wanted) {
      this.#endFanIn?.();
      this.#endFanIn = undefined;
    } else if (this.#endFanIn === undefined) {
      this.#endFanIn = this.#publisher?.subscribe((events) => {
        for (const event of events) {
          // Our own come back from the provider, and were told already.
          if (event.host !== this.#host) this.#tell(event);
        }
      });
    }
  }

  #publish(): void {
    const events = this.#toPublish;
    this.#toPublish = [];
    if (events.length > 0) this.#publisher?.publish(events);
  }

  #tell(event: LifecycleEvent): void {
    for (const listener of this.#listeners) {
      try {
        const returned = listener(event);
        if (returned instanceof Promise) returned.catch((error: unknown) => this.#complain(event, error));
      } catch (error) {
        this.#complain(event, error);
      }
    }
  }

  #complain(event: LifecycleEvent, error: unknown): void {
    this.#log.error(`a listener of \`${event.type}\` threw: the workflow is not affected`, {
      error,
      workflowId: event.workflowId,
    });
  }
}
