export type { LifecycleEvent, LifecycleEventType, LifecyclePublisher } from "./lifecycle-publisher.ts";
export type { Lease, LeaseHolder, LockProvider, ProcessIdentity } from "./lock-provider.ts";
export type {
  Awaitable,
  ClaimedWorkflow,
  ClaimRequest,
  CommitResult,
  DefinitionRef,
  LoadedWorkflow,
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
export type { Clock, Runtime, Timer } from "../runtime/runtime.ts";
export { systemClock, systemRuntime } from "../runtime/system-runtime.ts";
export { CorruptedRecordError, InvalidOptionError, NewerFormatError, StoreError, WfeError } from "../errors.ts";
export type { StepContext } from "../definition/step-context.ts";
export { transactionalStep, type TransactionalStep } from "../definition/transactional.ts";
