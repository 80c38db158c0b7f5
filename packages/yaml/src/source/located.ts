import type { Span } from "./problem.ts";
import type { Source } from "./source.ts";

/** A value of a file that knows where it stands. Shared where an alias repeats it. */
export type Located = LocatedScalar | LocatedMap | LocatedList;

export interface LocatedScalar extends Span {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  /** Without quotes, and not a block: text that stands for a number could have been meant as one. */
  readonly plain: boolean;
  /** The text before variables were filled in, and which parts of it were. */
  readonly filled?: FilledText;
}
export interface FilledText {
  readonly raw: string;
  /** In order; offsets into the filled and into the raw text. */
  readonly parts: readonly {
    readonly start: number;
    readonly end: number;
    readonly rawStart: number;
    readonly rawEnd: number;
  }[];
}
export interface LocatedMap extends Span {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, LocatedEntry>;
}
export interface LocatedEntry {
  readonly key: Span;
  readonly value: Located;
}
export interface LocatedList extends Span {
  readonly kind: "list";
  readonly items: readonly Located[];
}

/** The plain value. Maps have no prototype, so that no key means anything but itself. */
export function plainOf(located: Located): unknown {
  switch (located.kind) {
    case "scalar":
      return located.value;
    case "list":
      return located.items.map(plainOf);
    case "map": {
      const plain = Object.create(null) as Record<string, unknown>;
      for (const [key, { value }] of located.entries) plain[key] = plainOf(value);
      return plain;
    }
  }
}

/** What is at a path, or as far as the path leads. */
export function at(located: Located, path: readonly PropertyKey[]): Located {
  let here = located;
  for (const key of path) {
    const next = childOf(here, key);
    if (next === undefined) return here;
    here = next;
  }
  return here;
}

export function childOf(located: Located | undefined, key: PropertyKey): Located | undefined {
  if (located?.kind === "map") return located.entries.get(String(key))?.value;
  return located?.kind === "list" ? located.items[Number(key)] : undefined;
}

/** The key of a map's entry, as a place; of the map itself where it has no such key. */
export function keyOf(located: Located, key: string): Span {
  return (located.kind === "map" ? located.entries.get(key)?.key : undefined) ?? located;
}

/** The place of a part of a scalar's text, so well as it can be told. */
export function partOf(scalar: LocatedScalar, offset: number, length: number): Span {
  const text = String(scalar.value);
  const raw = rawOffset(scalar, offset);
  const start = inSource(scalar, scalar.filled?.raw ?? text, raw.offset);
  if (start === undefined) return scalar;
  return {
    source: scalar.source,
    start,
    end: Math.min(start + (raw.length ?? length), Math.max(scalar.end, start + 1)),
  };
}

/** From the text with variables filled in to the text as it was written. */
function rawOffset({ filled }: LocatedScalar, offset: number): { offset: number; length?: number } {
  let shift = 0;
  for (const part of filled?.parts ?? []) {
    if (offset < part.start) break;
    if (offset < part.end) return { offset: part.rawStart, length: part.rawEnd - part.rawStart };
    shift = part.rawEnd - part.end;
  }
  return { offset: offset + shift };
}

function inSource({ source, start, end }: LocatedScalar, raw: string, offset: number): number | undefined {
  const written = source.text.slice(start, end);
  if (/^[|]/.test(written)) return inBlock(source, start, raw, offset);
  const quote = /^["']/.test(written) ? 1 : 0;
  if (written.startsWith(raw.slice(0, offset + 1), quote)) return start + quote + offset;
  // Folded or escaped: look for what stands there, as often as it stood before.
  const snippet =
    raw
      .slice(offset, offset + 24)
      .split("\n", 1)[0]
      ?.trimEnd() ?? "";
  if (snippet === "") return undefined;
  let found = written.indexOf(snippet);
  for (let before = raw.indexOf(snippet); before !== -1 && before < offset && found !== -1;) {
    const next = written.indexOf(snippet, found + 1);
    if (next === -1) break;
    found = next;
    before = raw.indexOf(snippet, before + 1);
  }
  return found === -1 ? undefined : start + found;
}

/** In a literal block every line of the text is a line of the source, after an indentation that all have. */
function inBlock(source: Source, start: number, raw: string, offset: number): number {
  const before = raw.slice(0, offset).split("\n");
  const first = source.positionOf(start).line + 1;
  const lines = raw.split("\n");
  const shown = lines.findIndex((line) => line.trim() !== "");
  const indent = source.lineText(first + Math.max(shown, 0)).indexOf(lines[Math.max(shown, 0)] ?? "");
  return source.startOfLine(first + before.length - 1) + Math.max(indent, 0) + (before.at(-1)?.length ?? 0);
}
