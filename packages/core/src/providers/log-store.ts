import type { Run } from "./records.ts";

/**
 * Where what steps write is kept: bounded, beside the journal, and of no consequence for any workflow. Lines of a workflow that is
 * not there are dropped; those of one that is purged go with it.
 */
export interface LogStore {
  /** Appends lines, each workflow's in the order given, and keeps only the newest `keep` of each. */
  append(lines: readonly NewLogLine[], keep: number): Promise<void>;
  /** Lines of one workflow with a number above `after`, the lowest first, at most `limit`. */
  read(run: Run, range: { readonly after: number; readonly limit: number }): Promise<readonly StoredLogLine[]>;
}

export interface NewLogLine {
  readonly run: Run;
  readonly at: number;
  readonly lineText: string;
}

export interface StoredLogLine {
  /** Rises with every line of a workflow; with gaps. */
  readonly number: number;
  readonly at: number;
  readonly lineText: string;
}
