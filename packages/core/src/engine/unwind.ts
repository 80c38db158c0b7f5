import { Draft } from "./draft.ts";
import type { Entry, NodeEnd, OpenBranch } from "./entries.ts";
import { applyEntry, initialState } from "./evolve.ts";
import type { Address } from "./evolve/address.ts";
import { isOpening, pointersAround, type Position, type ReadTurn } from "./failures.ts";
import type { Withheld } from "./graph-dependents.ts";
import { streamKey, type Pointer, type UndoRef, type WorkflowState } from "./state.ts";
import { emptySummary, summarize, type StepLine, type StepSummary } from "./step-summary.ts";

/** From here on a pointer, with all that hangs on it, stands still: nothing of what came of it has happened. */
export interface Cut {
  readonly pointer: number;
  readonly at: Position;
  /** From there on these vertices of graphs around it have not been opened: they come of it. */
  readonly withhold?: Withheld;
}

export interface Unwound {
  readonly state: WorkflowState;
  /** What was done by then, and has been since. */
  readonly steps: readonly StepLine[];
  /** Everything that stands still: what was cut, and what ended only because of that. */
  readonly frozen: ReadonlySet<number>;
  /** By the pointer of its cut, what stood there then. */
  readonly cut: ReadonlyMap<number, ReadonlySet<number>>;
  /** Of what stands still, the steps that have given a result since, which does not count: they run as new executions. */
  readonly redone: ReadonlySet<number>;
  /** By branch: the step that stood on it last. */
  readonly last: ReadonlyMap<number, string>;
  /** Whether somebody has set data or items since the first cut. */
  readonly corrected: boolean;
}

/**
 * Folds a journal as if what was cut had not ended yet, and nothing had come of it: the containers around it are still open, what
 * they told to stop still stands, and what had nothing to do with it has gone on as it did.
 *
 * Cursors are as far as they have come, and what was set by hand stays set.
 */
export function unwind(turns: readonly ReadTurn[], cuts: readonly Cut[]): Unwound {
  const unwinding = new Unwinding();
  for (const { seq, entries } of turns) {
    const ofTurn = cuts.filter(({ at }) => at.seq === seq);
    for (let index = 0; index <= entries.length; index++) {
      for (const cut of ofTurn) if (cut.at.count === index) unwinding.cut(cut);
      const entry = entries[index];
      if (entry !== undefined) unwinding.fold(entry, { seq, index });
    }
  }
  return unwinding.result();
}

class Unwinding {
  /** As it would be. */
  readonly #draft = new Draft(initialState());
  /** As it was. */
  readonly #real = new Draft(initialState());
  readonly #summary: StepSummary = emptySummary();
  readonly #frozen: Set<number> = new Set();
  /** The containers around what stands still. */
  readonly #around: Set<number> = new Set();
  readonly #cut: Map<number, ReadonlySet<number>> = new Map();
  readonly #redone: Set<number> = new Set();
  readonly #last: Map<number, string> = new Map();
  readonly #withheld: Map<number, ReadonlySet<string>> = new Map();
  #corrected = false;
  /** By saga: undo records of ends that have not happened. */
  readonly #void: Map<number, UndoRef[]> = new Map();

