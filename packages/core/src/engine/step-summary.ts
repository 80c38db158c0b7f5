import type { Entry } from "./entries.ts";
import { rootPointer, type Pointer, type WorkflowState } from "./state.ts";
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

/** What is kept of a step. What is not in its view may be missing in one that an earlier version has written. */
export interface StepLine extends StepView {
  /** The newest pointer that was opened for it: one that is opened once more is no new occurrence. */
  readonly pointer?: number;
  /** An `endWorkflow` or `fail` that stands: it is stopped with all the rest once it has ended the workflow. */
  readonly ends?: number;
}

/**
 * One line per step that has been reached, whatever the length of the history. It is folded beside the state and is mutable, lines
 * and all, since copying it for every turn would make a step cost what the definition is long.
 */
export type StepSummary = Map<string, Mutable<StepLine>>;

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
  const views = new Map<string, Mutable<StepView>>();
  for (const { id, status, attempt, runs } of summary.values()) views.set(id, { id, status, attempt, runs });
  const steps = [...views.values()];
  if (!isFinal(state)) {
    // Which attempt it has come to is told of when it ends.
    for (const { id, status, pointer } of summary.values()) {
      const newest = state.pointers.get(pointer ?? -1);
      const view = views.get(id);
      if (view !== undefined && status === "running" && newest?.status === "ready") view.attempt = newest.attempt;
    }
    return steps;
  }
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
      return opened(summary, entry, "running");
    case "scope-opened": {
      opened(summary, entry, "running");
      const line = entry.node === "end" || entry.node === "fail" ? summary.get(entry.step) : undefined;
      if (line !== undefined) line.ends = entry.pointer;
      return;
    }
    case "timer-set":
      return opened(summary, entry, "sleeping");
    case "event-awaited":
    case "child-started":
      return opened(summary, entry, "waiting");
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
    case "wait-timed-out":
      return change(summary, entry.step, "running");
    case "child-awaited":
      return change(summary, entry.step, "waiting");
    case "step-held":
      return change(summary, entry.step, "failed", entry.attempt);
    case "step-completed":
      return change(summary, entry.step, "completed", entry.attempt);
    case "step-failed":
      return change(summary, entry.step, "failed", entry.attempt);
    case "step-cancelled":
      return cancelled(summary, entry);
    case "step-skipped":
      return change(summary, entry.step, "skipped");
    case "saga-restarted":
      return change(summary, entry.step, "running", entry.attempt);
    case "undo-completed":
      return change(summary, entry.undoneStep, "compensated");
    case "scope-ending":
      return ending(summary, entry);
    case "workflow-forked":
    case "workflow-retried":
      return goneBack(summary, entry);
    case "workflow-migrated":
      return renamed(summary, entry.steps ?? {});
    default:
      return;
  }
}

function attemptOf(summary: StepSummary, step: string): number {
  return summary.get(step)?.attempt ?? 1;
}

function opened(
  summary: StepSummary,
  { step, pointer }: { readonly step: string; readonly pointer: number },
  status: StepStatus,
): void {
  const line = summary.get(step);
  if (line === undefined) {
    summary.set(step, { id: step, status, attempt: 1, runs: 1, pointer });
    return;
  }
  line.status = status;
  // Opened again after a retry: it keeps its attempts.
  if (line.pointer !== undefined && pointer <= line.pointer) return;
  line.pointer = pointer;
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

function cancelled(summary: StepSummary, { step, pointer }: Extract<Entry, { kind: "step-cancelled" }>): void {
  const line = summary.get(step);
  const hasEnded = line?.ends === pointer && !live.has(line.status);
  if (line?.ends === pointer) delete line.ends;
  if (!hasEnded) change(summary, step, "cancelled");
}

/** `endWorkflow` and `fail` have done what they are for when the workflow ends. */
function ending(summary: StepSummary, { pointer, ending }: Extract<Entry, { kind: "scope-ending" }>): void {
  if (pointer !== rootPointer) return;
  for (const line of summary.values()) {
    if (line.ends === undefined) continue;
    if (ending.kind === "completed") line.status = "completed";
    else if (ending.kind === "failed" && ending.error.stepId === line.id) line.status = "failed";
  }
}

/** Goes on from what was live elsewhere: that is live again, and what came after it has not happened. */
function goneBack(
  summary: StepSummary,
  { steps, state }: Extract<Entry, { kind: "workflow-forked" | "workflow-retried" }>,
): void {
  if (steps !== undefined) {
    summary.clear();
    for (const line of steps) summary.set(line.id, { ...line });
  }
  const standing = new Set([...state.pointers.values()].map(({ step }) => step));
  // What stood in a container that is opened again has not begun.
  for (const { id, status } of summary.values()) if (live.has(status) && !standing.has(id)) summary.delete(id);
  for (const pointer of [...state.pointers.values()].sort((one, other) => one.id - other.id)) {
    const { id, step, attempt } = pointer;
    if (id === rootPointer) continue;
    const line = summary.get(step) ?? { id: step, status: "running", attempt, runs: 1 };
    summary.set(step, line);
    line.pointer = Math.max(line.pointer ?? id, id);
    line.status = pointer.status === "hook" ? endedAs(pointer) : statusOf[pointer.status];
    line.attempt = attempt;
  }
}

/** What has hooks that run has ended, but for what is still being undone. */
function endedAs({ ending, scope }: Pointer): StepStatus {
  if (ending === null || scope?.walk != null) return "running";
  return ending.kind === "terminated" ? "cancelled" : ending.kind;
}

const statusOf: Readonly<Record<Exclude<Pointer["status"], "hook">, StepStatus>> = {
  ready: "running",
  sleeping: "sleeping",
  waiting: "waiting",
  open: "running",
  held: "failed",
  undoing: "running",
};

function renamed(summary: StepSummary, steps: Readonly<Record<string, string>>): void {
  const lines = [...summary.values()];
  summary.clear();
  for (const line of lines) {
    const id = (Object.hasOwn(steps, line.id) ? steps[line.id] : undefined) ?? line.id;
    summary.set(id, Object.assign(line, { id }));
  }
}
