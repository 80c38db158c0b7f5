import { expect, it } from "vitest";
import { expectNothingLost } from "./expect-nothing-lost.ts";
import { killLoop } from "./kill-loop.ts";
import { seedOfThisRun } from "./random.ts";

it("loses nothing, records nothing twice and leaves nothing stuck, however often its process is killed", async () => {
  const seed = seedOfThisRun();
  const report = await killLoop({ seed, kills: 40 });
  expect(report.kills).toBe(40);
  expectNothingLost(seed, report);
}, 120_000);
