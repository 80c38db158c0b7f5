import { expect, it } from "vitest";
import { checkHistories } from "./replay-check.ts";

const runs = Number(process.env["WFE_MODEL_RUNS"] ?? 200);
const seed = Number(process.env["WFE_MODEL_SEED"] ?? 1);

it(
  `travels to every seq of ${runs} random workflows, and finds nothing else when they are decided again (seed ${seed})`,
  () => {
    expect(checkHistories(runs, seed)).toBeGreaterThan(runs);
  },
  60_000 + 300 * runs,
);
