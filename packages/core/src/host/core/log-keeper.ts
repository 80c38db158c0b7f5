import { encode } from "../../codec/index.ts";
import type { LogStore, NewLogLine } from "../../providers/log-store.ts";
import type { Run } from "../../providers/records.ts";
import type { Runtime, Timer } from "../../runtime/runtime.ts";

/** What of a line is kept beside its time. */
export interface LogLineRecord {
  readonly kind: "output" | "progress" | "log";
  readonly stepId: string;
  readonly executionId: string;
  readonly attempt: number;
  /** Counts the lines of the attempt, from 1, so that a reader can tell where some are gone. */
  readonly line: number;
  readonly stream?: string;
  readonly level?: string;
  readonly text?: string;
  readonly percent?: number;
  readonly fields?: unknown;
}

/** Lines go to the store so long after they were written, or when so many have come. */
const flushMs = 100;
const flushLines = 500;
/** Lines written by one call of the store. */
const batchLines = 1_000;
/**
 * More than these, or longer ones together, are not held for a store that is slow, nor for a step that writes without a pause: the
 * oldest are dropped, and their number is told. What comes through a pipe comes in pieces of 64 KiB, which may be 32,768 lines.
 */
const mostHeld = 100_000;
const mostHeldUnits = 16 * 1024 ** 2;

/** Takes what steps write and hands it to the store in batches. No step waits for it, and none fails by it. */
export class LogKeeper {
  readonly #store: LogStore;
  readonly #runtime: Runtime;
  readonly #now: () => number;
  readonly #keep: number;
  /** From `#first` on; what is before it is gone. */
  #held: (NewLogLine | undefined)[] = [];
  #first = 0;
  #heldUnits = 0;
  /** How many lines have come. */
  #added = 0;
  #dropped = 0;
  #timer: Timer | undefined;
  /** The batch under way. */
  #writing: { readonly lines: number; readonly done: Promise<void> } | undefined;
  #closed = false;

  constructor(store: LogStore, runtime: Runtime, now: () => number, keep: number) {
    this.#store = store;
    this.#runtime = runtime;
    this.#now = now;
    this.#keep = keep;
  }

  /** Lines that a slow store, or a step that wrote too many at once, made this host forget. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Costs the same however many are held. */
  add(run: Run, record: LogLineRecord): void {
    const lineText = encode(record);
    this.#held.push({ run, at: this.#now(), lineText });
    this.#heldUnits += lineText.length;
    this.#added += 1;
    while (
      this.#count + (this.#writing?.lines ?? 0) > mostHeld ||
      (this.#heldUnits > mostHeldUnits && this.#count > 1)
    ) {
      this.#takeOldest();
      this.#dropped += 1;
    }
    this.#goOn();
  }

  /** Resolves when what was written before is stored, or could not be. Never rejects. */
  async flush(): Promise<void> {
    const through = this.#added;
    while (this.#added - this.#count - (this.#writing?.lines ?? 0) < through) await this.#writeBatch();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.flush();
  }

  get #count(): number {
    return this.#held.length - this.#first;
  }

  #takeOldest(): NewLogLine | undefined {
    const line = this.#held[this.#first];
    this.#held[this.#first] = undefined;
    this.#first += 1;
    this.#heldUnits -= line?.lineText.length ?? 0;
    // Moved up once in as many lines as are moved.
    if (this.#first * 2 > this.#held.length && this.#first > flushLines) {
      this.#held = this.#held.slice(this.#first);
      this.#first = 0;
    }
    return line;
  }

  /** Sees to it that what is held is written, in a while or at once. */
  #goOn(): void {
    if (this.#writing !== undefined || this.#closed || this.#count === 0) return;
    if (this.#count >= flushLines) void this.#writeBatch();
    else
      this.#timer ??= this.#runtime.clock.setTimer(
        flushMs,
        () => {
          this.#timer = undefined;
          void this.flush();
        },
        { background: true },
      );
  }

  /** One at a time: lines are to stay in their order. */
  #writeBatch(): Promise<void> {
    if (this.#writing !== undefined) return this.#writing.done;
    const batch: NewLogLine[] = [];
    while (batch.length < batchLines && this.#count > 0) {
      const line = this.#takeOldest();
      if (line !== undefined) batch.push(line);
    }
    const done = this.#runtime.clock.track(this.#append(batch), "engine");
    this.#writing = { lines: batch.length, done };
    return done;
  }

  async #append(lines: readonly NewLogLine[]): Promise<void> {
    try {
      // After a turn of its own: the step that wrote the last line goes on first.
      await Promise.resolve();
      await this.#store.append(lines, this.#keep);
    } catch {
      this.#dropped += lines.length;
    }
    this.#writing = undefined;
    this.#goOn();
  }
}
