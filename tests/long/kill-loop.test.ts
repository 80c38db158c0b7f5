import { expect, it } from "vitest";
import { expectNothingLost } from "../crash/expect-nothing-lost.ts";
import { killLoop } from "../crash/kill-loop.ts";
import { seedOfThisRun } from "../crash/random.ts";
import { longRun } from "./long-run.ts";

it("loses nothing, records nothing twice and leaves nothing stuck, however often its process is killed", async () => {
  const seed = seedOfThisRun();
  const report = await killLoop({ seed, kills: longRun.kills });
  expect(report.kills).toBe(longRun.kills);
  expectNothingLost(seed, report);
}, 3_600_000);
