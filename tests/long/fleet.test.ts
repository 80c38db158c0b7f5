import { expect, it } from "vitest";
import { seedOfThisRun } from "../crash/random.ts";
import { CrashStore } from "../crash/stores/crash-store.ts";
import { expectZombiesRefused } from "../crash/zombies/expect-zombies-refused.ts";
import { zombies } from "../crash/zombies/zombies.ts";
import { expectWhole } from "../fleet/expect-whole.ts";
import { fleet } from "../fleet/fleet.ts";
import { longRun } from "./long-run.ts";

const stores = ["postgres", "postgres+valkey", "sqlite+valkey"] as const;

it.each(stores)(
  "three hosts on %s lose nothing, record nothing twice and leave nothing stuck, however many are killed and frozen",
  async (name) => {
    const seed = seedOfThisRun();
    await using store = await CrashStore.create(name);
    const report = await fleet({ seed, store, kills: longRun.fleet, freezes: Math.ceil(longRun.fleet / 3) });
    expectWhole(`a fleet on ${name}`, seed, report);
    expect(report.takenOver).toBeGreaterThan(longRun.fleet / 4);
  },
  3_600_000,
);

it.each(stores)(
  "takes nothing from processes on %s that were frozen beyond their lease, and aborts what they are in",
  async (name) => {
    const seed = seedOfThisRun();
    expectZombiesRefused(seed, await zombies({ seed, zombies: longRun.zombies, store: name }));
  },
  3_600_000,
);
