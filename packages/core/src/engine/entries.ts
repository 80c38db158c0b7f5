import type { StoredPatch } from "../codec/index.ts";
import type { Slot } from "../definition/definition.ts";
import type { NodeKind } from "../definition/nodes.ts";
import type { Ending, UndoRecord, UndoRef, WaitState, WorkflowIdentity, WorkflowState } from "./state.ts";
import type { StepLine } from "./step-summary.ts";
import type { StoredError } from "./stored-error.ts";

/**
 * The facts of a journal. A turn is a list of them, encoded as a whole. `evolve` folds them without a definition and without
 * user code, so each one carries what its effect needs.
 *
 * `pointer`, `branch` and `line` are ids; `step` is the node's id. Optional fields are left out where they say nothing.
 */
export type Entry =
  | {
      readonly kind: "workflow-started";
      readonly identity: WorkflowIdentity;
      readonly data: unknown;
      readonly cursors?: Readonly<Record<string, number>>;
      /** A call had come before it was to begin: its first step waits until then. */
      readonly startAt?: number;
    }
  | { readonly kind: "start-time-came" }
  | {
      readonly kind: "workflow-forked";
      readonly from: { readonly workflowId: string; readonly seq: number };
      readonly identity: WorkflowIdentity;
      readonly state: StateSnapshot;
      /** The steps as they stood there. */
      readonly steps?: readonly StepLine[];
      readonly actor?: string;
    }
  /** It comes from a file: what had not ended is suspended, and reads events from here on. */
  | {
      readonly kind: "workflow-imported";
      readonly identity: WorkflowIdentity;
      readonly importedAt: number;
      readonly actor?: string;
    }
  // A leaf step becomes ready. `input` is there when a map made it (`mapped`).
  | {
      readonly kind: "step-scheduled";
      readonly pointer: number;
      readonly branch: number;
      readonly step: string;
      /** Absent: a step. Another kind where its functions failed before it could open. */ readonly node?: NodeKind;
      readonly mapped?: boolean;
      readonly input?: unknown;
    }
  | { readonly kind: "step-begun"; readonly pointer: number; readonly step: string; readonly attempt: number }
  | ({ readonly kind: "step-completed"; readonly attempt?: number; readonly output?: unknown } & NodeEnd)
  | {
      readonly kind: "step-retrying";
      readonly pointer: number;
      readonly step: string;
      readonly attempt: number;
      readonly error: StoredError;
      readonly dueAt: number;
      readonly counted: boolean;
    }
  /** Failed for good. `output`: what a body returned that could not be stored or mapped. */
  | ({
      readonly kind: "step-failed";
      readonly attempt?: number;
      readonly error: StoredError;
      readonly output?: unknown;
    } & NodeEnd)
  /** Failed, and its `onError` (or a crash) suspends the workflow. */
  | {
      readonly kind: "step-held";
      readonly pointer: number;
      readonly step: string;
      readonly attempt: number;
      readonly error: StoredError;
    }
  | ({
      readonly kind: "step-cancelled";
      /** The branch it was to stand on, where it was cancelled before it stood there and an output before it was kept. */
      readonly branch?: number;
    } & NodeEnd)
  /** A body asked to run again: at once (`persist`), after a time (`sleep`), or (with `wait`) after an event. */
  | {
      readonly kind: "step-paused";
      readonly pointer: number;
      readonly step: string;
      readonly persisted?: unknown;
      readonly keep?: boolean;
      readonly dueAt?: number;
      readonly wait?: WaitState;
    }
  /** A sleeping, waiting or held pointer's body runs (again). `fresh`: a new count of retries. */
  | {
      readonly kind: "step-ready";
      readonly pointer: number;
      readonly step: string;
      readonly raise?: boolean;
      readonly fresh?: boolean;
      readonly mapped?: boolean;
      readonly input?: unknown;
      readonly event?: { readonly name: string; readonly key: string; readonly payload: unknown };
    }
  | {
      readonly kind: "timer-set";
      readonly pointer: number;
      readonly branch: number;
      readonly step: string;
      readonly node: "delay" | "sleep-until";
      readonly dueAt: number;
    }
  | {
      readonly kind: "event-awaited";
      readonly pointer: number;
      readonly branch: number;
      readonly step: string;
      readonly wait: WaitState;
    }
  /** `gives`: what `waitForAll` collects. */
  | {
      readonly kind: "event-consumed";
      readonly pointer: number;
      readonly step: string;
      readonly label: string;
      readonly name: string;
      readonly key: string;
      readonly number: number;
      readonly payload?: unknown;
    }
  | { readonly kind: "wait-timed-out"; readonly pointer: number; readonly step: string }
  | {
      readonly kind: "reminder-due";
      readonly pointer: number;
      readonly step: string;
      readonly nextAt: number;
      readonly open?: OpenBranch;
    }
  | {
      readonly kind: "child-started";
      readonly pointer: number;
      readonly branch: number;
      readonly step: string;
      readonly childId: string;
      readonly definitionId: string;
      readonly version?: number;
      readonly deadlineAt?: number;
    }
  /** It ran longer than its parent's time-out: it was told to end and to undo what it did, and is still waited for. */
  | { readonly kind: "child-timed-out"; readonly pointer: number; readonly step: string; readonly childId: string }
  | {
      readonly kind: "child-ended";
      readonly pointer: number;
      readonly step: string;
      readonly childId: string;
      readonly status: string;
      readonly cursors?: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: "scope-opened";
      readonly pointer: number;
      readonly branch: number;
      readonly step: string;
      readonly node: NodeKind;
      readonly items?: readonly unknown[];
      readonly collect?: boolean;
      readonly deadlineAt?: number;
      readonly open: readonly OpenBranch[];
    }
  | {
      readonly kind: "branches-opened";
      readonly pointer: number;
      readonly step: string;
      readonly open: readonly OpenBranch[];
    }
  | {
      readonly kind: "branch-ended";
      readonly pointer: number;
      readonly step: string;
      readonly branch: number;
      readonly output?: unknown;
      readonly error?: StoredError;
      readonly vertex?: string;
    }
  | { readonly kind: "iteration-started"; readonly pointer: number; readonly step: string; readonly open: OpenBranch }
  /** A loop that made many iterations in one turn goes on in the next. */
  | { readonly kind: "loop-yielded"; readonly pointer: number; readonly step: string }
  | { readonly kind: "loop-continued"; readonly pointer: number; readonly step: string }
  /** A container is to end as `ending` says once its branches have closed; `stop` names the branches told to. */
  | {
      readonly kind: "scope-ending";
      readonly pointer: number;
      readonly step: string;
      readonly ending: Ending;
      readonly stop: readonly number[];
    }
  | {
      readonly kind: "hook-started";
      readonly pointer: number;
      readonly step: string;
      readonly hook: "onFailure" | "ensure" | "compensation" | "onTimeout";
      readonly open: OpenBranch;
    }
  | {
      readonly kind: "hook-ended";
      readonly pointer: number;
      readonly step: string;
      readonly hook: "onFailure" | "ensure" | "compensation" | "onTimeout";
      readonly branch: number;
      readonly output?: unknown;
      readonly error?: StoredError;
    }
  /** A node has ended and all its hooks have run. */
  | {
      readonly kind: "step-ended";
      readonly pointer: number;
      readonly step: string;
      readonly ending: "completed" | "failed" | "cancelled";
    }
  | {
      readonly kind: "straggler-ended";
      readonly pointer: number;
      readonly output?: unknown;
      readonly returned: boolean;
    }
  /** `own`: the saga's own compensation, which comes last. */
  | { readonly kind: "undo-started"; readonly pointer: number; readonly step: string; readonly own?: UndoRecord }
  | {
      readonly kind: "undo-step-started";
      readonly pointer: number;
      readonly step: string;
      readonly record: UndoRecord;
      readonly resume: UndoRef | null;
      /** The record is a completed saga's own, after its inner ones. */ readonly leave?: boolean;
      readonly open: OpenBranch;
    }
  /** A saga's inner records come first: the walk enters them. */
  | {
      readonly kind: "undo-entered";
      readonly pointer: number;
      readonly step: string;
      readonly record: UndoRecord;
      readonly resume: UndoRef | null;
    }
  /** The record was of an end that a retry has taken back: there is nothing to undo. */
  | {
      readonly kind: "undo-passed";
      readonly pointer: number;
      readonly step: string;
      readonly resume: UndoRef | null;
    }
  /** The inner records of a completed saga are undone, and it has no compensation of its own. */
  | { readonly kind: "undo-left"; readonly pointer: number; readonly step: string }
  | {
      readonly kind: "undo-completed";
      readonly pointer: number;
      readonly step: string;
      readonly undone: number;
      readonly undoneStep: string;
      readonly branch: number;
    }
  | {
      readonly kind: "undo-failed";
      readonly pointer: number;
      readonly step: string;
      readonly undone: number;
      readonly undoneStep: string;
      readonly branch: number;
      readonly error: StoredError;
    }
  | { readonly kind: "undo-retried"; readonly pointer: number; readonly step: string; readonly open: OpenBranch }
  | { readonly kind: "undo-ended"; readonly pointer: number; readonly step: string }
  | {
      readonly kind: "saga-restarted";
      readonly pointer: number;
      readonly step: string;
      readonly attempt: number;
      readonly deadlineAt?: number;
      readonly open: OpenBranch;
    }
  | { readonly kind: "workflow-completed"; readonly completedAt: number }
  | {
      readonly kind: "workflow-failed";
      readonly error: StoredError;
      readonly completedAt: number;
      readonly stuckUndo?: number;
    }
  | {
      readonly kind: "workflow-terminated";
      readonly reason: string | null;
      readonly completedAt: number;
      readonly error?: StoredError;
    }
  | {
      readonly kind: "workflow-suspended";
      readonly reason: string | null;
      readonly error?: StoredError;
      readonly actor?: string;
    }
  | { readonly kind: "workflow-resumed"; readonly actor?: string }
  | { readonly kind: "delivery-applied"; readonly number: number; readonly delivery: string; readonly actor?: string }
  | {
      readonly kind: "delivery-refused";
      readonly number: number;
      readonly delivery: string;
      readonly reason: string;
      readonly actor?: string;
    }
  | { readonly kind: "data-set"; readonly patch: StoredPatch; readonly actor?: string }
  /** An item corrected by hand. Of a workflow that has ended it counts when that is retried. */
  | {
      readonly kind: "item-set";
      readonly step: string;
      /** The pointer of the for-each. Absent: all that are live of this step. */
      readonly scope?: number;
      readonly index: number;
      readonly item: unknown;
      readonly actor?: string;
    }
  /** A child that had failed is being retried: its pointer waits for it again. */
  | {
      readonly kind: "child-awaited";
      readonly pointer: number;
      readonly step: string;
      readonly childId: string;
      readonly deadlineAt?: number;
      readonly actor?: string;
    }
  /** Given an output by hand in place of running. */
  | ({ readonly kind: "step-skipped"; readonly output?: unknown; readonly actor?: string } & NodeEnd)
  /** Goes back to where `from` was about to run; `state` is what was live then, under new ids, `steps` what had been done. */
  | {
      readonly kind: "workflow-retried";
      readonly from: string;
      readonly state: StateSnapshot;
      readonly steps?: readonly StepLine[];
      readonly actor?: string;
    }
  | {
      readonly kind: "workflow-migrated";
      readonly version: number;
      readonly definitionHash: string;
      /** The new ids of steps that are called otherwise in the new version. */
      readonly steps?: Readonly<Record<string, string>>;
      readonly actor?: string;
    }
  | { readonly kind: "taken-over" }
  /** A host let go of the workflow while these bodies were still at it. */
  | { readonly kind: "attempts-abandoned"; readonly pointers: readonly number[] }
  /** Stands where a transactional turn of unknown outcome may have been: that one can never commit now. */
  | { readonly kind: "attempt-lost"; readonly pointer: number }
  | { readonly kind: "run-alone" };

