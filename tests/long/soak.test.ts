import { expect, it } from "vitest";
import { seedOfThisRun } from "../crash/random.ts";
import { longRun, patienceMs } from "./long-run.ts";
import { type Moment, soak } from "./soak/soak.ts";
import { stores } from "./stores.ts";

const MiB = 1024 * 1024;

it.each(stores)(
  "stays as large as it is under a constant load on %s: heap, memory, handles and store",
  async (store) => {
    const seed = seedOfThisRun();
    const { earlier, later, moments, ...report } = await soak({ seed, minutes: longRun.minutes, perSecond: 10, store });
    const figures = { earlier: middlesOf(earlier), later: middlesOf(later) };
    console.log(`soak on ${store}, seed ${seed}: ${JSON.stringify({ ...report, ...figures })}`);
    console.log(moments.map(line).join("\n"));

    expect({ unfinished: report.unfinished, wrong: report.wrong }).toEqual({ unfinished: 0, wrong: [] });
    // A load that the machine did not carry would show nothing.
    expect(report.ended).toBeGreaterThan(report.minutes * 60 * report.perSecond * 0.8);
    expect(figures.later.unfinished).toBeLessThan(report.perSecond * 10);
    expect(figures.later.heapBytes).toBeLessThan(figures.earlier.heapBytes * 1.05 + 2 * MiB);
    // Under load V8 reserves more for the young, in steps, and keeps it; what is in use is the heap above.
    expect(figures.later.rssBytes).toBeLessThan(figures.earlier.rssBytes * 1.25 + 32 * MiB);
    expect(figures.later.openFiles).toBeLessThanOrEqual(figures.earlier.openFiles + 2);
    expect(figures.later.resources).toBeLessThan(figures.earlier.resources + 20);
    expect(figures.later.bodiesLeftBehind).toBe(0);
    // Events are kept for two minutes: a shorter run has not seen the store at rest.
    if (report.minutes >= 8) {
      // What retention deletes a few seconds later now and then is no growth.
      expect(highest(later, "stored")).toBeLessThan(highest(earlier, "stored") * 1.1 + report.perSecond * 10);
      expect(highest(later, "storeBytes")).toBeLessThan(highest(earlier, "storeBytes") * 1.1 + MiB);
    }
  },
  patienceMs,
);

type Field = Exclude<keyof Moment, "wrong">;

function middlesOf(moments: readonly Moment[]): Record<Field, number> {
  const middle = (field: Field): number =>
    moments.map((moment) => moment[field]).toSorted((a, b) => a - b)[Math.floor(moments.length / 2)] ?? 0;
  return {
    minute: middle("minute"),
    ended: middle("ended"),
    unfinished: middle("unfinished"),
    stored: middle("stored"),
    storeBytes: middle("storeBytes"),
    heapBytes: middle("heapBytes"),
    heapTotalBytes: middle("heapTotalBytes"),
    externalBytes: middle("externalBytes"),
    rssBytes: middle("rssBytes"),
    openFiles: middle("openFiles"),
    resources: middle("resources"),
    bodiesLeftBehind: middle("bodiesLeftBehind"),
  };
}

function highest(moments: readonly Moment[], field: Field): number {
  return Math.max(...moments.map((moment) => moment[field]));
}

function line(moment: Moment): string {
  const {
    minute,
    ended,
    unfinished,
    stored,
    storeBytes,
    heapBytes,
    heapTotalBytes,
    externalBytes,
    rssBytes,
    openFiles,
    resources,
  } = moment;
  const megabytes = (bytes: number): string => `${(bytes / MiB).toFixed(1)} MiB`;
  return `minute ${minute.toFixed(1)}: ${ended} ended, ${unfinished} unfinished, ${stored} stored in ${megabytes(storeBytes)}, heap ${megabytes(heapBytes)} of ${megabytes(heapTotalBytes)} and ${megabytes(externalBytes)} outside, RSS ${megabytes(rssBytes)}, ${openFiles} files, ${resources} resources`;
}
