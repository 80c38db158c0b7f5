export type { LifecycleEvent, LifecycleEventType, LifecyclePublisher } from "./lifecycle-publisher.ts";
export type { Lease, LeaseHolder, LockProvider, ProcessIdentity } from "./lock-provider.ts";
export type { LogStore, NewLogLine, StoredLogLine } from "./log-store.ts";
export type {
  Awaitable,
  ClaimedWorkflow,
  ClaimRequest,
  CommitResult,
  DefinitionRef,
  LoadedWorkflow,
  LockBinding,
  PersistenceProvider,
  PullRequest,
  PullResult,
  RowWrite,
  StoreHint,
  StreamCursor,
  StreamEvents,
  TransactionalTurn,
  TurnCommit,
  WorkflowFilter,
} from "./persistence-provider.ts";
export { isProvenGone } from "./process-liveness.ts";
export type { Provider, ProviderContext } from "./provider.ts";
export type { Pulled, QueueItem, QueueProvider } from "./queue-provider.ts";
export * from "./records.ts";
export {
  type FacetCount,
  type FoundPage,
  type IndexPage,
  type IndexQuery,
  mostFacetValues,
  type SearchBounds,
  type SearchChange,
  type SearchCounts,
  type SearchDocument,
  type SearchFacet,
  searchFacets,
  type SearchHit,
  type SearchIndex,
  type SearchPlace,
  type SearchValue,
  type SearchWritten,
} from "./search-index.ts";
export type { OutboxBacklog, OutboxRow, SearchOutbox } from "./search-outbox.ts";
export type { Clock, Runtime, Timer } from "../runtime/runtime.ts";
export { systemClock, systemRuntime } from "../runtime/system-runtime.ts";
export { CorruptedRecordError, InvalidOptionError, NewerFormatError, StoreError, WfeError } from "../errors.ts";
export type { StepContext } from "../definition/step-context.ts";
export { transactionalStep, type TransactionalStep } from "../definition/transactional.ts";
