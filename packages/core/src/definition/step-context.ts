/** The second argument of every function of the data: small, pure, synchronous. */
export interface At<Item = unknown> {
  /** The item of the innermost `forEach`. */
  readonly item: Item;
  /** The index of the innermost `forEach` item or loop iteration, from 0. A loop's own condition sees how many iterations were made. */
  readonly index: number;
  /** The collection of the innermost `forEach`, as it was on entry. */
  readonly items: readonly Item[];
  readonly workflow: WorkflowInfo;
  /** Engine time, milliseconds since the epoch. */
  readonly now: number;
}

export interface WorkflowInfo {
  readonly id: string;
  readonly definitionId: string;
  readonly version: number;
  readonly namespace: string;
  readonly tags: readonly string[];
}

/** What a compensation knows of the execution it undoes: its output, or the error it failed with. */
export type Undoing<Output = any> =
  | { readonly output: Output; readonly error: undefined; readonly idempotencyKey: string }
  | { readonly output: undefined; readonly error: Error; readonly idempotencyKey: string };

/** What a step's body may use. */
export interface StepContext<Data = any, Item = any, Undone = any> {
  /** The workflow's data when the attempt began. Frozen. */
  readonly data: Data;
  readonly item: Item;
  readonly index: number;
  readonly items: readonly Item[];
  readonly workflow: WorkflowInfo;
  readonly step: {
    readonly id: string;
    readonly name: string;
    /** From 1; raised by every retry, and by every attempt that a crash may have interrupted. */
    readonly attempt: number;
    readonly executionId: string;
  };
  /** The same for every attempt of one execution, also after a crash. An undoing has its own. */
  readonly idempotencyKey: string;
  /** Aborted on time-out, cancellation, suspension, stop and lost lease; its reason is a `StepAbortedError`. */
  readonly signal: AbortSignal;
  /** What an earlier `ExecutionResult.persist`, `sleep` or `waitForEvent` of this execution kept. */
  readonly persisted: any;
  /** The event that an `ExecutionResult.waitForEvent` of this execution waited for. */
  readonly event: { readonly name: string; readonly key: string; readonly payload: any } | undefined;
  /** In a compensation: what is being undone. Elsewhere it throws when it is read. */
  readonly undoing: Undoing<Undone>;
  readonly log: StepLog;
  /** Tells listeners how far the step is, and keeps it for `logs(id)`. The message is cut at `limits.outputLineBytes`. Best effort. */
  progress(percent: number, message?: string): void;
  /**
   * Gives listeners a piece of output, and keeps it for `logs(id)`: in pieces of `limits.outputLineBytes` where it is longer. The
   * stream's name is cut at 256 bytes. Best effort: of what is written faster than it can be stored, the newest 10,000 lines (16 MiB)
   * stay.
   */
  write(stream: string, chunk: string): void;
  /** Tells listeners that the step is alive. Best effort, not stored. */
  heartbeat(details?: unknown): void;
}

export interface StepLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** A step as a class: one instance per attempt. */
export interface StepBody<Input = unknown, Output = unknown> {
  run(input: Input, ctx: StepContext): Output | Promise<Output>;
}
