/**
 * The records that core and a store exchange. Fields that end in `Text` are encoded by core (`codec/`) and opaque to the
 * store: they are kept and given back byte for byte. Times are milliseconds since the epoch, by the store's clock.
 */

/** The number of a workflow in its store. Never used again, also after retention has made its id free. */
export type Run = number;

/** The newest format of turns, checkpoints and rows that this version reads and writes. */
export const recordFormat = 1;

export type WorkflowStatus = "runnable" | "waiting" | "suspended" | "completed" | "failed" | "terminated";

/** Statuses in which a workflow has ended; repair may still revive it. */
export const finalStatuses: readonly WorkflowStatus[] = ["completed", "failed", "terminated"];

/** A workflow about to be stored. */
export interface NewWorkflow {
  readonly namespace: string;
  /** At most 512 bytes, no NUL, not blank. Unique in its namespace. */
  readonly id: string;
  /** Random; tells a repeated call from another start with the same id. Also the root of all idempotency keys. */
  readonly uid: string;
  readonly definitionId: string;
  readonly version: number;
  readonly definitionHash: string;
  readonly priority: number;
  readonly tags: readonly string[];
  /** When it may begin; null: at once. */
  readonly startAt: number | null;
  /** Everything the first turn needs: data, parent, inherited cursors, trace. */
  readonly startText: string;
  /** The workflow that waits for it, if any: its end is delivered there in the same transaction. */
  readonly parent: { readonly run: Run; readonly pointer: number } | null;
  /** A first turn to store with the row (a fork has one); null: none. */
  readonly firstTurn: { readonly turn: string; readonly entriesText: string; readonly host: string } | null;
}

/** How a start ended. `created: false`: a workflow of this id was there already; the other fields are that one's. */
export interface CreatedWorkflow {
  readonly created: boolean;
  readonly run: Run;
  readonly uid: string;
  readonly definitionId: string;
  readonly version: number;
}

/** The instance row: a projection for queries and dispatch, and the fence. */
export interface WorkflowRow {
  readonly run: Run;
  readonly namespace: string;
  readonly id: string;
  readonly uid: string;
  readonly definitionId: string;
  readonly version: number;
  readonly definitionHash: string;
  readonly status: WorkflowStatus;
  readonly priority: number;
  readonly tags: readonly string[];
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly completedAt: number | null;
  /** When it wants a host; null: not before something wakes it. */
  readonly dueAt: number | null;
  /** The lease that owns it, or null. */
  readonly owner: string | null;
  /** Raised by every claim and by `orphan`: the fence. */
  readonly claim: number;
  /** Raised by whatever wakes it. */
  readonly signals: number;
  readonly parent: { readonly run: Run; readonly pointer: number } | null;
  readonly startText: string;
  /** The final data of a completed workflow. */
  readonly resultText: string | null;
  readonly errorText: string | null;
  /** What it waits for, as `RowWrite.waitingFor`. */
  readonly waitingFor: readonly WaitingFor[];
}

export interface WaitingFor {
  readonly event: string;
  readonly key: string;
  readonly until?: number;
}

/** One row of the journal. */
export interface StoredTurn {
  readonly seq: number;
  /** The turn id: random, made before the first attempt to store it. */
  readonly turn: string;
  readonly at: number;
  readonly host: string;
  readonly entriesText: string;
}

export interface Checkpoint {
  /** The last turn folded into it. */
  readonly seq: number;
  readonly stateText: string;
}

/** Something for one workflow's inbox. */
export interface NewDelivery {
  /** Random; storing the same one twice stores it once. */
  readonly deliveryId: string;
  readonly to: Run;
  readonly kind: string;
  readonly bodyText: string;
  /** Whether its outcome is kept, for a caller that asks with `deliveryOutcomes`. */
  readonly keepOutcome: boolean;
  /** Exempt from the inbox limit: the engine's own. */
  readonly exempt: boolean;
}

export interface StoredDelivery {
  /** 1, 2, 3... per workflow, in the order of commits, no gaps. */
  readonly number: number;
  readonly deliveryId: string;
  readonly kind: string;
  readonly bodyText: string;
  readonly at: number;
}

export type DeliverResult =
  | { readonly outcome: "accepted"; readonly number: number }
  | { readonly outcome: "no-such-workflow" }
  | { readonly outcome: "inbox-full" };

/** How a workflow answered a delivery. */
export interface DeliveryOutcome {
  readonly number: number;
  readonly outcome: "applied" | "refused";
  readonly reason: string | null;
}

export interface NewEvent {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
  /** Unique in its namespace: publishing the same id again stores nothing and gives the first one's number. */
  readonly eventId: string;
  readonly payloadText: string;
  /** When it becomes effective; null or past: at once. A future one gets its number, and wakes its waiters, then. */
  readonly effectiveAt: number | null;
}

export interface PublishedEvent {
  /** Its number in its stream, from 1; null while it is not effective yet, or staged in a caller's transaction. */
  readonly number: number | null;
  readonly duplicate: boolean;
}

export interface StoredEvent {
  readonly number: number;
  readonly eventId: string;
  readonly name: string;
  readonly key: string;
  readonly payloadText: string;
  /**
   * The store's time when it was published, or when it became effective where that came later; not before that of the event before
   * it in its stream. That an event is numbered late, since no host ran, does not change it.
   */
  readonly at: number;
}

/** A waiting pointer's claim on a stream. One pointer has at most one subscription per (name, key). */
export interface Subscription {
  readonly pointer: number;
  readonly name: string;
  readonly key: string;
  /** The cursor: the last number read on this line of control, 0 for none. */
  readonly after: number;
}
