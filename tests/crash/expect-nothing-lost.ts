import { expect } from "vitest";
import type { KillLoopReport } from "./kill-loop.ts";

/** Prints the figures of a kill loop, and fails where a promise was broken. */
export function expectNothingLost(seed: number, report: KillLoopReport): void {
  const { lost, doubled, stuck, damaged, clientErrors, ...figures } = report;
  const counts = {
    lost: lost.length,
    doubled: doubled.length,
    stuck: stuck.length,
    damaged: damaged.length,
    clientErrors: clientErrors.length,
  };
  console.log(
    `kill loop, seed ${seed} (repeat it with WFE_SEED=${seed}): ${JSON.stringify({ ...figures, ...counts })}`,
  );

  expect({ lost, doubled, stuck, damaged, clientErrors }).toEqual({
    lost: [],
    doubled: [],
    stuck: [],
    damaged: [],
    clientErrors: [],
  });
  // Kills that hit no work would show nothing.
  expect(figures.takenOver).toBeGreaterThan(report.kills / 4);
  expect(figures.repeated).toBeGreaterThan(report.kills / 4);
  expect(figures.workflows).toBeGreaterThan(report.kills / 10);
}
