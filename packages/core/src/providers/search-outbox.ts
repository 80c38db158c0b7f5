import type { Run } from "./records.ts";

/**
 * What a search index still has to hear of, kept by the store.
 *
 * A row is added by the transaction that creates a workflow, writes its row (`RowWrite`) or deletes it, and by no other: a turn
 * without a row adds none. Rows are read and deleted, and nobody remembers a position: one whose transaction commits late, with a
 * low number, is found all the same.
 */
export interface SearchOutbox {
  /** From this call on, what this provider writes adds rows; before it adds none. A provider that writes for no index keeps none. */
  keep(): void;

  /** Some of the rows, the lowest numbers first, as far as they can be seen. */
  read(limit: number): Promise<readonly OutboxRow[]>;

  /** Deletes rows by their numbers; those that are gone already are fine. */
  remove(places: readonly number[]): Promise<void>;

  /** How much waits: counted up to 100,000. */
  backlog(): Promise<OutboxBacklog>;

  /** Adds a row for each of up to `limit` workflows whose run is above `after`; gives the last of them, or null where there is none. */
  refill(after: Run, limit: number): Promise<Run | null>;

  /** A text that core keeps here about the index; null: none yet. */
  note(): Promise<string | null>;

  /** Replaces the note where it is still the expected one; false: it is another. */
  replaceNote(expected: string | null, next: string): Promise<boolean>;
}

export interface OutboxRow {
  /**
   * The row's number, never given again, and the change's revision: for one workflow, a later transaction's is higher.
   */
  readonly place: number;
  readonly run: Run;
  /** When it was added. */
  readonly at: number;
}

export interface OutboxBacklog {
  readonly rows: number;
  /** Of the oldest row; null: there is none. */
  readonly oldestAt: number | null;
}
