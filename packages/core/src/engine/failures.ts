import { Draft } from "./draft.ts";
import type { Entry } from "./entries.ts";
import { applyEntry, initialState } from "./evolve.ts";
import { canForkAt, movesForkPoint } from "./fork-point.ts";
import { rootPointer, type WorkflowState } from "./state.ts";
import type { StoredError } from "./stored-error.ts";

/** A turn as it is read back. */
export interface ReadTurn {
  readonly seq: number;
  readonly entries: readonly Entry[];
}

/** A point of a journal: after so many entries of that turn. */
export interface Position {
  readonly seq: number;
  readonly count: number;
}

/** An execution that was opened. */
export interface Opened {
  readonly pointer: number;
  readonly step: string;
  /** The numbers of the items and iterations around it, outermost first. */
  readonly indexes: readonly number[];
  /** The pointers around it, innermost first. */
  readonly around: readonly number[];
  /** Just after it was opened. */
  readonly at: Position;
}

/** An execution whose failure had a part in the end of the workflow. */
export interface Cause {
  readonly pointer: number;
  readonly step: string;
  readonly around: readonly number[];
  /** Just before it failed. */
  readonly at: Position;
}

/** What a journal tells whoever wants to mend its workflow. */
export interface JournalFacts {
  /** The turn that began what is gone back in: the start, a fork, or the last retry. */
  readonly episode: number;
  /** Every execution by its pointer, as it was opened last; in the order of the journal. */
  readonly opened: ReadonlyMap<number, Opened>;
  /** What the workflow failed of. Empty: nothing did, or it has not ended. */
  readonly causes: readonly Cause[];
  /** What was undone since the last retry, with the saga (or 0) that was undone. */
  readonly undone: readonly { readonly saga: number; readonly around: readonly number[]; readonly pointer: number }[];
  /** Just before the workflow began to end. */
  readonly ending: Position | undefined;
  /** By pointer: the error it failed, was held, or waits to be retried with; and its child, if it ran one. */
  readonly errors: ReadonlyMap<number, { readonly error: StoredError; readonly childId: string | undefined }>;
  /** The last turn after which a fork could go on; undefined: there is none. */
  readonly forkAt: number | undefined;
  /** The state after the whole journal. */
  readonly state: WorkflowState;
}

type Opening = Extract<
  Entry,
  { kind: "step-scheduled" | "timer-set" | "event-awaited" | "child-started" | "scope-opened" }
>;

export function isOpening(entry: Entry): entry is Opening {
  return (
    entry.kind === "step-scheduled" ||
    entry.kind === "timer-set" ||
    entry.kind === "event-awaited" ||
    entry.kind === "child-started" ||
    entry.kind === "scope-opened"
  );
}

/** Folds a whole journal and takes note of what failed, of what came of that, and of what was undone. */
export function readFacts(turns: readonly ReadTurn[]): JournalFacts {
  const reader = new FactsReader();
  for (const { seq, entries } of turns) {
    for (const [index, entry] of entries.entries()) reader.read(entry, { seq, index });
  }
  return reader.facts();
}

/** The same, entry by entry. */
export class FactsReader {
  readonly #draft = new Draft(initialState());
  readonly #opened: Map<number, Opened> = new Map();
  /** By the branch that ended with it: the causes of its failure. */
  readonly #ofBranch: Map<number, readonly Cause[]> = new Map();
  /** By the container: those of its branches' failures. */
  readonly #ofContainer: Map<number, readonly Cause[]> = new Map();
  /** Where a container began to end for a reason of its own; and where its last branch ended, in the turn that is read. */
  readonly #endingAt: Map<number, Position> = new Map();
  readonly #joinedAt: Map<number, Position> = new Map();
  readonly #errors: Map<number, { readonly error: StoredError; readonly childId: string | undefined }> = new Map();
  #undone: { saga: number; around: readonly number[]; pointer: number }[] = [];
  #episode = 0;
  #ending: Position | undefined;
  #causes: readonly Cause[] = [];
  #latest: Cause | undefined;
  /** By step: its last failure. */
  readonly #lastOf: Map<string, Cause> = new Map();
  #forkAt: number | undefined;
  /** Whether a fork could go on from the turn before, and whether the turn that is read has changed that. */
  #forkable = false;
  #forkableMoved = false;

