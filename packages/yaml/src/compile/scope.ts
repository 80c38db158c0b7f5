import type { At } from "@wfe/core";
import { variableRoot } from "../expressions/names.ts";
import type { Variables } from "../source/fill-variables.ts";
import { itemAt, matrixAt, runAt, type Place } from "./place.ts";

/** Key of the data with the outputs of steps, by name: `{ build: { outputs } }`. */
export const stepsKey = "steps";
/** The same for the steps within one item of a `for_each`; a key of the item's own. */
export const stepsOfItemKey = "item.steps";

type Bag = Readonly<Record<string, unknown>>;
type Around = Pick<At, "item" | "index" | "workflow">;

/** What is the same for all scopes of a workflow. */
export interface ScopeBase {
  readonly variables: Variables;
  /** All steps: one that has not run yet has no outputs. */
  readonly steps: ReadonlySet<string>;
  /** Inputs that may be missing: they are null then. */
  readonly optionalInputs: readonly string[];
}

/** What expressions and conditions of a place can read. Each part is made when it is first asked for. */
export function scopeAt(
  base: ScopeBase,
  place: Place,
  data: Bag,
  at: Around,
  more: { readonly inputs?: Bag; readonly secret?: Bag } = {},
): Record<string, unknown> {
  return {
    get data() {
      return dataOf(place, data, at);
    },
    get inputs() {
      return inputsOf(base, dataOf(place, data, at), more.inputs);
    },
    get outputs() {
      return dataOf(place, data, at);
    },
    get steps() {
      return stepsAt(base, place, data, at);
    },
    get item() {
      return itemAt(place, at);
    },
    get index() {
      return place.listed ? runAt(place, at) : at.index;
    },
    get matrix() {
      return matrixAt(place, at);
    },
    get workflow() {
      return at.workflow;
    },
    get [variableRoot]() {
      return base.variables;
    },
    get secret() {
      return more.secret;
    },
  };
}

function inputsOf(base: ScopeBase, data: Bag, own: Bag | undefined): Bag {
  const missing = base.optionalInputs.filter((name) => !Object.hasOwn(data, name));
  if (own === undefined && missing.length === 0) return data;
  return { ...Object.fromEntries(missing.map((name) => [name, null])), ...data, ...own };
}

/** In the run of a matrix, outputs of the same run can be read as data, as they are elsewhere. */
export function dataOf(place: Place, data: Bag, at: Around): Bag {
  if (!place.listed) return data;
  const own: Record<string, unknown> = {};
  for (const step of place.ofRun) Object.assign(own, outputsOfRun(place, data, at, step));
  return Object.keys(own).length === 0 ? data : { ...data, ...own };
}

function stepsAt(base: ScopeBase, place: Place, data: Bag, at: Around): Bag {
  const all: Record<string, unknown> = {};
  for (const step of base.steps) all[step] = { outputs: {} };
  Object.assign(all, recordIn(data, stepsKey), recordIn(data, stepsOfItemKey));
  if (place.listed) for (const step of place.ofRun) all[step] = { outputs: outputsOfRun(place, data, at, step) };
  return all;
}

function outputsOfRun(place: Place, data: Bag, at: Around, step: string): Bag {
  const entry = recordIn(data, place.item ? stepsOfItemKey : stepsKey)[step] as { outputs?: unknown } | undefined;
  const outputs = entry?.outputs;
  return (Array.isArray(outputs) ? (outputs[runAt(place, at)] as Bag | null) : undefined) ?? {};
}

export function recordIn(data: Bag, key: string): Bag {
  const value = Object.hasOwn(data, key) ? data[key] : undefined;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Bag) : {};
}
