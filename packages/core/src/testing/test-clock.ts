import { setImmediate, setTimeout } from "node:timers";
import { type Duration, parseDuration } from "../duration.ts";
import { type Clock, InvalidOptionError, type Timer } from "../providers/index.ts";
import { IndexedHeap } from "./indexed-heap.ts";

/** Turns of the event loop without any activity after which nothing is taken to be ready. */
const quietTurns = 5;

const defaultPatienceMs = 20;

/** Milliseconds of real time after which the engine's own work is taken to be stuck. */
const enginePatienceMs = 10_000;
/** So many times the patience is renewed while something of that work ends. */
const mostEngineRounds = 5;

/** Timers that may be set for one and the same instant before something is taken to go round in circles. */
const maxTimersAtOneInstant = 100_000;

/** Over so short a distance, background timers run at their own times; a longer one is leapt over. */
const longestWalkMs = 60_000;

/** Leaps start background timers together whose delays differ by no more than this factor. */
const sameDelay = 1.25;

export interface TestClockOptions {
  /**
   * Milliseconds of real time, spent without any change, after which a running step is taken to wait for something that only
   * time can bring. Longer for steps that do real work of their own, such as reading files. Default 20.
   */
  readonly patienceMs?: number;
}

/**
 * A clock that stands still until it is told to go on. Give it to a host (`new WorkflowHost({ clock })`), and the store's time
 * and every retry, delay and time-out follow it.
 *
 * ```ts
 * const clock = new TestClock();
 * await using host = new WorkflowHost({ providers: [memory()], workflows: [order], clock });
 * await clock.advance("2d");
 * ```
 *
 * A timer set for now or for the past runs at once, without `advance`.
 */
export class TestClock implements Clock {
  readonly #startMs: number;
  readonly #patienceMs: number;
  #elapsedMs = 0;
  #wallOffsetMs = 0;

  readonly #foreground: IndexedHeap<TestTimer> = new IndexedHeap(runsBefore);
  readonly #background: IndexedHeap<TestTimer> = new IndexedHeap(runsBefore);
  #timers = 0;
  /** Timers set for now or the past that have not run yet. */
  #immediate = 0;
  #ranAtThisInstant = 0;

  /** Raised by whatever may make something ready. */
  #activity = 0;
  #yielding = 0;
  #engineWork = 0;
  #engineIdle: (() => void) | undefined;
  readonly #bodies: Set<Body> = new Set();
  #moving: string | undefined;

