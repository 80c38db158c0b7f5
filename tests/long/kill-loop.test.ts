import { expect, it } from "vitest";
import { expectNothingLost } from "../crash/expect-nothing-lost.ts";
import { killLoop } from "../crash/kill-loop.ts";
import { seedOfThisRun } from "../crash/random.ts";
import { longRun, patienceMs } from "./long-run.ts";
import { stores } from "./stores.ts";

it.each(stores)(
  "loses nothing on %s, records nothing twice and leaves nothing stuck, however often its process is killed",
  async (store) => {
    const seed = seedOfThisRun();
    // A server takes no harm from the death of a client, so fewer say as much.
    const kills = Math.ceil(store === "sqlite" ? longRun.kills : longRun.kills / 5);
    const report = await killLoop({ seed, kills, store });
    expect(report.kills).toBe(kills);
    expectNothingLost(seed, report);
  },
  patienceMs,
);
