import type { DefinitionRef } from "@wfe/core/providers";
import type { Session } from "./session.ts";

/** An entry of the dictionary of definitions. Entries are added, and never changed or removed. */
export interface Definition {
  readonly id: string;
  readonly version: number;
  readonly hash: string;
  readonly format: number;
}

/**
 * What a connection knows of the dictionary. It is forgotten by every rollback: one may have taken an entry back, whose number
 * the next one gets.
 */
export class KnownDefinitions {
  readonly numbers: Map<string, number> = new Map();
  readonly entries: Map<number, Definition> = new Map();
  /** What a list of definitions stood for, and how far the dictionary went then. Hosts give the same list again and again. */
  lists: WeakMap<readonly DefinitionRef[], KnownList> = new WeakMap();

  clear(): void {
    this.numbers.clear();
    this.entries.clear();
    this.lists = new WeakMap();
  }
}

interface KnownList {
  readonly format: number;
  readonly last: number;
  readonly numbers: readonly number[];
}

/** The number of a definition; it is added where it is new. */
export function numberOf(session: Session, { id, version, hash, format }: Definition): number {
  const key = `${format}:${version}:${hash}:${id}`;
  const known = session.definitions.numbers.get(key);
  if (known !== undefined) return known;
  const find = "SELECT definition FROM wfe_definitions WHERE id = ? AND version = ? AND hash = ? AND format = ?";
  const add = "INSERT INTO wfe_definitions (id, version, hash, format) VALUES (?, ?, ?, ?)";
  const number =
    session.value<number>(find, id, version, hash, format) ?? session.insert(add, id, version, hash, format);
  if (number === undefined) throw new TypeError("a row was neither found nor inserted");
  session.definitions.numbers.set(key, number);
  return number;
}

/** The definition of a number. */
export function definitionOf(session: Session, number: number): Definition {
  const known = session.definitions.entries.get(number);
  if (known !== undefined) return known;
  const find = "SELECT id, version, hash, format FROM wfe_definitions WHERE definition = ?";
  const definition = session.get<Definition>(find, number);
  if (definition === undefined) throw new TypeError(`no definition has the number ${number}`);
  session.definitions.entries.set(number, definition);
  return definition;
}

/** The numbers of these definitions, in every hash they have had where none is named, in formats up to this one. */
export function numbersOf(session: Session, definitions: readonly DefinitionRef[], format: number): readonly number[] {
  const last = session.value<number | null>("SELECT max(definition) FROM wfe_definitions") ?? 0;
  const known = session.definitions.lists.get(definitions);
  if (known !== undefined && known.last === last && known.format === format) return known.numbers;
  const find =
    "SELECT definition FROM wfe_definitions WHERE id = ? AND version = ? AND format <= ? AND hash = coalesce(?, hash)";
  const numbers = new Set(
    definitions.flatMap(({ id, version, hash = null }) => session.values<number>(find, id, version, format, hash)),
  );
  const list = { format, last, numbers: [...numbers] };
  session.definitions.lists.set(definitions, list);
  return list.numbers;
}
