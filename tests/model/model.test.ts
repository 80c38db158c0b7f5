import { expect, it } from "vitest";
import { expectSameMeaning } from "./same-meaning.ts";

/** The same programs each time, so that a change is judged by what it changed; tests/long/model.test.ts looks for new ones. */
const seed = 1;
const programs = 1000;

it(`means what the model says, in ${programs} random programs and worlds`, () => {
  expect(expectSameMeaning({ programs, seed })).toBeGreaterThan(programs);
}, 120_000);
