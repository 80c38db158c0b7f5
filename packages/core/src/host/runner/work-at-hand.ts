import type { WorkflowState } from "../../engine/state.ts";
import { journalNeeded, nextDueAt, readyPointers, wantsContinue } from "../../engine/work.ts";

/** What a state wants of its host, read off it once per turn. */
export interface WorkAtHand {
  readonly ready: readonly number[];
  readonly dueAt: number | null;
  readonly continues: boolean;
  readonly journal: ReturnType<typeof journalNeeded>;
}

export function workAtHand(state: WorkflowState, maxLoneDeaths: number): WorkAtHand {
  return {
    ready: readyPointers(state),
    dueAt: nextDueAt(state),
    continues: wantsContinue(state, maxLoneDeaths),
    journal: journalNeeded(state),
  };
}
