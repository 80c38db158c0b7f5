import { decodeEntries, type Entry } from "../../engine/index.ts";
import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import { rootPointer } from "../../engine/state.ts";
import type { StoredTurn, WorkflowRow } from "../../providers/records.ts";
import type { TurnTime } from "./imported.ts";
import { turnsPerRead } from "./journal-pages.ts";

/** An entry, and the turn that it is part of. */
export interface FoundEntry {
  readonly turn: StoredTurn;
  readonly entry: Entry;
}

/** How many turns before an end its beginning is looked for: a page stays bounded in a history of any length. */
const furthestBack = 5_000;

/**
 * By the entries that end something: when it began, where that is not too far back. `before` is what comes before the page in the
 * turn of its first entry: what is said of an entry must not depend on where a page begins.
 */
export async function openings(
  persistence: PersistenceProvider,
  row: WorkflowRow,
  { before, found }: { readonly before: readonly Entry[]; readonly found: readonly FoundEntry[] },
  timeOf: TurnTime,
): Promise<ReadonlyMap<Entry, number>> {
  const openedAt = new Map<Entry, number>();
  const wanted = new Map<number, FoundEntry[]>();
  const note = (entry: Entry, turn: StoredTurn): void => {
    for (const pointer of opens(entry)) {
      for (const end of wanted.get(pointer) ?? [])
        if (end.turn.seq - turn.seq <= furthestBack) openedAt.set(end.entry, timeOf(turn));
      wanted.delete(pointer);
    }
  };
  // Backwards, so that each end finds the last opening before it.
  for (const each of found.toReversed()) {
    note(each.entry, each.turn);
    const pointer = ends(each.entry);
    if (pointer === rootPointer) openedAt.set(each.entry, row.createdAt);
    else if (pointer !== undefined) wanted.set(pointer, [...(wanted.get(pointer) ?? []), each]);
  }
  const [first] = found;
  if (first === undefined) return openedAt;
  for (const entry of before.toReversed()) note(entry, first.turn);
  let to = first.turn.seq - 1;
  const least = Math.max(0, to + 1 - furthestBack);
  while (wanted.size > 0 && to >= least) {
    const from = Math.max(least, to - turnsPerRead + 1);
    const turns = await persistence.turns(row.run, { from, to, limit: turnsPerRead });
    for (const turn of turns.toReversed())
      for (const entry of decodeEntries(turn.entriesText).toReversed()) note(entry, turn);
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
