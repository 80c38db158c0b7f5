import type {
  Checkpoint,
  CreatedWorkflow,
  DeliverResult,
  DeliveryOutcome,
  NewDelivery,
  NewEvent,
  NewWorkflow,
  PublishedEvent,
  Run,
  StoredDelivery,
  StoredEvent,
  StoredTurn,
  Subscription,
  WaitingFor,
  WorkflowRow,
  WorkflowStatus,
} from "./records.ts";
import type { LogStore } from "./log-store.ts";
import type { SearchOutbox } from "./search-outbox.ts";

/**
 * The store: the truth about every workflow.
 *
 * **Batches.** Methods that take a list answer in its order, one result per item; one item's refusal never fails its
 * neighbours. A list is one transaction. An empty list is legal and does nothing.
 *
 * **Durability.** When a promise resolves, its effect survives `kill -9` and power loss.
 *
 * **Errors** are `StoreError`s. Their `outcome` says whether the write took effect: `not-applied` (nothing changed) or
 * `unknown` (it may have, or may still). Every write may be repeated with the same arguments: ids in them make the second
 * one harmless.
 *
 * **Waking.** What wakes a workflow raises `signals` on its row and, in the same transaction, sets `dueAt` to now unless
 * it is earlier. A workflow that is owned keeps its owner and hears of it through `hints`, `owned` and `pull`.
 */
export interface PersistenceProvider {
  /**
   * Stores workflows; each is due at `startAt`, or now. Where the namespace has one of this id already, nothing is stored
   * and that one is described. Repeating a start (same `uid`) answers `created: true` again.
   */
  create(workflows: readonly NewWorkflow[]): Promise<readonly CreatedWorkflow[]>;

  /**
   * The same inside the caller's transaction `tx` (the driver's client), on which it waits: nothing is visible before the
   * caller commits. Refuses with an `InvalidOptionError` a `tx` of another kind or outside a transaction. A store with a
   * synchronous driver has done it when the call returns. Absent where the store has no transactions to join.
   */
  createIn?(tx: unknown, workflows: readonly NewWorkflow[]): Awaitable<readonly CreatedWorkflow[]>;

  /** The rows of these ids; undefined for an id that is not there. */
  find(namespace: string, ids: readonly string[]): Promise<readonly (WorkflowRow | undefined)[]>;

  /**
   * Takes workflows for a lease: due (`dueAt <= now`), without an owner, of a definition named in `definitions` (and of its hash,
   * where that is named), written in a format up to `format`. Sets the owner, raises `claim`, sets `dueAt` to null, and answers with the rows as they are then.
   *
   * Ordered by priority plus one point for each minute overdue, each namespace getting its share of `limit`. With `runs`,
   * only among those. Of two callers, one gets a workflow.
   */
  claim(request: ClaimRequest): Promise<readonly ClaimedWorkflow[]>;

  /**
   * Appends turns and what goes with them, each item judged alone and applied whole or not at all. See `TurnCommit`.
   *
   * An item with `execute` is a transactional step: see `TransactionalTurn`.
   */
  commit(turns: readonly (TurnCommit | TransactionalTurn)[]): Promise<readonly CommitResult[]>;

  /** Calls of `commit` that make headway beside one another, each with turns of other workflows. Absent: one. */
  readonly commitsAtOnce?: number;

  /** Whether `commit` takes items with `execute`. */
  readonly transactionalSteps: boolean;

  /**
   * Transactional steps that may be at work beside one another, each in a call of its own, since its body may take its time; the
   * store may be given more, and lets them wait. Absent: bodies are synchronous, and one call takes all that are ready.
   */
  readonly transactionsAtOnce?: number;

  /** Writes rows without a turn, each only `WHERE claim = mine`; false where the claim is lost. Of one that is there twice the last counts. */
  writeRows(
    writes: readonly { readonly run: Run; readonly claim: number; readonly row: RowWrite }[],
  ): Promise<readonly boolean[]>;

  /** What is needed to go on with a workflow: its newest checkpoint and every turn after it. undefined: no such run. */
  load(runs: readonly Run[]): Promise<readonly (LoadedWorkflow | undefined)[]>;

  /**
   * Reads what has come for workflows: unread deliveries and events. `signals` is the row's value *before* the rest was
   * read, so that whatever comes later is beyond it.
   */
  pull(requests: readonly PullRequest[]): Promise<readonly PullResult[]>;

  /** Turns of one workflow with `from <= seq <= to`, in order, at most `limit`. */
  turns(
    run: Run,
    range: { readonly from: number; readonly to?: number; readonly limit: number },
  ): Promise<readonly StoredTurn[]>;

  /** Puts deliveries into inboxes, and wakes their workflows, finished ones too. At most `inboxLimit` unread each, but for exempt ones. */
  deliver(deliveries: readonly NewDelivery[], inboxLimit: number): Promise<readonly DeliverResult[]>;

