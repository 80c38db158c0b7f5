import { expect, it, vi } from "vitest";
import { expectNothingLost } from "./expect-nothing-lost.ts";
import { killLoop } from "./kill-loop.ts";
import { seedOfThisRun } from "./random.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 180_000 });

it("loses nothing, records nothing twice and leaves nothing stuck, however often its process is killed", async () => {
  const seed = seedOfThisRun();
  const report = await killLoop({ seed, kills: 24 });
  expect(report.kills).toBe(24);
  expectNothingLost(seed, report);
});
