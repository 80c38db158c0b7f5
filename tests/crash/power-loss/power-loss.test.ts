import { expect, it, vi } from "vitest";
import { seedOfThisRun } from "../random.ts";
import { expectNothingMissing } from "./expect-nothing-missing.ts";
import { powerLoss } from "./power-loss.ts";

// On a machine that has much to do.
vi.setConfig({ testTimeout: 120_000 });

it("has everything that was acknowledged, wherever in a write the power fails", async () => {
  const seed = seedOfThisRun();
  const report = await powerLoss({ seed, cuts: 60, finishEvery: 20 });
  expectNothingMissing(seed, report);
  expect(report.finished).toBe(3);
});
