import type { WorkflowState } from "../../engine/state.ts";
import { graceEndsAt, isPoison, journalNeeded, nextDueAt, readyPointers, wantsContinue } from "../../engine/work.ts";

/** What a state wants of its host, read off it once per turn. */
export interface WorkAtHand {
  readonly ready: readonly number[];
  readonly dueAt: number | null;
  readonly continues: boolean;
  readonly journal: ReturnType<typeof journalNeeded>;
}

export function workAtHand(state: WorkflowState, maxLoneDeaths: number): WorkAtHand {
  const step = loneStep(state);
  if (step !== undefined && !isPoison(state, maxLoneDeaths)) {
    return { ready: [step], dueAt: null, continues: false, journal: nothing };
  }
  return {
    ready: readyPointers(state),
    dueAt: state.phase === "active" ? nextDueAt(state) : graceEndsAt(state),
    continues: wantsContinue(state, maxLoneDeaths),
    journal: journalNeeded(state),
  };
}

const nothing: WorkAtHand["journal"] = [];

/** The step that is ready where nothing else is open: it is how most workflows stand most of the time. */
function loneStep({ phase, pointers, stragglers }: WorkflowState): number | undefined {
  if (phase !== "active" || pointers.size !== 1 || stragglers.size > 0) return undefined;
  for (const { id, kind, status, crashed, dueAt } of pointers.values()) {
    if (kind === "step" && status === "ready" && !crashed && dueAt === null) return id;
  }
  return undefined;
}
