import type { DefinitionRef } from "../../providers/index.ts";
import { IndexedHeap } from "../indexed-heap.ts";
import type { Instance } from "./instance.ts";

/** What one point of priority is worth, in waiting. */
const pointMs = 60_000;

/**
 * The workflows without an owner that have a due time.
 *
 * Per definition: those still to come, by due time; and those that are due, per namespace, in the order in which they are
 * claimed. That order does not change as time passes, since all of them wait at the same speed. So a claim costs what it takes,
 * however many are parked.
 */
export class DueIndex {
  /** By definition, and in it by hash. */
  readonly #definitions: Map<string, Map<string, DefinitionQueue>> = new Map();

  /** Puts it where its fields say, or nowhere. Call `remove` before they change. */
  add(instance: Instance): void {
    if (instance.owner !== null || instance.dueAt === null) return;
    const key = keyOf({ id: instance.definitionId, version: instance.version });
    const queues = this.#definitions.get(key) ?? new Map<string, DefinitionQueue>();
    this.#definitions.set(key, queues);
    let queue = queues.get(instance.definitionHash);
    if (queue === undefined) {
      queue = { ripenedAt: 0, coming: new IndexedHeap(isDueBefore), due: new Map() };
      queues.set(instance.definitionHash, queue);
    }
    enter(queue.coming, instance);
  }

  remove(instance: Instance): void {
    instance.heap?.delete(instance);
    instance.heap = undefined;
  }

  /** Takes out up to `limit` that are due, in the order of claiming, each namespace its share. */
  take(definitions: readonly DefinitionRef[], now: number, limit: number): Instance[] {
    const namespaces = new Map<string, IndexedHeap<Instance>[]>();
    for (const queue of this.#queues(definitions)) {
      ripen(queue, now);
      for (const [namespace, heap] of queue.due) {
        if (heap.size === 0) queue.due.delete(namespace);
        else append(namespaces, namespace, heap);
      }
    }
    return share(namespaces, limit);
  }

  /** The same among these only. */
  takeAmong(candidates: Iterable<Instance>, limit: number): Instance[] {
    const namespaces = new Map<string, IndexedHeap<Instance>[]>();
    for (const candidate of candidates) {
      this.remove(candidate);
      const [heap] = namespaces.get(candidate.namespace) ?? [];
      if (heap !== undefined) enter(heap, candidate);
      else {
        const first = new IndexedHeap(isClaimedBefore);
        enter(first, candidate);
        namespaces.set(candidate.namespace, [first]);
      }
    }
    const taken = share(namespaces, limit);
    for (const heap of [...namespaces.values()].flat()) {
      for (let left = heap.pop(); left !== undefined; left = heap.pop()) this.add(left);
    }
    return taken;
  }

  /** When one of these definitions is due next; past where one is overdue. */
  nextDueAt(definitions: readonly DefinitionRef[]): number | null {
    let next: number | null = null;
    for (const queue of this.#queues(definitions)) {
      for (const heap of [queue.coming, ...queue.due.values()]) {
        const dueAt = heap.peek()?.dueAt ?? null;
        if (dueAt !== null && (next === null || dueAt < next)) next = dueAt;
      }
    }
    return next;
  }

  #queues(definitions: readonly DefinitionRef[]): ReadonlySet<DefinitionQueue> {
    const found = new Set<DefinitionQueue>();
    for (const definition of definitions) {
      for (const [hash, queue] of this.#definitions.get(keyOf(definition)) ?? [])
        if (definition.hash === undefined || definition.hash === hash) found.add(queue);
    }
    return found;
  }
}

interface DefinitionQueue {
  /** The time at which `due` was true. */
  ripenedAt: number;
  readonly coming: IndexedHeap<Instance>;
  /** By namespace. */
  readonly due: Map<string, IndexedHeap<Instance>>;
}

/** Priority, plus one point for each minute overdue; of equals, the older workflow. */
function isClaimedBefore(a: Instance, b: Instance): boolean {
  const difference = scoreOf(a) - scoreOf(b);
  return difference === 0 ? a.run < b.run : difference > 0;
}

/** Priority plus waiting, without the part that is the same for all at any time. */
function scoreOf(instance: Instance): number {
  return instance.priority * pointMs - (instance.dueAt ?? 0);
}

function isDueBefore(a: Instance, b: Instance): boolean {
  const difference = (a.dueAt ?? 0) - (b.dueAt ?? 0);
  return difference === 0 ? a.run < b.run : difference < 0;
}

/** Moves what has become due to where it is claimed. */
function ripen(queue: DefinitionQueue, now: number): void {
  // Where the clock has been set back, some of what was due is not due any more.
  if (now < queue.ripenedAt) {
    for (const heap of queue.due.values()) {
      for (let head = heap.pop(); head !== undefined; head = heap.pop()) enter(queue.coming, head);
    }
  }
  queue.ripenedAt = now;
  for (let head = queue.coming.peek(); head !== undefined && (head.dueAt ?? 0) <= now; head = queue.coming.peek()) {
    queue.coming.delete(head);
    let heap = queue.due.get(head.namespace);
    if (heap === undefined) {
      heap = new IndexedHeap(isClaimedBefore);
      queue.due.set(head.namespace, heap);
    }
    enter(heap, head);
  }
}

/** Round after round, each namespace gives its first; the rest of a last round goes by the order of claiming. */
function share(namespaces: ReadonlyMap<string, readonly IndexedHeap<Instance>[]>, limit: number): Instance[] {
  const taken: Instance[] = [];
  while (taken.length < limit) {
    const round = [...namespaces.values()].map(firstOf).filter((head) => head !== undefined);
    if (round.length === 0) break;
    for (const head of round.sort(byClaiming).slice(0, limit - taken.length)) {
      head.heap?.delete(head);
      head.heap = undefined;
      taken.push(head);
    }
  }
  return taken.sort(byClaiming);
}

function firstOf(heaps: readonly IndexedHeap<Instance>[]): Instance | undefined {
  let first: Instance | undefined;
  for (const heap of heaps) {
    const head = heap.peek();
    if (head !== undefined && (first === undefined || isClaimedBefore(head, first))) first = head;
  }
  return first;
}

function byClaiming(a: Instance, b: Instance): number {
  return isClaimedBefore(a, b) ? -1 : 1;
}

function enter(heap: IndexedHeap<Instance>, instance: Instance): void {
  heap.push(instance);
  instance.heap = heap;
}

function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}

function keyOf(definition: DefinitionRef): string {
  return `${definition.version}:${definition.id}`;
}