  /** `startMs`: the time it shows at first. Default: the beginning of the year 2030, UTC. */
  constructor(startMs: number = Date.UTC(2030, 0, 1), options: TestClockOptions = {}) {
    if (!Number.isInteger(startMs)) {
      throw new InvalidOptionError(`\`startMs\` must be a whole number of milliseconds, got ${startMs}`);
    }
    const { patienceMs = defaultPatienceMs } = options;
    if (!Number.isInteger(patienceMs) || patienceMs < 1) {
      throw new InvalidOptionError(`\`patienceMs\` must be a whole number from 1, got ${patienceMs}`);
    }
    this.#startMs = startMs;
    this.#patienceMs = patienceMs;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs + this.#wallOffsetMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  /** How many steps have begun and not returned, whatever they wait for. */
  get runningBodies(): number {
    return this.#bodies.size;
  }

  setTimer(delayMs: number, callback: () => void, options: { readonly background?: boolean } = {}): Timer {
    if (Number.isNaN(delayMs)) throw new InvalidOptionError("a timer needs a delay in milliseconds, got NaN");
    this.#activity += 1;
    this.#timers += 1;
    const heap = options.background ? this.#background : this.#foreground;
    // Whole milliseconds, as the times are that are stored.
    const delay = Math.max(0, Math.ceil(delayMs));
    const timer = { dueAt: this.#elapsedMs + delay, delay, order: this.#timers, callback, cancelled: false };
    if (delay > 0) heap.push(timer);
    else this.#runAtOnce(timer);
    return {
      cancel: () => {
        timer.cancelled = true;
        heap.delete(timer);
      },
    };
  }

  async yield(): Promise<void> {
    this.#activity += 1;
    this.#yielding += 1;
    await turn();
    this.#yielding -= 1;
    this.#activity += 1;
  }

  track<T>(work: Promise<T>, kind: "engine" | "body"): Promise<T> {
    this.#activity += 1;
    const ended = kind === "engine" ? this.#trackEngine() : this.#trackBody();
    work.then(ended, ended);
    return work;
  }

  /**
   * Lets time pass. Every timer in between runs in the order of due times, those of one instant in the order in which they were
   * set; and after each instant what became ready is waited for.
   *
   * Steps that are running are waited for as long as they get on, but not for longer than some 20 ms of real time without any
   * change (`patienceMs`): they may be waiting for a later timer. Upkeep of hosts (heartbeats, sweeps) runs at its own times over distances of
   * up to a minute, and once where more is leapt over; so `advance("30d")` takes no longer than what the workflows do.
   *
   * Rejects when it is called while another call is under way, and when the engine's own work does not end.
   */
  async advance(duration: Duration): Promise<void> {
    const lengthMs = parseDuration(duration);
    await this.#exclusively("advance", async () => {
      const targetMs = this.#elapsedMs + lengthMs;
      await this.#settle();
      while (await this.#goOn(targetMs)) await this.#settle();
    });
  }

  /** Advances to the next timer that is not upkeep; false, and no time passes, where there is none. */
  advanceToNextTimer(): Promise<boolean> {
    return this.#exclusively("advanceToNextTimer", async () => {
      await this.#settle();
      const next = this.#foreground.peek();
      if (next === undefined) return false;
      while (await this.#goOn(next.dueAt)) await this.#settle();
      return true;
    });
  }

  /** Waits until nothing is ready to run, without letting time pass. */
  async settle(): Promise<void> {
    await this.#exclusively("settle", () => this.#settle());
  }

