type Listener<T> = (value: T) => void;

/** Listeners that cannot hurt one another. */
export class Listeners<T> {
  readonly #listeners: Set<Listener<T>> = new Set();

  get size(): number {
    return this.#listeners.size;
  }

  add(listener: Listener<T>): () => void {
    // One of its own, so that a function that is added twice also ends twice.
    const own: Listener<T> = (value) => listener(value);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  tell(value: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(value);
      } catch {
        // Best effort, by contract: neither its neighbours nor the writer may suffer.
      }
    }
  }
}
