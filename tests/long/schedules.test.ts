import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { plants } from "../simulator/plants.ts";
import { runSchedules } from "../simulator/run-schedules.ts";
import { longRun, patienceMs } from "./long-run.ts";

/** A line about the progress at least so often. */
const tellEveryMs = 30_000;
const first = Number(process.env["WFE_SEED"] ?? 1);
const processes = availableParallelism();
/** Schedules in which a planted bug is to be caught. */
const plantedSchedules = 2_000;

it(
  "keeps every promise in simulated schedules",
  async () => {
    const begunAt = performance.now();
    let toldAt = begunAt;
    let told = 0;
    const totals = await runSchedules({
      first,
      count: longRun.schedules,
      processes,
      onProgress: ({ schedules, failures }) => {
        // At once: a run of an hour may not live to tell.
        for (; told < failures.length; told += 1) console.log(failures[told]?.story);
        if (performance.now() - toldAt < tellEveryMs) return;
        toldAt = performance.now();
        const perSecond = (schedules / (toldAt - begunAt)) * 1_000;
        console.log(
          `${schedules} of ${longRun.schedules} schedules, ${perSecond.toFixed(0)} a second, ${failures.length} failed`,
        );
      },
    });
    const { failures, ...figures } = totals;
    console.log(`simulated schedules: ${JSON.stringify(figures)}`);
    expect(failures.map(({ story }) => story).join("\n\n")).toBe("");
    expect(totals.schedules).toBe(longRun.schedules);
    expect(totals.acknowledged / totals.asked).toBeGreaterThan(0.9);
  },
  patienceMs,
);

describe("a planted bug", () => {
  it(
    "is caught, every one of them",
    async () => {
      const waiting = [...plants];
      const rows: string[] = [];
      const missed: string[] = [];
      const work = async (): Promise<void> => {
        for (let plant = waiting.shift(); plant !== undefined; plant = waiting.shift()) {
          const { name } = plant;
          const options = {
            first: 1,
            count: plantedSchedules,
            processes: 1,
            plant: name,
            shrink: false,
            mostFailures: 1,
          };
          const { failures, schedules } = await runSchedules(options);
          const [failure] = failures;
          if (failure === undefined) missed.push(name);
          else rows.push(`| ${name} | ${failure.check} | ${schedules} |`);
        }
      };
      await Promise.all(Array.from({ length: processes }, work));
      console.log(
        ["| planted bug | caught by | after schedules |", "| --- | --- | --- |", ...rows.toSorted()].join("\n"),
      );
      expect(missed).toEqual([]);
    },
    patienceMs,
  );
});
