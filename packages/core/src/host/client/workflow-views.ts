import type { NodeKind } from "../../definition/nodes.ts";
import type { StepStatus } from "../../engine/index.ts";
import type { WaitingFor, WorkflowStatus } from "../../providers/records.ts";

/** Any workflow's data: an object of values that can be stored. */
export type WorkflowData = Readonly<Record<string, any>>;

/** What a list tells of a workflow. Times are milliseconds since the epoch, by the store's clock. */
export interface WorkflowSummary {
  readonly id: string;
  readonly namespace: string;
  readonly definitionId: string;
  readonly version: number;
  readonly status: WorkflowStatus;
  readonly priority: number;
  readonly tags: readonly string[];
  readonly createdAt: number;
  /** When it completed, failed or was terminated. */
  readonly completedAt: number | undefined;
  /** Why it failed, or was suspended: the error as it was thrown, with its `stepId` and `attempt`. */
  readonly error: Error | undefined;
  /** The events it waits for. */
  readonly waitingFor: readonly WaitingFor[];
}

/** A workflow as it is now. Its values are frozen: copy them to change them. */
export interface WorkflowDetails<Data = WorkflowData> extends WorkflowSummary {
  readonly data: Data;
  /** The `hash` of the definition that it runs by: the one that it was started with, or migrated to. */
  readonly definitionHash: string;
  /** Why it was suspended or terminated, where a reason was given. */
  readonly reason: string | undefined;
  /** The number of its last turn; -1 before the first. `stateAt` and `forkWorkflow` take it and those before it. */
  readonly seq: number;
  /** The id of the workflow that started it as a child. */
  readonly parentId: string | undefined;
  readonly steps: readonly StepDetails[];
}

/**
 * A step of a workflow: its newest occurrence, for loops and items.
 *
 * Those that have not been reached are there too, in the order of the definition, where the definition is registered:
 * `pending`, or `skipped` where they cannot be reached any more. Steps of compensations, time-outs and the like appear when
 * they are reached.
 */
export interface StepDetails {
  readonly id: string;
  /** The step's name; its id where the definition is not registered. */
  readonly name: string;
  readonly status: StepStatus;
  /** From 1; 0 where it has not been reached. */
  readonly attempt: number;
  /** How many occurrences there were. */
  readonly runs: number;
  /** What it is: `step`, `if`, `wait`...; undefined where the definition is not registered. */
  readonly kind: NodeKind | undefined;
}

/** A workflow as it was after one of its turns. */
export interface PastState {
  readonly id: string;
  readonly seq: number;
  /** When the turn was stored. */
  readonly at: number;
  readonly status: WorkflowStatus;
  readonly data: WorkflowData;
  readonly error: Error | undefined;
  readonly reason: string | undefined;
  readonly waitingFor: readonly WaitingFor[];
  readonly steps: readonly StepDetails[];
}

/** One page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Give it to the next call; undefined at the end. */
  readonly cursor: string | undefined;
}

export interface PageOptions {
  /** Items in a page, 1 to 1,000. Default 100. */
  readonly limit?: number;
  /** Of the page before; of no other list. */
  readonly cursor?: string;
}
