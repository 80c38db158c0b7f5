import type { Block, DefinitionNode, NodeBase } from "@wfe/core/definition";
import type * as z from "zod";
import type { body } from "../schema/kinds.ts";

/** A step whose keys are known to be right. */
export type Step = { readonly name: string } & Readonly<Record<string, unknown>>;

/** What a kind makes of a step: its node, without what `modifiers` add. */
export type Core = { readonly kind: DefinitionNode["kind"] } & Readonly<Record<string, unknown>>;

/** A step that a registered type runs. */
export type BodyStep = z.infer<typeof body>;

export function block(nodes: readonly DefinitionNode[]): Block {
  return Object.freeze({ nodes: Object.freeze([...nodes]) });
}

export function node(
  fields: { readonly kind: DefinitionNode["kind"]; readonly id: string } & Record<string, unknown>,
): DefinitionNode {
  const present = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return Object.freeze({ name: fields.id, ...present }) as unknown as DefinitionNode;
}

/** Nodes in one that has a place for hooks: an `if` that is always true. */
export function grouped(id: string, nodes: readonly DefinitionNode[], more: Partial<NodeBase> = {}): DefinitionNode {
  return node({ kind: "if", id, condition: always, then: block(nodes), ...more });
}

function always(): boolean {
  return true;
}

export function optional<const Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}
