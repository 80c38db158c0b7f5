import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Failure, Progress, WorkOrder } from "./worker.ts";

/** What many schedules have shown. */
export interface Totals {
  schedules: number;
  steps: number;
  simulatedMs: number;
  turns: number;
  bodies: number;
  asked: number;
  acknowledged: number;
  readonly faults: Record<string, number>;
  readonly failures: Failure[];
}

export interface RunOptions {
  readonly first: number;
  readonly count: number;
  readonly processes: number;
  readonly plant?: string;
  readonly shrink?: boolean;
  readonly mostFailures?: number;
  readonly onProgress?: (totals: Totals) => void;
}

/** A schedule makes much that soon is rubbish: with more room for what is young, a tenth less of the time goes into collecting it. */
const execArgv = [
  "--conditions=wfe-source",
  "--disable-warning=ExperimentalWarning",
  "--max-semi-space-size=64",
  "--single-threaded-gc",
];

/** Runs schedules of consecutive seeds in processes of their own. Each process takes every seed of its own stretch. */
export async function runSchedules(options: RunOptions): Promise<Totals> {
  const { first, count, processes, plant, shrink = true, mostFailures = 5, onProgress } = options;
  const totals: Totals = {
    schedules: 0,
    steps: 0,
    simulatedMs: 0,
    turns: 0,
    bodies: 0,
    asked: 0,
    acknowledged: 0,
    faults: {},
    failures: [],
  };
  const share = Math.ceil(count / processes);
  const orders = Array.from({ length: processes }, (_, index): WorkOrder => ({
    first: first + index * share,
    count: Math.min(share, count - index * share),
    ...(plant === undefined ? {} : { plant }),
    shrink,
    mostFailures,
  }));
  await Promise.all(
    orders.map((order) =>
      runWorker(order, (progress) => {
        add(totals, progress);
        onProgress?.(totals);
      }),
    ),
  );
  return totals;
}

function runWorker(order: WorkOrder, onProgress: (progress: Progress) => void): Promise<void> {
  const script = fileURLToPath(new URL("./worker.ts", import.meta.url));
  const worker = fork(script, [JSON.stringify(order)], {
    execArgv,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let errors = "";
  worker.stderr?.on("data", (text: Buffer) => (errors += text.toString()));
  return new Promise((resolve, reject) => {
    let isOver = false;
    worker.on("message", (progress: Progress) => {
      isOver ||= progress.isOver;
      onProgress(progress);
    });
    worker.on("exit", (code, signal) => {
      if (code === 0 && isOver) resolve();
      else reject(new Error(`a process that runs schedules ended with ${signal ?? `code ${code}`}: ${errors}`));
    });
  });
}

function add(totals: Totals, progress: Progress): void {
  totals.schedules += progress.schedules;
  totals.steps += progress.steps;
  totals.simulatedMs += progress.simulatedMs;
  totals.turns += progress.turns;
  totals.bodies += progress.bodies;
  totals.asked += progress.asked;
  totals.acknowledged += progress.acknowledged;
  totals.failures.push(...progress.failures);
  for (const [kind, count] of Object.entries(progress.faults)) totals.faults[kind] = (totals.faults[kind] ?? 0) + count;
}
