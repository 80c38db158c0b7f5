import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  parseDocument,
  type Node,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { limits } from "./limits.ts";
import type { Located, LocatedEntry } from "./located.ts";
import type { Problems, Span } from "./problem.ts";
import { shield, type ScalarStyle } from "./shield.ts";
import type { Source } from "./source.ts";

/**
 * Reads a YAML 1.2 text with anchors, aliases and `<<` merge keys; undefined where it cannot be read at all.
 *
 * Duplicate keys, `__proto__`, foreign tags, alias bombs, huge texts and deep nesting are problems, found in time that grows with
 * the text alone.
 */
export function read(source: Source, problems: Problems): Located | undefined {
  const whole = (end = Math.min(source.text.length, 1)): Span => ({ source, start: 0, end });
  if (source.text.length > limits.fileLength) {
    problems.add("limit", whole(), `the file has ${source.text.length} characters, the limit is ${limits.fileLength}`);
    return undefined;
  }
  const { text, restore } = shield(source.text);
  if (!passesLexer(source, text, problems)) return undefined;
  // Its own check of unique keys is quadratic, its own resolution of aliases cannot tell where an expansion came from.
  const document = parseDocument(text, { uniqueKeys: false, merge: false, prettyErrors: false, logLevel: "error" });
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const [start, end] = pos;
    const told = code === "MULTIPLE_DOCS" ? "a file has one document: remove the `---` here" : sentence(message);
    problems.add("syntax", { source, start, end }, told);
  }
  if (document.errors.length > 0) return undefined;
  if (document.contents === null) {
    problems.add("missing-key", whole(), "the file is empty: expected `workflow:` or `workflows:`");
    return undefined;
  }
  const reader = new Reader(source, problems, restore);
  const located = reader.convert(document.contents, 0)?.located;
  return reader.exhausted ? undefined : located;
}

function sentence(message: string): string {
  const line = message.split("\n", 1)[0] ?? message;
  return line.slice(0, 1).toLowerCase() + line.slice(1);
}

/**
 * Composing is what costs, and it recurses: a text with too many or too deep values is refused before.
 *
 * Depth is that of brackets, of indentation, and of indicators that follow one another in a line.
 */
