import { InvalidOptionError, type Clock, type Provider } from "../../providers/index.ts";
import { checkObject, refuseUnknown } from "../../host/client/host-options.ts";
import { memory } from "../memory/memory.ts";
import { drawPlan } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { storyOf } from "./story.ts";
import type { Violation } from "./verdict.ts";
import { World } from "./world.ts";

/** What a part of a schedule is called. */
const partName = /^(?:(?:operation|disaster|fault):\d+|node:\w+\.\d+|order)$/;

export interface SimulateOptions {
  /** A whole number from 0. The same seed is the same schedule, to the last step. */
  readonly seed: number;
  /** Parts of the schedule to leave out, as the story of a failure names them. Default: none. */
  readonly without?: readonly string[];
  /**
   * The store to simulate with; `clock` is its time. What it does must depend on its calls and on that clock alone, and it may have
   * no timers. Default: `memory()`.
   */
  readonly store?: (clock: Clock, options: { readonly fanOut: number }) => Provider;
  /** Whether to look for the shortest story of a failure, which takes some hundred runs. Default `true`. */
  readonly shrink?: boolean;
  /** Whether the report holds everything that happened, line by line. Default `false`. */
  readonly trace?: boolean;
}

/** What a schedule did that met no failure. */
export interface SimulationReport {
  readonly seed: number;
  /** Things that happened one after the other. */
  readonly steps: number;
  /** How long it was, by its own time. */
  readonly simulatedMs: number;
  readonly workflows: number;
  readonly turns: number;
  readonly bodies: number;
  /** Calls of the application that were answered or failed, and those that were acknowledged. */
  readonly asked: number;
  readonly acknowledged: number;
  /** Calls of the store that went wrong, by how, and hosts that came to harm. */
  readonly faults: Readonly<Record<string, number>>;
  /** Everything that happened. Empty unless `trace` was given. */
  readonly trace: readonly string[];
}

/** A schedule has shown something that must not be. Its message is the story, the shortest that was found. */
export class SimulationError extends Error {
  readonly seed: number;
  /** The promise that was not kept. */
  readonly check: string;
  /** What the shortest schedule leaves out. */
  readonly without: readonly string[];

  constructor(
    story: string,
    fields: { readonly seed: number; readonly check: string; readonly without: readonly string[] },
  ) {
    super(story);
    this.name = "SimulationError";
    this.seed = fields.seed;
    this.check = fields.check;
    this.without = fields.without;
  }
}

/**
 * Runs one random schedule: random workflows on several real hosts, with everything that is not a function of its arguments (time,
 * timers, randomness, ids, and the order and fate of every call to the store) decided by the seed. Hosts crash at any await, are
 * frozen and come back, lose their connections, their leases and their hints; calls fail before, after and long before they are
 * applied; clocks jump. Meanwhile and at the end it is checked that the promises of WFE hold.
 *
 * ```ts
 * const report = await simulate({ seed: 7 });
 * ```
 *
 * Rejects with a `SimulationError`, whose message is the shortest story that was found, and how to replay it. Takes some 20 ms.
 */
export async function simulate(options: SimulateOptions): Promise<SimulationReport> {
  checkOptions(options);
  const { seed } = options;
  const without = new Set(options.without);
  const trace: string[] = [];
  const world = worldOf(options, without, options.trace === true ? trace : undefined);
  const violation = await world.run();
  if (violation !== undefined) throw await failure(options, world, violation);
  return {
    seed,
    steps: world.scheduler.steps,
    simulatedMs: world.scheduler.now,
    workflows: world.audit.journals.size,
    turns: [...world.audit.journals.values()].reduce((sum, { turns }) => sum + turns.length, 0),
    bodies: world.bodies.begun,
    asked: world.callers.asked,
    acknowledged: world.callers.acknowledged,
    faults: Object.fromEntries([...world.network.counts, ...world.struck]),
    trace,
  };
}

function checkOptions(options: SimulateOptions): void {
  checkObject("the options of `simulate`", options);
  refuseUnknown("the options of `simulate`", options, ["seed", "without", "store", "shrink", "trace"]);
  const { seed, without = [] } = options;
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new InvalidOptionError(`\`seed\` must be a whole number from 0, got ${String(seed)}`);
  const strange = without.find((part) => !partName.test(part));
  if (strange !== undefined)
    throw new InvalidOptionError(
      `\`without\`: there is no part \`${strange}\`: take the names from the story of a failure, such as \`operation:3\`, \`disaster:0\`, \`fault:17\`, \`node:d0.4\` or \`order\``,
    );
}

async function failure(options: SimulateOptions, failed: World, violation: Violation): Promise<SimulationError> {
  const { seed, without = [] } = options;
  const run = async (fewer: ReadonlySet<string>): Promise<World> => {
    const world = worldOf(options, fewer, undefined);
    await world.run();
    return world;
  };
  const least = options.shrink === false ? new Set(without) : await shrink(failed, new Set(without), run);
  const trace: string[] = [];
  const shortest = worldOf(options, least, trace);
  const found = (await shortest.run()) ?? {
    ...violation,
    message: `${violation.message} (and not so when it was run again: something is not under the simulator's control)`,
  };
  const story = storyOf(shortest, found, { seed, trace, without: least });
  return new SimulationError(story, { seed, check: violation.check, without: [...least] });
}

function worldOf(options: SimulateOptions, without: ReadonlySet<string>, trace: string[] | undefined): World {
  const { seed, store = (clock, { fanOut }) => memory({ clock, fanOut }) } = options;
  const plan = drawPlan(seed);
  return new World({ seed, plan, without, trace, store: (clock) => store(clock, { fanOut: plan.fanOut }) });
}
