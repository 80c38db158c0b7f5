import type { Slot } from "../definition/definition.ts";
import type { NodeKind } from "../definition/nodes.ts";
import type { StoredError } from "./stored-error.ts";

/**
 * Everything live of one workflow, and nothing else: what has ended stays in the journal. So its size does not grow with
 * the history. Values in it are immutable; `evolve` gives a new state.
 *
 * Live things form a tree: the workflow (pointer 0) has a branch, a branch has at most one pointer, and a container's
 * pointer has branches of its own. Pointers, branches and lines share one counter of ids.
 */
export interface WorkflowState {
  readonly identity: WorkflowIdentity;
  /** The last turn folded in; -1: none yet. */
  readonly seq: number;
  readonly phase: "active" | "suspended" | "completed" | "failed" | "terminated";
  /** Why it is suspended, failed or terminated. */
  readonly error: StoredError | null;
  readonly reason: string | null;
  readonly data: Data;
  readonly pointers: ReadonlyMap<number, Pointer>;
  readonly branches: ReadonlyMap<number, Branch>;
  readonly lines: ReadonlyMap<number, Line>;
  readonly nextId: number;
  /** The last delivery read. */
  readonly inboxRead: number;
  /** Bodies and children whose time is over, that were stopped or ran too long, and may still be at it; undoing waits for them. */
  readonly stragglers: ReadonlyMap<number, Straggler>;
  readonly takeover: Takeover;
  /** The pointer whose undoing failed for good, with the workflow. */
  readonly stuckUndo: number | null;
  readonly completedAt: number | null;
}

export type Data = Readonly<Record<string, unknown>>;

export interface WorkflowIdentity {
  readonly id: string;
  readonly namespace: string;
  /** Random; the root of idempotency keys. */
  readonly uid: string;
  readonly definitionId: string;
  readonly version: number;
  readonly definitionHash: string;
  readonly createdAt: number;
  readonly tags: readonly string[];
  readonly priority: number;
  /** How many parents are above it. */
  readonly depth: number;
  readonly parent: { readonly run: number; readonly pointer: number; readonly workflowId: string } | null;
  /** The W3C `traceparent` of who started it. */
  readonly trace?: string;
  /** What steps are called since a migration that renamed them, by their earlier ids: undo records name those. */
  readonly renamed?: Readonly<Record<string, string>>;
}

export type PointerStatus =
  /** A body wants to run. */
  | "ready"
  /** A timer, or a pause before a retry: `dueAt` says until when. */
  | "sleeping"
  /** For events or a child. */
  | "waiting"
  /** A container with open branches, or with more to open. */
  | "open"
  /** A hook (`onFailure`, `ensure`, a compensation) runs in a branch of its own. */
  | "hook"
  /** Suspended by its error; waits for a person. */
  | "held"
  /** Undoing: the next undo record has to be read from the journal. */
  | "undoing";

/** A live occurrence of a node. */
export interface Pointer {
  readonly id: number;
  /** The branch it stands on; -1 for the workflow itself. */
  readonly branch: number;
  readonly step: string;
  readonly kind: NodeKind | "workflow";
  readonly status: PointerStatus;
  /** The seq of the turn that opened it. */
  readonly openedSeq: number;
  /** The attempt that runs or comes next, from 1. */
  readonly attempt: number;
  /** Retries that its `onError` has used up. */
  readonly retries: number;
  /** `step-begun` is on record for this attempt. */
  readonly begun: boolean;
  /** Its host died or left, and it may have been running. Only where `begun`. */
  readonly crashed: boolean;
  /** When time moves it: the end of a sleep or pause, a deadline. */
  readonly dueAt: number | null;
  readonly hasInput: boolean;
  readonly input: unknown;
  readonly persisted: unknown;
  readonly event: { readonly name: string; readonly key: string; readonly payload: unknown } | null;
  readonly wait: WaitState | null;
  readonly scope: ScopeState | null;
  /** `timedOut`: it was told to end, and its step fails once it has. */
  readonly child: { readonly id: string; readonly timedOut?: boolean } | null;
  /** How it will end once its branches have closed and its hooks have run. */
  readonly ending: Ending | null;
  /** Branches of its own that are open. */
  readonly openBranches: number;
}

export interface WaitState {
  readonly mode: "one" | "any" | "all";
  readonly streams: readonly WaitStream[];
  readonly until: number | null;
  readonly remindEveryMs: number | null;
  readonly remindAt: number | null;
  /** `all`: what has come. */
  readonly got: Readonly<Record<string, unknown>>;
  /** Where a step's body asked for it: the step runs again when the event has come. */
  readonly forBody: boolean;
}

export interface WaitStream {
  readonly label: string;
  readonly name: string;
  readonly key: string;
  /** Events numbered before this time do not count, until the line has read from the stream. */
  readonly since: number;
}

