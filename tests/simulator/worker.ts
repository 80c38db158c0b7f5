import { plantInto } from "./planting.ts";
import { plants } from "./plants.ts";

/** What one process is to run. */
export interface WorkOrder {
  readonly first: number;
  readonly count: number;
  /** The name of a planted bug. The work ends when it is caught. */
  readonly plant?: string;
  /** Whether failures are shrunk to their shortest stories. */
  readonly shrink: boolean;
  /** So many failures, and the work ends. */
  readonly mostFailures: number;
}

/** What one process has seen since it told last. */
export interface Progress {
  readonly schedules: number;
  readonly steps: number;
  readonly simulatedMs: number;
  readonly turns: number;
  readonly bodies: number;
  readonly asked: number;
  readonly acknowledged: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
  readonly isOver: boolean;
}

export interface Failure {
  readonly seed: number;
  readonly check: string;
  readonly story: string;
}

const tellEvery = 50;

async function work(order: WorkOrder): Promise<void> {
  if (order.plant !== undefined) {
    const plant = plants.find(({ name }) => name === order.plant);
    if (plant === undefined) throw new Error(`there is no planted bug \`${order.plant}\``);
    plantInto(plant);
  }
  // Every simulated loss of a connection is an error: their stacks would cost more than all else.
  Error.stackTraceLimit = 0;
  const { simulate, SimulationError } = await import("@wfe/core/testing");
  let told = nothing();
  let failed = 0;
  for (let index = 0; index < order.count && failed < order.mostFailures; index += 1) {
    const seed = order.first + index;
    try {
      told = add(told, await simulate({ seed, shrink: order.shrink }));
    } catch (error) {
      if (!(error instanceof SimulationError)) throw error;
      failed += 1;
      const { check, message: story } = error;
      told = { ...told, schedules: told.schedules + 1, failures: [...told.failures, { seed, check, story }] };
    }
    if (told.schedules < tellEvery) continue;
    await tell(told);
    told = nothing();
  }
  await tell({ ...told, isOver: true });
  process.disconnect?.();
}

function nothing(): Progress {
  return {
    schedules: 0,
    steps: 0,
    simulatedMs: 0,
    turns: 0,
    bodies: 0,
    asked: 0,
    acknowledged: 0,
    faults: {},
    failures: [],
    isOver: false,
  };
}

function add(told: Progress, report: Omit<Progress, "schedules" | "failures" | "isOver">): Progress {
  const faults: Record<string, number> = { ...told.faults };
  for (const [kind, count] of Object.entries(report.faults)) faults[kind] = (faults[kind] ?? 0) + count;
  return {
    ...told,
    schedules: told.schedules + 1,
    steps: told.steps + report.steps,
    simulatedMs: told.simulatedMs + report.simulatedMs,
    turns: told.turns + report.turns,
    bodies: told.bodies + report.bodies,
    asked: told.asked + report.asked,
    acknowledged: told.acknowledged + report.acknowledged,
    faults,
  };
}

function tell(progress: Progress): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(progress, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

const [order = ""] = process.argv.slice(2);
await work(JSON.parse(order) as WorkOrder);
