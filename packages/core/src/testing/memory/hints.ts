import type { Run, StoreHint } from "../../providers/index.ts";

/** Tells listeners, a moment later and all at once, what has changed. */
export class Hints<T> {
  readonly #listeners: Set<(hint: T) => void> = new Set();
  readonly #take: () => T;
  #scheduled = false;

  /** `take` gives what has gathered since it was last asked. */
  constructor(take: () => T) {
    this.#take = take;
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  /** Never calls a listener at once: it may be in the middle of a call to this provider. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      const hint = this.#take();
      for (const listener of this.#listeners) tell(listener, hint);
    });
  }

  listen(listener: (hint: T) => void): () => void {
    // One of its own, so that a function that listens twice also ends twice.
    const own = (hint: T): void => listener(hint);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }
}

/** What the store has to tell. */
export class StoreHints {
  readonly #woken: Set<Run> = new Set();
  #changed = false;
  readonly #hints: Hints<StoreHint> = new Hints(() => {
    const hint: StoreHint = this.#changed ? {} : { runs: [...this.#woken], own: true };
    this.#woken.clear();
    this.#changed = false;
    return hint;
  });

  woken(run: Run): void {
    if (!this.#hints.hasListeners) return;
    this.#woken.add(run);
    this.#hints.schedule();
  }

  /** Something else is to be seen: an end, or a due time that lies ahead. */
  changed(): void {
    if (!this.#hints.hasListeners) return;
    this.#changed = true;
    this.#hints.schedule();
  }

  listen(listener: (hint: StoreHint) => void): () => void {
    return this.#hints.listen(listener);
  }
}

/** A listener that throws is the listener's affair: neither its neighbours nor the writer may suffer. */
function tell<T>(listener: (hint: T) => void, hint: T): void {
  try {
    listener(hint);
  } catch {
    // Best effort, by contract.
  }
}
