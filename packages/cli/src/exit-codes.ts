import {
  CorruptedRecordError,
  DefinitionConflictError,
  DefinitionNotFoundError,
  HostStoppedError,
  InvalidDefinitionError,
  InvalidOptionError,
  InvalidValueError,
  LockProviderError,
  NewerFormatError,
  RefusedError,
  ResultTimeoutError,
  SearchUnavailableError,
  StoreError,
  ValidationError,
  WfeError,
  WorkflowFailedError,
  WorkflowIdConflictError,
  WorkflowNotFoundError,
  WorkflowTerminatedError,
} from "@wfe/core";
import { CommanderError } from "commander";
import { AdvisedError } from "./in-our-words.ts";

/** What the process ends with. Stable: scripts rely on them. */
export const exitCodes = {
  ok: 0,
  workflowFailed: 1,
  usage: 2,
  invalidDefinition: 3,
  notFound: 4,
  conflict: 5,
  storeUnavailable: 6,
  timedOut: 7,
  cancelled: 8,
  /** Ours: what is neither one of WFE's own errors nor one of the system's. */
  defect: 70,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Wrong use of the command, found by us. */
export class UsageError extends Error {}

/** Something that the command line names is not there. */
export class NotFoundError extends Error {}

/** What was asked for is not possible as things stand. */
export class ConflictError extends Error {}

/** What was given as workflows cannot be loaded. */
export class InvalidFileError extends Error {}

/** Somebody ended the command before the workflow had ended. */
export class CancelledError extends Error {}

type Kind = abstract new (...given: never[]) => Error;

const kinds: readonly (readonly [ExitCode, readonly Kind[]])[] = [
  [exitCodes.workflowFailed, [WorkflowFailedError]],
  [exitCodes.usage, [UsageError, InvalidOptionError, InvalidValueError, ValidationError, SearchUnavailableError]],
  [exitCodes.invalidDefinition, [InvalidDefinitionError, InvalidFileError]],
  [exitCodes.notFound, [NotFoundError, WorkflowNotFoundError, DefinitionNotFoundError]],
  [exitCodes.conflict, [ConflictError, WorkflowIdConflictError, DefinitionConflictError, RefusedError]],
  [exitCodes.storeUnavailable, [StoreError, CorruptedRecordError, NewerFormatError, LockProviderError]],
  [exitCodes.timedOut, [ResultTimeoutError]],
  [exitCodes.cancelled, [CancelledError, WorkflowTerminatedError, HostStoppedError]],
];

/** The code that says what kind of error it is. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof AdvisedError) return exitCodeOf(error.cause);
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  // Told by its code, so that what loads YAML is loaded where there is some.
  if (error instanceof WfeError && error.code === "INVALID_WORKFLOW_FILE") return exitCodes.invalidDefinition;
  const kind = kinds.find(([, classes]) => classes.some((each) => error instanceof each));
  if (kind !== undefined) return kind[0];
  if (isOfSystem(error)) return error.code === "ENOENT" ? exitCodes.notFound : exitCodes.usage;
  // What no rule names is known all the same: a limit was reached, or a program that a step needs is not there.
  return error instanceof WfeError ? exitCodes.usage : exitCodes.defect;
}

/** A file that cannot be read or written, an address that cannot be reached. */
function isOfSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "code" in error;
}
