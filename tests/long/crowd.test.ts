import { expect, it } from "vitest";
import { crowd } from "../processes/crowd.ts";
import { longRun, patienceMs } from "./long-run.ts";

it(
  "lets 20 processes start, publish and read on one file without an error",
  async () => {
    const { errors, lost, ...figures } = await crowd({ clients: 20, forMs: longRun.minutes * 60_000 });
    console.log(`clients on one file: ${JSON.stringify(figures)}`);
    expect({ errors, lost }).toEqual({ errors: [], lost: [] });
    expect(figures.started).toBeGreaterThan(100);
  },
  patienceMs,
);
