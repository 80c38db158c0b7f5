import type { StepContext } from "@wfe/core";
import type { Provider } from "@wfe/core/providers";

/** What a transactional step of the mix writes. */
export interface Effect {
  readonly owner: string;
  readonly label: string;
}

export type EffectStep = (effect: Effect, ctx: StepContext) => string | Promise<string>;

/** What a transactional step does around its write: it notes that it began, and some refuse what they have written. */
export interface AroundEffect {
  before(effect: Effect, ctx: StepContext): void;
  after(effect: Effect): void;
}

/** A store that processes can be killed on. Its address is a text, so that a process can be told of it. */
export interface StoreKind {
  provider(address: string): Provider;
  /** What stands beside it: locks and queue of another service. */
  beside?(address: string): readonly Provider[];
  /** A transactional step that writes a row of `effects` and gives its label. */
  effect(around: AroundEffect, address: string): EffectStep;
  /** Makes an empty one, in a directory of the test's where it is files, with the table `effects`. Gives its address. */
  create(directory: string): Promise<string>;
  open(address: string): OpenStore;
}

/** A store that a test has for itself, and which goes with it. */
export interface OpenStore extends AsyncDisposable {
  /** Asks it past WFE, on a connection of its own; the tables need no schema before their names. */
  query<Row>(sql: string): Promise<Row[]>;
  /** How large it is. */
  bytes(): Promise<number>;
  /** Whether others can write: not while a process is frozen in the middle of a write and the store has one lock for all. */
  isWritable(): Promise<boolean>;
  /** What the database itself finds wrong with what it has stored. */
  damage(): Promise<readonly string[]>;
}

/** The columns of `effects` beside its key `place`, which counts up. It allows doubles, so that they are seen. */
export const effectColumns = "workflow TEXT NOT NULL, label TEXT NOT NULL, key TEXT NOT NULL";
