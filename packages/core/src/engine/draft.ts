import type { Branch, Line, Pointer, ScopeState, Straggler, WorkflowState } from "./state.ts";
import { emptyScope, rootLine, rootPointer } from "./state.ts";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * A state in the making: one turn's entries are folded into it, and `done` gives the next state. The state it began from is
 * not touched; a map is copied when the turn first writes to it.
 */
export class Draft implements Mutable<WorkflowState> {
  identity: WorkflowState["identity"];
  seq: number;
  phase: WorkflowState["phase"];
  error: WorkflowState["error"];
  reason: WorkflowState["reason"];
  data: WorkflowState["data"];
  pointers: Map<number, Pointer>;
  branches: Map<number, Branch>;
  lines: Map<number, Line>;
  nextId: number;
  inboxRead: number;
  stragglers: Map<number, Straggler>;
  takeover: WorkflowState["takeover"];
  stuckUndo: number | null;
  completedAt: number | null;
  /** Maps that this turn has copied already. */
  #ownsPointers = false;
  #ownsBranches = false;
  #ownsLines = false;
  #ownsStragglers = false;

  constructor(from: WorkflowState) {
    this.identity = from.identity;
    this.seq = from.seq;
    this.phase = from.phase;
    this.error = from.error;
    this.reason = from.reason;
    this.data = from.data;
    // Not written to before they are copied: see `setPointer` and its like.
    this.pointers = from.pointers as Map<number, Pointer>;
    this.branches = from.branches as Map<number, Branch>;
    this.lines = from.lines as Map<number, Line>;
    this.nextId = from.nextId;
    this.inboxRead = from.inboxRead;
    this.stragglers = from.stragglers as Map<number, Straggler>;
    this.takeover = from.takeover;
    this.stuckUndo = from.stuckUndo;
    this.completedAt = from.completedAt;
  }

  done(): WorkflowState {
    const { identity, seq, phase, error, reason, data, pointers, branches, lines } = this;
    const { nextId, inboxRead, stragglers, takeover, stuckUndo, completedAt } = this;
    this.#ownsPointers = this.#ownsBranches = this.#ownsLines = this.#ownsStragglers = false;
    return {
      identity,
      seq,
      phase,
      error,
      reason,
      data,
      pointers,
      branches,
      lines,
      nextId,
      inboxRead,
      stragglers,
      takeover,
      stuckUndo,
      completedAt,
    };
  }

  /** Takes what is live from elsewhere, and leaves that as it is. */
  adopt(live: Pick<WorkflowState, "data" | "pointers" | "branches" | "lines" | "nextId" | "stragglers">): void {
    this.#ownsPointers = this.#ownsBranches = this.#ownsLines = this.#ownsStragglers = false;
    Object.assign(this, live);
  }

  setPointer(pointer: Pointer): void {
    if (!this.#ownsPointers) {
      this.pointers = new Map(this.pointers);
      this.#ownsPointers = true;
    }
    this.pointers.set(pointer.id, pointer);
  }

  /** Changes some fields of a pointer; one that is gone is left gone. */
  changePointer(id: number, change: Partial<Pointer>): void {
    const pointer = this.pointers.get(id);
    if (pointer !== undefined) this.setPointer({ ...pointer, ...change });
  }

  changeScope(id: number, change: Partial<ScopeState>): void {
    const pointer = this.pointers.get(id);
    if (pointer !== undefined) this.setPointer({ ...pointer, scope: { ...(pointer.scope ?? emptyScope), ...change } });
  }

  setBranch(branch: Branch): void {
    if (!this.#ownsBranches) {
      this.branches = new Map(this.branches);
      this.#ownsBranches = true;
    }
    this.branches.set(branch.id, branch);
  }

  changeBranch(id: number, change: Partial<Branch>): void {
    const branch = this.branches.get(id);
    if (branch !== undefined) this.setBranch({ ...branch, ...change });
  }

