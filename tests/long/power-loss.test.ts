import { it } from "vitest";
import { expectNothingMissing } from "../crash/power-loss/expect-nothing-missing.ts";
import { powerLoss } from "../crash/power-loss/power-loss.ts";
import { seedOfThisRun } from "../crash/random.ts";
import { longRun, patienceMs } from "./long-run.ts";

it(
  "has everything that was acknowledged, wherever in a write the power fails",
  async () => {
    const seed = seedOfThisRun();
    expectNothingMissing(seed, await powerLoss({ seed, cuts: longRun.cuts, finishEvery: 25 }));
  },
  patienceMs,
);
