/** A place in a text, counted from 1, as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A text and the name of the file it came from. */
export class Source {
  readonly file: string;
  readonly text: string;
  #lineStarts: readonly number[] | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  /** Line and column of an offset. Costs one pass for the first call, then a binary search. */
  positionOf(offset: number): Position {
    const starts = (this.#lineStarts ??= lineStartsOf(this.text));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  }

  /** Offset of the first character of a line, which is counted from 1. */
  startOfLine(line: number): number {
    const starts = (this.#lineStarts ??= lineStartsOf(this.text));
    return starts[line - 1] ?? this.text.length;
  }

  /** The text of a line, without its end. */
  lineText(line: number): string {
    const start = this.startOfLine(line);
    const end = this.text.indexOf("\n", start);
    return this.text.slice(start, end === -1 ? undefined : end).replace(/\r$/, "");
  }
}

function lineStartsOf(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}
