/** Where an error belongs. Every field is optional, since not every error has a workflow. */
export interface ErrorFields {
  readonly workflowId?: string | undefined;
  readonly definitionId?: string | undefined;
  readonly version?: number | undefined;
  readonly namespace?: string | undefined;
  readonly stepId?: string | undefined;
  readonly attempt?: number | undefined;
  /** The path of the offending value, such as `data.items[3].onDone`. */
  readonly path?: string | undefined;
  /** The limit that was reached, in the unit the message names. */
  readonly limit?: number | undefined;
  readonly cause?: unknown;
}

/**
 * The root of every error that WFE throws.
 *
 * `code` is stable across releases and safe to compare; the message is for people and ends with what to do. The ids are
 * fields, never only text.
 */
export class WfeError extends Error {
  readonly code: string;
  readonly workflowId?: string;
  readonly definitionId?: string;
  readonly version?: number;
  readonly namespace?: string;
  readonly stepId?: string;
  readonly attempt?: number;
  readonly path?: string;
  readonly limit?: number;

  constructor(code: string, message: string, fields: ErrorFields = {}) {
    const { cause, ...rest } = fields;
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    for (const [key, value] of Object.entries(rest)) {
      if (value !== undefined) Object.defineProperty(this, key, { value, enumerable: true, configurable: true });
    }
  }
}

/** An option, argument or call is outside what its documentation allows. Nothing was changed. */
export class InvalidOptionError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("INVALID_OPTION", message, fields);
  }
}

/** One problem of a definition: where it is, and what to do. */
export interface DefinitionProblem {
  readonly stepId?: string;
  readonly message: string;
}

/** `build()` found the definition wrong. `problems` lists everything that is, not only the first. */
export class InvalidDefinitionError extends WfeError {
  readonly problems: readonly DefinitionProblem[];
  constructor(definitionId: string, version: number, problems: readonly DefinitionProblem[]) {
    const list = problems.map(
      (problem) => `\n  - ${problem.stepId === undefined ? "" : `step \`${problem.stepId}\`: `}${problem.message}`,
    );
    super("INVALID_DEFINITION", `workflow \`${definitionId}\` version ${version} cannot be built:${list.join("")}`, {
      definitionId,
      version,
    });
    this.problems = problems;
  }
}

/** The same id and version is registered already with another structure. Raise the version, or allow it in development with `allowRedefine`. */
export class DefinitionConflictError extends WfeError {
  constructor(message: string, fields: ErrorFields) {
    super("DEFINITION_CONFLICT", message, fields);
  }
}

/** No definition of this id (and version) is registered with the host. */
export class DefinitionNotFoundError extends WfeError {
  constructor(message: string, fields: ErrorFields) {
    super("DEFINITION_NOT_FOUND", message, fields);
  }
}

/** No workflow of this id exists in this namespace (it may have been removed by retention). */
export class WorkflowNotFoundError extends WfeError {
  constructor(workflowId: string, namespace: string) {
    super(
      "WORKFLOW_NOT_FOUND",
      `no workflow \`${workflowId}\` in namespace \`${namespace}\`: check the id, or whether retention has removed it`,
      { workflowId, namespace },
    );
  }
}

/** A workflow of this id exists already, of another definition. */
export class WorkflowIdConflictError extends WfeError {
  constructor(message: string, fields: ErrorFields) {
    super("WORKFLOW_ID_CONFLICT", message, fields);
  }
}

/** The value cannot be stored. `path` names the offending field. */
export class InvalidValueError extends WfeError {
  constructor(message: string, fields: ErrorFields & { readonly path: string }) {
    super("INVALID_VALUE", message, fields);
  }
}

/** A documented limit was reached: size, depth, transitions, inbox... */
export class LimitExceededError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("LIMIT_EXCEEDED", message, fields);
  }
}

/** A schema refused a workflow's data or an event's payload. */
export class ValidationError extends WfeError {
  readonly issues: readonly { readonly message: string; readonly path?: string }[];
  constructor(
    message: string,
    issues: readonly { readonly message: string; readonly path?: string }[],
    fields: ErrorFields = {},
  ) {
    super("VALIDATION_FAILED", message, fields);
    this.issues = issues;
  }
}

/** Thrown by a step to fail at once: no retry is made, whatever the step's `onError` says. */
export class FatalError extends WfeError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super("FATAL", message, options);
  }
}

/** An attempt ran longer than the step's `timeout`. Its signal was aborted; what it still returns is refused. */
export class StepTimeoutError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("STEP_TIMEOUT", message, fields);
  }
}

/** A wait's time-out passed without its event, and it has no `onTimeout`. */
export class WaitTimeoutError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("WAIT_TIMEOUT", message, fields);
  }
}