  facts(): JournalFacts {
    this.#endTurn();
    return {
      forkAt: this.#forkAt,
      episode: this.#episode,
      opened: this.#opened,
      causes: this.#causes,
      undone: this.#undone,
      ending: this.#ending,
      errors: this.#errors,
      state: this.#draft.done(),
    };
  }

  read(entry: Entry, at: { readonly seq: number; readonly index: number }): void {
    if (at.seq !== this.#draft.seq) this.#endTurn();
    this.#forkableMoved ||= movesForkPoint(entry);
    const before = { seq: at.seq, count: at.index };
    switch (entry.kind) {
      case "workflow-started":
      case "workflow-forked":
      case "workflow-retried":
        this.#begin(at.seq);
        break;
      case "step-held":
        this.#noteError(entry.pointer, entry.error);
        break;
      case "step-failed":
        this.#noteError(entry.pointer, entry.error);
        this.#failed(entry.pointer, entry.step, before);
        break;
      case "hook-ended":
        if (entry.error !== undefined) this.#hookFailed(entry);
        break;
      case "branch-ended":
        if (entry.error !== undefined) this.#branchFailed(entry.pointer, entry.branch);
        this.#joinedAt.set(entry.pointer, before);
        break;
      case "step-paused":
        this.#errors.delete(entry.pointer);
        break;
      case "step-retrying":
      case "saga-restarted":
        if (entry.kind === "step-retrying") this.#noteError(entry.pointer, entry.error);
        this.#ofContainer.delete(entry.pointer);
        this.#endingAt.delete(entry.pointer);
        this.#undone = this.#undone.filter(
          ({ saga, around }) => saga !== entry.pointer && !around.includes(entry.pointer),
        );
        break;
      case "scope-ending":
        if (entry.pointer === rootPointer) this.#rootEnds(entry.ending.kind, before, entry);
        else if (!this.#ofContainer.has(entry.pointer)) this.#endingAt.set(entry.pointer, before);
        break;
      case "undo-completed":
        this.#undone.push({ saga: entry.pointer, around: this.#around(entry.pointer), pointer: entry.undone });
        break;
      case "workflow-migrated":
        for (const [id, one] of this.#opened)
          this.#opened.set(id, { ...one, step: entry.steps?.[one.step] ?? one.step });
        break;
      case "workflow-failed":
        this.#ending ??= before;
        break;
      case "workflow-terminated":
        this.#ending ??= before;
        if (entry.error !== undefined) this.#terminatedBy(entry.error);
        break;
      default:
    }
    applyEntry(this.#draft, entry, at);
    const after = { seq: at.seq, count: at.index + 1 };
    if (isOpening(entry)) this.#note(entry.pointer, entry.step, entry.branch, after);
    if (entry.kind === "workflow-forked" || entry.kind === "workflow-retried") this.#noteRevived(after);
  }

  #endTurn(): void {
    if (this.#forkableMoved) this.#forkable = canForkAt(this.#draft);
    this.#forkableMoved = false;
    if (this.#forkable) this.#forkAt = this.#draft.seq;
  }

  #noteError(pointer: number, error: StoredError): void {
    this.#errors.set(pointer, { error, childId: this.#draft.pointers.get(pointer)?.child?.id });
  }

  /** What failed before was set right, or given up. */
  #begin(seq: number): void {
    this.#episode = seq;
    this.#ending = undefined;
    this.#causes = [];
    this.#undone = [];
    this.#latest = undefined;
    this.#lastOf.clear();
    this.#ofBranch.clear();
    this.#ofContainer.clear();
    this.#endingAt.clear();
  }

  #failed(pointer: number, step: string, at: Position): void {
    const joined = this.#joinedAt.get(pointer);
    // A container that fails by itself, at its end or its time-out, does so again when it comes there again.
    const own = {
      pointer,
      step,
      around: this.#around(pointer),
      at: this.#endingAt.get(pointer) ?? (joined?.seq === at.seq ? joined : at),
    };
    const causes = this.#ofContainer.get(pointer) ?? [own];
    this.#latest = causes[0];
    if (causes[0] !== undefined) this.#lastOf.set(step, causes[0]);
    const branch = this.#draft.pointers.get(pointer)?.branch;
    if (branch !== undefined) this.#ofBranch.set(branch, causes);
  }

  /** A hook that fails makes a failure of what had gone well. */
  #hookFailed({ pointer, branch, hook }: Extract<Entry, { kind: "hook-ended" }>): void {
    const owner = this.#draft.pointers.get(pointer);
    const causes = this.#ofBranch.get(branch);
    if (owner === undefined || causes === undefined || hook === "onFailure") return;
    const { ending } = owner;
    const failedBefore = ending?.kind === "failed" && (ending.behavior === "fail" || ending.behavior === "terminate");
    if (hook === "compensation" || !failedBefore) this.#ofBranch.set(owner.branch, causes);
  }