  /** The outcomes of deliveries with `keepOutcome`; undefined while unread. */
  deliveryOutcomes(
    requests: readonly { readonly run: Run; readonly number: number }[],
  ): Promise<readonly (DeliveryOutcome | undefined)[]>;

  /** Stores events, numbers those that are effective, and wakes their subscribers. */
  publish(events: readonly NewEvent[]): Promise<readonly PublishedEvent[]>;

  /** The same inside the caller's transaction; see `createIn`. */
  publishIn?(tx: unknown, events: readonly NewEvent[]): Awaitable<readonly PublishedEvent[]>;

  /**
   * Does what time has made due among events: numbers events that have become effective, and wakes a further batch of
   * waiters where a publish left some. At most `limit` wake-ups; true when there is more to do now.
   */
  advanceEvents(limit: number): Promise<boolean>;

  /** When something is due next (a workflow without owner and of these definitions, or an event not yet effective); null: nothing is. */
  nextDueAt(definitions: readonly DefinitionRef[]): Promise<number | null>;

  /** The rows that a lease owns, with their signals. */
  owned(lease: string): Promise<readonly { readonly run: Run; readonly claim: number; readonly signals: number }[]>;

  /** The leases that own workflows. */
  owners(): Promise<readonly string[]>;

  /**
   * Frees what dead leases own: raises `claim`, clears the owner, marks the row as taken from a dead host, makes it due now.
   * At most `limit` rows, without those that somebody is writing at the moment; gives how many. Only for leases that a `LockProvider` has said are dead.
   */
  orphan(leases: readonly string[], limit: number): Promise<number>;

  /** Rows that match, newest created first, then by run; a page and the cursor of the next. */
  list(
    filter: WorkflowFilter,
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly items: readonly WorkflowRow[]; readonly cursor?: string }>;

  /** How many rows match. */
  count(filter: WorkflowFilter): Promise<number>;

  /**
   * Deletes, in one bounded batch: workflows that ended before `workflowsBefore` with all that is theirs, and events that were
   * numbered before `eventsBefore`. An absent bound deletes nothing of its kind. Gives how many went; call again until 0.
   *
   * A workflow that has an owner or a due time stays, although it has ended: something has come for it that was acknowledged. And a
   * child that failed or was terminated stays for as long as its parent does: a retry of the parent goes on in it.
   *
   * A stream remembers the highest number deleted from it, so that a wait whose cursor lies below learns of it (`expired`).
   */
  purge(bounds: {
    readonly workflowsBefore?: number;
    readonly eventsBefore?: number;
    readonly limit: number;
  }): Promise<{ readonly workflows: number; readonly events: number }>;

  /**
   * Records which lock provider this store's hosts use, the first name at first, and gives what is recorded.
   *
   * `lease`: one of the lock that the same provider brings, opened by the caller before. Another name then takes the place of the
   * recorded one where no other of that lock's leases lives; those that have expired are dead from then on. Without a lease nothing
   * is replaced. Of two callers at once that disagree, at most one gets its name.
   */
  bindLockProvider(name: string, lease?: string): Promise<LockBinding>;

  /** What a search index has to hear of. Absent where the store can feed none. */
  readonly outbox?: SearchOutbox;

  /** What steps write. Absent where the store keeps none of it. */
  readonly logs?: LogStore;

  /** The store's time. A provider opened with a test clock gives that clock's. */
  now(): Promise<number>;

  /**
   * Calls the listener when something may have become due or changed, in this process or another: best effort, soon, possibly
   * too often. Gives a function that ends it.
   */
  hints(listener: (hint: StoreHint) => void): () => void;
}

/** Which lock provider a store's hosts use. */
export interface LockBinding {
  readonly name: string;
  /** Those that live, of other callers, where they keep another name recorded than the one that was given. At most 1,000. */
  readonly leases: readonly string[];
}

export type Awaitable<T> = T | Promise<T>;

/**
 * `runs`: which workflows were woken, where that is known. `own`: this process has woken them, and other processes may not have heard
 * of it: their hosts are told by the queue, where that is not the store's own.
 */
export interface StoreHint {
  readonly runs?: readonly Run[];
  readonly own?: boolean;
}

export interface DefinitionRef {
  readonly id: string;
  readonly version: number;
  /** Only workflows of this structure. Absent: of any that was stored under the id and version. */
  readonly hash?: string;
}

export interface ClaimRequest {
  readonly lease: string;
  readonly limit: number;
  readonly definitions: readonly DefinitionRef[];
  readonly format: number;
  readonly runs?: readonly Run[];
}