  setLine(line: Line): void {
    if (!this.#ownsLines) {
      this.lines = new Map(this.lines);
      this.#ownsLines = true;
    }
    this.lines.set(line.id, line);
  }

  setStraggler(straggler: Straggler): void {
    this.#writeStragglers().set(straggler.pointer, straggler);
  }

  deleteStraggler(pointer: number): void {
    if (this.stragglers.has(pointer)) this.#writeStragglers().delete(pointer);
  }

  /** Removes a pointer with all that hangs on it. How far its lines had read goes to the line it stood on. */
  removePointer(id: number): void {
    const pointer = this.pointers.get(id);
    if (pointer === undefined) return;
    for (const branch of this.branchesOf(id)) this.removeBranch(branch.id);
    const line = this.lineOf(id);
    const joined = this.pointers.get(id)?.scope?.joined;
    if (joined !== undefined) this.mergeCursors(line, joined);
    for (const straggler of this.stragglers.values())
      if (straggler.saga === id) this.deleteStraggler(straggler.pointer);
    this.setPointer(pointer);
    this.pointers.delete(id);
    if (this.branches.get(pointer.branch)?.at === id) this.changeBranch(pointer.branch, { at: null });
  }

  /** Removes a branch with all that hangs on it; its owner counts one less. */
  removeBranch(id: number): void {
    const branch = this.branches.get(id);
    if (branch === undefined) return;
    if (branch.at !== null) this.removePointer(branch.at);
    const line = this.lines.get(branch.line);
    const owner = this.pointers.get(branch.owner);
    if (owner !== undefined) {
      this.setPointer({ ...owner, openBranches: owner.openBranches - 1 });
      if (line !== undefined && branch.line !== this.lineOf(owner.id)) {
        this.changeScope(owner.id, {
          joined: furthest(this.pointers.get(owner.id)?.scope?.joined ?? {}, line.cursors),
        });
        this.setLine(line);
        this.lines.delete(line.id);
      }
    }
    this.setBranch(branch);
    this.branches.delete(id);
  }

  branchesOf(pointer: number): Branch[] {
    if ((this.pointers.get(pointer)?.openBranches ?? 0) === 0) return [];
    return [...this.branches.values()].filter((branch) => branch.owner === pointer);
  }

  /** The line on which a pointer stands. */
  lineOf(pointer: number): number {
    const branch = this.pointers.get(pointer)?.branch;
    return branch === undefined || pointer === rootPointer ? rootLine : (this.branches.get(branch)?.line ?? rootLine);
  }

  /** Moves a line's cursors forward; they never go back. */
  mergeCursors(lineId: number, cursors: Readonly<Record<string, number>>): void {
    const line = this.lines.get(lineId);
    if (line !== undefined && Object.keys(cursors).length > 0)
      this.setLine({ ...line, cursors: furthest(line.cursors, cursors) });
  }

  #writeStragglers(): Map<number, Straggler> {
    if (!this.#ownsStragglers) {
      this.stragglers = new Map(this.stragglers);
      this.#ownsStragglers = true;
    }
    return this.stragglers;
  }
}

/** The nearest saga around a pointer (itself not counted); the workflow where there is none. */
export function sagaAround(state: WorkflowState, pointer: number): number {
  for (let at = state.pointers.get(pointer); at !== undefined && at.id !== rootPointer;) {
    const branch = state.branches.get(at.branch);
    at = state.pointers.get(branch?.owner ?? rootPointer);
    // The hooks of a saga come when it has ended: they are not in it.
    if (at?.kind === "saga" && branch?.slot !== "onFailure" && branch?.slot !== "ensure") return at.id;
  }
  return rootPointer;
}

/** Of two sets of cursors, the furthest of each. */
export function furthest(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const merged: Record<string, number> = Object.assign(Object.create(null) as Record<string, number>, one);
  for (const [stream, number] of Object.entries(other)) merged[stream] = Math.max(merged[stream] ?? 0, number);
  return merged;
}
