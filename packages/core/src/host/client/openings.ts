import { decodeEntries, type Entry } from "../../engine/index.ts";
import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import { rootPointer } from "../../engine/state.ts";
import type { StoredTurn, WorkflowRow } from "../../providers/records.ts";
import type { TurnTime } from "./imported.ts";

/** An entry, and the turn that it is part of. */
export interface FoundEntry {
  readonly turn: StoredTurn;
  readonly entry: Entry;
}

/** Turns in one read of a journal. */
const turnsPerRead = 500;
/** How far back the beginning of what ends on a page is looked for: a page stays bounded in a history of any length. */
const furthestBack = 5_000;

/** By the entries that end something: when it began, where that is not too far back. */
export async function openings(
  persistence: PersistenceProvider,
  row: WorkflowRow,
  found: readonly FoundEntry[],
  timeOf: TurnTime,
): Promise<ReadonlyMap<Entry, number>> {
  const openedAt = new Map<Entry, number>();
  const wanted = new Map<number, Entry[]>();
  const note = (entry: Entry, at: number): void => {
    for (const pointer of opens(entry)) {
      for (const end of wanted.get(pointer) ?? []) openedAt.set(end, at);
      wanted.delete(pointer);
    }
  };
  // Backwards, so that each end finds the last opening before it.
  for (const { turn, entry } of found.toReversed()) {
    note(entry, timeOf(turn));
    const pointer = ends(entry);
    if (pointer === rootPointer) openedAt.set(entry, row.createdAt);
    else if (pointer !== undefined) wanted.set(pointer, [...(wanted.get(pointer) ?? []), entry]);
  }
  let to = (found[0]?.turn.seq ?? 0) - 1;
  const least = Math.max(0, to - furthestBack);
  while (wanted.size > 0 && to >= least) {
    const from = Math.max(least, to - turnsPerRead + 1);
    const turns = await persistence.turns(row.run, { from, to, limit: turnsPerRead });
    for (const turn of turns.toReversed())
      for (const entry of decodeEntries(turn.entriesText).toReversed()) note(entry, timeOf(turn));
    to = from - 1;
  }
  return openedAt;
}

/** The pointers that an entry begins. */
function opens(entry: Entry): readonly number[] {
  switch (entry.kind) {
    case "step-scheduled":
    case "timer-set":
    case "event-awaited":
    case "child-started":
    case "scope-opened":
      return [entry.pointer];
    case "workflow-retried":
      return [...entry.state.pointers.values()].flatMap(({ id, status }) =>
        id !== rootPointer && status === "ready" ? [id] : [],
      );
    default:
      return [];
  }
}

/** The pointer that an entry ends; the workflow itself has one too. */
function ends(entry: Entry): number | undefined {
  switch (entry.kind) {
    case "step-completed":
    case "step-failed":
    case "step-held":
    case "step-cancelled":
    case "step-skipped":
      return entry.pointer;
    case "workflow-completed":
    case "workflow-failed":
    case "workflow-terminated":
      return rootPointer;
    default:
      return undefined;
  }
}
