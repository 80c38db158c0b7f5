import type { WorkflowDefinition } from "../definition/definition.ts";
import { furthest } from "./draft.ts";
import { Draft } from "./draft.ts";
import type { Entry, StateSnapshot } from "./entries.ts";
import { applyEntry, evolveTurn, initialState } from "./evolve.ts";
import { openNode } from "./flow.ts";
import type { RetryBase } from "./inputs.ts";
import { rootPointer, streamKey, type Pointer, type WorkflowIdentity, type WorkflowState } from "./state.ts";
import type { Turn } from "./turn.ts";

/** A turn as it is read back. */
export interface ReadTurn {
  readonly seq: number;
  readonly entries: readonly Entry[];
}

/**
 * Where a retry goes back to, found in the whole journal: the point at which `from` (default: the step that made the workflow
 * fail) was about to run. After an undoing it is the earliest step that was undone, and nothing later is allowed: else what was
 * undone would be built upon.
 */
export function findRetryBase(
  definition: WorkflowDefinition,
  state: WorkflowState,
  turns: readonly ReadTurn[],
  from: string | undefined,
): RetryBase | { readonly refused: string } {
  const episode = lastEpisode(turns);
  const undone = earliestUndone(turns, episode);
  let at: Position | undefined;
  if (from !== undefined) {
    const step = resolveStep(definition, from);
    if (step === undefined) return { refused: `the definition has no step \`${from}\`` };
    at = lastOpening(turns, (entry) => entry.step === step);
    if (at === undefined)
      return { refused: `step \`${step}\` has not been reached, so there is nothing to go back to` };
    if (undone !== undefined && before(undone, at)) {
      return {
        refused: `step \`${openingStep(turns, undone)}\`, which comes before \`${step}\`, was undone: retry from it or from an earlier one`,
      };
    }
  } else {
    at = undone ?? failingPoint(turns, state, episode);
    if (at === undefined) return { refused: "the journal names no step that failed: give `from`" };
  }
  return rewind(turns, at, from === undefined && undone === undefined);
}

interface Position {
  readonly seq: number;
  /** How many entries of that turn are part of it. */
  readonly count: number;
}

type Opening = Extract<
  Entry,
  { kind: "step-scheduled" | "timer-set" | "event-awaited" | "child-started" | "scope-opened" }
>;

function isOpening(entry: Entry): entry is Opening {
  return (
    entry.kind === "step-scheduled" ||
    entry.kind === "timer-set" ||
    entry.kind === "event-awaited" ||
    entry.kind === "child-started" ||
    entry.kind === "scope-opened"
  );
}

/** The index of the first turn after the last start, fork or retry. */
function lastEpisode(turns: readonly ReadTurn[]): number {
  for (let index = turns.length - 1; index >= 0; index--) {
    const begins = turns[index]?.entries.some(
      (entry) =>
        entry.kind === "workflow-retried" || entry.kind === "workflow-started" || entry.kind === "workflow-forked",
    );
    if (begins === true) return index;
  }
  return 0;
}

/** Where the earliest step undone in this episode was opened. */
function earliestUndone(turns: readonly ReadTurn[], episode: number): Position | undefined {
  const undone = new Set<number>();
  for (const turn of turns.slice(episode)) {
    for (const entry of turn.entries) if (entry.kind === "undo-completed") undone.add(entry.undone);
  }
  if (undone.size === 0) return undefined;
  for (const turn of turns) {
    const index = turn.entries.findIndex((entry) => isOpening(entry) && undone.has(entry.pointer));
    if (index >= 0) return { seq: turn.seq, count: index + 1 };
  }
  return undefined;
}

function lastOpening(turns: readonly ReadTurn[], matches: (entry: Opening) => boolean): Position | undefined {
  for (const turn of turns.toReversed()) {
    const index = turn.entries.findLastIndex((entry) => isOpening(entry) && matches(entry));
    if (index >= 0) return { seq: turn.seq, count: index + 1 };
  }
  return undefined;
}

function openingStep(turns: readonly ReadTurn[], at: Position): string {
  const entry = turns.find((turn) => turn.seq === at.seq)?.entries[at.count - 1];
  return entry !== undefined && "step" in entry ? entry.step : "";
}

function before(one: Position, other: Position): boolean {
  return one.seq < other.seq || (one.seq === other.seq && one.count < other.count);
}

/** Just before the failure that the workflow's error tells of. */
function failingPoint(turns: readonly ReadTurn[], state: WorkflowState, episode: number): Position | undefined {
  const step = state.error?.stepId;
  for (const turn of turns.slice(episode).toReversed()) {
    const index = turn.entries.findLastIndex(
      (entry) =>
        (entry.kind === "step-failed" || entry.kind === "step-held") && (step === undefined || entry.step === step),
    );
    if (index >= 0) return { seq: turn.seq, count: index };
  }
  for (const turn of turns.slice(episode)) {
    const index = turn.entries.findIndex((entry) => entry.kind === "scope-ending" && entry.pointer === rootPointer);
    if (index >= 0) return { seq: turn.seq, count: index };
  }
  return undefined;
}

/** A step by its id, or by the last part of it where that names one alone. */
function resolveStep(definition: WorkflowDefinition, name: string): string | undefined {
  if (definition.index.places.has(name)) return name;
  const matches = [...definition.index.places.keys()].filter((id) => id.endsWith(`/${name}`));
  return matches.length === 1 ? matches[0] : undefined;
}

