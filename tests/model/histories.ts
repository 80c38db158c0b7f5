import fc from "fast-check";
import { decodeEntries, type WorkflowState } from "../../packages/core/src/engine/index.ts";
import type { TimedTurn } from "../../packages/core/src/engine/replay.ts";
import type { Driver } from "../../packages/core/test/engine/driver.ts";
import { compile, sketches, type Program } from "./generate.ts";
import { Lockstep } from "./lockstep.ts";

/** A random workflow from its beginning to its end. */
export interface Lived {
  readonly program: Program;
  /** Where it stands at its end. */
  readonly driver: Driver;
  readonly turns: readonly TimedTurn[];
  /** The state that the engine had after each turn. */
  readonly states: readonly WorkflowState[];
}

/** Random programs in random worlds, each to its end; the same ones for the same seed. */
export function* histories(runs: number, seed: number): Generator<Lived> {
  const choices = fc.array(fc.nat(997), { maxLength: 80, size: "max" });
  for (const [sketch, chosen] of fc.sample(fc.tuple(sketches, choices), { numRuns: runs, seed })) {
    const program = compile(sketch);
    const lockstep = new Lockstep(program, chosen);
    const { driver } = lockstep;
    const turns: TimedTurn[] = [];
    const states: WorkflowState[] = [];
    const { journal } = driver;
    // The driver has decided the turn when it writes it down, and takes the state right after.
    journal.push = (...written) => {
      note(driver.state);
      for (const { seq, text } of written) turns.push({ seq, at: driver.now, entries: decodeEntries(text) });
      return Array.prototype.push.apply(journal, written);
    };
    const note = (state: WorkflowState): void => {
      if (turns.length > 0) states[turns.length - 1] = state;
    };
    lockstep.run();
    note(driver.state);
    yield { program, driver, turns, states };
  }
}