function passesLexer(source: Source, text: string, problems: Problems): boolean {
  const refuse = (message: string): false => {
    problems.add("limit", { source, start: offset, end: offset + 1 }, message);
    return false;
  };
  const indents: number[] = [];
  let weight = 0;
  let brackets = 0;
  let indicators = 0;
  let lineStart = true;
  let offset = 0;
  for (const token of new Lexer().lex(text)) {
    if (lineStart && token !== "\n" && token !== "\r\n") {
      const indent = /^[ ]+$/.test(token) ? token.length : 0;
      while ((indents.at(-1) ?? -1) >= indent) indents.pop();
      indents.push(indent);
      indicators = 0;
    }
    lineStart = token === "\n" || token === "\r\n";
    if (token === "[" || token === "{") brackets++;
    else if (token === "]" || token === "}") brackets = Math.max(0, brackets - 1);
    else if (token === "-" || token === "?") indicators++;
    const announces = token === documentMark || token === flowMark || token === scalarMark;
    if (token === scalarMark || /^["'&*!%?\-,:]/.test(token)) weight++;
    if (brackets + indents.length + indicators > limits.depth) return refuse(tooDeep);
    // A key is a scalar and a colon, an item of a list a dash and a scalar.
    if (weight > limits.values * 2) return refuse(`the file has more than ${limits.values} values`);
    if (token.length > limits.scalarLength && !token.startsWith("#")) {
      return refuse(`this text has ${token.length} characters, the limit is ${limits.scalarLength}`);
    }
    if (!announces) offset += token.length;
  }
  return true;
}

/** Tokens by which the lexer announces what comes: characters that the text does not have. */
const documentMark = "\u0002";
const flowMark = "\u0018";
const scalarMark = "\u001F";

const tooDeep = `nested deeper than ${limits.depth} levels`;

/** A converted node, and how many values it stands for. */
interface Converted {
  readonly located: Located;
  readonly count: number;
}

class Reader {
  readonly #source: Source;
  readonly #problems: Problems;
  readonly #restore: (part: string, style: ScalarStyle) => string;
  readonly #anchors = new Map<string, Converted | "open">();
  #count = 0;
  exhausted = false;

  constructor(source: Source, problems: Problems, restore: (part: string, style: ScalarStyle) => string) {
    this.#source = source;
    this.#problems = problems;
    this.#restore = restore;
  }

  convert(node: Node | null, depth: number, missing?: Span): Converted | undefined {
    if (this.exhausted) return undefined;
    if (node === null)
      return this.#counted({ kind: "scalar", value: null, plain: true, ...(missing ?? this.#span(node)) });
    const span = this.#span(node);
    if (depth > limits.depth) {
      this.exhausted = true;
      this.#problems.add("limit", span, tooDeep);
      return undefined;
    }
    if (isAlias(node)) return this.#alias(node.source, span);
    const tag = (node as { tag?: string }).tag;
    if (tag !== undefined && !tag.startsWith("tag:yaml.org,2002:")) {
      this.#problems.add("syntax", span, `a file has no tags of its own, such as \`${tag}\`: remove it`);
    }
    const anchor = (node as { anchor?: string }).anchor;
    if (anchor !== undefined) this.#anchors.set(anchor, "open");
    const converted = this.#plainNode(node, span, depth);
    if (anchor !== undefined && converted !== undefined) this.#anchors.set(anchor, converted);
    return converted;
  }

  #plainNode(node: Node, span: Span, depth: number): Converted | undefined {
    const before = this.#count;
    if (isMap(node)) {
      const entries = this.#entries(node, depth);
      return this.#counted({ kind: "map", entries, ...span }, this.#count - before);
    }
    if (isSeq(node)) {
      const items: Located[] = [];
      for (const item of node.items) {
        const converted = this.convert(item as Node | null, depth + 1, { ...span, end: span.start + 1 });
        if (converted !== undefined) items.push(converted.located);
      }
      return this.#counted({ kind: "list", items, ...span }, this.#count - before);
    }
    return isScalar(node) ? this.#counted(this.#scalar(node, span)) : undefined;
  }

  #entries(map: YAMLMap, depth: number): Map<string, LocatedEntry> {
    const entries = new Map<string, LocatedEntry>();
    const merged = new Map<string, LocatedEntry>();
    for (const pair of map.items) {
      if (!isPair(pair)) continue;
      const key = this.#key(pair.key as Node | null);
      if (key === undefined) continue;
      const value = this.convert(pair.value as Node | null, depth + 1, key.span)?.located;
      if (value === undefined) continue;
      if (key.text === "<<") this.#merge(value, merged);
      else if (key.text === "__proto__") {
        this.#problems.add("forbidden-key", key.span, "`__proto__` cannot be a key");
      } else if (entries.has(key.text)) {
        const first = this.#source.positionOf(entries.get(key.text)?.key.start ?? 0);
        this.#problems.add(
          "duplicate-key",
          key.span,
          `the key \`${short(key.text)}\` is there already, in line ${first.line}`,
        );
      } else entries.set(key.text, { key: key.span, value });
    }
    // A map's own keys win over merged ones, and of merged maps the first.
    for (const [key, entry] of merged) if (!entries.has(key)) entries.set(key, entry);
    return entries;
  }

  #merge(value: Located, into: Map<string, LocatedEntry>): void {
    for (const map of value.kind === "list" ? value.items : [value]) {
      if (map.kind !== "map") {
        this.#problems.add("wrong-value", value, "`<<` takes an alias of a map, or a list of them");
        return;
      }
      this.#use(map.entries.size, map);
      for (const [key, entry] of map.entries) if (!into.has(key)) into.set(key, entry);
    }
  }

  #key(node: Node | null): { readonly text: string; readonly span: Span } | undefined {
    if (node !== null && isScalar(node)) {
      const span = this.#span(node);
      this.#use(1, span);
      const text = this.#restore(typeof node.value === "string" ? node.value : (node.source ?? ""), styleOf(node));
      if (text.length <= limits.scalarLength) return { text, span };
      this.#tooLong(text, span);
      return undefined;
    }
    this.#problems.add("wrong-value", this.#span(node), "a key must be text");
    return undefined;
  }

  #alias(name: string, span: Span): Converted | undefined {
    const target = this.#anchors.get(name);
    if (target === undefined || target === "open") {
      const why = target === "open" ? "stands within what it repeats" : "has no anchor before it";
      this.#problems.add("syntax", span, `the alias \`*${short(name)}\` ${why}`);
      return this.#counted({ kind: "scalar", value: null, plain: true, ...span });
    }
    this.#use(target.count, span);
    // What is wrong with it as a whole is told where it is used, what is wrong within it where that stands.
    return { located: { ...target.located, ...span }, count: target.count };
  }

  #scalar(node: Scalar, span: Span): Located {
    const style = styleOf(node);
    const { value } = node;
    if (typeof value === "string") {
      const text = this.#restore(value, style);
      if (text.length > limits.scalarLength) this.#tooLong(text, span);
      return { kind: "scalar", value: text, plain: style === "plain", ...span };
    }
    if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
      this.#problems.add("wrong-value", span, "a whole number this large loses digits: put it in quotes");
    }
    if (typeof value === "number" || typeof value === "boolean" || value === null) {
      return { kind: "scalar", value, plain: true, ...span };
    }
    this.#problems.add("wrong-value", span, "expected text, a number, true, false or null");
    return { kind: "scalar", value: null, plain: true, ...span };
  }

  #tooLong(text: string, span: Span): void {
    const start = { ...span, end: Math.min(span.end, span.start + 20) };
    this.#problems.add("limit", start, `this text has ${text.length} characters, the limit is ${limits.scalarLength}`);
    this.exhausted = true;
  }

  #counted(located: Located, inside = 0): Converted {
    this.#use(1, located);
    return { located, count: inside + 1 };
  }

  #use(count: number, span: Span): void {
    this.#count += count;
    if (this.#count <= limits.values || this.exhausted) return;
    this.exhausted = true;
    this.#problems.add(
      "limit",
      { ...span, end: Math.min(span.end, span.start + 20) },
      `the file has more than ${limits.values} values, with those that aliases repeat`,
    );
  }

  #span(node: Node | null): Span {
    const [start, end] = node?.range ?? [0, 0];
    return { source: this.#source, start, end: trimmedEnd(this.#source.text, start, end) };
  }
}

/** Block collections reach to the next token: what follows their last character is not theirs. */
function trimmedEnd(text: string, start: number, end: number): number {
  let last = end;
  while (last > start && /\s/.test(text[last - 1] ?? "")) last--;
  return last;
}

function styleOf({ type }: Scalar): ScalarStyle {
  if (type === "QUOTE_DOUBLE") return "double";
  if (type === "QUOTE_SINGLE") return "single";
  return type === "PLAIN" || type === undefined ? "plain" : "block";
}

/** A name of the user's for a message. */
export function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > 60 ? `${line.slice(0, 60)}...` : line;
}
