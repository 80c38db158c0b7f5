import type { StoredEvent } from "../providers/records.ts";
import type { Entry } from "./entries.ts";
import type { WorkflowIdentity, WorkflowState } from "./state.ts";
import type { StoredError } from "./stored-error.ts";

/** What a host tells the engine. Several make one turn; they are decided in the order given. Values are copies made by the codec. */
export type Input =
  | {
      readonly kind: "start";
      readonly identity: WorkflowIdentity;
      readonly data: unknown;
      readonly cursors?: Readonly<Record<string, number>>;
    }
  /** A step with `onCrash` other than `"retry"` is about to run. */
  | { readonly kind: "begin"; readonly pointer: number }
  /** A body returned; `value` is a copy, or a `StepResult` whose values are copies. */
  | {
      readonly kind: "attempt-returned";
      readonly pointer: number;
      readonly attempt: number;
      readonly value: unknown;
    }
  /** A body threw, timed out, or returned what cannot be stored (`unstorable`: no retries). `thrown` is what `retry({ when })` sees. */
  | {
      readonly kind: "attempt-threw";
      readonly pointer: number;
      readonly attempt: number;
      readonly error: StoredError;
      readonly thrown: unknown;
      readonly unstorable?: boolean;
    }
  /** A body that had been stopped has ended, one way or the other. */
  | {
      readonly kind: "straggler-ended";
      readonly pointer: number;
      readonly returned: boolean;
      readonly output?: unknown;
    }
  /** Time has come to `now`. Events up to the deadlines were given before. */
  | { readonly kind: "due" }
  /** What a waiting pointer's streams hold beyond its cursors. */
  | { readonly kind: "events"; readonly pointer: number; readonly streams: readonly StreamInput[] }
  | {
      readonly kind: "delivery";
      readonly number: number;
      readonly delivery: Delivery;
      /** For `retry`: the state it goes back to. */ readonly base?: RetryBase | { readonly refused: string };
    }
  /** The turn that `journalNeeded` asked for. */
  | { readonly kind: "journal"; readonly pointer: number; readonly seq: number; readonly entries: readonly Entry[] }
  /** Go on with what is left from earlier turns: a yielded loop, crashed steps, poison. */
  | { readonly kind: "continue" };

export interface StreamInput {
  readonly label: string;
  readonly events: readonly (Omit<StoredEvent, "payloadText"> & { readonly payload: unknown })[];
  /** The highest number that retention has deleted, and the store's time of it; 0 for none. */
  readonly expiredThrough: number;
  readonly expiredAt: number;
}

/** What deliveries say. `actor` is who asked. */
export type Delivery =
  | { readonly kind: "suspend"; readonly reason?: string; readonly actor?: string }
  | { readonly kind: "resume"; readonly actor?: string }
  | { readonly kind: "terminate"; readonly reason?: string; readonly compensate?: boolean; readonly actor?: string }
  | { readonly kind: "retry"; readonly from?: string; readonly actor?: string }
  | { readonly kind: "skip-step"; readonly stepId: string; readonly output?: unknown; readonly actor?: string }
  | { readonly kind: "set-data"; readonly patch: Readonly<Record<string, unknown>>; readonly actor?: string }
  | { readonly kind: "migrate"; readonly version: number; readonly actor?: string }
  | {
      readonly kind: "child-ended";
      readonly pointer: number;
      readonly childId: string;
      readonly status: "completed" | "failed" | "terminated";
      readonly data?: unknown;
      readonly error?: StoredError;
      readonly cursors?: Readonly<Record<string, number>>;
    };

/** Where a retry goes back to: the state just after the turn that made the step ready. */
export interface RetryBase {
  readonly step: string;
  readonly state: WorkflowState;
  /** Patches that `setData` has made since, in order. */
  readonly patches: readonly Extract<Entry, { kind: "data-set" }>["patch"][];
}
