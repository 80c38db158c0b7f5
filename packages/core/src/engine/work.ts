import type { WorkflowDefinition } from "../definition/definition.ts";
import type { StepNode } from "../definition/nodes.ts";
import type { WorkflowInfo } from "../definition/step-context.ts";
import type { WaitingFor, WorkflowStatus } from "../providers/records.ts";
import { dataAt, infoOf, placeAt, type ItemPlace } from "./expressions.ts";
import { executionId, streamKey, type Data, type Pointer, type UndoRecord, type WorkflowState } from "./state.ts";
import { waitsForHooks } from "./hooks.ts";
import type { StoredError } from "./stored-error.ts";
import { canStepUndo, waitsForStragglers } from "./undo.ts";

/** What a host has to do for a workflow is read off its state: bodies to run, times to wait for, streams to read. */

/** Pointers whose body is to run (or runs): none while the workflow is suspended or has ended. */
export function readyPointers(state: WorkflowState): readonly number[] {
  if (state.phase !== "active") return [];
  const ready: number[] = [];
  for (const pointer of state.pointers.values()) {
    if (pointer.status === "ready" && pointer.kind === "step" && !pointer.crashed) ready.push(pointer.id);
  }
  return ready;
}

/** Whether `begin` must be committed before this pointer's body runs. */
export function needsBegin(definition: WorkflowDefinition, state: WorkflowState, id: number): boolean {
  const pointer = state.pointers.get(id);
  if (pointer === undefined || pointer.begun) return false;
  const onCrash = definition.index.places.get(pointer.step)?.node.onCrash ?? "retry";
  return onCrash !== "retry";
}

/** Everything an attempt of a body needs. Values are frozen copies of the engine's. */
export interface Attempt extends ItemPlace {
  readonly pointer: number;
  readonly attempt: number;
  readonly node: StepNode;
  readonly input: unknown;
  readonly data: Data;
  readonly workflow: WorkflowInfo;
  readonly executionId: string;
  readonly idempotencyKey: string;
  readonly timeoutMs: number | undefined;
  readonly persisted: unknown;
  readonly event: Pointer["event"];
  readonly undoing: UndoRecord | null;
  /** The undone execution's key, where there is one. */
  readonly undoneKey: string | undefined;
}

/** Throws where the pointer is not ready, or its step is not in the definition. */
export function attemptOf(definition: WorkflowDefinition, state: WorkflowState, id: number): Attempt {
  const pointer = state.pointers.get(id);
  if (pointer === undefined || pointer.status !== "ready") throw new TypeError(`pointer ${id} is not ready`);
  const node = definition.index.places.get(pointer.step)?.node;
  if (node?.kind !== "step") throw new TypeError(`the definition has no step \`${pointer.step}\``);
  return new AttemptOfState(state, pointer, node);
}

/** Reads what is asked for off the state as it was: most bodies ask for little. */
class AttemptOfState implements Attempt {
  readonly node: StepNode;
  readonly #state: WorkflowState;
  readonly #pointer: Pointer;
  #data: Data | undefined;

  constructor(state: WorkflowState, pointer: Pointer, node: StepNode) {
    this.#state = state;
    this.#pointer = pointer;
    this.node = node;
  }

  get pointer(): number {
    return this.#pointer.id;
  }

  get attempt(): number {
    return this.#pointer.attempt;
  }

  get input(): unknown {
    return this.#pointer.hasInput ? this.#pointer.input : this.data;
  }

