import type { NewEvent, PublishedEvent, Run, StoredEvent, StreamCursor, StreamEvents } from "../../providers/index.ts";
import { IndexedHeap } from "../indexed-heap.ts";

/** The events of one namespace, name and key. */
export interface Stream {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
  /** The highest number given. */
  last: number;
  /** The highest number deleted. */
  expiredThrough: number;
  /** When that one was numbered. */
  expiredAt: number;
  /** Those that are left, in order, without gaps. */
  events: StoredEvent[];
  /** The cursors of each workflow's subscriptions, by pointer. */
  readonly subscribers: Map<Run, Map<number, number>>;
}

interface KnownEvent {
  number: number | null;
}

interface FutureEvent {
  readonly order: number;
  readonly effectiveAt: number;
  readonly event: NewEvent;
  readonly known: KnownEvent;
}

/** Waiters that a publish has left to be woken. */
interface FanOut {
  readonly stream: Stream;
  readonly number: number;
  readonly runs: readonly Run[];
  next: number;
}

/** What these need of the rest of the store. */
export interface StreamsContext {
  readonly wake: (run: Run) => void;
  /** How many waiters a publish wakes at once. */
  readonly fanOut: number;
}

/** Every event and every stream of a store. */
export class Streams {
  readonly #context: StreamsContext;
  readonly #streams: Map<string, Stream> = new Map();
  /** By namespace and event id. */
  readonly #known: Map<string, KnownEvent> = new Map();
  readonly #future: IndexedHeap<FutureEvent> = new IndexedHeap((a, b) =>
    a.effectiveAt === b.effectiveAt ? a.order < b.order : a.effectiveAt < b.effectiveAt,
  );
  #futures = 0;
  #fanOuts: FanOut[] = [];
  /** The streams that have events, the oldest event first. */
  readonly #oldest: IndexedHeap<Stream> = new IndexedHeap((a, b) => (a.events[0]?.at ?? 0) < (b.events[0]?.at ?? 0));

  constructor(context: StreamsContext) {
    this.#context = context;
  }

  stream(namespace: string, name: string, key: string): Stream {
    const place = keyOf(namespace, name, key);
    let stream = this.#streams.get(place);
    if (stream === undefined) {
      stream = { namespace, name, key, last: 0, expiredThrough: 0, expiredAt: 0, events: [], subscribers: new Map() };
      this.#streams.set(place, stream);
    }
    return stream;
  }

  publish(event: NewEvent, now: number): PublishedEvent {
    const id = keyOf(event.namespace, event.eventId);
    const known = this.#known.get(id);
    if (known !== undefined) return { number: known.number, duplicate: true };

    const added: KnownEvent = { number: null };
    this.#known.set(id, added);
    if (event.effectiveAt !== null && event.effectiveAt > now) {
      this.#futures += 1;
      this.#future.push({ order: this.#futures, effectiveAt: event.effectiveAt, event: { ...event }, known: added });
    } else {
      this.#number(event, added, now, this.#context.fanOut);
    }
    return { number: added.number, duplicate: false };
  }

  /** Numbers what has become effective and wakes who was left to wake; true when there is more. */
  advance(limit: number, now: number): boolean {
    let left = limit - this.#wakeLeft(limit);
    for (let numbered = 0; numbered < limit && left > 0; numbered += 1) {
      const next = this.#future.peek();
      if (next === undefined || next.effectiveAt > now) break;
      this.#future.pop();
      left -= this.#number(next.event, next.known, next.effectiveAt, left);
    }
    const next = this.nextAt(now);
    return next !== null && next <= now;
  }

  /** When `advance` has something to do next. */
  nextAt(now: number): number | null {
    if (this.#fanOuts.length > 0) return now;
    return this.#future.peek()?.effectiveAt ?? null;
  }

  read(namespace: string, cursor: StreamCursor): StreamEvents {
    const stream = this.#streams.get(keyOf(namespace, cursor.name, cursor.key));
    if (stream === undefined) return { events: [], expiredThrough: 0, expiredAt: 0 };
    const first = stream.events[0]?.number ?? 0;
    const events: StoredEvent[] = [];
    for (let place = Math.max(0, cursor.after + 1 - first); events.length < cursor.limit; place += 1) {
      const event = stream.events[place];
      if (event === undefined) break;
      if (event.at >= cursor.since) events.push(event);
    }
    return { events, expiredThrough: stream.expiredThrough, expiredAt: stream.expiredAt };
  }

  /** Deletes up to `limit` events that were numbered before; gives how many. */
  purge(before: number, limit: number): number {
    let deleted = 0;
    while (deleted < limit) {
      const stream = this.#oldest.pop();
      if (stream === undefined) break;
      // From the front only, since what was deleted is remembered as one number.
      const fresh = stream.events.slice(0, limit - deleted).findIndex((event) => event.at >= before);
      const gone = stream.events.splice(0, fresh === -1 ? limit - deleted : fresh);
      for (const event of gone) this.#known.delete(keyOf(stream.namespace, event.eventId));
      stream.expiredThrough = gone.at(-1)?.number ?? stream.expiredThrough;
      stream.expiredAt = gone.at(-1)?.at ?? stream.expiredAt;
      deleted += gone.length;
      if (stream.events.length > 0) this.#oldest.push(stream);
      if (gone.length === 0) break;
    }
    return deleted;
  }

  /** Gives an event of that time its number and wakes up to `limit` waiters at once; gives how many. */
  #number(event: NewEvent, known: KnownEvent, time: number, limit: number): number {
    const { name, key, payloadText, eventId } = event;
    const stream = this.stream(event.namespace, name, key);
    stream.last += 1;
    known.number = stream.last;
    const at = Math.max(time, stream.events.at(-1)?.at ?? stream.expiredAt);
    stream.events.push(Object.freeze({ number: stream.last, eventId, name, key, payloadText, at }));
    if (stream.events.length === 1) this.#oldest.push(stream);

    const fanOut = { stream, number: stream.last, runs: [...stream.subscribers.keys()], next: 0 };
    const woken = this.#wake(fanOut, limit);
    if (fanOut.next < fanOut.runs.length) this.#fanOuts.push(fanOut);
    return woken;
  }

  #wakeLeft(limit: number): number {
    let woken = 0;
    for (const fanOut of this.#fanOuts) woken += this.#wake(fanOut, limit - woken);
    this.#fanOuts = this.#fanOuts.filter((fanOut) => fanOut.next < fanOut.runs.length);
    return woken;
  }

  #wake(fanOut: FanOut, limit: number): number {
    let woken = 0;
    for (; fanOut.next < fanOut.runs.length && woken < limit; fanOut.next += 1) {
      const run = fanOut.runs[fanOut.next];
      if (run === undefined || !waits(fanOut, run)) continue;
      this.#context.wake(run);
      woken += 1;
    }
    return woken;
  }
}

/** Whether it still waits for this event: it may have read it meanwhile, or have gone. */
function waits(fanOut: FanOut, run: Run): boolean {
  const cursors = fanOut.stream.subscribers.get(run);
  return cursors !== undefined && [...cursors.values()].some((after) => after < fanOut.number);
}

/** Lengths in front, so that no two lists of parts give the same key, whatever the parts hold. */
function keyOf(...parts: readonly string[]): string {
  return parts.map((part) => `${part.length}:${part}`).join("");
}
