import { expect } from "vitest";
import type { ZombieReport } from "./zombies.ts";

/** Prints the figures of frozen processes, and fails where a promise was broken. */
export function expectZombiesRefused(seed: number, report: ZombieReport): void {
  const { lost, doubled, stuck, damaged, changed, ...figures } = report;
  const counts = {
    changed: changed.length,
    lost: lost.length,
    doubled: doubled.length,
    stuck: stuck.length,
    damaged: damaged.length,
  };
  console.log(
    `zombies, seed ${seed} (repeat them with WFE_SEED=${seed}): ${JSON.stringify({ ...figures, ...counts })}`,
  );
  expect({ changed, lost, doubled, stuck, damaged }).toEqual({
    changed: [],
    lost: [],
    doubled: [],
    stuck: [],
    damaged: [],
  });
  // What nobody had to take over would show nothing.
  expect(figures.aborted).toBeGreaterThan(0);
  expect(figures.takenOver).toBeGreaterThanOrEqual(figures.aborted);
}
