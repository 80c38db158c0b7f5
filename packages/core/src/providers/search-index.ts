import type { Run } from "./records.ts";

/**
 * Finds workflows by what is in them. It is a hint, as every index is: the store is the truth, and what is found is read there.
 *
 * An index knows nothing of a query language, of words or of types: core makes `terms` of everything that is looked for, the same
 * way for a document and for a query, and the index compares them as plain text, byte for byte. So all indexes give equal answers.
 *
 * **Errors** are `StoreError`s; `transient` says whether the same call may succeed later. Nothing an index does or fails to do
 * may slow or fail a workflow: only the host that feeds it, and whoever searches, ever wait for it.
 */
export interface SearchIndex {
  /** Which index this is: the hosts of one store feed one and the same. */
  readonly name: string;

  /**
   * Makes ready what documents are kept in, for the store of this id, and says which one it is: another text than the last time says
   * that it is a new one, to which everything is to be written anew. Called again after every failure. An index that is lost only
   * with its store always says the same.
   *
   * Rejects with an `InvalidOptionError` where the index holds documents of another store, which must not be mixed.
   */
  attach(store: string): Promise<string>;

  /**
   * Stores and deletes documents, all of a run's at once. A change whose revision is not above that of the run's last one, a
   * deletion included, changes nothing: writes may be repeated, and may come late. (A deletion may be forgotten after a minute.)
   *
   * Answers in order, one result per change: one that is refused for itself never fails its neighbours. Rejects where the whole
   * may be tried again; some of it may have been done.
   */
  write(changes: readonly SearchChange[]): Promise<readonly SearchWritten[]>;

  /** Resolves when everything that was written before can be found. */
  refresh(): Promise<void>;

  /** A page of what matches, in order. */
  find(query: IndexQuery, page: IndexPage): Promise<FoundPage>;

  /** How many match, and per facet asked for how many of them have each value. */
  count(query: IndexQuery, facets: readonly SearchFacet[]): Promise<SearchCounts>;

  /** Forgets all documents, and all revisions. `attach` first, and again afterwards. */
  clear(): Promise<void>;
}

/** What an index keeps of one workflow. Texts are well-formed and hold no NUL. */
export interface SearchDocument {
  readonly namespace: string;
  /** The workflow's. */
  readonly id: string;
  readonly createdAt: number;
  readonly completedAt: number | null;
  /** What it is found by: distinct, at most 10,000 and 256 KiB together, each at most 1,100 bytes. */
  readonly terms: readonly string[];
  /** Numbers and times in its data, by path: distinct, at most 100. */
  readonly values: readonly SearchValue[];
  /** What is counted: per facet distinct values, at most 1,000. */
  readonly facets: Readonly<Record<SearchFacet, readonly string[]>>;
}

export interface SearchValue {
  readonly path: string;
  /** Finite. */
  readonly value: number;
}

export type SearchFacet = "definition" | "version" | "status" | "tag" | "step" | "waitingFor";

export const searchFacets: readonly SearchFacet[] = ["definition", "version", "status", "tag", "step", "waitingFor"];

export interface SearchChange {
  readonly run: Run;
  /** A whole number from 1: of two changes of one run, the higher one is the newer. */
  readonly revision: number;
  /** null: the workflow is no more. */
  readonly document: SearchDocument | null;
}

/** `stale`: something as new or newer was there. */
export type SearchWritten =
  | { readonly outcome: "written" | "stale" }
  | { readonly outcome: "refused"; readonly error: Error };

/** Everything given has to hold. */
export interface IndexQuery {
  readonly namespace: string;
  /** Each of these terms. */
  readonly all: readonly string[];
  /** Of each of these lists one term at least. A list is never empty. */
  readonly any: readonly (readonly string[])[];
  readonly createdAt: SearchBounds;
  /** With a bound: only of what has one. */
  readonly completedAt: SearchBounds;
  /** For each of these a value of the path that is within, both ends included. */
  readonly values: readonly { readonly path: string; readonly from: number; readonly to: number }[];
}

/** Both exclusive. */
export interface SearchBounds {
  readonly above?: number;
  readonly below?: number;
}

/**
 * `newest`: by `createdAt`, the last first; `oldest`: the first first. Of equal times, in both, by `id` from the lowest, compared
 * by code points, which is how UTF-8 compares byte for byte.
 */
export interface IndexPage {
  readonly order: "newest" | "oldest";
  readonly limit: number;
  /** Only what comes after this place in the order. */
  readonly after?: SearchPlace;
}

export interface SearchPlace {
  readonly createdAt: number;
  readonly id: string;
}

export interface SearchHit extends SearchPlace {
  readonly run: Run;
}

export interface FoundPage {
  readonly hits: readonly SearchHit[];
  /** Whether something follows. */
  readonly more: boolean;
}

export interface SearchCounts {
  readonly total: number;
  /**
   * For each facet that was asked for at most 100 values, the most frequent first, of equals the lowest by code points. */
  readonly facets: Readonly<Partial<Record<SearchFacet, readonly FacetCount[]>>>;
}

export interface FacetCount {
  readonly value: string;
  readonly count: number;
}

/** The most values of a facet that are counted. */
export const mostFacetValues = 100;
