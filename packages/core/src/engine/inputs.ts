import type { StoredEvent } from "../providers/records.ts";
import type { Entry } from "./entries.ts";
import type { WorkflowIdentity, WorkflowState } from "./state.ts";
import type { StepLine } from "./step-summary.ts";
import type { StoredError } from "./stored-error.ts";

/** What a host tells the engine. Several make one turn; they are decided in the order given. Values are copies made by the codec. */
export type Input =
  | {
      readonly kind: "start";
      readonly identity: WorkflowIdentity;
      readonly data: unknown;
      readonly cursors?: Readonly<Record<string, number>>;
      /** Not to begin before, though calls for it are read. */
      readonly startAt?: number;
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
      /** It timed out, and has not returned. */
      readonly stillRuns?: boolean;
    }
  /** A body whose attempt was over has ended, one way or the other. */
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
      /** For what goes back in the history: the state it goes back to. */
      readonly base?: RetryBase | { readonly refused: string };
      /** For an item of a workflow that has ended: the pointer of its `forEach`. */
      readonly scope?: number;
      /** For what goes on after a failure: children of this workflow that have ended, and can be retried themselves. */
      readonly children?: readonly string[];
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
  | {
      readonly kind: "retry";
      readonly from?: string;
      /** The numbers of the items or iterations around the step, the innermost last. */
      readonly item?: readonly number[];
      /** One execution, by the id that the history gives it. */
      readonly execution?: string;
      /** Its parent waits for it again, and is told how it ends in any case. */
      readonly byParent?: boolean;
      readonly actor?: string;
    }
  | {
      readonly kind: "skip-step";
      readonly stepId: string;
      readonly item?: readonly number[];
      readonly output?: unknown;
      readonly actor?: string;
    }
  | { readonly kind: "set-data"; readonly patch: Readonly<Record<string, unknown>>; readonly actor?: string }
  | {
      readonly kind: "set-item";
      readonly stepId: string;
      readonly index: number;
      /** The numbers of the items or iterations around the `forEach`, the innermost last. */
      readonly around?: readonly number[];
      readonly item: unknown;
      readonly actor?: string;
    }
  | {
      readonly kind: "migrate";
      readonly version: number;
      /** New ids of steps that are called otherwise in that version. */
      readonly steps?: Readonly<Record<string, string>>;
      readonly actor?: string;
    }
  /** A child that had ended is being retried. */
  | { readonly kind: "child-retried"; readonly pointer: number; readonly childId: string; readonly actor?: string }
  | {
      readonly kind: "child-ended";
      readonly pointer: number;
      readonly childId: string;
      readonly status: "completed" | "failed" | "terminated";
      readonly data?: unknown;
      readonly error?: StoredError;
      readonly cursors?: Readonly<Record<string, number>>;
    };

/** Where a workflow goes back to. */
export interface RetryBase {
  /** The step that it is about, for the record. */
  readonly step: string;
  /** What is live there, under the ids it will have. */
  readonly state: WorkflowState;
  /** The steps as they stood there. */
  readonly steps: readonly StepLine[];
  /** The pointers that stood still: they are set up anew. All others go on as they are. */
  readonly frozen: ReadonlySet<number>;
  /** Of those that stood still, the new executions: their attempts count from 1. */
  readonly renewed: ReadonlySet<number>;
  /** Of those that stood still, the ones that wait for a person: they failed too, and nobody asked for them. */
  readonly held: ReadonlySet<number>;
  /** By branch: the step that stood on it last. */
  readonly last: ReadonlyMap<number, string>;
  /** Whether data or items were set by hand since: inputs are made anew. */
  readonly corrected: boolean;
  /** The pointers that it is about, where any are live there. */
  readonly targets?: readonly number[];
  /** The pointer that waits for a child which is being retried already. */
  readonly awaits?: number;
}