  #branchFailed(pointer: number, branch: number): void {
    // Once it is ending, what its branches still do is not why.
    if (this.#draft.pointers.get(pointer)?.ending != null) return;
    const causes = this.#ofBranch.get(branch) ?? [];
    this.#ofContainer.set(pointer, [...(this.#ofContainer.get(pointer) ?? []), ...causes]);
  }

  #rootEnds(how: string, before: Position, entry: Extract<Entry, { kind: "scope-ending" }>): void {
    this.#ending ??= before;
    const withError = how === "failed" || (entry.ending.kind === "terminated" && entry.ending.error !== undefined);
    if (!withError) return;
    const causes = this.#ofContainer.get(rootPointer) ?? [];
    const { error } = entry.ending as { readonly error?: StoredError };
    const byError = this.#lastOf.get(error?.stepId ?? "") ?? (how === "failed" ? undefined : this.#latest);
    this.#causes = causes.length > 0 ? causes : byError === undefined ? [] : [byError];
  }

  /** An undoing that fails may end the workflow where it stands, with no word about what it ends. */
  #terminatedBy({ stepId }: StoredError): void {
    const cause = this.#lastOf.get(stepId ?? "") ?? this.#latest;
    if (this.#causes.length === 0 && cause !== undefined) this.#causes = [cause];
  }

  /** What stands ready to run again is as if it had been opened there. */
  #noteRevived(at: Position): void {
    for (const { id, step, branch, scope } of this.#draft.pointers.values())
      if (scope === null || !this.#opened.has(id)) this.#note(id, step, branch, at);
  }

  #note(pointer: number, step: string, branchId: number, at: Position): void {
    const indexes = indexesAround(this.#draft, branchId);
    this.#opened.delete(pointer);
    this.#opened.set(pointer, { pointer, step, indexes, around: this.#around(pointer), at });
  }

  #around(pointer: number): readonly number[] {
    return pointersAround(this.#draft, pointer);
  }
}

/** The pointers that hold one, innermost first; the workflow's own last. */
export function pointersAround(
  { pointers, branches }: Pick<WorkflowState, "pointers" | "branches">,
  pointer: number,
): readonly number[] {
  const around: number[] = [];
  for (let branch = branches.get(pointers.get(pointer)?.branch ?? -1); branch !== undefined;) {
    around.push(branch.owner);
    branch = branches.get(pointers.get(branch.owner)?.branch ?? -1);
  }
  return around;
}

/** The numbers of the items and iterations around a branch, outermost first. */
export function indexesAround(
  { pointers, branches }: Pick<WorkflowState, "pointers" | "branches">,
  branchId: number,
): readonly number[] {
  const indexes: number[] = [];
  for (let branch = branches.get(branchId); branch !== undefined;) {
    const index = branch.index ?? branch.undoing?.index;
    if (index !== undefined) indexes.unshift(index);
    branch = branches.get(pointers.get(branch.owner)?.branch ?? -1);
  }
  return indexes;
}

/** Whether the innermost of these numbers are the ones asked for. */
export function isInItem(indexes: readonly number[], item: readonly number[]): boolean {
  return item.every((index, place) => indexes.at(place - item.length) === index);
}
