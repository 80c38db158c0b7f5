import {
  decodeEntries,
  decodeState,
  emptySummary,
  evolveTurn,
  initialState,
  summarize,
  type StepSummary,
  type WorkflowState,
} from "../../engine/index.ts";
import { CorruptedRecordError, WfeError } from "../../errors.ts";
import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import type { Run, StoredTurn, WorkflowRow } from "../../providers/records.ts";
import { turnTimes } from "./imported.ts";
import { journalPages } from "./journal-pages.ts";

/** A workflow folded from its journal, up to some turn. */
export interface Folded {
  readonly row: WorkflowRow;
  readonly state: WorkflowState;
  readonly summary: StepSummary;
}

/** Folds everything there is: the newest checkpoint and the turns after it. undefined: no such workflow. */
export async function foldNow(persistence: PersistenceProvider, run: Run): Promise<Folded | undefined> {
  const [loaded] = await persistence.load([run]);
  if (loaded === undefined) return undefined;
  const start = loaded.checkpoint === null ? undefined : decodeState(loaded.checkpoint.stateText);
  return { row: loaded.row, ...fold(start ?? atFirst(), loaded.turns, loaded.row.id) };
}

/**
 * Folds the turns up to `seq`, from the newest checkpoint where that is not beyond it, else from the beginning. undefined: the
 * journal does not reach so far.
 */
export async function foldUpTo(
  persistence: PersistenceProvider,
  run: Run,
  seq: number,
): Promise<(Folded & { readonly at: number }) | undefined> {
  const [loaded] = await persistence.load([run]);
  if (loaded === undefined) return undefined;
  const checkpoint = loaded.checkpoint;
  let folded = checkpoint !== null && checkpoint.seq < seq ? decodeState(checkpoint.stateText) : atFirst();
  let at = 0;
  for await (const turns of journalPages(persistence, run, { from: folded.state.seq + 1, to: seq })) {
    at = turnTimes(loaded.row)(turns.at(-1) as StoredTurn);
    folded = fold(folded, turns, loaded.row.id);
  }
  if (folded.state.seq < seq) return undefined;
  return { row: loaded.row, ...folded, at };
}

function atFirst(): Omit<Folded, "row"> {
  return { state: initialState(), summary: emptySummary() };
}

function fold(start: Omit<Folded, "row">, turns: readonly StoredTurn[], workflowId: string): Omit<Folded, "row"> {
  try {
    let state = start.state;
    for (const { seq, entriesText } of turns) {
      if (seq !== state.seq + 1) throw new TypeError(`turn ${seq} follows turn ${state.seq}`);
      const entries = decodeEntries(entriesText);
      state = evolveTurn(state, { seq, entries });
      for (const entry of entries) summarize(start.summary, entry);
    }
    return { state, summary: start.summary };
  } catch (error) {
    if (error instanceof WfeError) throw error;
    throw new CorruptedRecordError(
      `the journal of workflow \`${workflowId}\` is damaged: restore it from a backup, or terminate the workflow`,
      { workflowId, cause: error },
    );
  }
}
