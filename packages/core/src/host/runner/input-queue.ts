import type { Input } from "../../engine/inputs.ts";

/** What has ended or come for a workflow, until it is decided. */
export class InputQueue {
  #inputs: Input[] = [];
  #arrived = false;
  #decideAt: number | undefined;
  /** How many of the first are to be decided one by one. */
  #apart = 0;

  get size(): number {
    return this.#inputs.length;
  }

  /** Whether something from outside is among them: it is decided before anything else is done. */
  get hasArrivals(): boolean {
    return this.#arrived;
  }

  add(...inputs: readonly Input[]): void {
    this.#inputs.push(...inputs);
  }

  addArrivals(inputs: readonly Input[]): void {
    if (inputs.length === 0) return;
    this.#inputs.push(...inputs);
    this.#arrived = true;
  }

  /** Time has come to `at`: the decision is made as of then, since the streams were read no later. */
  addDue(at: number): void {
    if (this.#decideAt !== undefined) return;
    this.#inputs.push({ kind: "due" });
    this.#decideAt = at;
    this.#arrived = true;
  }

  /** Puts inputs back before all others, to be decided one by one. */
  putBackApart(inputs: readonly Input[]): void {
    this.#inputs = [...inputs, ...this.#inputs];
    this.#apart = inputs.length;
  }

  /** Takes what is to be decided next, and as of when: undefined for now. */
  take(): { readonly inputs: readonly Input[]; readonly at: number | undefined } {
    const at = this.#decideAt;
    this.#decideAt = undefined;
    this.#arrived = false;
    if (this.#apart > 0) {
      this.#apart -= 1;
      return { inputs: this.#inputs.splice(0, 1), at };
    }
    const inputs = this.#inputs;
    this.#inputs = [];
    return { inputs, at };
  }

  clear(): void {
    this.take();
    this.#inputs = [];
    this.#apart = 0;
  }

  /** Pointers whose bodies have ended, or are about to begin, and that wait for their turn; undefined: none. */
  pointers(): ReadonlySet<number> | undefined {
    if (this.#inputs.length === 0) return undefined;
    const pointers = new Set<number>();
    for (const input of this.#inputs) {
      if (input.kind === "attempt-returned" || input.kind === "attempt-threw" || input.kind === "begin")
        pointers.add(input.pointer);
    }
    return pointers;
  }
}