  get data(): Data {
    return (this.#data ??= dataAt(this.#state, this.#pointer.branch));
  }

  get item(): unknown {
    return placeAt(this.#state, this.#pointer.branch).item;
  }

  get index(): number | undefined {
    return placeAt(this.#state, this.#pointer.branch).index;
  }

  get items(): readonly unknown[] | undefined {
    return placeAt(this.#state, this.#pointer.branch).items;
  }

  get workflow(): WorkflowInfo {
    return infoOf(this.#state);
  }

  get executionId(): string {
    return executionId(this.#state, this.#pointer.id);
  }

  get idempotencyKey(): string {
    return this.executionId;
  }

  get timeoutMs(): number | undefined {
    return this.node.timeoutMs;
  }

  get persisted(): unknown {
    return this.#pointer.persisted;
  }

  get event(): Pointer["event"] {
    return this.#pointer.event;
  }

  get undoing(): UndoRecord | null {
    return undoingAt(this.#state, this.#pointer.branch);
  }

  get undoneKey(): string | undefined {
    const { undoing } = this;
    return undoing === null ? undefined : executionId(this.#state, undoing.pointer);
  }
}

function undoingAt(state: WorkflowState, branchId: number): UndoRecord | null {
  for (let branch = state.branches.get(branchId); branch !== undefined;) {
    if (branch.undoing !== null) return branch.undoing;
    const owner = state.pointers.get(branch.owner);
    branch = owner === undefined ? undefined : state.branches.get(owner.branch);
  }
  return null;
}

/** The next moment at which time moves the workflow; null: none. */
export function nextDueAt(state: WorkflowState): number | null {
  if (state.phase !== "active") return null;
  let next: number | null = null;
  const consider = (at: number | null): void => {
    if (at !== null && (next === null || at < next)) next = at;
  };
  for (const pointer of state.pointers.values()) {
    consider(pointer.dueAt);
    consider(pointer.wait?.remindAt ?? null);
  }
  consider(graceEndsAt(state));
  return next;
}

/** When the grace of the next body that was stopped is over, also where all else stands still; null: none is at it. */
export function graceEndsAt(state: WorkflowState): number | null {
  let next: number | null = null;
  for (const { until, ended } of state.stragglers.values())
    if (!ended && until !== null && (next === null || until < next)) next = until;
  return next;
}

/** A stream that a waiting pointer reads, from its cursor. */
export interface AwaitedStream {
  readonly pointer: number;
  readonly label: string;
  readonly name: string;
  readonly key: string;
  readonly after: number;
  readonly since: number;
}

/** The streams to read; none while suspended. */
export function awaitedStreams(state: WorkflowState): readonly AwaitedStream[] {
  if (state.phase !== "active") return [];
  const streams: AwaitedStream[] = [];
  for (const pointer of state.pointers.values()) {
    if (pointer.wait === null || pointer.status !== "waiting") continue;
    const cursors = state.lines.get(state.branches.get(pointer.branch)?.line ?? -1)?.cursors ?? {};
    for (const stream of pointer.wait.streams) {
      if (Object.hasOwn(pointer.wait.got, stream.label)) continue;
      const after = cursors[streamKey(stream.name, stream.key)] ?? 0;
      streams.push({
        pointer: pointer.id,
        label: stream.label,
        name: stream.name,
        key: stream.key,
        after,
        since: after > 0 ? 0 : stream.since,
      });
    }
  }
  return streams;
}

/** Undoing needs these turns of the journal before it can go on. */
export function journalNeeded(state: WorkflowState): readonly { readonly pointer: number; readonly seq: number }[] {
  if (state.phase !== "active") return [];
  const needed: { pointer: number; seq: number }[] = [];
  for (const pointer of state.pointers.values()) {
    const walk = pointer.scope?.walk;
    if (pointer.status === "undoing" && walk?.next != null && !waitsForStragglers(state, pointer))
      needed.push({ pointer: pointer.id, seq: walk.next.seq });
  }
  return needed;
}

/** Whether an input `continue` would move the workflow now. */
export function wantsContinue(state: WorkflowState, maxLoneDeaths: number): boolean {
  if (state.phase !== "active") return false;
  if (isPoison(state, maxLoneDeaths)) return true;
  for (const pointer of state.pointers.values()) {
    if (pointer.crashed || (pointer.status === "ready" && pointer.kind !== "step")) return true;
    if (canStepUndo(state, pointer) || waitsForHooks(state, pointer)) return true;
  }
  return false;
}

/** A suspect is run alone: its hosts died twice without a turn of it in between. */
export function isSuspect(state: WorkflowState): boolean {
  return state.phase === "active" && state.takeover.count >= 2 && state.takeover.seq === state.seq;
}

export function isPoison(state: WorkflowState, maxLoneDeaths: number): boolean {
  return state.takeover.loneDeaths >= maxLoneDeaths && state.takeover.seq === state.seq;
}

export function isFinal(state: WorkflowState): boolean {
  return state.phase === "completed" || state.phase === "failed" || state.phase === "terminated";
}

/** What the instance row shows. */
export interface Projection {
  readonly status: WorkflowStatus;
  readonly error: StoredError | null;
  readonly completedAt: number | null;
  readonly waitingFor: readonly WaitingFor[];
}

export function projectionOf(state: WorkflowState): Projection {
  const waitingFor: WaitingFor[] = [];
  if (!isFinal(state)) {
    for (const pointer of state.pointers.values()) {
      if (pointer.wait === null || pointer.status !== "waiting") continue;
      for (const stream of pointer.wait.streams) {
        if (Object.hasOwn(pointer.wait.got, stream.label)) continue;
        waitingFor.push({
          event: stream.name,
          key: stream.key,
          ...(pointer.wait.until === null ? {} : { until: pointer.wait.until }),
        });
      }
    }
  }
  const active = readyPointers(state).length > 0 || state.seq < 0;
  const status: WorkflowStatus = state.phase === "active" ? (active ? "runnable" : "waiting") : state.phase;
  return { status, error: state.error, completedAt: state.completedAt, waitingFor };
}
