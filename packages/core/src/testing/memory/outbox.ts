import type { OutboxRow, Run, SearchOutbox } from "../../providers/index.ts";
import type { Store } from "./store.ts";

/** The rows of an outbox, and how they come in. */
export class OutboxRows {
  readonly #rows: Map<number, OutboxRow> = new Map();
  #kept = false;
  #last = 0;
  note: string | null = null;

  keep(): void {
    this.#kept = true;
  }

  changed(run: Run, at: number): void {
    if (this.#kept) this.add(run, at);
  }

  add(run: Run, at: number): void {
    this.#last += 1;
    this.#rows.set(this.#last, { place: this.#last, run, at });
  }

  get size(): number {
    return this.#rows.size;
  }

  /** In order: a map keeps that of insertion. */
  first(limit: number): readonly OutboxRow[] {
    const rows: OutboxRow[] = [];
    for (const row of this.#rows.values()) {
      if (rows.length >= limit) break;
      rows.push(row);
    }
    return rows;
  }

  remove(place: number): void {
    this.#rows.delete(place);
  }
}

/** `opened` gives the store, or throws where the provider is not open. `rows` are the store's, known before it is open. */
export function memoryOutbox(opened: () => Store, rows: OutboxRows): SearchOutbox {
  return {
    keep: () => rows.keep(),

    read: async (limit) => {
      opened();
      return rows.first(limit);
    },

    remove: async (places) => {
      opened();
      for (const place of places) rows.remove(place);
    },

    backlog: async () => {
      opened();
      return { rows: Math.min(rows.size, 100_000), oldestAt: rows.first(1)[0]?.at ?? null };
    },

    refill: async (after, limit) => {
      const store = opened();
      const runs = [...store.instances.keys()].filter((run) => run > after).sort((a, b) => a - b);
      for (const run of runs.slice(0, limit)) rows.add(run, store.now());
      return runs.slice(0, limit).at(-1) ?? null;
    },

    note: async () => {
      opened();
      return rows.note;
    },

    replaceNote: async (expected, next) => {
      opened();
      if (rows.note !== expected) return false;
      rows.note = next;
      return true;
    },
  };
}
