import type { CommitResult, Run, TurnCommit } from "@wfe/core/providers";
import { isItemError } from "./errors.ts";
import { turnAt } from "./journal.ts";
import { jsonOf, rowsPerInsert, type Session } from "./session.ts";
import { checkText } from "./text.ts";

/** The end of a workflow's journal. */
export interface Head {
  readonly seq: number;
  readonly last: number | null;
  readonly signals: number;
}

const insert = "INSERT INTO wfe_turns (previous, run, seq, turn, at, host, entries) VALUES ";
const insertOne = `${insert} (?, ?, ?, ?, ?, ?, ?)`;
/** What the rows have in common is bound once. */
const insertMany = insert + Array<string>(rowsPerInsert).fill("(?, ?, ?, ?, @at, @host, ?)").join(", ");
const readHeads =
  "SELECT h.run, h.seq, h.last, h.signals FROM json_each(?) j CROSS JOIN wfe_heads h ON h.run = j.value";
/** The places of one append follow one another, in the order of this list. */
const moveHeads =
  "UPDATE wfe_heads SET seq = seq + 1, last = ? + j.key FROM json_each(?) j WHERE wfe_heads.run = j.value";

/**
 * Appends the turns of different workflows, each where its seq follows its workflow's last. Sets the results of those that are
 * refused, in their places, and gives the heads, of others as well.
 *
 * This is what a busy host does all day. It costs two statements for all heads, however many, and one for every 32 turns.
 */
export function appendTurns(
  session: Session,
  items: readonly TurnCommit[],
  results: (CommitResult | undefined)[],
): ReadonlyMap<Run, Head> {
  const heads = headsOf(session, items);

  const fitting: number[] = [];
  for (const [place, item] of items.entries()) {
    const refusal = judge(session, item, heads.get(item.run));
    if (refusal === undefined) fitting.push(place);
    else results[place] = refusal;
  }
  if (fitting.length > 0) insertTurns(session, items, fitting, heads, results);
  return heads;
}

/** Their heads, by run; the map is the session's own, which holds others as well. */
function headsOf(session: Session, items: readonly TurnCommit[]): Map<Run, Head> {
  const known = session.knownHeads();
  const unknown: Run[] = [];
  for (const { run } of items) if (!known.has(run)) unknown.push(run);
  if (unknown.length === 0) return known;
  const read = session.rows<[Run, number, number | null, number]>(readHeads, jsonOf(unknown));
  for (const [run, seq, last, signals] of read) known.set(run, { seq, last, signals });
  return known;
}

/** Why a place in a journal is not free, or not its end; undefined where it is both. */
export function judgeSeq(session: Session, run: Run, seq: number, head: Head | undefined): CommitResult | undefined {
  if (head !== undefined && seq === head.seq + 1) return undefined;
  if (head === undefined || seq > head.seq) return { outcome: "hole" };
  const turn = turnAt(session, run, seq);
  return turn === undefined ? { outcome: "hole" } : { outcome: "conflict", turn };
}

function judge(session: Session, item: TurnCommit, head: Head | undefined): CommitResult | undefined {
  const conflict = judgeSeq(session, item.run, item.seq, head);
  if (conflict !== undefined) return conflict;
  try {
    checkText(item.turn, "a turn's id");
    checkText(item.host, "a host's name");
    checkText(item.entriesText, "a turn");
  } catch (error) {
    return { outcome: "failed", error: error as Error };
  }
  return undefined;
}

/** Inserts the turns in these places of the list and moves their heads. */
function insertTurns(
  session: Session,
  items: readonly TurnCommit[],
  places: readonly number[],
  heads: Map<Run, Head>,
  results: (CommitResult | undefined)[],
): void {
  const at = session.now();
  const moved: Run[] = [];
  let last = 0;

  const insertSingly = (some: readonly number[]): void => {
    for (const place of some) {
      const item = items[place] as TurnCommit;
      const { run, seq, turn, host, entriesText } = item;
      try {
        last = session.insert(insertOne, heads.get(run)?.last, run, seq, turn, at, host, entriesText) ?? last;
        moved.push(run);
      } catch (error) {
        if (!isItemError(error)) throw error;
        results[place] = { outcome: "failed", error: error as Error };
      }
    }
  };

  for (let start = 0; start < places.length; start += rowsPerInsert) {
    const some = places.slice(start, start + rowsPerInsert);
    const rows = some.length === rowsPerInsert ? rowsOf(items, some, heads) : undefined;
    if (rows === undefined) {
      insertSingly(some);
      continue;
    }
    try {
      last = session.insert(insertMany, rows.values, { at, host: rows.host }) ?? last;
      for (const place of some) moved.push((items[place] as TurnCommit).run);
    } catch (error) {
      if (!isItemError(error)) throw error;
      // The statement has left nothing. One of its rows is to blame: ask each.
      insertSingly(some);
    }
  }
  const first = last - moved.length + 1;
  session.run(moveHeads, first, jsonOf(moved));
  for (const [index, run] of moved.entries()) {
    const { seq, signals } = heads.get(run) as Head;
    heads.set(run, { seq: seq + 1, last: first + index, signals });
  }
}

/** What is bound for rows of one host; undefined where there are several. */
function rowsOf(
  items: readonly TurnCommit[],
  places: readonly number[],
  heads: ReadonlyMap<Run, Head>,
): { readonly values: readonly unknown[]; readonly host: string } | undefined {
  const host = items[places[0] as number]?.host ?? "";
  const values: unknown[] = [];
  for (const place of places) {
    const item = items[place] as TurnCommit;
    if (item.host !== host) return undefined;
    values.push(heads.get(item.run)?.last, item.run, item.seq, item.turn, item.entriesText);
  }
  return { values, host };
}