/** The end of a node: what becomes of its output, and of its undo record. */
export interface NodeEnd {
  readonly pointer: number;
  readonly step: string;
  /** Key of the data that takes the output. */
  readonly as?: string;
  readonly patch?: StoredPatch;
  /** The branch whose own data takes the output or patch: a for-each item's. Absent: the workflow's. */
  readonly local?: number;
  /** The branch keeps the output as its last. */
  readonly keep?: boolean;
  /** The undo record, and the one before it in its saga. */
  readonly undo?: { readonly saga: number; readonly record: UndoRecord; readonly previous: UndoRef | null };
  /** The pointer stays for its hooks: its ending. */
  readonly ending?: Ending;
  /** Its body (until the end of its grace) or its child (null) is still at it, and the undoing of that saga waits for it. */
  readonly straggler?: { readonly saga: number; readonly until: number | null };
}

export interface OpenBranch {
  readonly branch: number;
  readonly ownerStep: string | null;
  readonly slot: Slot;
  /** A line of its own, beginning with its parent's cursors; absent: the parent's. */
  readonly line?: number;
  readonly index?: number;
  readonly undoing?: UndoRecord;
  /** for-each items: a local data layer, empty or (in a compensation) that of then. */
  readonly local?: Readonly<Record<string, unknown>>;
}

/** The live part of a state, as a fork or retry carries it. */
export type StateSnapshot = Pick<WorkflowState, "data" | "pointers" | "branches" | "lines" | "nextId" | "stragglers">;

export type EntryKind = Entry["kind"];
