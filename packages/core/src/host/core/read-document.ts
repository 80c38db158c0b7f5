import {
  decodeEntries,
  decodeState,
  emptySummary,
  evolveTurn,
  initialState,
  shownSteps,
  summarize,
  type StepView,
} from "../../engine/index.ts";
import type { LoadedWorkflow } from "../../providers/persistence-provider.ts";
import type { SearchDocument } from "../../providers/search-index.ts";
import { searchDocument } from "../../search/document.ts";
import type { Registry } from "./host-core.ts";
import { decodeRowError } from "./row-record.ts";
import { decodeStartRecord } from "./start-record.ts";

/** Makes the document of a workflow as it is stored. One whose journal cannot be read is found by what its row says. */
export function readDocument(loaded: LoadedWorkflow, registry: Registry): SearchDocument {
  const { row } = loaded;
  const { data, steps, reason } = attempt(() => inside(loaded)) ?? { data: undefined, steps: [], reason: undefined };
  const error = row.errorText === null ? undefined : attempt(() => decodeRowError(row.errorText ?? ""));
  const definition = registry.get(row.definitionId, row.version);
  return searchDocument({ row, error, reason, data, steps, definition });
}

function inside({ row, checkpoint, turns }: LoadedWorkflow): {
  readonly data: unknown;
  readonly steps: readonly StepView[];
  readonly reason: string | undefined;
} {
  const start = checkpoint === null ? undefined : decodeState(checkpoint.stateText);
  let state = start?.state ?? initialState();
  const summary = start?.summary ?? emptySummary();
  for (const { seq, entriesText } of turns) {
    const entries = decodeEntries(entriesText);
    state = evolveTurn(state, { seq, entries });
    for (const entry of entries) summarize(summary, entry);
  }
  const data = state.seq < 0 ? decodeStartRecord(row.startText).data : state.data;
  return { data, steps: shownSteps(summary, state), reason: state.reason ?? undefined };
}

function attempt<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch {
    // Whoever loads it to run it says what is wrong; search finds what it can.
    return undefined;
  }
}
