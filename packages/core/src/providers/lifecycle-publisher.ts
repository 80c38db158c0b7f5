/** Carries step and workflow events to every interested host and client. Best effort; never blocks, never throws. */
export interface LifecyclePublisher {
  /** Hands events over. Returns at once; what cannot be delivered is dropped. */
  publish(events: readonly LifecycleEvent[]): void;
  /** Calls the listener with events of this process and others, in order per workflow. Gives a function that ends it. */
  subscribe(listener: (events: readonly LifecycleEvent[]) => void): () => void;
  /** Whether anyone listens, here or elsewhere, as far as is known: where not, nothing needs to be made. */
  readonly hasListeners: boolean;
}

export type LifecycleEventType =
  | "workflow.started"
  | "workflow.suspended"
  | "workflow.resumed"
  | "workflow.completed"
  | "workflow.failed"
  | "workflow.terminated"
  | "step.started"
  | "step.completed"
  | "step.failed"
  | "step.retrying"
  | "step.waiting"
  | "step.progress"
  | "step.output";

/** Plain data; what values it holds (`error`, `details`) are storable ones. */
export interface LifecycleEvent {
  readonly type: LifecycleEventType;
  readonly at: number;
  readonly host: string;
  readonly namespace: string;
  readonly workflowId: string;
  readonly definitionId: string;
  readonly version: number;
  readonly stepId?: string;
  readonly stepName?: string;
  readonly executionId?: string;
  readonly attempt?: number;
  readonly error?: { readonly name: string; readonly message: string; readonly code?: string };
  /** `step.retrying` and timers: when it goes on. */
  readonly dueAt?: number;
  /** `step.progress`. */
  readonly percent?: number;
  readonly message?: string;
  /** `step.output`. */
  readonly stream?: string;
  readonly chunk?: string;
  /** `step.waiting`: what for. `step.progress` of a heartbeat: its details. */
  readonly details?: unknown;
}
