import { expect } from "vitest";
import type { FleetReport } from "./fleet.ts";

/** Prints the figures of a fleet, and fails where a promise was broken. */
export function expectWhole(what: string, seed: number, report: FleetReport): void {
  const { lost, doubled, stuck, damaged, clientErrors, ...figures } = report;
  const broken = { lost, doubled, stuck, damaged, clientErrors };
  const counts = Object.fromEntries(Object.entries(broken).map(([name, list]) => [name, list.length]));
  console.log(`${what}, seed ${seed} (repeat it with WFE_SEED=${seed}): ${JSON.stringify({ ...figures, ...counts })}`);
  expect(broken).toEqual({ lost: [], doubled: [], stuck: [], damaged: [], clientErrors: [] });
}