/** Events that a wait still had to read were removed by retention. */
export class EventsExpiredError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("EVENTS_EXPIRED", message, fields);
  }
}

/** A step with `onCrash("fail")` may have half happened: its host died, or it was told to end and ended without a result. */
export class StepCrashedError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("STEP_CRASHED", message, fields);
  }
}

/** The workflow was running, alone, each time its host died. It is suspended until someone resumes or terminates it. */
export class PoisonWorkflowError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("POISON_WORKFLOW", message, fields);
  }
}

/** A `fail(message)` was reached. */
export class WorkflowFailStepError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("FAIL_STEP", message, fields);
  }
}

/** A definition's own function (condition, key, items, map...) broke its contract, for example by returning a promise. */
export class ExpressionError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("EXPRESSION", message, fields);
  }
}

/** A child workflow ended without completing. */
export class ChildWorkflowError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("CHILD_WORKFLOW", message, fields);
  }
}

/** An undoing failed for good; the workflow is `failed` and the rest is still to be undone. `retryWorkflow` goes on with it. */
export class CompensationFailedError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("COMPENSATION_FAILED", message, fields);
  }
}

/** The workflow failed; `cause` is the error of the step that made it fail, with its `stepId` and `attempt`. */
export class WorkflowFailedError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("WORKFLOW_FAILED", message, fields);
  }
}

/** The workflow was terminated. */
export class WorkflowTerminatedError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("WORKFLOW_TERMINATED", message, fields);
  }
}

/** `handle.result({ timeout })` waited long enough. The workflow goes on. */
export class ResultTimeoutError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("RESULT_TIMEOUT", message, fields);
  }
}

/** A control or repair call was read by the workflow and refused; the message gives the reason. Nothing was changed. */
export class RefusedError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("REFUSED", message, fields);
  }
}

/** None of the host's providers brings a search index, or it is not the one that the store's hosts feed. */
export class SearchUnavailableError extends WfeError {
  constructor(message: string) {
    super("SEARCH_UNAVAILABLE", message);
  }
}

/** The host is stopping or stopped. */
export class HostStoppedError extends WfeError {
  constructor(message: string) {
    super("HOST_STOPPED", message);
  }
}

/**
 * Hosts of the store live, and have their locks elsewhere. Give this host the same lock provider; or stop the others, and start it
 * again: the store goes over to another lock provider by itself once no host lives.
 */
export class LockProviderError extends WfeError {
  constructor(given: string, recorded: string, leases: number) {
    const living = leases === 0 ? "" : leases === 1 ? " (one lives)" : ` (${leases} live)`;
    super(
      "LOCK_PROVIDER",
      `the hosts of this store${living} use the lock provider \`${recorded}\`, and this one has \`${given}\`: give every host of a store the same one; to change it, stop all of them and start them anew. One that was killed counts until its lease has run out`,
    );
  }
}

/** Why a `ctx.signal` was aborted. It is the signal's `reason`. */
export class StepAbortedError extends WfeError {
  /** What ended the attempt. */
  readonly reason: AbortReason;
  constructor(reason: AbortReason, message: string, fields: ErrorFields = {}) {
    super("STEP_ABORTED", message, fields);
    this.reason = reason;
  }
}

export type AbortReason = "timeout" | "cancelled" | "suspended" | "terminated" | "stopping" | "lease-lost" | "conflict";

/** A stored record cannot be read: it was damaged, or written by something else. The workflow is left alone; others go on. */
export class CorruptedRecordError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("CORRUPTED_RECORD", message, fields);
  }
}

/** The store's schema, or a record in it, was written by a newer WFE. Upgrade this process. */
export class NewerFormatError extends WfeError {
  constructor(message: string, fields: ErrorFields = {}) {
    super("NEWER_FORMAT", message, fields);
  }
}

/** Whether a failed write took effect. `unknown` is repeated with the same bytes, never decided anew. */
export type StoreOutcome = "not-applied" | "unknown";

/** The store could not do what was asked. */
export class StoreError extends WfeError {
  readonly outcome: StoreOutcome;
  /** `true` where the same call may succeed later: a busy or unreachable store, a full disk. */
  readonly transient: boolean;
  /** `true` where somebody else held what a part of the call needed: the rest of it may be stored at once, in another call. */
  readonly blocked: boolean;
  constructor(
    code: string,
    message: string,
    options: {
      readonly outcome: StoreOutcome;
      readonly transient: boolean;
      readonly blocked?: boolean;
      readonly cause?: unknown;
    },
  ) {
    super(code, message, { cause: options.cause });
    this.outcome = options.outcome;
    this.transient = options.transient;
    this.blocked = options.blocked ?? false;
  }
}
