import type { Run, StoredTurn } from "@wfe/core/providers";
import type { Session } from "./session.ts";

/** Every so many turns of a workflow one is found by an index: the schema says which. */
const markEvery = 64;

/** A turn and the place of the one before it. */
interface Link extends StoredTurn {
  readonly previous: number | null;
  readonly run: Run;
}

const select = "SELECT previous, run, seq, turn, at, host, entries AS entriesText FROM wfe_turns WHERE place = ?";
const selectPlace = "SELECT previous, run, seq FROM wfe_turns WHERE place = ?";

/** The turns of a workflow from `from` on, in order, read backwards from the place of its last one. */
export function turnsBackTo(session: Session, run: Run, last: number | null, from: number): StoredTurn[] {
  const turns: StoredTurn[] = [];
  for (let place = last; place !== null;) {
    const link = session.get<Link>(select, place);
    // A journal with a gap is for its reader to judge: the seqs show it.
    if (link === undefined || link.run !== run || link.seq < from) break;
    const { seq, turn, at, host, entriesText } = link;
    turns.push({ seq, turn, at, host, entriesText });
    place = link.previous;
  }
  return turns.toReversed();
}

/** The turns with `from <= seq <= to`, in order. Costs what it gives and at most a mark's distance more. */
export function turnsBetween(session: Session, run: Run, from: number, to: number): StoredTurn[] {
  const head = session.get<{ readonly seq: number; readonly last: number | null }>(
    "SELECT seq, last FROM wfe_heads WHERE run = ?",
    run,
  );
  if (head === undefined || from > to || from > head.seq) return [];
  return turnsBackTo(session, run, placeOf(session, run, head, Math.min(to, head.seq)), from);
}

/** The id of a stored turn. */
export function turnAt(session: Session, run: Run, seq: number): string | undefined {
  return turnsBetween(session, run, seq, seq)[0]?.turn;
}

/** Where the turn is: from the next mark, or from the end, backwards. */
function placeOf(
  session: Session,
  run: Run,
  head: { readonly seq: number; readonly last: number | null },
  seq: number,
): number | null {
  const mark = seq - (seq % markEvery) + markEvery - 1;
  // The condition on the remainder is what lets SQLite use the partial index.
  const find = "SELECT place FROM wfe_turns WHERE run = ? AND seq = ? AND seq % 64 = 63";
  const marked = mark < head.seq ? session.value<number>(find, run, mark) : undefined;
  let place = marked ?? head.last;
  for (let at = marked === undefined ? head.seq : mark; at > seq && place !== null; at -= 1) {
    place = session.get<Link>(selectPlace, place)?.previous ?? null;
  }
  return place;
}
