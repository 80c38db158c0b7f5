import { describe, expect, it, vi } from "vitest";
import { seedOfThisRun } from "../crash/random.ts";
import { sharedPostgresIfAny } from "../services/postgres.ts";
import { findValkey } from "../services/valkey.ts";
import { fleetOnCutLine, fleetOnRestartedPostgres, fleetWithoutValkey } from "./disturbances.ts";
import { expectWhole } from "./expect-whole.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 180_000 });

const [postgres, valkey] = await Promise.all([sharedPostgresIfAny(), findValkey()]);

describe.skipIf(postgres === undefined)("a fleet loses nothing and doubles nothing", () => {
  it.skipIf(!valkey.available)("while its Valkey loses everything and is gone, and its work goes on", async () => {
    const seed = seedOfThisRun();
    const report = await fleetWithoutValkey({ seed, store: "postgres+valkey", flushes: 2, stops: 1 });
    expectWhole("a fleet without its Valkey", seed, report);
    expect(report.completedWithout).toBeGreaterThan(0);
  });

  it("while its PostgreSQL is restarted", async () => {
    const seed = seedOfThisRun();
    expectWhole("a fleet on a restarted PostgreSQL", seed, await fleetOnRestartedPostgres({ seed, restarts: 2 }));
  });

  it("while its line is cut between COMMIT and answer", async () => {
    const seed = seedOfThisRun();
    const report = await fleetOnCutLine({ seed, cuts: 15 });
    expectWhole("a fleet on a cut line", seed, report);
    expect(report.cuts).toBeGreaterThanOrEqual(15);
  });
});
