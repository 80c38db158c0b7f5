import { it } from "vitest";
import { seedOfThisRun } from "../crash/random.ts";
import { expectZombiesRefused } from "../crash/zombies/expect-zombies-refused.ts";
import { zombies } from "../crash/zombies/zombies.ts";
import { longRun, patienceMs } from "./long-run.ts";

it(
  "takes nothing from processes that were frozen beyond their lease, and aborts what they are in",
  async () => {
    const seed = seedOfThisRun();
    expectZombiesRefused(seed, await zombies({ seed, zombies: longRun.zombies }));
  },
  patienceMs,
);
