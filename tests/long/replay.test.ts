import { expect, it } from "vitest";
import { checkHistories } from "../model/replay-check.ts";
import { longRun, patienceMs } from "./long-run.ts";

const { programs } = longRun;

it(
  `travels to every seq of ${programs} random workflows, and finds nothing else when they are decided again`,
  () => {
    expect(checkHistories(programs, 2)).toBeGreaterThan(programs);
  },
  patienceMs,
);
