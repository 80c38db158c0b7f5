import { testFunctionsOf } from "../harness.ts";
import { childrenCases } from "./children-cases.ts";
import { claimCases } from "./claim-cases.ts";
import { commitCases } from "./commit-cases.ts";
import { createCases } from "./create-cases.ts";
import { eventCases } from "./event-cases.ts";
import { inboxCases } from "./inbox-cases.ts";
import { interleavingCases } from "./interleaving-cases.ts";
import { listCases } from "./list-cases.ts";
import { loadCases } from "./load-cases.ts";
import { logCases } from "./log-cases.ts";
import { namespaceCases } from "./namespace-cases.ts";
import { orphanCases } from "./orphan-cases.ts";
import { outboxCases } from "./outbox-cases.ts";
import { purgeCases } from "./purge-cases.ts";
import { reopenCases } from "./reopen-cases.ts";
import { rowCases } from "./row-cases.ts";
import { subscriptionCases } from "./subscription-cases.ts";
import { type PersistenceHarness, persistenceSuite } from "./suite.ts";
import { timeCases } from "./time-cases.ts";
import { transactionCases } from "./transaction-cases.ts";

const parts = [
  createCases,
  claimCases,
  commitCases,
  rowCases,
  childrenCases,
  loadCases,
  inboxCases,
  eventCases,
  subscriptionCases,
  interleavingCases,
  orphanCases,
  listCases,
  logCases,
  purgeCases,
  outboxCases,
  timeCases,
  namespaceCases,
  reopenCases,
  transactionCases,
];

/**
 * Declares the cases that every `PersistenceProvider` has to pass, as tests of the runner. Call it from a test file.
 *
 * Each case has a store of its own. Time is the test clock's, with which the provider is opened; what a case calls "soon" has
 * some seconds of real time and 20 s of the clock's. Errors come from `node:assert`.
 */
export function persistenceConformance(harness: PersistenceHarness): void {
  const test = testFunctionsOf(harness);
  test.describe(`${harness.name}: persistence`, () => {
    const suite = persistenceSuite(harness, test);
    for (const part of parts) part(suite);
  });
}
