import type { Block, DefinitionNode } from "../../packages/core/src/definition/nodes.ts";
import { ExpressionThrown, type BodyView, type Failure } from "./world.ts";

/** What the model is made of: lines of control, what stands on them, and what is thrown through them. */

/** Places of live nodes among equals, by path: the meaning leaves it open, so model and engine are given the same. */
export type Order = ReadonlyMap<string, number>;

export type Line$<Output = unknown> = Generator<Wait, Output, any>;
/** How far a line of control has read each stream. */
export type Line = Map<string, number>;

export interface Stream {
  readonly label: string;
  readonly name: string;
  readonly key: string;
  readonly since: number;
}

export interface EventWait {
  readonly kind: "event";
  readonly frame: Frame;
  readonly mode: "one" | "any" | "all";
  readonly streams: readonly Stream[];
  readonly until: number | null;
  readonly every: number | null;
  remindAt: number | null;
  readonly got: Record<string, unknown>;
}

/** For a child that is begun at the end of turn `since`. `isLate`: its time is up, and it was told so. */
export interface ChildWait {
  readonly kind: "workflow";
  readonly frame: Frame;
  readonly since: number;
  until: number | null;
  isLate: boolean;
}

/** Why a line stands still. */
export type Wait =
  | { readonly kind: "next" }
  | { readonly kind: "after" }
  | { readonly kind: "strand"; readonly frame: Frame }
  | { readonly kind: "body"; readonly frame: Frame }
  | { readonly kind: "timer"; readonly frame: Frame; readonly dueAt: number }
  | EventWait
  | ChildWait
  | { readonly kind: "held"; readonly frame: Frame }
  | { readonly kind: "stragglers"; readonly task: Task; readonly saga: Saga }
  /** An undoing of a suspended workflow. */
  | { readonly kind: "paused"; readonly task: Task }
  | { readonly kind: "stuck"; readonly task: Task; readonly saga: Saga }
  | { readonly kind: "end"; readonly env: Env; readonly ending: Ending }
  | { readonly kind: "terminate"; readonly env: Env; readonly failure: Failure };

/** One line of control. `shields`: what is ending in it and is not cut short; stops wait as `pending`. */
export interface Task {
  gen: Line$;
  wait: Wait | null;
  scope: Scope;
  shields: { readonly depth: number }[];
  pending: Stop[];
  line: Line;
  output?: unknown;
  thrown?: Failed | Stop;
  readonly onEnd: (task: Task) => void;
}

/** What can be stopped: a node, a hook, a whole line. */
export interface Scope {
  readonly task: Task;
  readonly depth: number;
}

/** A branch of an overlapping container. */
export interface Strand {
  readonly name: string;
  readonly block: Block;
  readonly env: Partial<Env>;
  readonly ended?: (output: unknown) => void;
}

export interface Layer {
  readonly values: Record<string, unknown>;
  readonly outer: Layer | null;
}

export interface Place {
  readonly item: unknown;
  readonly index: number | undefined;
  readonly items: readonly unknown[] | undefined;
}

/** Where a node stands. */
export interface Env {
  readonly task: Task;
  readonly depth: number;
  readonly path: string;
  readonly line: Line;
  readonly layer: Layer | null;
  readonly saga: Saga;
  readonly place: Place;
  readonly undoing: BodyView["undoing"];
  /** What undoes is not undone itself. */
  readonly inUndoing?: boolean;
  readonly hook: Scope | null;
}

/** A live occurrence of a node. */
export interface Frame {
  readonly node: DefinitionNode;
  readonly env: Env;
  readonly depth: number;
  readonly path: string;
  readonly serial: number;
  readonly openedIn: number;
  attempt: number;
  retries: number;
  ending: boolean;
  begun: boolean;
  crashed: boolean;
  mapped: boolean;
  input: unknown;
  persisted: unknown;
  event: unknown;
  /** A saga's, while there is something in it to undo. */
  saga: Saga | null;
  reminder: Task | null;
  /** A saga's, while its body runs: when its time is up, and what is stopped then. */
  deadline: { readonly at: number; readonly inside: Scope } | null;
  /** What ends it, while it still ends. */
  stoppedBy: Stop | null;
  /** What it waits for, or waited for last. */
  wait: Wait | null;
}

export interface Saga {
  readonly log: Undoable[];
  /** Why it failed; of the workflow itself: nothing. */
  error?: Failure;
  /** An undoing in it had failed for good, and the workflow with it. */
  failed?: true;
}

export interface Undoable {
  readonly node: DefinitionNode;
  readonly place: Place;
  readonly layer: Record<string, unknown> | null;
  readonly inner: readonly Undoable[];
  readonly output?: unknown;
  readonly error?: string;
  straggler?: Straggler;
}

export interface Straggler {
  readonly path: string;
  saga: Saga;
  readonly until: number | null;
  ended: boolean;
  returned: boolean;
  output: unknown;
}

export type Ending =
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly error: Failure }
  | { readonly kind: "terminated"; readonly compensate: boolean; readonly error?: Failure };

export type NodeEnding =
  | { readonly kind: "completed"; readonly output: unknown }
  | {
      readonly kind: "failed";
      readonly failure: Failure;
      readonly behavior: "fail" | "terminate" | "compensate" | "ignore";
      readonly stillRuns?: boolean;
    }
  | { readonly kind: "stopped"; readonly stop: Stop };

export class Failed extends Error {
  readonly failure: Failure;
  /** What the step does about a crash, or that its `onError` has no say any more; there is no retry then. */
  readonly does: "fail" | "suspend" | "fail for good" | undefined;
  /** Of a body that timed out, and has not returned. */
  readonly stillRuns: boolean = false;
  constructor(failure: Failure, does?: Failed["does"]) {
    super(failure.message);
    this.failure = failure;
    this.does = does;
  }
}

export class Stop extends Error {
  readonly target: Scope | Frame;
  constructor(target: Scope | Frame) {
    super("stop");
    this.target = target;
  }
}

export function failureOf(thrown: unknown, node: DefinitionNode): Failed {
  if (thrown instanceof ExpressionThrown) return new Failed({ message: thrown.message, stepId: node.id });
  if (thrown instanceof Failed) return thrown;
  throw thrown;
}

/** Nothing between the target and where the line stands is ending. */
export function deliverable(task: Task, stop: Stop): boolean {
  return task.shields.every((shield) => shield.depth < stop.target.depth);
}

export function outermost(one: Stop | null, other: Stop | null): Stop | null {
  if (one === null || other === null) return one ?? other;
  return one.target.depth <= other.target.depth ? one : other;
}

export function flatten(layer: Layer): Record<string, unknown> {
  return { ...(layer.outer === null ? {} : flatten(layer.outer)), ...layer.values };
}

export function streamOf(name: string, key: string): string {
  return `${name}/${key}`;
}
