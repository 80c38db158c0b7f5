import type { Clock, Run, StoreHint, Timer } from "@wfe/core/providers";
import type { Session } from "./session.ts";

/** How often another connection's commits are looked for. */
const pollMs = 25;

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

/**
 * Tells of changes: of this process's at once and precisely, of others' by polling SQLite's `data_version`, which costs no more
 * than a look into shared memory and says nothing but that another connection has committed.
 */
export class Hints {
  readonly store: Listeners<StoreHint> = new Listeners();
  readonly queue: Listeners<void> = new Listeners();
  /** Called when another connection has committed. */
  readonly foreign: Listeners<void> = new Listeners();

  readonly #woken: Set<Run> = new Set();
  #changed = false;
  #scheduled = false;
  #timer: Timer | undefined;
  #version: unknown;
  #unseen = false;

  /** Takes over what a transaction has woken and changed, and tells of it a moment later: not within the call that did it. */
  committed(session: Session): void {
    const { woken, changed } = session.takeHints();
    for (const run of woken) this.#woken.add(run);
    this.#changed ||= changed;
    this.#schedule();
  }

  woken(runs: readonly Run[]): void {
    for (const run of runs) this.#woken.add(run);
    this.#schedule();
  }

  /** Something may have changed, nobody knows what. */
  changed(): void {
    this.#changed = true;
    this.#schedule();
  }

  /** The application has a transaction open on our connection, and no commit of it will be seen: look when it has ended. */
  commitsUnseen(): void {
    this.#unseen = true;
  }

  /** Begins to look for what others commit; `session` gives the connection of the moment, undefined while it cannot be asked. */
  start(clock: Clock, session: () => Session | undefined): void {
    this.#version = undefined;
    const poll = (): void => {
      this.#timer = clock.setTimer(pollMs, poll, { background: true });
      const current = session();
      if (current !== undefined) this.#poll(current);
    };
    poll();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #poll(session: Session): void {
    if (this.#unseen && !session.db.inTransaction) {
      this.#unseen = false;
      this.changed();
    }
    let version: unknown;
    try {
      version = session.value("PRAGMA data_version");
    } catch {
      // A recovery or a closing is going on. Look again in a moment.
      return;
    }
    const before = this.#version;
    this.#version = version;
    if (before === undefined || before === version) return;
    this.changed();
    this.foreign.tell();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      const hint: StoreHint = this.#changed ? {} : { runs: [...this.#woken] };
      this.#woken.clear();
      this.#changed = false;
      this.store.tell(hint);
      this.queue.tell();
    });
  }
}
