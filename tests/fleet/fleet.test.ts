import { describe, expect, it, vi } from "vitest";
import { seedOfThisRun } from "../crash/random.ts";
import { CrashStore } from "../crash/stores/crash-store.ts";
import { sharedPostgresIfAny } from "../services/postgres.ts";
import { expectWhole } from "./expect-whole.ts";
import { fleet } from "./fleet.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 180_000 });

const postgres = await sharedPostgresIfAny();

describe.skipIf(postgres === undefined)("three hosts on PostgreSQL", () => {
  it("lose nothing, record nothing twice and leave nothing stuck when some are killed and some frozen", async () => {
    const seed = seedOfThisRun();
    await using store = await CrashStore.create("postgres");
    const report = await fleet({ seed, store, kills: 3, freezes: 1 });
    expectWhole("a fleet", seed, report);
    // What hits no work shows nothing.
    expect(report.takenOver).toBeGreaterThan(0);
  });
});