  /** Sets the wall clock forward (or back, below 0), as an administrator would: timers and `monotonic` take no notice. */
  jump(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Takes one move towards the target and runs what is due there; false when there is nothing left to do. */
  async #goOn(targetMs: number): Promise<boolean> {
    const goalMs = Math.min(targetMs, this.#foreground.peek()?.dueAt ?? targetMs);
    const upkeepMs = this.#background.peek()?.dueAt ?? Number.POSITIVE_INFINITY;
    if (upkeepMs < goalMs && goalMs - this.#elapsedMs <= longestWalkMs) {
      this.#moveTo(upkeepMs);
      this.#run(takeDue(this.#background, this.#elapsedMs));
      return true;
    }

    this.#moveTo(goalMs);
    for (const group of byDelay(takeDue(this.#background, this.#elapsedMs))) {
      this.#run(group);
      await this.#settle();
    }
    const due = takeDue(this.#foreground, this.#elapsedMs);
    this.#run(due);
    return due.length > 0 || this.#elapsedMs < targetMs;
  }

  #moveTo(elapsedMs: number): void {
    if (elapsedMs <= this.#elapsedMs) return;
    this.#elapsedMs = elapsedMs;
    this.#ranAtThisInstant = 0;
  }

  #run(timers: readonly TestTimer[]): void {
    for (const timer of timers) {
      if (timer.cancelled) continue;
      this.#activity += 1;
      timer.callback();
    }
  }

  #runAtOnce(timer: TestTimer): void {
    this.#immediate += 1;
    setImmediate(() => {
      this.#immediate -= 1;
      this.#ranAtThisInstant += 1;
      this.#run([timer]);
    });
  }

  async #settle(): Promise<void> {
    for (;;) {
      await this.#quiet();
      const fresh = [...this.#bodies].filter((body) => !body.waits);
      if (fresh.length === 0 || !(await this.#changes())) {
        for (const body of fresh) body.waits = true;
        return;
      }
    }
  }

  /** Waits until the engine has nothing under way and some turns of the event loop have changed nothing. */
  async #quiet(): Promise<void> {
    let seen = this.#activity;
    for (let quiet = 0; quiet < quietTurns; quiet += 1) {
      if (this.#engineWork > 0) await this.#engine();
      await turn();
      if (seen !== this.#activity || this.#immediate + this.#yielding + this.#engineWork > 0) quiet = -1;
      seen = this.#activity;
      if (this.#ranAtThisInstant > maxTimersAtOneInstant) {
        throw new Error(
          `${this.#ranAtThisInstant} timers were set for one instant: something sets a timer without a delay, again and again`,
        );
      }
    }
  }

  /** Whether anything changes before the patience with bodies ends. Counts turns, so that a busy machine gets more time. */
  async #changes(): Promise<boolean> {
    const seen = this.#activity;
    for (let waited = 0; waited < this.#patienceMs; waited += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (seen !== this.#activity) return true;
    }
    return false;
  }

  async #engine(): Promise<void> {
    let timeout: NodeJS.Timeout | undefined;
    const stuck = new Promise<never>((_, reject) => {
      // What goes on, if slowly, is not stuck: it may be much, on a machine that is busy. It ends some time, however.
      const wait = (rounds: number, seen: number): void => {
        timeout = setTimeout(() => {
          if (this.#activity !== seen && rounds < mostEngineRounds) return wait(rounds + 1, this.#activity);
          reject(
            new Error(
              `the engine's own work has not ended within ${(rounds * enginePatienceMs) / 1000} s: it waits for a store that does not answer, or for a timer`,
            ),
          );
        }, enginePatienceMs);
      };
      wait(1, this.#activity);
    });
    const idle = new Promise<void>((resolve) => {
      this.#engineIdle = resolve;
    });
    try {
      await Promise.race([idle, stuck]);
    } finally {
      clearTimeout(timeout);
    }
  }

  #trackEngine(): () => void {
    this.#engineWork += 1;
    return () => {
      this.#activity += 1;
      this.#engineWork -= 1;
      if (this.#engineWork === 0) this.#engineIdle?.();
    };
  }

  #trackBody(): () => void {
    const body: Body = { waits: false };
    this.#bodies.add(body);
    return () => {
      this.#activity += 1;
      this.#bodies.delete(body);
    };
  }

  async #exclusively<T>(name: string, move: () => Promise<T>): Promise<T> {
    if (this.#moving !== undefined) {
      throw new InvalidOptionError(
        `\`${name}\` was called while \`${this.#moving}\` is under way: await the one before the other`,
      );
    }
    this.#moving = name;
    try {
      return await move();
    } finally {
      this.#moving = undefined;
    }
  }
}

interface TestTimer {
  /** On the monotonic clock. */
  readonly dueAt: number;
  readonly delay: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

interface Body {
  /** Known to wait for something that only time or another body can bring. */
  waits: boolean;
}

function runsBefore(a: TestTimer, b: TestTimer): boolean {
  return a.dueAt === b.dueAt ? a.order < b.order : a.dueAt < b.dueAt;
}

function takeDue(heap: IndexedHeap<TestTimer>, elapsedMs: number): TestTimer[] {
  const due: TestTimer[] = [];
  for (let timer = heap.peek(); timer !== undefined && timer.dueAt <= elapsedMs; timer = heap.peek()) {
    heap.delete(timer);
    due.push(timer);
  }
  return due;
}

/**
 * Groups upkeep that a leap has made overdue, the shortest delay first.
 *
 * A leap is longer than any lease. Did one host's sweep run before another host's heartbeat, it would find that host dead; so
 * what has the same period runs together, and what is more frequent first.
 */
function byDelay(timers: readonly TestTimer[]): TestTimer[][] {
  const groups: TestTimer[][] = [];
  for (const timer of [...timers].sort((a, b) => a.delay - b.delay)) {
    const group = groups.at(-1);
    if (group?.[0] !== undefined && timer.delay <= group[0].delay * sameDelay) group.push(timer);
    else groups.push([timer]);
  }
  return groups;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
