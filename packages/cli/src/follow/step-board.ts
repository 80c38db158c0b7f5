import type { LifecycleEvent, WorkflowDefinition, WorkflowDetails } from "@wfe/core";

export type BoardStatus =
  | "pending"
  | "running"
  | "retrying"
  | "waiting"
  | "completed"
  | "failed"
  | "skipped"
  | "cancelled"
  | "compensated";

/** A line of the board. */
export interface BoardStep {
  readonly id: string;
  readonly name: string;
  /** How many containers it stands in. */
  readonly depth: number;
  status: BoardStatus;
  attempt: number;
  /** How often it has begun anew: iterations, items. */
  runs: number;
  beganAt: number | undefined;
  endedAt: number | undefined;
  /** What it waits for, its last error, its progress. */
  note: string | undefined;
}

/** How the steps of one workflow stand, told by its events. */
export class StepBoard {
  readonly #steps: Map<string, BoardStep> = new Map();
  readonly #definition: WorkflowDefinition | undefined;

  /** `definition`: where it is known, steps are shown inside what they stand in. */
  constructor(definition?: WorkflowDefinition) {
    this.#definition = definition;
  }

  get steps(): readonly BoardStep[] {
    return [...this.#steps.values()];
  }

  /** What the store says: at the beginning, and at the end, when it is what counts. */
  read(details: WorkflowDetails): void {
    for (const { id, name, status, attempt, runs } of details.steps) {
      const step = this.#steps.get(id) ?? this.#empty(id, name);
      this.#steps.set(id, step);
      step.status = status === "sleeping" ? "waiting" : status;
      step.attempt = Math.max(attempt, 1);
      step.runs = runs;
    }
  }

  /** Gives the step that it was about. */
  tell(event: LifecycleEvent): BoardStep | undefined {
    const { stepId } = event;
    if (stepId === undefined) return undefined;
    const step = this.#steps.get(stepId) ?? this.#empty(stepId, event.stepName ?? stepId);
    this.#steps.set(stepId, step);
    step.attempt = event.attempt ?? step.attempt;
    switch (event.type) {
      case "step.started":
        if (step.status !== "running" && step.status !== "retrying") {
          step.beganAt = event.at;
          step.runs += 1;
        }
        step.status = "running";
        step.note = undefined;
        step.endedAt = undefined;
        break;
      case "step.waiting":
        step.beganAt ??= event.at;
        step.status = "waiting";
        step.note = waitingNote(event);
        break;
      case "step.retrying":
        step.status = "retrying";
        step.note = event.error?.message;
        break;
      case "step.completed":
      case "step.failed":
        step.status = event.type === "step.completed" ? "completed" : "failed";
        step.endedAt = event.at;
        step.note = event.error?.message;
        break;
      case "step.progress":
        step.note = [event.percent === undefined ? undefined : `${event.percent} %`, event.message]
          .filter((part) => part !== undefined)
          .join(" ");
        break;
      default:
        break;
    }
    return step;
  }

  #empty(id: string, name: string): BoardStep {
    return {
      id,
      name,
      depth: this.#depthOf(id),
      status: "pending",
      attempt: 1,
      runs: 0,
      beganAt: undefined,
      endedAt: undefined,
      note: undefined,
    };
  }

  #depthOf(id: string): number {
    let depth = -1;
    const places = this.#definition?.index.places;
    for (let place = places?.get(id); place !== undefined; depth++) {
      place = place.owner === null ? undefined : places?.get(place.owner);
    }
    return Math.max(0, depth);
  }
}

/** What a waiting step's event says that it waits for. */
function waitingNote({ dueAt, details }: LifecycleEvent): string | undefined {
  const { events, workflowId } = (details ?? {}) as {
    readonly events?: readonly { readonly event: string; readonly key: string }[];
    readonly workflowId?: string;
  };
  const parts: string[] = [];
  if (events !== undefined) {
    parts.push(`for ${events.map(({ event, key }) => (key === "" ? event : `${event} (${key})`)).join(", ")}`);
  }
  if (workflowId !== undefined) parts.push(`for workflow ${workflowId}`);
  if (dueAt !== undefined) parts.push(`until ${new Date(dueAt).toISOString()}`);
  return parts.length === 0 ? undefined : parts.join(" ");
}