/** What a container keeps. Which fields are used depends on the kind. */
export interface ScopeState {
  /** for-each: the collection. */
  readonly items: readonly unknown[];
  /** for-each: the next index to open. */
  readonly next: number;
  /** for-each with `as`: the outputs, in chunks of `resultChunk`. */
  readonly results: readonly (readonly unknown[])[] | null;
  /** Loops: iterations begun without a wait or timer since. */
  readonly streak: number;
  /** graph: vertices that have ended or begun. */
  readonly done: readonly string[];
  readonly started: readonly string[];
  /** The first error of a branch. */
  readonly error: StoredError | null;
  /** saga and workflow: the newest undo record, and the walk while undoing. */
  readonly undo: UndoRef | null;
  readonly walk: UndoWalk | null;
  /** Undo records of ends that a retry has taken back: undoing passes them over. */
  readonly void?: readonly UndoRef[];
  /** saga: its undoing had failed for good, and the workflow with it; so it has failed, whatever its `onError` says. */
  readonly failed?: true;
  /** Concurrent containers: how far branches that have ended had read. It counts from the join on. */
  readonly joined: Readonly<Record<string, number>>;
}

/** Where an undo record is in the journal. */
export interface UndoRef {
  readonly seq: number;
  readonly index: number;
}

/** Undoing in progress. Sagas that completed inside are entered and left again by the stack. */
export interface UndoWalk {
  readonly next: UndoRef | null;
  readonly stack: readonly { readonly resume: UndoRef | null; readonly own: UndoRecord | null }[];
  /** The record whose compensation runs now. */
  readonly current: UndoRecord | null;
}

/** What a compensation needs to know of the execution it undoes. It is part of the entry that completed, failed or stopped it. */
export interface UndoRecord {
  readonly pointer: number;
  readonly step: string;
  readonly output?: unknown;
  readonly error?: StoredError;
  readonly index?: number;
  readonly item?: unknown;
  readonly hasItem?: boolean;
  readonly local?: Data;
  /** A saga's: its newest inner record, and those to pass over. */
  readonly inner?: UndoRef | null;
  readonly void?: readonly UndoRef[];
  /** Whether the step has a compensation of its own (a saga may be here for its inner ones only). */
  readonly own: boolean;
}

export type Ending =
  /** `skipped`: by a person, who gave the output. */
  | { readonly kind: "completed"; readonly output: unknown; readonly skipped?: { readonly actor?: string } }
  | {
      readonly kind: "failed";
      readonly error: StoredError;
      readonly behavior: "fail" | "terminate" | "compensate" | "ignore";
    }
  | { readonly kind: "cancelled"; readonly proceed: boolean }
  | {
      readonly kind: "terminated";
      readonly compensate: boolean;
      readonly reason: string | null;
      readonly error?: StoredError;
    };

/** One line through a block. */
export interface Branch {
  readonly id: number;
  /** The pointer whose branch it is. */
  readonly owner: number;
  /** The step whose block it runs: the owner's, or the undone one's. null: the definition's own body. */
  readonly ownerStep: string | null;
  readonly slot: Slot;
  /** The line of control whose event cursors it uses. */
  readonly line: number;
  /** The item's or iteration's number; null elsewhere. */
  readonly index: number | null;
  /** for-each items: what `.as` has set. */
  readonly local: Data | null;
  /** The last output, where someone will ask for it. */
  readonly last: unknown;
  /** It was told to stop: what still runs in it are hooks and undoing. */
  readonly stopping: boolean;
  /** Its live pointer; null between two nodes, or when it has ended. */
  readonly at: number | null;
  /** Compensations: what they undo. */
  readonly undoing: UndoRecord | null;
}

/** A line of control: how far it has read each stream. */
export interface Line {
  readonly id: number;
  /** By `streamKey(name, key)`: the number of the last event read. */
  readonly cursors: Readonly<Record<string, number>>;
}

export interface Straggler {
  readonly pointer: number;
  /** The saga (or 0) that waits for it before undoing; its own pointer: its compensation does, under `onError("compensate")`. */
  readonly saga: number;
  /** The body's grace; null: a child, which is waited for. */
  readonly until: number | null;
  /** A body that returned meanwhile: undoing sees its output. */
  readonly ended: boolean;
  readonly output: unknown;
  /** It has been undone already: what it gives is not wanted any more. */
  readonly undone?: boolean;
}

/** Deaths of hosts without a turn between them. */
export interface Takeover {
  /** The turn that took over or began to run alone last; -1: none. */
  readonly seq: number;
  /** Take-overs in a row. From the second on the workflow is a suspect. */
  readonly count: number;
  /** Whether it was begun alone since. */
  readonly alone: boolean;
  /** Deaths while it ran alone. */
  readonly loneDeaths: number;
}

export const rootPointer = 0;
export const rootBranch = 1;
export const rootLine = 2;
/** Outputs of for-each items are kept in chunks, so that one more costs a chunk and not the whole list. */
export const resultChunk = 128;

export const emptyScope: ScopeState = {
  items: [],
  next: 0,
  results: null,
  streak: 0,
  done: [],
  started: [],
  error: null,
  undo: null,
  walk: null,
  joined: {},
};

/** The key of a stream in a line's cursors. Names hold no NUL. */
export function streamKey(name: string, key: string): string {
  return `${name}\0${key}`;
}

/** The id that a step of an earlier version has now. */
export function currentStep({ identity }: WorkflowState, step: string): string {
  const { renamed } = identity;
  return renamed !== undefined && Object.hasOwn(renamed, step) ? (renamed[step] ?? step) : step;
}

/** The id by which users, logs and receivers know a pointer. */
export function executionId(state: WorkflowState, pointer: number): string {
  return `${state.identity.uid}.${pointer}`;
}
