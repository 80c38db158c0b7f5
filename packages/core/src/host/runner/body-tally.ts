/**
 * Counts the bodies of a host, and bounds them: those at work, and those left behind, whose attempt is over and that have not
 * returned.
 */
export class BodyTally {
  readonly #max: number;
  #running = 0;
  #leftBehind = 0;
  #waiting: Set<{ pump(): void }> = new Set();
  #going = false;

  constructor(max: number) {
    this.#max = max;
  }

  get running(): number {
    return this.#running;
  }

  get leftBehind(): number {
    return this.#leftBehind;
  }

  get isFull(): boolean {
    return this.#running >= this.#max;
  }

  began(): void {
    this.#running += 1;
  }

  left(): void {
    this.#running -= 1;
    this.#leftBehind += 1;
    this.#goOn();
  }

  ended(wasLeft: boolean): void {
    if (wasLeft) {
      this.#leftBehind -= 1;
      return;
    }
    this.#running -= 1;
    this.#goOn();
  }

  /** Pumps the workflow once, when there may be room again. */
  whenThereIsRoom(workflow: { pump(): void }): void {
    this.#waiting.add(workflow);
  }

  #goOn(): void {
    if (this.#waiting.size === 0 || this.#going) return;
    this.#going = true;
    // Not at once: a waiter whose body is synchronous would end up here again, deeper and deeper in the stack.
    queueMicrotask(() => {
      this.#going = false;
      // All of them: one may have nothing to run any more. Those that find no room come back.
      const waiting = this.#waiting;
      this.#waiting = new Set();
      for (const workflow of waiting) workflow.pump();
    });
  }
}
