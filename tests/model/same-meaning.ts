import fc from "fast-check";
import { compile, sketches } from "./generate.ts";
import { Lockstep } from "./lockstep.ts";

/**
 * Runs random programs in random worlds by the engine and by the model, and throws the smallest one found in which they part, with
 * its story. Gives how many turns of the world there were.
 */
export function expectSameMeaning({ programs, seed }: { readonly programs: number; readonly seed: number }): number {
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
  fc.assert(property, { numRuns: programs, seed });
  return rounds;
}
