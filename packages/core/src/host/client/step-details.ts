import { blocksOf } from "../../definition/blocks.ts";
import type { Slot, WorkflowDefinition } from "../../definition/definition.ts";
import type { Block } from "../../definition/nodes.ts";
import { shownSteps, type StepStatus, type StepSummary, type StepView } from "../../engine/index.ts";
import type { WorkflowState } from "../../engine/state.ts";
import type { StepDetails } from "./workflow-views.ts";

/** Blocks that run only on occasion: their steps are not shown before they are reached. */
const occasional: ReadonlySet<Slot> = new Set(["compensation", "onFailure", "ensure", "onTimeout", "remind"]);

/** After these, what a container holds is not reached any more. */
const over: ReadonlySet<StepStatus> = new Set(["completed", "failed", "skipped", "cancelled", "compensated"]);

/** The steps of a workflow: those reached, and where the definition is known also the others, in its order. */
export function stepDetails(
  summary: StepSummary,
  definition: WorkflowDefinition | undefined,
  state: WorkflowState,
): readonly StepDetails[] {
  const reached = new Map(shownSteps(summary, state).map((step) => [step.id, step]));
  const details: StepDetails[] = [];
  // Of a workflow that has completed, what was not reached never will be.
  const passedBy = state.phase === "completed";
  if (definition !== undefined) addBlock(details, reached, definition.body, { passedBy, hidden: false });
  // Steps of a version before a migration, or of a definition that is not registered here.
  for (const { id, status, attempt, runs } of reached.values())
    details.push({ id, name: id, status, attempt, runs, kind: undefined });
  return details;
}

interface Place {
  readonly passedBy: boolean;
  readonly hidden: boolean;
}

function addBlock(details: StepDetails[], reached: Map<string, StepView>, block: Block, place: Place): void {
  for (const node of block.nodes) {
    const { id, name, kind } = node;
    const step = reached.get(id);
    reached.delete(id);
    if (step !== undefined)
      details.push({ id, name, status: step.status, attempt: step.attempt, runs: step.runs, kind });
    else if (!place.hidden)
      details.push({ id, name, status: place.passedBy ? "skipped" : "pending", attempt: 0, runs: 0, kind });
    const passedBy = place.passedBy || (step !== undefined && over.has(step.status));
    for (const [slot, nested] of blocksOf(node)) {
      addBlock(details, reached, nested, { passedBy, hidden: place.hidden || occasional.has(slot) });
    }
  }
}
