import { describe, it } from "vitest";
import { expectFinished } from "../crash/moment-check.ts";
import { cases, takeovers } from "../crash/moments.ts";

describe("a process that is killed", () => {
  it.each(cases)(
    "$title loses nothing and doubles nothing",
    async (each) => {
      await expectFinished([each]);
    },
    60_000,
  );
});

describe("a process that takes over from a dead one, and is killed", () => {
  const first = cases.find(({ title }) => title === "before a step's result is stored")!;
  it.each(takeovers)(
    "$title, leaves it to the next one",
    async (each) => {
      await expectFinished([first, each]);
    },
    60_000,
  );
});
