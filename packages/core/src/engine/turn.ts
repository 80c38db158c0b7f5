import type { WorkflowDefinition } from "../definition/definition.ts";
import type { DefinitionNode } from "../definition/nodes.ts";
import type { DeliveryOutcome, Subscription } from "../providers/records.ts";
import { CorruptedRecordError } from "../errors.ts";
import type { ChildRetry, ChildStart, ChildStop, DecideContext, Decision, Effects } from "./decision.ts";
import { Draft } from "./draft.ts";
import type { Entry, OpenBranch } from "./entries.ts";
import { applyEntry } from "./evolve.ts";
import { streamKey, type Branch, type Pointer, type WorkflowState } from "./state.ts";

/**
 * One call of `decide` at work: what it emits is folded into the draft at once, so that each decision sees the ones before it.
 */
export class Turn {
  definition: WorkflowDefinition;
  readonly context: DecideContext;
  readonly draft: Draft;
  readonly entries: Entry[] = [];
  readonly #seq: number;
  readonly #subscribe = new Map<number, Subscription[]>();
  readonly #unsubscribe = new Set<number>();
  readonly #read: DeliveryOutcome[] = [];
  readonly #startChildren: ChildStart[] = [];
  readonly #stopChildren: ChildStop[] = [];
  readonly #retryChildren: ChildRetry[] = [];
  #tellParentFirst: Effects["tellParentFirst"];
  #tellParent: Effects["tellParent"] = null;
  #agenda: (() => void)[] = [];
  #nextId: number;

  constructor(definition: WorkflowDefinition, state: WorkflowState, context: DecideContext) {
    this.definition = definition;
    this.context = context;
    this.draft = new Draft(state);
    this.#seq = state.seq + 1;
    this.#nextId = state.nextId;
  }

  get now(): number {
    return this.context.now;
  }

  get seq(): number {
    return this.#seq;
  }

  emit(entry: Entry): void {
    applyEntry(this.draft, entry, { seq: this.#seq, index: this.entries.length });
    this.entries.push(entry);
  }

  /** Does something after what is being decided now; deep chains of steps that need no body stay off the stack. */
  later(task: () => void): void {
    this.#agenda.push(task);
  }

  /** Does all that was put off. */
  drain(): void {
    for (let task = this.#agenda.shift(); task !== undefined; task = this.#agenda.shift()) task();
  }

  decision(): Decision {
    if (this.entries.length === 0) this.draft.seq = this.#seq - 1;
    return {
      entries: this.entries,
      state: this.draft.done(),
      effects: {
        subscribe: [...this.#subscribe.values()].flat(),
        unsubscribe: [...this.#unsubscribe],
        read: this.#read,
        startChildren: this.#startChildren,
        stopChildren: this.#stopChildren,
        tellParent: this.#tellParent,
        ...(this.#retryChildren.length === 0 ? {} : { retryChildren: this.#retryChildren }),
        ...(this.#tellParentFirst === undefined ? {} : { tellParentFirst: this.#tellParentFirst }),
      },
    };
  }

  pointer(id: number): Pointer | undefined {
    return this.draft.pointers.get(id);
  }

  branch(id: number): Branch | undefined {
    return this.draft.branches.get(id);
  }

  node(pointer: Pointer): DefinitionNode {
    return this.nodeOf(pointer.step);
  }

  nodeOf(step: string): DefinitionNode {
    const place = this.definition.index.places.get(step);
    if (place === undefined) {
      throw new CorruptedRecordError(
        `the workflow stands at step \`${step}\`, which definition \`${this.definition.id}\` version ${this.definition.version} does not have: register the definition it was started with, or migrate it`,
        { workflowId: this.draft.identity.id, stepId: step },
      );
    }
    return place.node;
  }

  /** An id for something about to be opened. The state's own counter moves only by entries, so that folding them again gives the same. */
  newId(): number {
    const id = Math.max(this.#nextId, this.draft.nextId);
    this.#nextId = id + 1;
    return id;
  }

  openBranch(
    ownerStep: string | null,
    slot: string,
    options: Omit<OpenBranch, "branch" | "ownerStep" | "slot" | "line"> & { readonly ownLine?: boolean } = {},
  ): OpenBranch {
    const { ownLine, ...rest } = options;
    const branch = this.newId();
    return { branch, ownerStep, slot, ...(ownLine === true ? { line: this.newId() } : {}), ...rest };
  }

  /** The pointer's subscriptions, from its line's cursors, are to be stored with the turn. */
  subscribe(pointer: Pointer): void {
    const cursors = this.draft.lines.get(this.draft.lineOf(pointer.id))?.cursors ?? {};
    const streams = new Map<string, Subscription>();
    for (const { name, key } of pointer.wait?.streams ?? []) {
      const stream = streamKey(name, key);
      streams.set(stream, { pointer: pointer.id, name, key, after: cursors[stream] ?? 0 });
    }
    this.#subscribe.set(pointer.id, [...streams.values()]);
  }

  /** The pointer's subscriptions end with the turn; those it was to get in this turn are not made. */
  unsubscribe(pointer: number): void {
    this.#subscribe.delete(pointer);
    this.#unsubscribe.add(pointer);
  }

  read(outcome: DeliveryOutcome): void {
    this.#read.push(outcome);
  }

  startChild(child: ChildStart): void {
    this.#startChildren.push(child);
  }

  /** Gives whether it is there, and will tell of its end. */
  stopChild(child: ChildStop): boolean {
    // One that this very turn was to start is not started at all.
    const starting = this.#startChildren.findIndex((start) => start.childId === child.childId);
    if (starting >= 0) this.#startChildren.splice(starting, 1);
    else this.#stopChildren.push(child);
    return starting < 0;
  }

  /** A child that has ended is to be retried: the workflow waits for it again. */
  retryChild(child: ChildRetry): void {
    this.#retryChildren.push(child);
  }

  tellParentFirst(delivery: NonNullable<Effects["tellParentFirst"]>): void {
    this.#tellParentFirst = delivery;
  }

  tellParent(delivery: Effects["tellParent"]): void {
    this.#tellParent = delivery;
  }
}
