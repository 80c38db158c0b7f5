import { decodeEntries, evolveTurn, initialState, type Entry, type WorkflowState } from "../../engine/index.ts";
import { streamKey } from "../../engine/state.ts";
import type { Run, StoredEvent } from "../../providers/index.ts";
import type { Verdict } from "./verdict.ts";

/** A stream, as a line of control reads it: also what retention has deleted of it, up to a number. */
export type ReadStream = (
  name: string,
  key: string,
) => { readonly events: readonly StoredEvent[]; readonly deletedThrough: number };

/** Follows one workflow's journal from the outside, turn by turn, as the store takes it. */
export class JournalAudit {
  readonly run: Run;
  readonly label: string;
  state: WorkflowState = initialState();
  /** The entries of each turn. */
  readonly entries: (readonly Entry[])[] = [];
  /** Turn ids by seq. */
  readonly turns: string[] = [];
  /** The steps of all pointers that have been live. */
  readonly pointers: Map<number, string> = new Map();
  /** When its last turn was stored. */
  movedAt = 0;
  /** The claim of the host that has stored its last turn, and whether somebody else had claimed the workflow by then. */
  claim = 0;
  isLate = false;
  /** How often a person has changed what steps are given. */
  corrections = 0;
  readonly #verdict: Verdict;
  readonly #ended: Set<number> = new Set();
  /** The last number read, by line and stream. */
  readonly #read: Map<string, number> = new Map();

  constructor(run: Run, label: string, verdict: Verdict) {
    this.run = run;
    this.label = label;
    this.#verdict = verdict;
  }

  /** `storeNow`: the store's time; undefined where it has jumped, so that nothing can be said of it. */
  appended(
    turn: { readonly seq: number; readonly turn: string; readonly entriesText: string },
    at: number,
    storeNow: number | undefined,
    stream: ReadStream,
  ): void {
    if (turn.seq !== this.turns.length) {
      const there = this.turns[turn.seq];
      return this.#verdict.fail(
        "a journal is one line without gaps",
        `${this.label}: turn ${turn.seq} was stored where ${this.turns.length} is next${there === undefined ? "" : `; turn ${turn.seq} is \`${there}\` already`}`,
      );
    }
    const entries = decodeEntries(turn.entriesText);
    this.turns.push(turn.turn);
    this.movedAt = at;
    for (const entry of entries) this.#check(entry, entries, storeNow, stream);
    this.entries.push(entries);
    this.state = evolveTurn(this.state, { seq: turn.seq, entries });
    for (const { id, step } of this.state.pointers.values()) this.pointers.set(id, step);
  }

  #check(entry: Entry, turn: readonly Entry[], storeNow: number | undefined, stream: ReadStream): void {
    switch (entry.kind) {
      case "step-completed":
      case "step-failed":
      case "step-skipped":
        if (this.#ended.has(entry.pointer))
          this.#verdict.fail(
            "a result is recorded once",
            `${this.label}: execution ${entry.pointer} of \`${entry.step}\` ended twice`,
          );
        this.#ended.add(entry.pointer);
        if (entry.kind === "step-completed") this.#notEarly(entry.pointer, entry.step, turn, storeNow);
        return;
      case "step-ready":
      case "wait-timed-out":
        return this.#notEarly(entry.pointer, entry.step, turn, storeNow);
      case "child-timed-out":
        return this.#notEarly(entry.pointer, entry.step, turn, storeNow, true);
      case "event-consumed":
        return this.#consumed(entry, storeNow, stream);
      case "data-set":
      case "item-set":
        this.corrections += 1;
        return;
      case "workflow-retried":
        this.corrections += 1;
        // What failed is live again, under the same keys.
        for (const pointer of entry.state.pointers.keys()) this.#ended.delete(pointer);
        return;
      default:
    }
  }

  /** What a timer ends does not end before its time. A child may end before its parent's time-out, which `byTime` says it came to. */
  #notEarly(id: number, step: string, turn: readonly Entry[], storeNow: number | undefined, byTime = false): void {
    const pointer = this.state.pointers.get(id);
    if (storeNow === undefined || pointer?.dueAt == null) return;
    const timed = byTime || pointer.status === "sleeping" || (pointer.status === "waiting" && pointer.child === null);
    const cameEarlier = turn.some(
      (one) =>
        (one.kind === "event-consumed" && one.pointer === id) ||
        one.kind === "delivery-applied" ||
        one.kind === "workflow-resumed",
    );
    if (timed && !cameEarlier && pointer.dueAt > storeNow)
      this.#verdict.fail("nothing fires early", `${this.label}: \`${step}\` was due in ${pointer.dueAt - storeNow} ms`);
  }

  #consumed(entry: Extract<Entry, { kind: "event-consumed" }>, storeNow: number | undefined, stream: ReadStream): void {
    const pointer = this.state.pointers.get(entry.pointer);
    const line = this.state.branches.get(pointer?.branch ?? -1)?.line;
    const what = `event ${entry.number} of ${entry.name}/${entry.key}`;
    const fail = (message: string): void =>
      this.#verdict.fail("events are read in order, once per line", `${this.label}: ${message}`);
    const { events, deletedThrough } = stream(entry.name, entry.key);
    if (!events.some(({ number }) => number === entry.number)) return fail(`${what} was read, and is not there`);
    if (line === undefined || pointer?.wait == null) return;
    const place = `${line} ${streamKey(entry.name, entry.key)}`;
    const last = this.#read.get(place) ?? 0;
    if (entry.number <= last) return fail(`line ${line} read ${what} after ${last}`);
    this.#read.set(place, entry.number);
    // Where the store's clock has jumped, the times of events are not in order either.
    if (storeNow === undefined) return;
    const cursor = Math.max(last, this.state.lines.get(line)?.cursors[streamKey(entry.name, entry.key)] ?? 0);
    const since = pointer.wait.streams.find(({ label }) => label === entry.label)?.since ?? 0;
    // A wait that reads from the beginning takes what is left; any other one fails where what it wants is gone.
    const first = cursor === 0 && since === 0 ? Math.min(deletedThrough, entry.number - 1) : cursor;
    const next = events.find(({ number, at }) => number > first && (cursor > 0 || at >= since));
    if (next !== undefined && next.number !== entry.number)
      fail(`line ${line} read ${what}, and ${next.number} was next`);
  }
}
