import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { Entry } from "../../engine/entries.ts";
import type { WorkflowState } from "../../engine/state.ts";
import { executionId } from "../../engine/state.ts";
import type { StoredError } from "../../engine/stored-error.ts";
import type { Attempt } from "../../engine/work.ts";
import type { LifecycleEvent, LifecycleEventType } from "../../providers/lifecycle-publisher.ts";
import type { LifecycleHub } from "../core/host-core.ts";

type Told = Omit<LifecycleEvent, "at" | "host">;

/** Tells what the entries of a committed turn say. Not called where nobody listens. */
export function tellEntries(
  hub: LifecycleHub,
  definition: WorkflowDefinition,
  state: WorkflowState,
  entries: readonly Entry[],
): void {
  for (const entry of entries) {
    const event = eventOf(definition, state, entry);
    if (event !== undefined) hub.emit(event);
  }
}

/** An attempt begins. What made it ready is committed. */
export function tellStarted(hub: LifecycleHub, { workflow, node, executionId, attempt }: Attempt): void {
  hub.emit({
    type: "step.started",
    namespace: workflow.namespace,
    workflowId: workflow.id,
    definitionId: workflow.definitionId,
    version: workflow.version,
    stepId: node.id,
    stepName: node.name,
    executionId,
    attempt,
  });
}

function eventOf(definition: WorkflowDefinition, state: WorkflowState, entry: Entry): Told | undefined {
  switch (entry.kind) {
    case "workflow-started":
    case "workflow-forked":
      return ofWorkflow("workflow.started", state);
    case "workflow-suspended":
      return ofWorkflow("workflow.suspended", state, entry.error);
    case "workflow-resumed":
    case "workflow-retried":
      return ofWorkflow("workflow.resumed", state);
    case "workflow-completed":
      return ofWorkflow("workflow.completed", state);
    case "workflow-failed":
      return ofWorkflow("workflow.failed", state, entry.error);
    case "workflow-terminated":
      return ofWorkflow("workflow.terminated", state, entry.error);
    case "scope-opened":
      return ofStep("step.started", definition, state, entry);
    case "step-completed":
      return ofStep(
        "step.completed",
        definition,
        state,
        entry,
        entry.attempt === undefined ? {} : { attempt: entry.attempt },
      );
    case "step-skipped":
      return ofStep("step.completed", definition, state, entry);
    case "step-failed":
    case "step-held":
      return ofStep("step.failed", definition, state, entry, {
        error: told(entry.error),
        ...(entry.attempt === undefined ? {} : { attempt: entry.attempt }),
      });
    case "step-retrying":
      return ofStep("step.retrying", definition, state, entry, {
        error: told(entry.error),
        attempt: entry.attempt,
        dueAt: entry.dueAt,
      });
    case "timer-set":
      return ofStep("step.waiting", definition, state, entry, { dueAt: entry.dueAt });
    case "event-awaited": {
      const streams = entry.wait.streams.map(({ name, key }) => ({ event: name, key }));
      return ofStep("step.waiting", definition, state, entry, {
        details: { events: streams },
        ...(entry.wait.until === null ? {} : { dueAt: entry.wait.until }),
      });
    }
    case "child-started":
      return ofStep("step.waiting", definition, state, entry, {
        details: { workflowId: entry.childId, definitionId: entry.definitionId },
      });
    case "step-paused":
      if (entry.wait !== undefined) {
        const streams = entry.wait.streams.map(({ name, key }) => ({ event: name, key }));
        return ofStep("step.waiting", definition, state, entry, { details: { events: streams } });
      }
      return entry.dueAt === undefined
        ? undefined
        : ofStep("step.waiting", definition, state, entry, { dueAt: entry.dueAt });
    default:
      return undefined;
  }
}

function ofWorkflow(type: LifecycleEventType, state: WorkflowState, error?: StoredError): Told {
  const { namespace, id, definitionId, version } = state.identity;
  return {
    type,
    namespace,
    workflowId: id,
    definitionId,
    version,
    ...(error === undefined ? {} : { error: told(error) }),
  };
}

function ofStep(
  type: LifecycleEventType,
  definition: WorkflowDefinition,
  state: WorkflowState,
  entry: { readonly pointer: number; readonly step: string },
  rest: Partial<LifecycleEvent> = {},
): Told {
  const stepName = definition.index.places.get(entry.step)?.node.name;
  return {
    ...ofWorkflow(type, state),
    stepId: entry.step,
    ...(stepName === undefined ? {} : { stepName }),
    executionId: executionId(state, entry.pointer),
    ...rest,
  };
}

function told({ name, message, code }: StoredError): NonNullable<LifecycleEvent["error"]> {
  return { name, message, ...(code === undefined ? {} : { code }) };
}
