import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { simulate } from "@wfe/core/testing";
import { plants } from "./plants.ts";
import { withFault } from "./planting.ts";
import { runSchedules } from "./run-schedules.ts";

/** More of them, or others: WFE_SCHEDULES and WFE_SEED. The same ones by default, so that a change is judged by what it changed. */
const schedules = Number(process.env["WFE_SCHEDULES"] ?? 2_000);
const first = Number(process.env["WFE_SEED"] ?? 1);
/** Of the calls that an application makes, over all schedules, so many are acknowledged: or nothing was shown. */
const leastSuccess = 0.9;

describe("simulated schedules", () => {
  it(`keep every promise (${schedules} of them, from seed ${first})`, async () => {
    const totals = await runSchedules({ first, count: schedules, processes: 2 });
    expect(totals.failures.map(({ story }) => story).join("\n\n")).toBe("");
    expect(totals.schedules).toBe(schedules);
    expect(totals.acknowledged / totals.asked).toBeGreaterThan(leastSuccess);
    expect(totals.bodies).toBeGreaterThan(schedules * 5);
  }, 600_000);

  const seeds = JSON.parse(readFileSync(new URL("./seeds.json", import.meta.url), "utf8")) as readonly {
    readonly seed: number;
    readonly found: string;
  }[];
  it.each(seeds)("keep every promise where once $found (seed $seed)", async ({ seed }) => {
    const { steps } = await simulate({ seed });
    expect(steps).toBeGreaterThan(100);
  });

  it("are the same each time, to the last step", async () => {
    for (const seed of [3, 12, 40, 226]) {
      const once = await simulate({ seed, trace: true });
      const again = await simulate({ seed, trace: true });
      expect(again.trace.join("\n")).toBe(once.trace.join("\n"));
      expect(again).toEqual(once);
      expect(once.trace.length).toBeGreaterThan(50);
    }
    expect((await simulate({ seed: 3 })).steps).not.toBe((await simulate({ seed: 4 })).steps);
  });
});

describe("planted bugs", () => {
  it.each(plants)("$name: its place in the code is known", ({ file, ...plant }) => {
    const source = readFileSync(new URL(`../../packages/core/src/${file}`, import.meta.url), "utf8");
    expect(withFault({ file, ...plant }, source)).not.toBe(source);
  });

  it.each(plants.filter(({ journal }) => journal === true))(
    "$name: it is caught within the schedules of a run",
    async ({ name }) => {
      const { failures, schedules: needed } = await runSchedules({
        first: 1,
        count: 2_000,
        processes: 1,
        plant: name,
        shrink: false,
        mostFailures: 1,
      });
      expect(failures.length, `after ${needed} schedules`).toBe(1);
    },
    300_000,
  );
});
