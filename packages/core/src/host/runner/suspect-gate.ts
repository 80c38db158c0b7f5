/** Someone who waits for the gate, and goes on when it has it. */
interface Waiter {
  pump(): void;
}

/**
 * Suspects, workflows whose hosts died twice without a turn of theirs in between, run one at a time: when the next host dies,
 * it is known whose fault it is.
 */
export class SuspectGate {
  #holder: Waiter | undefined;
  readonly #waiting: Set<Waiter> = new Set();

  /** Whether the suspect may run now; if not, its `pump` is called when it may. */
  enter(suspect: Waiter): boolean {
    if (this.#holder === undefined || this.#holder === suspect) {
      this.#holder = suspect;
      this.#waiting.delete(suspect);
      return true;
    }
    this.#waiting.add(suspect);
    return false;
  }

  /** It runs no more, or is no suspect any more. Harmless for one that never was. */
  leave(suspect: Waiter): void {
    this.#waiting.delete(suspect);
    if (this.#holder === suspect) this.#holder = undefined;
    // Also where the one that leaves was called to the gate, and had something else to do until it was no suspect any more.
    if (this.#holder !== undefined) return;
    const [next] = this.#waiting;
    if (next !== undefined) next.pump();
  }
}
