import type { At } from "@wfe/core";
import { runAt, type Place } from "./place.ts";
import { recordIn, stepsKey, stepsOfItemKey } from "./scope.ts";

/** What a step's body gives to the engine, and its history shows. */
export interface StepOutput {
  readonly outputs: Readonly<Record<string, unknown>>;
  /** For the data alone: `build.stdout` and the like. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** The result was found in the cache: the body did not run. */
  readonly cached?: true;
}

type Patch = Record<string, unknown>;

/** The output map of a step: `data.<name>` and `steps.<step>.outputs.<name>`, or the run's place in a list. */
export function patchOf(step: string, place: Place, data: Patch, output: StepOutput, at: At): Patch {
  const key = place.item ? stepsOfItemKey : stepsKey;
  const steps = recordIn(data, key);
  if (place.listed) {
    const before = (steps[step] as { outputs?: unknown } | undefined)?.outputs;
    const runs = at.items.length;
    const list = Array.from({ length: runs }, (_, run) =>
      Array.isArray(before) ? ((before[run] as unknown) ?? null) : null,
    );
    list[runAt(place, at)] = output.outputs;
    return { [key]: { ...steps, [step]: { outputs: list } } };
  }
  const some = Object.keys(output.outputs).length > 0 || Object.hasOwn(steps, step);
  return {
    ...output.outputs,
    ...output.data,
    ...(some ? { [key]: { ...steps, [step]: { outputs: output.outputs } } } : {}),
  };
}

/** A value of the data by a path: as an exact key first (`build.stdout`), then by its parts. */
export function lookUp(data: unknown, path: string): unknown {
  if (typeof data !== "object" || data === null) return undefined;
  if (Object.hasOwn(data, path)) return (data as Patch)[path];
  let here: unknown = data;
  for (const part of path.split(".")) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, part)) return undefined;
    here = (here as Patch)[part];
  }
  return here;
}
