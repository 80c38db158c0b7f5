import { nextTick } from "node:process";
import { setImmediate } from "node:timers";
import { IndexedHeap } from "../indexed-heap.ts";

/** Whose a task is: a process. The network, the store and the world outside own tasks as nobody. */
export interface Owner {
  readonly alive: boolean;
  /** While it is frozen, what it would have done. */
  held: Task[] | undefined;
  /** Tasks of its own that have run. */
  steps: number;
}

/** Something that will happen. */
export interface Task {
  readonly dueAt: number;
  readonly order: number;
  readonly owner: Owner | undefined;
  readonly run: () => void;
  cancelled: boolean;
}

/** Steps of one schedule: what takes more goes round in circles. */
const mostSteps = 1_000_000;

/**
 * The one place at which anything happens. It holds everything that is under way, moves time to the next of it, and where several
 * things are ready it chooses which comes first. Between two of them every promise that can settle does.
 */
export class Scheduler {
  /** Milliseconds since the beginning. */
  now = 0;
  steps = 0;
  /** Whose code runs. */
  current: Owner | undefined;
  /** Told after each task, when everything that followed from it has happened. */
  afterStep: ((owner: Owner | undefined) => void) | undefined;
  readonly #choose: (count: number) => number;
  readonly #later: IndexedHeap<Task> = new IndexedHeap((a, b) =>
    a.dueAt === b.dueAt ? a.order < b.order : a.dueAt < b.dueAt,
  );
  readonly #ready: Task[] = [];
  #tasks = 0;
  #stopped = false;
  #held = 0;

  /** `choose` says which of so many ready tasks comes next. */
  constructor(choose: (count: number) => number) {
    this.#choose = choose;
  }

  at(delayMs: number, owner: Owner | undefined, run: () => void): Task {
    this.#tasks += 1;
    const task: Task = { dueAt: this.now + delayMs, order: this.#tasks, owner, run, cancelled: false };
    if (delayMs <= 0) this.#ready.push(task);
    else this.#later.push(task);
    return task;
  }

  cancel(task: Task): void {
    task.cancelled = true;
    this.#later.delete(task);
  }

  /** Nothing else happens until the promise has settled: for what is not simulated. */
  hold<Result>(work: Promise<Result>): Promise<Result> {
    this.#held += 1;
    const ended = (): void => void (this.#held -= 1);
    work.then(ended, ended);
    return work;
  }

  freeze(owner: Owner): void {
    owner.held ??= [];
  }

  thaw(owner: Owner): void {
    const held = owner.held ?? [];
    owner.held = undefined;
    this.#ready.push(...held);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Runs until `stop`, or until nothing is left to happen. Rejects where a task of the simulator's own throws. */
  run(): Promise<void> {
    this.#stopped = false;
    return new Promise((resolve, reject) => {
      // After a task the queue of microtasks runs empty before the next tick: so all that follows from it has happened.
      const again = (): void => queueMicrotask(() => nextTick(step));
      const step = (): void => {
        if (this.#held > 0) return void setImmediate(step);
        try {
          if (this.steps > 0) this.afterStep?.(this.current);
          const task = this.#stopped ? undefined : this.#next();
          if (task === undefined) return resolve();
          this.steps += 1;
          if (this.steps > mostSteps) throw new Error(`${mostSteps} steps at ${this.now} ms: it goes round in circles`);
          this.current = task.owner;
          if (task.owner !== undefined) task.owner.steps += 1;
          task.run();
          again();
        } catch (error) {
          reject(error);
        }
      };
      nextTick(step);
    });
  }

  #next(): Task | undefined {
    for (;;) {
      if (this.#ready.length === 0) {
        const first = this.#later.peek();
        if (first === undefined) return undefined;
        this.now = Math.max(this.now, first.dueAt);
      }
      for (let due = this.#later.peek(); due !== undefined && due.dueAt <= this.now; due = this.#later.peek()) {
        this.#later.delete(due);
        this.#ready.push(due);
      }
      const place = this.#ready.length === 1 ? 0 : this.#choose(this.#ready.length);
      const [task] = this.#ready.splice(place, 1);
      if (task === undefined || task.cancelled || task.owner?.alive === false) continue;
      if (task.owner?.held !== undefined) task.owner.held.push(task);
      else return task;
    }
  }
}
