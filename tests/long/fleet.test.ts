import { expect, it } from "vitest";
import { seedOfThisRun } from "../crash/random.ts";
import { CrashStore } from "../crash/stores/crash-store.ts";
import { expectZombiesRefused } from "../crash/zombies/expect-zombies-refused.ts";
import { zombies } from "../crash/zombies/zombies.ts";
import { fleetOnCutLine, fleetOnRestartedPostgres, fleetWithoutValkey } from "../fleet/disturbances.ts";
import { expectWhole } from "../fleet/expect-whole.ts";
import { fleet } from "../fleet/fleet.ts";
import { longRun, patienceMs } from "./long-run.ts";

/** In a run of the usual length: 20 restarts of PostgreSQL, and 200 times that the answer of a COMMIT is lost. */
const restarts = Math.ceil(longRun.fleet / 3);
const cuts = restarts * 10;

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
  patienceMs,
);

it.each(stores)(
  "takes nothing from processes on %s that were frozen beyond their lease, and aborts what they are in",
  async (name) => {
    const seed = seedOfThisRun();
    expectZombiesRefused(seed, await zombies({ seed, zombies: longRun.zombies, store: name }));
  },
  patienceMs,
);

it(
  "a fleet loses nothing and doubles nothing while its Valkey loses everything and is gone, and its work goes on",
  async () => {
    const seed = seedOfThisRun();
    for (const store of ["postgres+valkey", "sqlite+valkey"] as const) {
      const report = await fleetWithoutValkey({ seed, store, flushes: 10, stops: 3 });
      expectWhole(`a fleet on ${store}, without its Valkey`, seed, report);
      expect(report.completedWithout).toBeGreaterThan(0);
    }
  },
  patienceMs,
);

it(
  "a fleet loses nothing and doubles nothing while its PostgreSQL is restarted every few seconds",
  async () => {
    const seed = seedOfThisRun();
    expectWhole("a fleet on a restarted PostgreSQL", seed, await fleetOnRestartedPostgres({ seed, restarts }));
  },
  patienceMs,
);

it(
  `a fleet loses nothing and doubles nothing while its line is cut between COMMIT and answer, ${cuts} times`,
  async () => {
    const seed = seedOfThisRun();
    const report = await fleetOnCutLine({ seed, cuts });
    expectWhole("a fleet on a cut line", seed, report);
    expect(report.cuts).toBeGreaterThanOrEqual(cuts);
  },
  patienceMs,
);
