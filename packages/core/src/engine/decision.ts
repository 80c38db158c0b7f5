import type { WorkflowDefinition } from "../definition/definition.ts";
import type { DeliveryOutcome, Subscription } from "../providers/records.ts";
import type { Entry } from "./entries.ts";
import type { Delivery } from "./inputs.ts";
import type { WorkflowState } from "./state.ts";

/** All that `decide` may know beside the definition, the state and the inputs. */
export interface DecideContext {
  /** Engine time, milliseconds since the epoch. */
  readonly now: number;
  /** Numbers in [0, 1), for jitter. */
  readonly random: () => number;
  /** Deaths of a host while the workflow ran alone that suspend it as poison. */
  readonly maxLoneDeaths: number;
  readonly limits: EngineLimits;
  /** Registered definitions, for `migrate`. */
  readonly definitionOf: (id: string, version: number) => WorkflowDefinition | undefined;
}

export interface EngineLimits {
  readonly valueBytes: number;
  readonly dataBytes: number;
  readonly depth: number;
  readonly transitions: number;
  readonly childDepth: number;
}

export const defaultLimits: EngineLimits = {
  valueBytes: 1024 * 1024,
  dataBytes: 8 * 1024 * 1024,
  depth: 200,
  transitions: 100_000,
  childDepth: 50,
};

/** What `decide` gives: the turn to append, the state after it, and what must be committed with it. */
export interface Decision {
  /** Empty: nothing came of the inputs; nothing is to be appended. */
  readonly entries: readonly Entry[];
  readonly state: WorkflowState;
  readonly effects: Effects;
  /** The entries as `encodeEntries` writes them, where that was to be had for less. */
  readonly text?: string;
}

export interface Effects {
  readonly subscribe: readonly Subscription[];
  readonly unsubscribe: readonly number[];
  readonly read: readonly DeliveryOutcome[];
  readonly startChildren: readonly ChildStart[];
  readonly stopChildren: readonly ChildStop[];
  /** What the parent is to be told, once the workflow has ended. */
  readonly tellParent: Extract<Delivery, { kind: "child-ended" }> | null;
  /** What it is to be told before that: the workflow had ended, and goes on. */
  readonly tellParentFirst?: Extract<Delivery, { kind: "child-retried" }>;
  readonly retryChildren?: readonly ChildRetry[];
}

export interface ChildStart {
  readonly pointer: number;
  readonly childId: string;
  readonly definitionId: string;
  readonly version: number | undefined;
  readonly data: unknown;
  readonly cursors: Readonly<Record<string, number>>;
  readonly depth: number;
}

export interface ChildStop {
  readonly childId: string;
  readonly compensate: boolean;
  readonly reason: string;
}

/** A child that has ended and is to go on; it tells its end again in any case. */
export interface ChildRetry {
  readonly childId: string;
  readonly actor?: string;
}
