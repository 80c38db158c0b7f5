import type { LifecycleEvent, WorkflowDefinition, WorkflowDetails } from "@wfe/core";
import { type Block, blocksOf } from "@wfe/core/definition";
import { stepOfWhen, withoutWhen } from "../when-wrapper.ts";

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
  /** Where steps stand in the definition, and how deep, in its order. */
  readonly #places: Map<string, { readonly position: number; readonly depth: number }> = new Map();
  /** Executions of steps with a `when` that its node's end does not speak for, by step. */
  readonly #begun: Map<string, Set<string>> = new Map();

  /** `definition`: where it is known, steps are shown in its order and inside what they stand in. */
  constructor(definition?: WorkflowDefinition) {
    if (definition !== undefined) this.#place(definition.body, 0);
  }

  /** In the order of the definition; those that it does not have come last. */
  get steps(): readonly BoardStep[] {
    const position = ({ id }: BoardStep): number => this.#places.get(id)?.position ?? this.#places.size;
    return [...this.#steps.values()].sort((a, b) => position(a) - position(b));
  }

  /** What the store says: at the beginning, and at the end, when it is what counts. */
  read(details: Pick<WorkflowDetails, "steps">): void {
    for (const { id, name, status, attempt, runs } of withoutWhen(details.steps)) {
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
    const inside = stepOfWhen(stepId);
    if (inside !== undefined) return this.#tellWhen(inside, event);
    if (event.executionId !== undefined) this.#begun.get(stepId)?.add(event.executionId);
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

  /** What becomes of a step's condition is told as the step's own: it is skipped, or runs and speaks for itself. */
  #tellWhen(id: string, event: LifecycleEvent): BoardStep | undefined {
    const begun = this.#begun.get(id) ?? new Set();
    this.#begun.set(id, begun);
    if (event.type !== "step.completed" && event.type !== "step.failed") return undefined;
    const [ran] = begun;
    if (ran !== undefined) {
      begun.delete(ran);
      return undefined;
    }
    const step = this.#steps.get(id) ?? this.#empty(id, id);
    this.#steps.set(id, step);
    step.status = event.type === "step.completed" ? "skipped" : "failed";
    step.note = event.error?.message;
    return step;
  }

  #place(block: Block, depth: number): void {
    for (const node of block.nodes) {
      const isShown = stepOfWhen(node.id) === undefined;
      if (isShown) this.#places.set(node.id, { position: this.#places.size, depth });
      for (const [, nested] of blocksOf(node)) this.#place(nested, isShown ? depth + 1 : depth);
    }
  }

  #empty(id: string, name: string): BoardStep {
    return {
      id,
      name,
      depth: this.#places.get(id)?.depth ?? 0,
      status: "pending",
      attempt: 1,
      runs: 0,
      beganAt: undefined,
      endedAt: undefined,
      note: undefined,
    };
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
