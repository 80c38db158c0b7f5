export type { ConformanceHarness, TestFunctions } from "./conformance/harness.ts";
export { lockConformance, type LockHarness } from "./conformance/lock-conformance.ts";
export { persistenceConformance } from "./conformance/persistence/persistence-conformance.ts";
export type { PersistenceHarness, TransactionsHarness } from "./conformance/persistence/suite.ts";
export { queueConformance, type QueueHarness } from "./conformance/queue-conformance.ts";
export { memory, type MemoryOptions } from "./memory/memory.ts";
export { TestClock, type TestClockOptions } from "./test-clock.ts";
export { runToEnd, type RunToEndEvent, type RunToEndOptions } from "./run-to-end.ts";
export { testRuntime } from "./test-runtime.ts";
