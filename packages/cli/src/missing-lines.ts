import type { LogLine } from "@wfe/core";

/** Counts lines of steps that are not among those given to it, which are all that the store has. */
export class MissingLines {
  /** Of each attempt, the line that came last. */
  readonly #last: Map<string, number> = new Map();

  /** How many are missing right before this one, of the same attempt. */
  before({ executionId, attempt, line }: LogLine): number {
    // Kept by an older version.
    if (line === undefined) return 0;
    const key = `${executionId}/${attempt}`;
    const last = this.#last.get(key) ?? 0;
    this.#last.set(key, line);
    // A body that goes on after a pause counts from 1 anew.
    return line > last ? line - last - 1 : line - 1;
  }
}
