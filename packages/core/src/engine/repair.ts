import type { WorkflowDefinition } from "../definition/definition.ts";
import { deadline } from "./deadline.ts";
import { furthest } from "./draft.ts";
import type { Entry, StateSnapshot } from "./entries.ts";
import { evolveTurn, initialState } from "./evolve.ts";
import { readFacts, type ReadTurn } from "./failures.ts";
import { refusesFork } from "./fork-point.ts";
import { advance, openNode } from "./flow.ts";
import type { RetryBase } from "./inputs.ts";
import { readyAgain } from "./kinds/step.ts";
import { rootLine, rootPointer, type Pointer, type WorkflowIdentity, type WorkflowState } from "./state.ts";
import { emptySummary, summarize } from "./step-summary.ts";
import type { Turn } from "./turn.ts";
import { repeatUndo } from "./undo.ts";

/** How a workflow goes back, beside where to. */
export interface GoingBack {
  readonly actor?: string;
  /** Children that have ended and can be retried themselves. */
  readonly children?: readonly string[];
  /** Asked for by the parent, which knows of it. */
  readonly byParent?: boolean;
  /** Pointers that are not set going again: who asked for it ends them. */
  readonly passOver?: (pointer: number) => boolean;
}

/** The workflow goes on from an earlier point of its own history. */
export function goBackTo(turn: Turn, base: RetryBase, how: GoingBack): void {
  const actor = how.actor === undefined ? {} : { actor: how.actor };
  const { identity, phase } = turn.draft;
  leaveBehind(turn, base);
  const retryable = new Set(how.children);
  const snapshot = revived(base, turn.draft.nextId, (pointer) => {
    const ready = revivedPointer(turn, base, pointer, retryable);
    return base.renewed.has(pointer.id) ? asNew(ready) : ready;
  });
  const { lines } = turn.draft;
  const root = snapshot.lines.get(rootLine);
  const now = lines.get(rootLine);
  // What the workflow's own line had read at its end counts, whichever way it came there.
  const merged =
    root === undefined || now === undefined
      ? snapshot.lines
      : new Map(snapshot.lines).set(rootLine, { ...root, cursors: furthest(root.cursors, now.cursors) });
  const { step: from, steps } = base;
  turn.emit({ kind: "workflow-retried", from, state: { ...snapshot, lines: merged }, steps, ...actor });
  for (const id of base.frozen) if (how.passOver?.(id) !== true) goOnAt(turn, base, id, how);
  const hadEnded = phase === "failed" || phase === "terminated";
  if (identity.parent !== null && hadEnded && how.byParent !== true) {
    const { pointer } = identity.parent;
    turn.tellParentFirst({ kind: "child-retried", pointer, childId: identity.id, ...actor });
  }
}

/** What is live and not in what it goes back to ends here: only a suspended workflow has any. */
function leaveBehind(turn: Turn, { state, frozen }: RetryBase): void {
  for (const { id, wait, child, status } of turn.draft.pointers.values()) {
    if (state.pointers.has(id) && !frozen.has(id)) continue;
    if (wait !== null) turn.unsubscribe(id);
    if (child !== null && status === "waiting")
      turn.stopChild({ childId: child.id, compensate: true, reason: "its parent went back to an earlier step" });
  }
}

/** What stands ready at a node that has no body opens it again; a step that has no input yet, or whose data was corrected, gets it. */
function goOnAt(turn: Turn, base: RetryBase, id: number, { actor }: GoingBack): void {
  const pointer = turn.pointer(id);
  if (pointer === undefined) return;
  const waitsForStart = id === rootPointer && pointer.dueAt !== null;
  // It was in the middle of a turn: what came next on these branches has not been opened.
  for (const { id: branch, at } of turn.draft.branchesOf(id))
    if (at === null && !waitsForStart) turn.later(() => advance(turn, branch, base.last.get(branch) ?? null));
  // Its undoing had failed for good, and the workflow was ended all the same.
  if (repeatUndo(turn, pointer) || id === rootPointer) return;
  if (pointer.status === "waiting" && pointer.child !== null && base.awaits !== id)
    return turn.retryChild({ childId: pointer.child.id, ...(actor === undefined ? {} : { actor }) });
  if (pointer.status !== "ready") return;
  const node = turn.node(pointer);
  if (node.kind !== "step")
    return turn.later(() => {
      // What goes on before it may have stopped it.
      if (turn.pointer(id)?.status === "ready") openNode(turn, id, pointer.branch, node);
    });
  if (node.input !== undefined && (base.corrected || !pointer.hasInput))
    readyAgain(turn, { ...pointer, hasInput: false }, {});
}

/** What is live, with what stood still set up to go on. */
function revived(base: RetryBase, nextId: number, revive: (pointer: Pointer) => Pointer): StateSnapshot {
  const { data, branches, lines } = base.state;
  const pointers = new Map<number, Pointer>();
  for (const pointer of base.state.pointers.values())
    pointers.set(pointer.id, base.frozen.has(pointer.id) ? revive(pointer) : pointer);
  return { data, pointers, branches, lines, nextId: Math.max(nextId, base.state.nextId), stragglers: new Map() };
}

