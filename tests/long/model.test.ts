import { expect, it } from "vitest";
import { seedOfThisRun } from "../crash/random.ts";
import { expectSameMeaning } from "../model/same-meaning.ts";
import { longRun, patienceMs } from "./long-run.ts";

it(
  "means what the model says, in random programs and worlds",
  () => {
    const seed = seedOfThisRun();
    const { programs } = longRun;
    const turns = expectSameMeaning({ programs, seed });
    console.log(
      `model, seed ${seed} (repeat it with WFE_SEED=${seed}): ${programs} programs, ${turns} turns of the world`,
    );
    expect(turns).toBeGreaterThan(programs);
  },
  patienceMs,
);
