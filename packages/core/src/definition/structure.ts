import type { Block, DefinitionNode } from "./nodes.ts";

/** JSON, as far as a structure needs it. */
type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };

/** The nodes of a block as plain JSON, for tools. A function is `{ function: name }`, `Infinity` is text. */
export function describeStructure(block: Block): Plain {
  return block.nodes.map((node) => describeNode(node, true));
}

/**
 * The text that a definition's hash is made of: kinds, ids, options and order.
 *
 * Of a function it says only that there is one. Names are for people and left out, and fields are sorted, so that nothing but
 * the structure counts.
 */
export function fingerprintOf(block: Block): string {
  return JSON.stringify(sorted(block.nodes.map((node) => describeNode(node, false))));
}

/** Plain JSON as text, with fields in order, so that equal values have equal texts. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(sorted(value as Plain));
}

function describeNode(node: DefinitionNode, forPeople: boolean): Plain {
  const fields: Record<string, Plain> = {};
  for (const [key, value] of Object.entries(node)) {
    if (value === undefined || key === "isClass" || (key === "name" && !forPeople)) continue;
    fields[key] = describe(value, forPeople);
  }
  if (forPeople && node.kind === "step" && node.isClass) fields.body = { class: node.body.name };
  return fields;
}

function describe(value: unknown, forPeople: boolean): Plain {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "function") return { function: forPeople ? value.name : true };
  if (typeof value !== "object") return typeof value;
  if (value instanceof Date) return { date: value.toISOString() };
  if (value instanceof Map) return [...value].map(([key, item]) => [String(key), describe(item, forPeople)]);
  if (Array.isArray(value)) return value.map((item) => describe(item, forPeople));
  if ("kind" in value && "id" in value) return describeNode(value as DefinitionNode, forPeople);
  const fields: Record<string, Plain> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) fields[key] = key === "schema" ? true : describe(item, forPeople);
  }
  return fields;
}

function sorted(value: Plain): Plain {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value as { readonly [key: string]: Plain });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)]));
}
