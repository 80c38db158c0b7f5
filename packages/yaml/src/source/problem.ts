import type { Source } from "./source.ts";

/** What kind of mistake a problem is; stable, for tools. */
export type ProblemCode =
  | "syntax"
  | "limit"
  | "duplicate-key"
  | "forbidden-key"
  | "unknown-key"
  | "missing-key"
  | "wrong-value"
  | "unknown-type"
  | "unknown-name"
  | "unknown-variable"
  | "duplicate-name"
  | "conflict"
  | "cycle"
  | "expression"
  | "unsafe"
  | "include";

/** One thing that is wrong with a workflow file. */
export interface Problem {
  readonly code: ProblemCode;
  /** What is wrong and what was expected; one line. */
  readonly message: string;
  /** What to do about it: often the nearest name that would be right. */
  readonly hint?: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** Of the end of what is wrong, which may be on a later line. */
  readonly endLine: number;
  readonly endColumn: number;
  /** The text of `line`. */
  readonly lineText: string;
}

/** A part of a source. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

const mostProblems = 200;

/** Collects the problems of a load, in the order of the text; more than 200 are counted, not kept. */
export class Problems {
  readonly #found: Problem[] = [];
  readonly #seen = new Set<string>();
  readonly #unfilled: Span[] = [];
  #dropped = 0;

  get any(): boolean {
    return this.#found.length > 0;
  }

  add(code: ProblemCode, span: Span, message: string, hint?: string): void {
    const { source } = span;
    const { line, column } = source.positionOf(span.start);
    const end = source.positionOf(Math.max(span.end, span.start));
    // An anchor's content is checked wherever it is used: what is wrong with it is one problem all the same.
    const key = `${source.file}\0${span.start}\0${message}`;
    if (this.#seen.has(key) || this.#isUnfilled(span)) return;
    if (code === "unknown-variable") this.#unfilled.push(span);
    if (this.#found.length >= mostProblems) {
      this.#dropped++;
      return;
    }
    this.#seen.add(key);
    this.#found.push({
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      file: source.file,
      line,
      column,
      endLine: end.line,
      endColumn: end.column,
      lineText: source.lineText(line),
    });
  }

  /** What a variable that is not there leaves behind fits nowhere: that is told once. */
  #isUnfilled({ source, start, end }: Span): boolean {
    return this.#unfilled.some((span) => span.source === source && span.start <= start && end <= span.end);
  }

  /** All of them, file by file as these were met, from top to bottom. */
  list(): readonly Problem[] {
    const files = [...new Set(this.#found.map(({ file }) => file))];
    const sorted = this.#found.toSorted(
      (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
    );
    const last = sorted.at(-1);
    if (this.#dropped === 0 || last === undefined) return sorted;
    return [
      ...sorted,
      { ...last, code: "limit", message: `there are ${this.#dropped} more problems: mend these first` },
    ];
  }
}
