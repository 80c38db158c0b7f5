import { Child } from "../../processes/support/child.ts";
import { pause } from "../../processes/support/until.ts";
import { CrashStore, type StoreName } from "../../crash/stores/crash-store.ts";
import type { Sample, SoakOptions } from "./soak-runner.ts";

/** A moment of the soak. */
export interface Moment extends Sample {
  readonly minute: number;
  readonly storeBytes: number;
}

export interface SoakReport {
  readonly minutes: number;
  readonly perSecond: number;
  readonly ended: number;
  readonly unfinished: number;
  readonly wrong: readonly string[];
  /** After the warm-up, in two halves. */
  readonly earlier: readonly Moment[];
  readonly later: readonly Moment[];
  /** Told in order: for the eye. */
  readonly moments: readonly Moment[];
}

const samples = 60;

/** Retention keeps events for two minutes, so what is stored comes to rest after some; before that nothing is compared. */
const warmUpMinutes = 3;

/** Runs a constant load for so long, and measures the process that runs it. */
export async function soak(options: {
  readonly seed: number;
  readonly minutes: number;
  readonly perSecond: number;
  readonly store?: StoreName;
}): Promise<SoakReport> {
  const { seed, minutes, perSecond } = options;
  await using store = await CrashStore.create(options.store);
  const given: SoakOptions = { store: store.spec, directory: store.directory, seed, perSecond };
  await using child = await Child.spawn(new URL("./soak-runner.ts", import.meta.url), given);
  const moments: Moment[] = [];
  const since = performance.now();
  const minute = (): number => (performance.now() - since) / 60_000;
  await child.call("start");
  while (minute() < minutes) {
    await pause((minutes * 60_000) / samples);
    const sample = await child.call<Sample>("sample");
    moments.push({ minute: minute(), storeBytes: await store.bytes(), ...sample });
  }
  await child.call("drain");
  const { ended, unfinished, wrong } = await child.call<Sample>("sample");
  await child.call("stop");
  const warm = moments.filter((moment) => moment.minute > Math.min(warmUpMinutes, minutes / 3));
  const half = Math.floor(warm.length / 2);
  return {
    minutes,
    perSecond,
    ended,
    unfinished,
    wrong,
    earlier: warm.slice(0, half),
    later: warm.slice(half),
    moments,
  };
}
