import type { DefinitionNode, NodeBase, NodeKind } from "../definition/nodes.ts";
import type { Check } from "./assemble/check.ts";

/**
 * What a chain knows of one node until `build`: as it was given, unchecked and without an id. So an untyped caller's mistakes
 * are reported together, with the ids of the steps.
 */
export interface Sketch {
  readonly kind: NodeKind;
  /** What the id is made from, unless `.id` or `.name` is given. */
  readonly base: string;
  /** An id that is made from the container's and this. */
  readonly suffix?: string;
  /** The node's own bodies; slots are of concern to `finish` alone. */
  readonly bodies: readonly (readonly [slot: string, body: BodySketch])[];
  readonly modifiers: readonly Modifier[];
  /** Checks what was given, and makes what the node has besides its modifiers. */
  finish(check: Check): object;
}

/** A body: the nodes that it made, and what is wrong with it as a whole. */
export interface BodySketch {
  readonly sketches: readonly Sketch[];
  readonly problems: readonly string[];
}

export interface Modifier {
  readonly name: ModifierName;
  readonly value: unknown;
  /** Of `compensateWith`, `onFailure` and `ensure`. */
  readonly body?: BodySketch;
}

export type ModifierName =
  | "name"
  | "id"
  | "as"
  | "output"
  | "onError"
  | "timeout"
  | "compensateWith"
  | "onFailure"
  | "ensure"
  | "onCrash"
  | "cancelWhen";

/** What `finish` makes for a node. */
export type FieldsOf<Node extends DefinitionNode> = Omit<Node, Exclude<keyof NodeBase, "as"> | "kind">;

/** Sketches a node. */
export function sketch<Kind extends NodeKind>(
  kind: Kind,
  base: string | undefined,
  bodies: Sketch["bodies"],
  finish: (check: Check) => FieldsOf<Extract<DefinitionNode, { kind: Kind }>>,
): Sketch {
  return { kind, base: base ?? kind, bodies, modifiers: [], finish };
}
