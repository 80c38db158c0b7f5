import type {
  CreatedWorkflow,
  DeliverResult,
  DeliveryOutcome,
  NewDelivery,
  NewWorkflow,
  Run,
  Subscription,
} from "../../providers/index.ts";
import { finalStatuses } from "../../providers/index.ts";
import { DueIndex } from "./due-index.ts";
import { StoreHints } from "./hints.ts";
import { IndexedHeap } from "../indexed-heap.ts";
import { type Instance, newInstance } from "./instance.ts";
import { NamespaceRows } from "./namespace-rows.ts";
import { OutboxRows } from "./outbox.ts";
import { Streams } from "./streams.ts";

/** What a store holds, with the changes that keep its parts in step with one another. */
export class Store {
  readonly instances: Map<Run, Instance> = new Map();
  readonly namespaces: Map<string, NamespaceRows> = new Map();
  readonly due: DueIndex = new DueIndex();
  readonly hints: StoreHints = new StoreHints();
  readonly outbox: OutboxRows = new OutboxRows();
  readonly streams: Streams;
  /** The workflows of each lease that owns some. */
  readonly owned: Map<string, Set<Instance>> = new Map();
  lockProvider: string | undefined;

  readonly #now: () => number;
  /** Those that have ended and rest, the first to end first. */
  readonly #ended: IndexedHeap<Instance> = new IndexedHeap((a, b) => (a.completedAt ?? 0) < (b.completedAt ?? 0));
  #runs = 0;

  constructor(now: () => number, fanOut: number) {
    this.#now = now;
    this.streams = new Streams({ fanOut, wake: (run) => this.#wakeRun(run) });
  }

  now(): number {
    return this.#now();
  }

  rows(namespace: string): NamespaceRows {
    let rows = this.namespaces.get(namespace);
    if (rows === undefined) {
      rows = new NamespaceRows();
      this.namespaces.set(namespace, rows);
    }
    return rows;
  }

  create(workflow: NewWorkflow): CreatedWorkflow {
    const rows = this.rows(workflow.namespace);
    const found = rows.find(workflow.id);
    if (found !== undefined) return describe(found, found.uid === workflow.uid);

    this.#runs += 1;
    const instance = newInstance(this.#runs, workflow, this.now());
    this.instances.set(instance.run, instance);
    rows.add(instance);
    this.due.add(instance);
    this.hints.woken(instance.run);
    this.outbox.changed(instance.run, this.now());
    return describe(instance, true);
  }

  /** Changes what the due index, the owners or the ended depend on. */
  change(instance: Instance, change: (instance: Instance) => void): void {
    this.due.remove(instance);
    this.#ended.delete(instance);
    if (instance.owner !== null) this.#disown(instance, instance.owner);
    change(instance);
    if (instance.owner !== null) this.#own(instance, instance.owner);
    const rests = instance.owner === null && instance.dueAt === null;
    if (rests && finalStatuses.includes(instance.status) && instance.completedAt !== null) this.#ended.push(instance);
    this.due.add(instance);
  }

  /** Raises its signals and makes it due. */
  wake(instance: Instance): void {
    const now = this.now();
    this.change(instance, () => {
      instance.signals += 1;
      if (instance.dueAt === null || instance.dueAt > now) instance.dueAt = now;
    });
    this.hints.woken(instance.run);
  }

  deliver(delivery: NewDelivery, limit: number): DeliverResult {
    const instance = this.instances.get(delivery.to);
    if (instance === undefined) return { outcome: "no-such-workflow" };
    const inbox = instance.inbox;
    const stored = inbox.numbers.get(delivery.deliveryId);
    if (stored !== undefined) return { outcome: "accepted", number: stored };
    if (!delivery.exempt && inbox.limited >= limit) return { outcome: "inbox-full" };

    const { deliveryId, kind, bodyText, keepOutcome, exempt } = delivery;
    inbox.last += 1;
    inbox.numbers.set(deliveryId, inbox.last);
    const at = this.now();
    inbox.unread.set(inbox.last, { number: inbox.last, deliveryId, kind, bodyText, at, keepOutcome, exempt });
    if (!exempt) inbox.limited += 1;
    this.wake(instance);
    return { outcome: "accepted", number: inbox.last };
  }

  read(instance: Instance, read: DeliveryOutcome): void {
    const inbox = instance.inbox;
    const delivery = inbox.unread.get(read.number);
    if (delivery === undefined) return;
    inbox.unread.delete(read.number);
    if (!delivery.exempt) inbox.limited -= 1;
    if (!delivery.keepOutcome) return;
    inbox.outcomes.set(read.number, Object.freeze({ number: read.number, outcome: read.outcome, reason: read.reason }));
  }

  /** Whether the stream has gone beyond the cursor already. */
  subscribe(instance: Instance, namespace: string, subscription: Subscription): boolean {
    const { pointer, name, key, after } = subscription;
    const stream = this.streams.stream(namespace, name, key);
    instance.subscriptions.set(`${pointer}:${name.length}:${name}${key}`, { pointer, name, key, after, stream });
    let cursors = stream.subscribers.get(instance.run);
    if (cursors === undefined) {
      cursors = new Map();
      stream.subscribers.set(instance.run, cursors);
    }
    cursors.set(pointer, after);
    return stream.last > after;
  }

  /** Ends the subscriptions of these pointers. */
  unsubscribe(instance: Instance, pointers: readonly number[]): void {
    for (const [place, { pointer, stream }] of instance.subscriptions) {
      if (!pointers.includes(pointer)) continue;
      instance.subscriptions.delete(place);
      const cursors = stream.subscribers.get(instance.run);
      cursors?.delete(pointer);
      if (cursors?.size === 0) stream.subscribers.delete(instance.run);
    }
  }

  /** A retry of its parent goes on in it. */
  #isKeptForParent({ status, parent }: Instance): boolean {
    return status !== "completed" && parent !== null && this.instances.has(parent.run);
  }

  /** Deletes workflows that ended before, with all that is theirs; gives how many. */
  purge(before: number, limit: number): number {
    const gone: Instance[] = [];
    const kept: Instance[] = [];
    while (gone.length < limit) {
      const first = this.#ended.peek();
      if (first === undefined || (first.completedAt ?? 0) >= before) break;
      this.#ended.delete(first);
      if (this.#isKeptForParent(first)) kept.push(first);
      else gone.push(first);
    }
    for (const instance of kept) this.#ended.push(instance);
    for (const instance of gone) {
      this.due.remove(instance);
      if (instance.owner !== null) this.#disown(instance, instance.owner);
      this.unsubscribe(
        instance,
        [...instance.subscriptions.values()].map(({ pointer }) => pointer),
      );
      this.instances.delete(instance.run);
      this.outbox.changed(instance.run, this.now());
      this.rows(instance.namespace).delete(instance);
    }
    return gone.length;
  }

  #wakeRun(run: Run): void {
    const instance = this.instances.get(run);
    if (instance !== undefined) this.wake(instance);
  }

  #own(instance: Instance, owner: string): void {
    const owned = this.owned.get(owner);
    if (owned === undefined) this.owned.set(owner, new Set([instance]));
    else owned.add(instance);
  }

  #disown(instance: Instance, owner: string): void {
    const owned = this.owned.get(owner);
    owned?.delete(instance);
    if (owned?.size === 0) this.owned.delete(owner);
  }
}

function describe(instance: Instance, created: boolean): CreatedWorkflow {
  const { run, uid, definitionId, version } = instance;
  return { created, run, uid, definitionId, version };
}