export interface ClaimedWorkflow {
  readonly row: WorkflowRow;
  /** The highest seq of its journal, -1 when it is empty. */
  readonly headSeq: number;
  /** Whether its last owner died with it: the claimer appends a `taken-over` turn first. */
  readonly orphaned: boolean;
}

/** What the row becomes. All fields are written. */
export interface RowWrite {
  readonly status: WorkflowStatus;
  /** When it wants a host again; null: when something wakes it. */
  readonly dueAt: number | null;
  /**
   * Whether the owner lets go. Then, and only then, `dueAt` becomes *now* when the row's own `signals` is beyond
   * `notedSignals`, or when a subscription of the same turn is behind its stream: decided in the same statement, so that no
   * wake-up is lost.
   */
  readonly release: boolean;
  readonly notedSignals: number;
  readonly version: number;
  readonly definitionHash: string;
  readonly completedAt: number | null;
  readonly resultText: string | null;
  readonly errorText: string | null;
  readonly waitingFor: readonly WaitingFor[];
}

/**
 * One turn. It is appended only if `seq` does not exist for the run **and** `seq - 1` does (for 0: the row does). Only then
 * does everything else in it happen, in the same transaction.
 */
export interface TurnCommit {
  readonly run: Run;
  readonly claim: number;
  readonly seq: number;
  readonly turn: string;
  readonly host: string;
  readonly entriesText: string;
  readonly namespace: string;
  /** Added; the answer's `behind` tells whether any of their streams has gone beyond its cursor. */
  readonly subscribe?: readonly Subscription[];
  /** Pointers whose subscriptions end. */
  readonly unsubscribe?: readonly number[];
  /** Deliveries that this turn has read. */
  readonly read?: readonly DeliveryOutcome[];
  /** Written `WHERE claim = mine`; the answer's `rowWritten` tells. */
  readonly row?: RowWrite;
  readonly checkpoint?: Checkpoint;
  /** Children. One whose id is taken is left out silently: `find` tells later. */
  readonly create?: readonly NewWorkflow[];
  readonly deliver?: readonly NewDelivery[];
}

/**
 * A transactional step's turn. The store opens a transaction (or savepoint), calls `execute` with its client, and appends what
 * that gives, in the same transaction. When `execute` throws, all that it wrote is undone and the result is `body-failed`.
 */
export interface TransactionalTurn {
  readonly run: Run;
  readonly seq: number;
  /** A store with a synchronous driver refuses a promise, as `body-failed`. */
  readonly execute: (tx: unknown) => Awaitable<TurnCommit>;
}

export type CommitResult =
  | {
      readonly outcome: "applied";
      /** Whether `row` was written: false when the claim is lost, or when there was none to write. */
      readonly rowWritten: boolean;
      /** The row's `signals` after the turn. */
      readonly signals: number;
      readonly behind: boolean;
      /** Set when the turn released the row: the due time it got, *now* included. */
      readonly dueAt?: number | null;
    }
  /** The seq is taken. `turn` is the stored turn's id: our own means that an earlier attempt was applied. */
  | { readonly outcome: "conflict"; readonly turn: string }
  /** `seq - 1` (for 0: the row) is not there. */
  | { readonly outcome: "hole" }
  /** This item alone cannot be stored; its neighbours were. */
  | { readonly outcome: "failed"; readonly error: Error }
  | { readonly outcome: "body-failed"; readonly error: unknown };

export interface LoadedWorkflow {
  readonly row: WorkflowRow;
  readonly checkpoint: Checkpoint | null;
  readonly turns: readonly StoredTurn[];
}

export interface PullRequest {
  readonly run: Run;
  readonly namespace: string;
  readonly streams: readonly StreamCursor[];
}

export interface StreamCursor {
  readonly name: string;
  readonly key: string;
  /** Events with a number above this. */
  readonly after: number;
  /** Events numbered at or after this time. */
  readonly since: number;
  /** At most so many. */
  readonly limit: number;
}

export interface PullResult {
  readonly signals: number;
  /** Unread ones, in order. */
  readonly deliveries: readonly StoredDelivery[];
  /** Per stream asked for, in order of number. */
  readonly events: readonly StreamEvents[];
}

export interface StreamEvents {
  readonly events: readonly StoredEvent[];
  /** The highest number of the stream that retention has deleted, 0 for none. */
  readonly expiredThrough: number;
  /** When that one was numbered, by the store's clock; 0 for none. */
  readonly expiredAt: number;
}

export interface WorkflowFilter {
  readonly namespace: string;
  readonly definitionId?: string;
  readonly version?: number;
  readonly status?: WorkflowStatus | readonly WorkflowStatus[];
  readonly tag?: string;
  readonly createdAfter?: number;
  readonly createdBefore?: number;
  /** Waiting for an event of this name. */
  readonly waitingForEvent?: string;
}
