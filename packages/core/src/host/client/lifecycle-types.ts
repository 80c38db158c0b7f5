import type { LifecycleEventType } from "../../providers/lifecycle-publisher.ts";

/** Every type of lifecycle event. A type added later fails to compile here. */
const types: Readonly<Record<LifecycleEventType, true>> = {
  "workflow.started": true,
  "workflow.suspended": true,
  "workflow.resumed": true,
  "workflow.completed": true,
  "workflow.failed": true,
  "workflow.terminated": true,
  "step.started": true,
  "step.completed": true,
  "step.failed": true,
  "step.retrying": true,
  "step.waiting": true,
  "step.progress": true,
  "step.output": true,
};

export const lifecycleEventTypes: readonly string[] = Object.keys(types);
