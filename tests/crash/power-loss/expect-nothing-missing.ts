import { expect } from "vitest";
import type { PowerLossReport } from "./power-loss.ts";

/** Prints the figures of power losses, and fails where a promise was broken. */
export function expectNothingMissing(seed: number, { problems, ...figures }: PowerLossReport): void {
  console.log(
    `power losses, seed ${seed} (repeat them with WFE_SEED=${seed}): ${JSON.stringify({ ...figures, problems: problems.length })}`,
  );
  expect(problems).toEqual([]);
  // Cuts where nothing was at stake would show nothing.
  expect(figures.frames).toBeGreaterThan(300);
  expect(figures.lookedFor).toBeGreaterThan(figures.acknowledged);
}
