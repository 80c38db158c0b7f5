import fc from "fast-check";
import { expect, it } from "vitest";
import { compile, sketches } from "./generate.ts";
import { Lockstep } from "./lockstep.ts";

/** More of them, or others: WFE_MODEL_RUNS and WFE_MODEL_SEED. The same ones by default, so that a change is judged by what it changed. */
const runs = Number(process.env["WFE_MODEL_RUNS"] ?? 1000);
const seed = Number(process.env["WFE_MODEL_SEED"] ?? 1);

it(
  `means what the model says, in ${runs} random programs and worlds (seed ${seed})`,
  () => {
    let rounds = 0;
    const choices = fc.array(fc.nat(997), { maxLength: 80, size: "max" });
    const property = fc.property(sketches, choices, (sketch, choices) => {
      const lockstep = new Lockstep(compile(sketch), choices);
      try {
        rounds += lockstep.run();
      } catch (thrown) {
        throw new Error(`${String(thrown)}, after:\n${lockstep.story.join("\n")}`, { cause: thrown });
      }
    });
    fc.assert(property, { numRuns: runs, seed });
    expect(rounds).toBeGreaterThan(runs);
  },
  30_000 + 100 * runs,
);