function revivedPointer(turn: Turn, base: RetryBase, pointer: Pointer, retryable: ReadonlySet<string>): Pointer {
  const { id, kind, status, child } = pointer;
  const stands = status === "waiting" || status === "held";
  if (base.held.has(id) && (stands || (kind === "step" && (status === "ready" || status === "sleeping"))))
    return { ...pointer, begun: false, crashed: false, status: "held", dueAt: null, wait: null };
  if (kind === "run-workflow" && stands && child !== null && (base.awaits === id || retryable.has(child.id)))
    return {
      ...pointer,
      status: "waiting",
      child: { id: child.id },
      dueAt: deadline(turn, turn.node(pointer)).deadlineAt ?? null,
    };
  if (kind === "saga" && status === "open" && pointer.dueAt !== null)
    return { ...pointer, dueAt: deadline(turn, turn.node(pointer)).deadlineAt ?? null };
  return setUp(pointer);
}

/** A pointer whose body runs as it would, or that is opened again. */
function setUp(pointer: Pointer): Pointer {
  const still = { ...pointer, begun: false, crashed: false };
  const { kind, status } = pointer;
  if (kind === "step" && (status === "ready" || status === "held" || status === "sleeping" || status === "waiting")) {
    const attempt = pointer.attempt + (status === "ready" || status === "held" ? 1 : 0);
    return { ...still, status: "ready", attempt, retries: 0, dueAt: null, wait: null };
  }
  // The attempt is part of a child's id: the child that ended must not be taken for the new one.
  if (status === "waiting" || status === "held")
    return {
      ...still,
      status: "ready",
      wait: null,
      child: null,
      dueAt: null,
      attempt: pointer.attempt + 1,
      retries: 0,
    };
  const ends = kind === "end" || kind === "fail";
  return ends || hasNotBegun(pointer) ? { ...still, status: "ready" } : still;
}

/** A new execution: its attempts count from 1, and it does not wait until the one before would have been tried again. */
function asNew(pointer: Pointer): Pointer {
  const { kind, status } = pointer;
  const isBetween = status === "sleeping" && (kind === "run-workflow" || kind === "saga");
  return { ...pointer, attempt: 1, retries: 0, ...(isBetween ? { status: "ready", dueAt: null, child: null } : {}) };
}

/** A container that its turn had not come to yet: it has no branches, and nobody would open any. It is opened again. */
function hasNotBegun({ id, kind, status, openBranches, ending, scope }: Pointer): boolean {
  const opensLater = id !== rootPointer && kind !== "saga" && status === "open" && openBranches === 0;
  return opensLater && ending === null && scope?.walk == null;
}

/** New ids, so new idempotency keys, for these pointers. */
export function renumber(
  state: WorkflowState,
  which: ReadonlySet<number>,
): { state: WorkflowState; renamed: (id: number) => number } {
  const ids = new Map<number, number>();
  let next = state.nextId;
  for (const id of state.pointers.keys()) if (id !== rootPointer && which.has(id)) ids.set(id, next++);
  const renamed = (id: number): number => ids.get(id) ?? id;
  const pointers = [...state.pointers.values()].map(
    (pointer) => [renamed(pointer.id), { ...pointer, id: renamed(pointer.id) }] as const,
  );
  const branches = [...state.branches.values()].map(
    (branch) =>
      [
        branch.id,
        { ...branch, owner: renamed(branch.owner), at: branch.at === null ? null : renamed(branch.at) },
      ] as const,
  );
  return {
    renamed,
    state: { ...state, pointers: new Map(pointers), branches: new Map(branches), stragglers: new Map(), nextId: next },
  };
}

/** The first turn of a fork: what was live at the end of `turns`, under another identity. What was done before belongs to the original. */
export function forkState(
  turns: readonly ReadTurn[],
  identity: WorkflowIdentity,
  actor: string | undefined,
): readonly Entry[] | { readonly refused: string } {
  const state = turns.reduce(evolveTurn, initialState());
  const refused = refusesFork(state);
  if (refused !== undefined) {
    const { forkAt } = readFacts(turns);
    const instead =
      forkAt === undefined
        ? "there is no earlier one that can be forked"
        : `fork it at ${forkAt}, the nearest turn before`;
    return { refused: `${refused}: ${instead}` };
  }
  const frozen = new Set(state.pointers.keys());
  const summary = emptySummary();
  for (const { entries } of turns) for (const entry of entries) summarize(summary, entry);
  const steps = [...summary.values()];
  const none: ReadonlySet<number> = new Set();
  const last = new Map<number, string>();
  const base = { step: "", state, steps, frozen, renewed: frozen, held: none, last, corrected: false };
  const snapshot = revived(base, state.nextId, (pointer) => asNew(setUp(pointer)));
  const pointers = new Map([...snapshot.pointers.values()].map((pointer) => [pointer.id, withoutUndo(pointer)]));
  return [
    {
      kind: "workflow-forked",
      from: { workflowId: state.identity.id, seq: state.seq },
      identity,
      state: { ...snapshot, pointers },
      steps,
      ...(actor === undefined ? {} : { actor }),
    },
  ];
}

/** Undo records are those of the original's journal. */
function withoutUndo(pointer: Pointer): Pointer {
  if (pointer.scope === null) return pointer;
  const { void: _, ...scope } = pointer.scope;
  return { ...pointer, scope: { ...scope, undo: null } };
}

/** What of a state that is gone back to a definition cannot go on with; undefined: nothing. */
export function strandedAt(definition: WorkflowDefinition, state: WorkflowState): string | undefined {
  for (const { id, step, kind } of state.pointers.values()) {
    if (id === rootPointer) continue;
    const node = definition.index.places.get(step)?.node;
    if (node === undefined)
      return `there the workflow stands at step \`${step}\`, which version ${definition.version} does not have`;
    if (node.kind !== kind)
      return `there step \`${step}\` is of kind ${kind}, in version ${definition.version} it is of kind ${node.kind}`;
  }
  return undefined;
}
