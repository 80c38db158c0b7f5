import type { Entry } from "./entries.ts";
import type { Pointer, WorkflowState } from "./state.ts";
import { isFinal } from "./work.ts";

export type StepStatus =
  | "pending"
  | "running"
  | "sleeping"
  | "waiting"
  | "completed"
  | "failed"
  | "skipped"
  | "cancelled"
  | "compensated";

/** What `getWorkflow` tells of a step: its newest occurrence. */
export interface StepView {
  readonly id: string;
  readonly status: StepStatus;
  /** Of the newest occurrence, from 1. */
  readonly attempt: number;
  /** How many occurrences there were: iterations, items. */
  readonly runs: number;
}

/**
 * One line per step that has been reached, whatever the length of the history. It is folded beside the state and is mutable, lines
 * and all, since copying it for every turn would make a step cost what the definition is long.
 */
export type StepSummary = Map<string, Mutable<StepView>>;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

export function emptySummary(): StepSummary {
  return new Map();
}

/** One that goes on apart from this one. */
export function copySummary(summary: StepSummary): StepSummary {
  const copied: StepSummary = new Map();
  for (const [id, line] of summary) copied.set(id, { ...line });
  return copied;
}

/**
 * The steps that were reached. Nothing runs in a workflow that has ended: where an undoing failed, or the workflow was ended in the
 * middle of one, its journal does not tell of what stands still. What is around the undoing has failed, all else was stopped.
 */
export function shownSteps(summary: StepSummary, state: WorkflowState): readonly StepView[] {
  const steps = [...copySummary(summary).values()];
  if (!isFinal(state)) return steps;
  const failed = new Set<string>();
  for (let at = state.pointers.get(state.stuckUndo ?? -1); at !== undefined; at = around(state, at))
    failed.add(at.step);
  for (const step of steps) if (live.has(step.status)) step.status = failed.has(step.id) ? "failed" : "cancelled";
  return steps;
}

const live: ReadonlySet<StepStatus> = new Set(["running", "sleeping", "waiting"]);

function around({ branches, pointers }: WorkflowState, { branch }: Pointer): Pointer | undefined {
  return pointers.get(branches.get(branch)?.owner ?? -1);
}

/** Folds one entry into the summary, in place. */
export function summarize(summary: StepSummary, entry: Entry): void {
  switch (entry.kind) {
    case "step-scheduled":
    case "scope-opened":
      return opened(summary, entry.step, "running");
    case "timer-set":
      return opened(summary, entry.step, "sleeping");
    case "event-awaited":
    case "child-started":
      return opened(summary, entry.step, "waiting");
    case "step-ready": {
      const raised = entry.raise === true ? attemptOf(summary, entry.step) + 1 : undefined;
      return change(summary, entry.step, "running", raised);
    }
    case "step-begun":
      return change(summary, entry.step, "running", entry.attempt);
    case "step-retrying":
      return change(summary, entry.step, "sleeping", entry.attempt);
    case "step-paused": {
      const status = entry.wait !== undefined ? "waiting" : entry.dueAt !== undefined ? "sleeping" : "running";
      return change(summary, entry.step, status);
    }
    case "step-held":
      return change(summary, entry.step, "failed");
    case "step-completed":
      return change(summary, entry.step, "completed", entry.attempt);
    case "step-failed":
      return change(summary, entry.step, "failed", entry.attempt);
    case "step-cancelled":
      return change(summary, entry.step, "cancelled");
    case "step-skipped":
      return change(summary, entry.step, "skipped");
    case "saga-restarted":
      return change(summary, entry.step, "running", entry.attempt);
    case "undo-completed":
      return change(summary, entry.undoneStep, "compensated");
    default:
      return;
  }
}

function attemptOf(summary: StepSummary, step: string): number {
  return summary.get(step)?.attempt ?? 1;
}

function opened(summary: StepSummary, step: string, status: StepStatus): void {
  const line = summary.get(step);
  if (line === undefined) {
    summary.set(step, { id: step, status, attempt: 1, runs: 1 });
    return;
  }
  line.status = status;
  line.attempt = 1;
  line.runs += 1;
}

function change(summary: StepSummary, step: string, status: StepStatus, attempt?: number): void {
  const line = summary.get(step);
  if (line === undefined) {
    summary.set(step, { id: step, status, attempt: attempt ?? 1, runs: 1 });
    return;
  }
  line.status = status;
  if (attempt !== undefined) line.attempt = attempt;
}
