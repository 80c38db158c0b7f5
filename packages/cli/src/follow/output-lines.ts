/** Puts chunks of output together to lines, for each step and stream apart. */
export class OutputLines {
  readonly #begun: Map<string, string> = new Map();

  /** The lines that this chunk completes. */
  add(source: string, chunk: string): readonly string[] {
    const lines = ((this.#begun.get(source) ?? "") + chunk).split("\n");
    this.#begun.set(source, lines.pop() ?? "");
    return lines;
  }

  /** What has not ended with a line end. */
  rest(source: string): readonly string[] {
    const rest = this.#begun.get(source);
    this.#begun.delete(source);
    return rest === undefined || rest === "" ? [] : [rest];
  }
}
