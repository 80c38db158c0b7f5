import { clean, exactText, longestExact, terms } from "./terms.ts";
import type { SearchValue } from "../providers/search-index.ts";
import { wordsOf } from "./words.ts";

const mostTerms = 10_000;
const mostTermBytes = 256 * 1024;
const mostValues = 100;
const mostPairs = 500;
/** Characters read for words, and values visited: a document costs a bounded time, however large its workflow is. */
const mostCharacters = 1024 * 1024;
const mostVisits = 50_000;

/**
 * Collects the terms of one document, what matters most first: where a bound is reached, what comes later is left out. Data of any
 * shape ends as a flat list, so that no document can make an index grow fields, or a field change its type.
 */
export class TermCollector {
  readonly #terms: Set<string> = new Set();
  readonly #values: Map<string, SearchValue> = new Map();
  #bytes = 0;
  #pairs = 0;
  #characters = 0;
  #visits = 0;

  get terms(): readonly string[] {
    return [...this.#terms];
  }

  get values(): readonly SearchValue[] {
    return [...this.#values.values()];
  }

  term(term: string): void {
    if (this.#terms.size >= mostTerms || this.#bytes >= mostTermBytes || this.#terms.has(term)) return;
    const bytes = Buffer.byteLength(term);
    if (this.#bytes + bytes > mostTermBytes) return;
    this.#terms.add(term);
    this.#bytes += bytes;
  }

  words(text: string): void {
    const left = mostCharacters - this.#characters;
    if (left <= 0) return;
    this.#characters += text.length;
    for (const word of wordsOf(text.length > left ? text.slice(0, left) : text)) this.term(word);
  }

  /** Words and pairs of a value and everything in it. Keys are paths, not words; a list's members have the list's path. */
  data(value: unknown, path: string = ""): void {
    // A list of its own, not recursion: nothing here may depend on how deep data is.
    const pending: { readonly value: unknown; readonly path: string }[] = [{ value, path }];
    for (let next = pending.pop(); next !== undefined && this.#visits < mostVisits; next = pending.pop()) {
      this.#visits += 1;
      const before = pending.length;
      this.#visit(next.value, next.path, (member, key) => {
        if (pending.length - before < mostVisits)
          pending.push({ value: member, path: key === undefined ? next.path : joined(next.path, key) });
      });
      // The first member is visited first.
      reverseFrom(pending, before);
    }
  }

  #visit(value: unknown, path: string, member: (value: unknown, key?: string) => void): void {
    if (value === undefined || typeof value === "function" || typeof value === "symbol") return;
    const text = exactText(value);
    if (text !== undefined) return this.#leaf(value, text, path);
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value) || value instanceof Set) for (const each of value) member(each);
    else if (value instanceof Map) {
      for (const [key, each] of value) {
        if (typeof key !== "string") member(key);
        member(each, typeof key === "string" ? key : undefined);
      }
    } else if (value instanceof Error) {
      member(value.name, "name");
      member(value.message, "message");
      for (const [key, each] of Object.entries(value)) member(each, key);
      if (value.cause !== undefined) member(value.cause, "cause");
    } else if (!ArrayBuffer.isView(value)) for (const [key, each] of Object.entries(value)) member(each, key);
  }

  #leaf(value: unknown, text: string, path: string): void {
    this.words(text);
    if (path === "" || path.length > longestExact || text.length > longestExact) return;
    if (this.#pairs < mostPairs) {
      this.#pairs += 1;
      this.term(terms.data(path, text));
    }
    const number = numberOf(value);
    if (number === undefined || this.#values.size >= mostValues) return;
    const place = clean(path);
    this.#values.set(`${place}\0${number}`, { path: place, value: number });
  }
}

/** What can be looked for between two ends; times as milliseconds since the epoch. */
function numberOf(value: unknown): number | undefined {
  const number = typeof value === "bigint" ? Number(value) : value instanceof Date ? value.getTime() : value;
  if (typeof number !== "number" || !Number.isFinite(number)) return undefined;
  return number === 0 ? 0 : number;
}

function joined(path: string, key: string): string {
  // Longer than any path that is kept: no need to grow it further.
  if (path.length > longestExact) return path;
  return path === "" ? key : `${path}.${key}`;
}

function reverseFrom(list: unknown[], start: number): void {
  for (let low = start, high = list.length - 1; low < high; low++, high--) {
    const item = list[low];
    list[low] = list[high];
    list[high] = item;
  }
}
