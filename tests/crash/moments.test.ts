import { describe, it, vi } from "vitest";
import { expectFinished } from "./moment-check.ts";
import { cases, takeovers } from "./moments.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

describe("a process that is killed", () => {
  it.each(cases.filter(({ long }) => long !== true))(
    "$title loses nothing and doubles nothing",
    async (each) => {
      await expectFinished([each]);
    },
    60_000,
  );
});

describe("a process that takes over from a dead one, and is killed", () => {
  const first = cases.find(({ title }) => title === "before a step's result is stored")!;
  it.each(takeovers.filter(({ long }) => long !== true))(
    "$title, leaves it to the next one",
    async (each) => {
      await expectFinished([first, each]);
    },
    60_000,
  );
});
