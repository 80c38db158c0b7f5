import type { Entry } from "../../engine/entries.ts";
import { evolveTurn, initialState } from "../../engine/evolve.ts";
import { decodeEntries, decodeState } from "../../engine/records.ts";
import type { WorkflowState } from "../../engine/state.ts";
import { emptySummary, summarize, type StepSummary } from "../../engine/step-summary.ts";
import { CorruptedRecordError } from "../../errors.ts";
import type { LoadedWorkflow } from "../../providers/persistence-provider.ts";

/** A workflow as its records say it is. */
export interface Folded {
  readonly state: WorkflowState;
  readonly summary: StepSummary;
  /** Length of the newest checkpoint, and of the turns since. */
  readonly checkpointSize: number;
  readonly journalSize: number;
  readonly turns: number;
}

/** Folds a checkpoint and the turns after it. Throws `CorruptedRecordError` or `NewerFormatError` for what it cannot read. */
export function foldJournal({ row, checkpoint, turns }: LoadedWorkflow): Folded {
  const from =
    checkpoint === null ? { state: initialState(), summary: emptySummary() } : decodeState(checkpoint.stateText);
  const { summary } = from;
  let { state } = from;
  let journalSize = 0;
  for (const turn of turns) {
    if (turn.seq !== state.seq + 1) {
      throw new CorruptedRecordError(
        `the journal has a hole: turn ${turn.seq} follows ${state.seq}; was an older backup restored in part?`,
        { workflowId: row.id },
      );
    }
    const entries = decodeEntries(turn.entriesText);
    state = evolveTurn(state, { seq: turn.seq, entries });
    summarizeAll(summary, entries);
    journalSize += turn.entriesText.length;
  }
  return { state, summary, checkpointSize: checkpoint?.stateText.length ?? 0, journalSize, turns: turns.length };
}

export function summarizeAll(summary: StepSummary, entries: readonly Entry[]): void {
  for (let i = 0; i < entries.length; i++) summarize(summary, entries[i] as Entry);
}
