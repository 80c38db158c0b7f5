import type { Entry } from "./entries.ts";

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
 * One line per step that has been reached, whatever the length of the history. It is folded beside the state and is mutable, since
 * copying it for every turn would make a step cost what the definition is long.
 */
export type StepSummary = Map<string, StepView>;

export function emptySummary(): StepSummary {
  return new Map();
}

export function stepsOf(summary: StepSummary): readonly StepView[] {
  return [...summary.values()];
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
    case "step-ready":
      return change(summary, entry.step, {
        status: "running",
        ...(entry.raise === true ? { attempt: attemptOf(summary, entry.step) + 1 } : {}),
      });
    case "step-begun":
      return change(summary, entry.step, { status: "running", attempt: entry.attempt });
    case "step-retrying":
      return change(summary, entry.step, { status: "sleeping", attempt: entry.attempt });
    case "step-paused":
      return change(summary, entry.step, {
        status: entry.wait !== undefined ? "waiting" : entry.dueAt !== undefined ? "sleeping" : "running",
      });
    case "step-held":
      return change(summary, entry.step, { status: "failed" });
    case "step-completed":
      return change(summary, entry.step, {
        status: "completed",
        ...(entry.attempt === undefined ? {} : { attempt: entry.attempt }),
      });
    case "step-failed":
      return change(summary, entry.step, {
        status: "failed",
        ...(entry.attempt === undefined ? {} : { attempt: entry.attempt }),
      });
    case "step-cancelled":
      return change(summary, entry.step, { status: "cancelled" });
    case "step-skipped":
      return change(summary, entry.step, { status: "skipped" });
    case "saga-restarted":
      return change(summary, entry.step, { status: "running", attempt: entry.attempt });
    case "undo-completed":
      return change(summary, entry.undoneStep, { status: "compensated" });
    default:
      return;
  }
}

function attemptOf(summary: StepSummary, step: string): number {
  return summary.get(step)?.attempt ?? 1;
}

function opened(summary: StepSummary, step: string, status: StepStatus): void {
  const before = summary.get(step);
  summary.set(step, { id: step, status, attempt: 1, runs: (before?.runs ?? 0) + 1 });
}

function change(summary: StepSummary, step: string, part: Partial<StepView>): void {
  const before = summary.get(step) ?? { id: step, status: "pending", attempt: 1, runs: 1 };
  summary.set(step, { ...before, ...part });
}
