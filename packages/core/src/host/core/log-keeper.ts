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
  readonly stream?: string;
  readonly level?: string;
  readonly text?: string;
  readonly percent?: number;
  readonly fields?: unknown;
}

/** Lines go to the store so long after they were written, or when so many have come. */
const flushMs = 100;
const flushLines = 500;
/** More than these are not held for a store that is slow: the oldest are dropped, and their number is told. */
const mostHeld = 10_000;

/** Takes what steps write and hands it to the store in batches. No step waits for it, and none fails by it. */
export class LogKeeper {
  readonly #store: LogStore;
  readonly #runtime: Runtime;
  readonly #now: () => number;
  readonly #keep: number;
  #held: NewLogLine[] = [];
  #dropped = 0;
  #timer: Timer | undefined;
  #flushing: Promise<void> | undefined;

  constructor(store: LogStore, runtime: Runtime, now: () => number, keep: number) {
    this.#store = store;
    this.#runtime = runtime;
    this.#now = now;
    this.#keep = keep;
  }

  /** Lines that a slow store made this host forget. */
  get dropped(): number {
    return this.#dropped;
  }

  add(run: Run, record: LogLineRecord): void {
    if (this.#held.length >= mostHeld) {
      this.#held.shift();
      this.#dropped += 1;
    }
    this.#held.push({ run, at: this.#now(), lineText: encode(record) });
    if (this.#held.length >= flushLines) void this.flush();
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

  /** Resolves when what was written before is stored, or could not be. Never rejects. */
  async flush(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
    if (this.#held.length === 0) return;
    const lines = this.#held;
    this.#held = [];
    const writing = this.#store.append(lines, this.#keep).catch(() => {
      this.#dropped += lines.length;
    });
    this.#flushing = this.#runtime.clock.track(writing, "engine").finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.flush();
  }
}
