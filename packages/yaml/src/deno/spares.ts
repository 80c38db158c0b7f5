import { startDeno, type DenoProcess, type LaunchPlan } from "./deno-process.ts";

/** Spare processes for each plan, and in all. */
const maxSpares = 4;
/** A spare that nobody wanted for this time is ended. */
const idleMs = 5_000;

interface Spare {
  readonly key: string;
  readonly process: DenoProcess;
  readonly timer: NodeJS.Timeout;
}

/**
 * Keeps processes that are up and wait for a script, for plans that are used again and again: a step then begins in 2 ms
 * instead of 20.
 *
 * The first use of a plan keeps none: a process that runs a single step pays nothing. A spare keeps nobody alive, ends by
 * itself when its standard input does, and after 5 s without use.
 */
export class SpareProcesses {
  readonly #spares = new Set<Spare>();
  /** When each plan was used last. */
  readonly #used = new Map<string, number>();
  #closed = false;

  /** A process for the plan: a spare where there is one. */
  take(plan: LaunchPlan): DenoProcess {
    const key = JSON.stringify(plan);
    const now = performance.now();
    const before = this.#used.get(key);
    this.#used.delete(key);
    this.#used.set(key, now);
    if (this.#used.size > 100) this.#used.delete([...this.#used.keys()][0] ?? "");
    const spare = [...this.#spares].find((each) => each.key === key);
    if (spare !== undefined) this.#remove(spare);
    if (before !== undefined && now - before < idleMs) this.#prepare(key, plan);
    const { child } = spare?.process.group ?? {};
    if (spare === undefined || child === undefined || child.exitCode !== null || child.signalCode !== null) {
      void spare?.process.dispose();
      return startDeno(plan);
    }
    hold(spare.process, true);
    return spare.process;
  }

  /** Ends all spares; none is kept from then on. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#spares].map((spare) => this.#end(spare)));
  }

  /** How many wait now. */
  get size(): number {
    return this.#spares.size;
  }

  #prepare(key: string, plan: LaunchPlan): void {
    // After the step that is about to begin: it comes first.
    setImmediate(() => {
      if (this.#closed || [...this.#spares].some((each) => each.key === key)) return;
      const oldest = [...this.#spares][0];
      if (this.#spares.size >= maxSpares && oldest !== undefined) void this.#end(oldest);
      let started: DenoProcess;
      try {
        started = startDeno(plan);
      } catch {
        // The next step will be told why.
        return;
      }
      hold(started, false);
      const timer = setTimeout(() => void this.#end(spare), idleMs);
      timer.unref();
      const spare: Spare = { key, process: started, timer };
      this.#spares.add(spare);
      const gone = (): void => {
        if (this.#spares.has(spare)) void this.#end(spare);
      };
      started.group.exited.then(gone, gone);
    });
  }

  #remove(spare: Spare): void {
    clearTimeout(spare.timer);
    this.#spares.delete(spare);
  }

  #end(spare: Spare): Promise<void> {
    this.#remove(spare);
    return spare.process.dispose();
  }
}

/** Whether this process stays alive for a child. */
function hold({ group: { child } }: DenoProcess, held: boolean): void {
  const handles = [child, child.stdin, child.stdout, child.stderr] as { ref?(): void; unref?(): void }[];
  for (const handle of handles) {
    if (held) handle.ref?.();
    else handle.unref?.();
  }
}
