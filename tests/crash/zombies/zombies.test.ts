import { it, vi } from "vitest";
import { seedOfThisRun } from "../random.ts";
import { expectZombiesRefused } from "./expect-zombies-refused.ts";
import { zombies } from "./zombies.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000 });

it("takes nothing from a process that was frozen beyond its lease, and aborts what it is in", async () => {
  const seed = seedOfThisRun();
  expectZombiesRefused(seed, await zombies({ seed, zombies: 1 }));
});