  result(): Unwound {
    // Ids are never given again, those of what has not happened neither.
    this.#draft.nextId = this.#real.nextId;
    return {
      state: this.#draft.done(),
      steps: [...this.#summary.values()],
      frozen: this.#frozen,
      cut: this.#cut,
      redone: this.#redone,
      last: this.#last,
      corrected: this.#corrected,
    };
  }

  cut({ pointer, withhold }: Cut): void {
    for (const [graph, vertices] of withhold ?? [])
      this.#withheld.set(graph, new Set([...(this.#withheld.get(graph) ?? []), ...vertices]));
    if (!this.#draft.pointers.has(pointer) || this.#frozen.has(pointer)) return;
    this.#cut.set(pointer, this.#freeze(pointer));
  }

  fold(entry: Entry, address: Address): void {
    if (this.#frozen.size === 0) this.#apply(entry, address);
    else this.#foldCut(entry, address);
    applyEntry(this.#real, entry, address);
    if (this.#frozen.size > 0 && entry.kind === "data-set") this.#setByHand(entry);
  }

  #foldCut(entry: Entry, address: Address): void {
    switch (entry.kind) {
      case "data-set":
        // From the data as it was: a list may be stored as what was added to one that is not there now.
        return;
      case "item-set":
        this.#corrected = true;
        return applyEntry(this.#draft, entry, address);
      case "start-time-came":
      case "taken-over":
      case "attempts-abandoned":
      case "attempt-lost":
      case "workflow-migrated":
      case "workflow-imported":
        return this.#apply(entry, address);
      case "workflow-started":
      case "workflow-forked":
      case "workflow-retried":
      case "workflow-completed":
      case "workflow-failed":
      case "workflow-terminated":
      case "workflow-suspended":
      case "workflow-resumed":
      case "delivery-applied":
      case "delivery-refused":
      case "run-alone":
      case "straggler-ended":
        return;
      case "event-consumed":
        if (!this.#happens(entry)) return this.#moveCursor(entry);
        return this.#apply(entry, address);
      case "branches-opened":
        if (this.#happens(entry)) this.#apply({ ...entry, open: this.#withoutWithheld(entry) }, address);
        return;
      default:
        if (this.#happens(entry)) {
          this.#linkOver(entry);
          return this.#apply(entry, address);
        }
        if ("undo" in entry && entry.undo !== undefined) this.#notUndoable(entry.undo.saga, address);
        if (entry.kind === "step-completed" && this.#isLiveStep(entry.pointer)) this.#redone.add(entry.pointer);
    }
  }

  #apply(entry: Entry, address: Address): void {
    applyEntry(this.#draft, entry, address);
    summarize(this.#summary, entry);
    if (isOpening(entry)) this.#last.set(entry.branch, entry.step);
    else if (entry.kind === "step-cancelled" && entry.branch !== undefined) this.#last.set(entry.branch, entry.step);
    else if (entry.kind === "workflow-forked" || entry.kind === "workflow-retried") {
      for (const { branch, step } of this.#draft.pointers.values()) this.#last.set(branch, step);
    } else if (entry.kind === "workflow-migrated") {
      for (const [branch, step] of this.#last) this.#last.set(branch, entry.steps?.[step] ?? step);
    }
  }

  /** Whether an entry has nothing to do with what stands still. One that ends a container around it freezes that too. */
  #happens(entry: Entry & { readonly pointer: number }): boolean {
    const { pointer } = entry;
    if (this.#frozen.has(pointer)) return false;
    if (isOpening(entry)) {
      const branch = this.#draft.branches.get(entry.branch);
      // The turn of a cut may go on to open what is inside of what was cut: that is for whoever goes on from there.
      if (branch === undefined || this.#frozen.has(branch.owner)) return false;
      return branch.at === null || branch.at === pointer;
    }
    if (!this.#draft.pointers.has(pointer)) return this.#cancelledUnopened(entry);
    if (!this.#around.has(pointer)) return true;
    if (entry.kind === "branches-opened" || entry.kind === "reminder-due") return true;
    if (entry.kind === "branch-ended") return this.#draft.branches.get(entry.branch)?.at === null;
    this.#freeze(pointer);
    return false;
  }

  /** A node that was cancelled before it stood anywhere: it matters only where its branch is there. */
  #cancelledUnopened(entry: Entry): boolean {
    if (entry.kind !== "step-cancelled") return false;
    return entry.branch !== undefined && this.#draft.branches.get(entry.branch)?.at === null;
  }

  #freeze(pointer: number): ReadonlySet<number> {
    for (const container of pointersAround(this.#draft, pointer)) this.#around.add(container);
    const all = new Set<number>();
    const pending = [pointer];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      all.add(next);
      this.#frozen.add(next);
      for (const { at } of this.#draft.branchesOf(next)) if (at !== null) pending.push(at);
    }
    return all;
  }

  #withoutWithheld({ pointer, open }: Extract<Entry, { kind: "branches-opened" }>): readonly OpenBranch[] {
    const withheld = this.#withheld.get(pointer);
    if (withheld === undefined) return open;
    return open.filter(({ slot }) => !slot.startsWith("vertex:") || !withheld.has(slot.slice("vertex:".length)));
  }

  /** Containers and children are known by their ids to what belongs to them, and keep these. */
  #isLiveStep(pointer: number): boolean {
    return this.#draft.pointers.get(pointer)?.kind === "step";
  }

  /** An event that was read is not read again: by the line that read it, or the nearest one around it that is there. */
  #moveCursor(entry: Extract<Entry, { kind: "event-consumed" }>): void {
    const { branches, pointers } = this.#real;
    for (let branch = branches.get(pointers.get(entry.pointer)?.branch ?? -1); branch !== undefined;) {
      if (this.#draft.lines.has(branch.line))
        return this.#draft.mergeCursors(branch.line, { [streamKey(entry.name, entry.key)]: entry.number });
      branch = branches.get(pointers.get(branch.owner)?.branch ?? -1);
    }
  }

  #setByHand({ patch }: Extract<Entry, { kind: "data-set" }>): void {
    this.#corrected = true;
    const values = patch.map(({ key }) => ({ key, value: this.#real.data[key] }));
    applyEntry(this.#draft, { kind: "data-set", patch: values }, { seq: this.#draft.seq, index: 0 });
  }

  #notUndoable(saga: number, { seq, index }: Address): void {
    this.#void.set(saga, [...(this.#void.get(saga) ?? []), { seq, index }]);
  }

  /** An undo record that goes on from ones that have not happened: undoing has to pass them over. */
  #linkOver(entry: Entry): void {
    const { undo } = entry as Partial<NodeEnd>;
    if (undo === undefined) return;
    const records = this.#void.get(undo.saga) ?? [];
    if (!records.some((ref) => ref.seq === undo.previous?.seq && ref.index === undo.previous.index)) return;
    const before: Pointer | undefined = this.#draft.pointers.get(undo.saga);
    this.#draft.changeScope(undo.saga, { void: [...(before?.scope?.void ?? []), ...records] });
    this.#void.delete(undo.saga);
  }
}