/** The state at a position, with cursors as far as they have come since, and what `setData` changed since. */
function rewind(turns: readonly ReadTurn[], at: Position, sameExecutions: boolean): RetryBase {
  let base: Draft | undefined;
  const draft = new Draft(initialState());
  const patches: Extract<Entry, { kind: "data-set" }>["patch"][] = [];
  let step = "";
  for (const turn of turns) {
    for (const [index, entry] of turn.entries.entries()) {
      if (base === undefined && turn.seq === at.seq && index === at.count) base = new Draft(draft.done());
      applyEntry(draft, entry, { seq: turn.seq, index });
      if (base === undefined) continue;
      if (entry.kind === "data-set") patches.push(entry.patch);
      if (entry.kind === "event-consumed") moveCursor(base, draft, entry);
      if (step === "" && turn.seq === at.seq && index === at.count && "step" in entry) ({ step } = entry);
    }
    if (base === undefined && turn.seq === at.seq) base = new Draft(draft.done());
  }
  const state = (base ?? draft).done();
  return { step, state: sameExecutions ? state : renumber(state, draft.nextId), patches };
}

/** An event that was read since is not read again: by the line that read it, or the nearest one around it that is there. */
function moveCursor(base: Draft, now: Draft, entry: Extract<Entry, { kind: "event-consumed" }>): void {
  for (let branch = now.branches.get(now.pointers.get(entry.pointer)?.branch ?? -1); branch !== undefined;) {
    if (base.lines.has(branch.line))
      return base.mergeCursors(branch.line, { [streamKey(entry.name, entry.key)]: entry.number });
    branch = now.branches.get(now.pointers.get(branch.owner)?.branch ?? -1);
  }
}

/** New ids, so new idempotency keys, for everything but the workflow itself. */
function renumber(state: WorkflowState, nextId: number): WorkflowState {
  const ids = new Map<number, number>([[rootPointer, rootPointer]]);
  let next = nextId;
  for (const id of state.pointers.keys()) if (id !== rootPointer) ids.set(id, next++);
  const renamed = (id: number): number => ids.get(id) ?? id;
  return {
    ...state,
    pointers: new Map(
      [...state.pointers.values()].map((pointer) => [renamed(pointer.id), { ...pointer, id: renamed(pointer.id) }]),
    ),
    branches: new Map(
      [...state.branches.values()].map((branch) => [
        branch.id,
        { ...branch, owner: renamed(branch.owner), at: branch.at === null ? null : renamed(branch.at) },
      ]),
    ),
    stragglers: new Map(),
    nextId: next,
  };
}

/** What is live, set up to go on: bodies as they would run, waits and children to be opened again. */
function revived(state: WorkflowState, nextId: number): StateSnapshot {
  const pointers = new Map<number, Pointer>();
  for (const pointer of state.pointers.values()) {
    const waits = pointer.status === "waiting" && pointer.wait?.forBody !== true;
    const reopens = waits || (pointer.status === "held" && pointer.kind !== "step");
    const runs =
      pointer.kind === "step" &&
      (pointer.status === "ready" ||
        pointer.status === "held" ||
        pointer.status === "sleeping" ||
        pointer.status === "waiting");
    pointers.set(pointer.id, {
      ...pointer,
      begun: false,
      crashed: false,
      ...(runs
        ? {
            status: "ready",
            attempt: pointer.attempt + (pointer.status === "ready" ? 1 : 0),
            retries: 0,
            dueAt: null,
            wait: null,
          }
        : {}),
      // The attempt is part of a child's id: the child that ended must not be taken for the new one.
      ...(reopens
        ? { status: "ready", wait: null, child: null, dueAt: null, attempt: pointer.attempt + 1, retries: 0 }
        : {}),
    });
  }
  const { data, branches, lines } = state;
  return { data, pointers, branches, lines, nextId: Math.max(nextId, state.nextId), stragglers: new Map() };
}

/** The workflow goes on from an earlier point of its own history. */
export function goBackTo(turn: Turn, base: RetryBase, actor: { readonly actor?: string }): void {
  const { lines } = turn.draft;
  const snapshot = revived(base.state, turn.draft.nextId);
  const root = snapshot.lines.get(2);
  const now = lines.get(2);
  // What the workflow's own line had read at its end counts, whichever way it came there.
  const merged =
    root === undefined || now === undefined
      ? snapshot.lines
      : new Map(snapshot.lines).set(2, { ...root, cursors: furthest(root.cursors, now.cursors) });
  turn.emit({ kind: "workflow-retried", from: base.step, state: { ...snapshot, lines: merged }, ...actor });
  for (const patch of base.patches) turn.emit({ kind: "data-set", patch });
  for (const pointer of turn.draft.pointers.values()) {
    if (pointer.status === "ready" && pointer.kind !== "step")
      turn.later(() => openNode(turn, pointer.id, pointer.branch, turn.node(pointer)));
  }
}

/** The first turn of a fork: what was live at the end of `turns`, under another identity. What was done before belongs to the original. */
export function forkState(
  turns: readonly ReadTurn[],
  identity: WorkflowIdentity,
  actor: string | undefined,
): readonly Entry[] | { readonly refused: string } {
  const state = turns.reduce(evolveTurn, initialState());
  if (state.pointers.size === 0) return { refused: "the workflow had ended at that point: fork from an earlier seq" };
  const snapshot = revived(state, state.nextId);
  const pointers = new Map(
    [...snapshot.pointers.values()].map((pointer) => [
      pointer.id,
      pointer.scope === null ? pointer : { ...pointer, scope: { ...pointer.scope, undo: null } },
    ]),
  );
  return [
    {
      kind: "workflow-forked",
      from: { workflowId: state.identity.id, seq: state.seq },
      identity,
      state: { ...snapshot, pointers },
      ...(actor === undefined ? {} : { actor }),
    },
  ];
}
