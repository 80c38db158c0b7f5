import type { At } from "@wfe/core";
import type { KnownNames } from "../expressions/names.ts";

/**
 * Where in a workflow something stands, so far as it matters to what it can read: within items of a `for_each`, within the runs
 * of a matrix.
 */
export interface Place {
  /** A `for_each` is around: outputs belong to its item. */
  readonly item: boolean;
  /** Names of the matrix around; undefined outside, empty where they are known at run time only. */
  readonly matrix: ReadonlySet<string> | undefined;
  /** Whether the innermost of both is a matrix: then outputs are listed by run. */
  readonly listed: boolean;
  /** Steps within the innermost matrix: for each other, their outputs are those of the own run. */
  readonly ofRun: ReadonlySet<string>;
}

export const top: Place = { item: false, matrix: undefined, listed: false, ofRun: new Set() };

/** What is kept as the item of a for-each where `at.item` alone would not tell everything. */
interface Wrapped {
  readonly item?: unknown;
  readonly matrix: Readonly<Record<string, unknown>>;
  /** The run's number, from 0. */
  readonly run: number;
}

/** Where items are wrapped: within a matrix. */
function isWrapped(place: Place): boolean {
  return place.matrix !== undefined;
}

type Around = Pick<At, "item" | "index">;

export function itemAt(place: Place, at: Around): unknown {
  if (!place.item) return undefined;
  return isWrapped(place) ? (at.item as Wrapped).item : at.item;
}

export function matrixAt(place: Place, at: Around): Readonly<Record<string, unknown>> | undefined {
  return isWrapped(place) ? (at.item as Wrapped).matrix : undefined;
}

export function runAt(place: Place, at: Around): number {
  return isWrapped(place) ? (at.item as Wrapped).run : 0;
}

/** The items of a `for_each` as they are kept. `place` is the one around it. */
export function wrapItems(place: Place, at: Around, items: Iterable<unknown>): Iterable<unknown> {
  if (!isWrapped(place)) return items;
  const { matrix, run } = at.item as Wrapped;
  return Array.from(items, (item): Wrapped => ({ item, matrix, run }));
}

/** The runs of a matrix as they are kept. */
export function wrapRuns(
  place: Place,
  at: Around,
  combinations: readonly Readonly<Record<string, unknown>>[],
): readonly unknown[] {
  const outer = matrixAt(place, at);
  return combinations.map((combination, run): Wrapped => ({
    ...(place.item ? { item: itemAt(place, at) } : {}),
    matrix: { ...outer, ...combination },
    run,
  }));
}

export function inForEach(place: Place): Place {
  return { ...place, item: true, listed: false, ofRun: new Set() };
}

export function inMatrix(place: Place, names: ReadonlySet<string> | undefined, steps: ReadonlySet<string>): Place {
  const all = names === undefined ? new Set<string>() : new Set([...names, ...(place.matrix ?? [])]);
  return { ...place, matrix: all, listed: true, ofRun: steps };
}

/** What a workflow's expressions may read, at a place. */
export function namesAt(
  place: Place,
  workflow: Pick<KnownNames, "variables" | "steps" | "inputs" | "produced">,
  more: Partial<KnownNames>,
): KnownNames {
  return { ...workflow, matrix: place.matrix, item: place.item, secrets: false, ...more };
}
