import { ok } from "node:assert/strict";
import type { Awaitable, Provider } from "../../../providers/index.ts";
import { type ConformanceHarness, declareCase, type TestFunctions } from "../harness.ts";
import { Stage } from "./stage.ts";

/** Where the files of this suite declare their cases. */
export interface PersistenceSuite {
  readonly harness: PersistenceHarness;
  readonly describe: TestFunctions["describe"];
  readonly it: (claim: string, body: (stage: Stage) => Promise<void>) => void;
}

export interface PersistenceHarness extends ConformanceHarness {
  /** What a store with transactions needs for the cases about them. Absent: they are left out. */
  readonly transactions?: TransactionsHarness;
}

/** Access to the database beside the store, as a user's own code has it. */
export interface TransactionsHarness {
  /**
   * Opens a transaction of the caller's on the store's database, runs the body with its client, and commits; rolls back and
   * rejects where the body throws.
   */
  readonly run: (provider: Provider, body: (tx: unknown) => Awaitable<void>) => Promise<void>;
  /** Writes a word into a table of the user's, through the client of a transaction. Synchronous where the driver is. */
  readonly write: (tx: unknown, word: string) => Awaitable<void>;
  /** The words that are committed, in any order. */
  readonly words: (provider: Provider) => Promise<readonly string[]>;
}

export function persistenceSuite(harness: PersistenceHarness, test: TestFunctions): PersistenceSuite {
  return {
    harness,
    describe: test.describe,
    it: (claim, body) => {
      declareCase(harness, test, claim, async (open) => {
        const store = open.provider.persistence;
        ok(store, "the provider has persistence");
        await body(new Stage(open, store));
      });
    },
  };
}
