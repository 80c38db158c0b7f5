import type { Clock, Runtime, Timer } from "../../runtime/runtime.ts";
import type { WorkflowHost } from "../../host/workflow-host.ts";
import type { Dice } from "./dice.ts";
import type { Owner, Scheduler, Task } from "./scheduler.ts";

/** A process with one host in it: its clocks, its random numbers, and what has become of it. */
export class SimulatedProcess implements Owner {
  readonly name: string;
  alive = true;
  held: Task[] | undefined;
  steps = 0;
  commits = 0;
  /** What its calls do not reach. */
  cutOff: "nothing" | "everything" | "store" | "lock" = "nothing";
  /** Added to the wall clock. */
  wallOffsetMs: number;
  /** Workflows that its host takes in hand at once. */
  readonly concurrency: number;
  /** Set by whoever makes the process. */
  host!: WorkflowHost;
  /** How its lease stands, as far as it has been told. */
  lease: { readonly id: string; readonly ttlMs: number; askedAt: number } | undefined;
  /** When it was frozen last; a frozen process cannot know that its lease has ended. */
  frozenAt: number = Number.NEGATIVE_INFINITY;
  /** Calls of its own that failed, for want of luck or of a connection. */
  faults = 0;
  /** Claims of which it does not know that they took place. */
  claimsInDoubt = 0;
  /** Until when one of its calls may be on its way, which takes longer than a stop waits. */
  slowUntil = 0;
  readonly runtime: Runtime;

  constructor(name: string, options: ProcessOptions) {
    this.name = name;
    this.wallOffsetMs = options.wallOffsetMs;
    this.concurrency = options.concurrency;
    let ids = 0;
    this.runtime = {
      clock: clockOf(this, options),
      random: options.random.roll,
      randomId: () => `${name}_${++ids}`,
    };
  }
}

export interface ProcessOptions {
  readonly scheduler: Scheduler;
  readonly random: Dice;
  readonly startMs: number;
  readonly wallOffsetMs: number;
  readonly concurrency: number;
}

function clockOf(process: SimulatedProcess, { scheduler, startMs }: ProcessOptions): Clock {
  const bootedAt = scheduler.now;
  return {
    now: () => startMs + scheduler.now + process.wallOffsetMs,
    monotonic: () => scheduler.now - bootedAt,
    setTimer: (delayMs, callback): Timer => {
      if (Number.isNaN(delayMs)) throw new TypeError("a timer needs a delay in milliseconds, got NaN");
      const task = scheduler.at(Math.max(0, Math.ceil(delayMs)), process, callback);
      return { cancel: () => scheduler.cancel(task) };
    },
    yield: () => new Promise((resolve) => scheduler.at(0, process, resolve)),
    track: (work) => work,
  };
}
