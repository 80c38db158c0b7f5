import type { LifecycleEvent } from "../../providers/lifecycle-publisher.ts";
import { KeepAlive } from "./keep-alive.ts";

/** How many events wait for a slow reader. Beyond that the oldest are dropped: the newest say how things stand. */
const longestBuffer = 10_000;

/** What `events()` gives. */
export interface LifecycleEvents extends AsyncIterableIterator<LifecycleEvent> {
  /** How many events a reader that was too slow has lost so far: they are not among those it reads. */
  readonly dropped: number;
}

/**
 * Lifecycle events as an async iterable: buffers what comes between two reads, up to 10,000 events, of which the newest stay.
 *
 * It listens from the moment it is made, and until its end: `end()`, or a reader that breaks off.
 */
export class EventStream implements LifecycleEvents {
  #buffer: LifecycleEvent[] = [];
  /** What was read of the buffer already: cheaper than to shift it for each read. */
  #read = 0;
  #readers: {
    readonly resolve: (result: IteratorResult<LifecycleEvent, undefined>) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  #ended = false;
  #dropped = 0;
  #failure: { readonly error: unknown } | undefined;
  readonly #onEnd: () => void;
  /** While a reader waits. */
  readonly #keepAlive: KeepAlive = new KeepAlive();

  /** `onEnd` is called once, when nobody wants further events. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  get dropped(): number {
    return this.#dropped;
  }

  push(event: LifecycleEvent): void {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      if (this.#readers.length === 0) this.#keepAlive.release();
      return reader.resolve({ value: event, done: false });
    }
    this.#buffer.push(event);
    if (this.#buffer.length - this.#read > longestBuffer) {
      this.#read += 1;
      this.#dropped += 1;
    }
    this.#compact();
  }

  /** No more events come; those that wait can still be read. With an error, reading beyond them rejects with it, once. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#keepAlive.release();
    const [first, ...others] = this.#readers;
    this.#readers = [];
    if (error === undefined) first?.resolve({ value: undefined, done: true });
    else if (first !== undefined) first.reject(error);
    else this.#failure = { error };
    for (const reader of others) reader.resolve({ value: undefined, done: true });
    this.#onEnd();
  }

  next(): Promise<IteratorResult<LifecycleEvent, undefined>> {
    const event = this.#buffer[this.#read];
    if (event !== undefined) {
      this.#read += 1;
      this.#compact();
      return Promise.resolve({ value: event, done: false });
    }
    if (!this.#ended) {
      this.#keepAlive.hold();
      return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
    }
    const failure = this.#failure;
    this.#failure = undefined;
    return failure === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(failure.error);
  }

  return(): Promise<IteratorResult<LifecycleEvent, undefined>> {
    this.#buffer = [];
    this.#read = 0;
    this.#failure = undefined;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.return().then(() => undefined);
  }

  #compact(): void {
    if (this.#read < 1_000 || this.#read * 2 < this.#buffer.length) return;
    this.#buffer = this.#buffer.slice(this.#read);
    this.#read = 0;
  }
}
