export { event } from "./builder/event.ts";
export { retry } from "./builder/retry.ts";
export type { Retry, StepRetryOptions } from "./builder/retry.ts";
export { workflow } from "./builder/workflow.ts";
export type { WorkflowOptions } from "./builder/workflow.ts";
// Types of builders are exported under their own names, so that fragments can be named in the declarations of libraries.
export type { ChainCourse, ChainLink, ChainPlace, NoChainLink, StraightCourse } from "./builder/types/chain-types.ts";
export type { BuildOptions, EndedBuilder } from "./builder/types/ending.ts";
export type { GraphBuilder, GraphNodeBuilder, GraphPlace } from "./builder/types/graph-builder.ts";
export type { GraphOptions, ParallelOptions } from "./builder/types/joining.ts";
export type {
  ChildBuilder,
  ContainerBuilder,
  SagaBuilder,
  StepBuilder,
  WaitBuilder,
} from "./builder/types/link-builders.ts";
export type { ForEachOptions } from "./builder/types/looping.ts";
export type { SagaDone, SagaFailed } from "./builder/types/modifiers.ts";
export type { ParallelBuilder } from "./builder/types/parallel-builder.ts";
export type { RunWorkflowOptions } from "./builder/types/running.ts";
export type { StepLike } from "./builder/types/step-types.ts";
export type { WaitForOptions } from "./builder/types/waiting.ts";
export type { WorkflowBuilder } from "./builder/types/workflow-builder.ts";
export type { WorkflowDefinition } from "./definition/definition.ts";
export type { ErrorBehavior, FinalBehavior, RetryBehavior } from "./definition/error-behavior.ts";
export type { EventType } from "./definition/event-type.ts";
export { ExecutionResult } from "./definition/execution-result.ts";
export type {
  NextResult,
  OutcomeResult,
  PersistResult,
  SleepResult,
  StepResult,
  WaitForEventResult,
} from "./definition/execution-result.ts";
export type { StandardIssue, StandardResult, StandardSchema } from "./definition/standard-schema.ts";
export type { At, StepBody, StepContext, StepLog, Undoing, WorkflowInfo } from "./definition/step-context.ts";
export { transactionalStep } from "./definition/transactional.ts";
export type { TransactionalStep } from "./definition/transactional.ts";
export { parseDuration } from "./duration.ts";
export type { Duration } from "./duration.ts";
export * from "./errors.ts";
export { WorkflowHost } from "./host/workflow-host.ts";
export type { TransactionOptions } from "./host/client/batches.ts";
export type { BulkOptions, BulkResult } from "./host/client/bulk.ts";
export type { CheckOptions, CheckResult, StrandedWorkflow } from "./host/client/check.ts";
export type {
  Accepted,
  MigrateOptions,
  RetryOptions,
  SkipOptions,
  SuspendOptions,
  TerminateOptions,
} from "./host/client/control.ts";
export type {
  ExplainedAction,
  ExplainedFailure,
  ExplainedWait,
  Explanation,
  Happening,
} from "./host/client/explain.ts";
export type { ForkOptions } from "./host/client/fork.ts";
export type { HostHealth, ProviderHealth } from "./host/client/health.ts";
export type { LogLine } from "./host/client/logs.ts";
export type { FieldsFirstLogger } from "./host/client/pino-log.ts";
export type { HistoryItem } from "./host/client/history.ts";
export type { SearchHealth } from "./host/client/health.ts";
export type { SearchCount, SearchOptions } from "./host/client/search.ts";
export type { StopOptions } from "./host/client/host-life.ts";
export type { WorkflowHostOptions } from "./host/client/host-options.ts";
export type { ListFilter, ListOptions } from "./host/client/list.ts";
export type { Published, PublishItem, PublishOptions } from "./host/client/publish.ts";
export type { StartItem, StartOptions } from "./host/client/start.ts";
export { replay } from "./host/client/replay.ts";
export type { HistoryFile, ReplayFinding } from "./host/client/replay.ts";
export type { ImportOptions } from "./host/client/transfer.ts";
export type { WaitOptions } from "./host/client/wait-bounds.ts";
export type { WorkflowClient } from "./host/client/workflow-client.ts";
export type { WorkflowHandle } from "./host/client/workflow-handle.ts";
export type {
  Page,
  PageOptions,
  PastState,
  StepDetails,
  WorkflowData,
  WorkflowDetails,
  WorkflowSummary,
} from "./host/client/workflow-views.ts";
export type { CreateStep, HostLimits, Middleware } from "./host/core/host-core.ts";
export type { LifecycleListener } from "./host/lifecycle-hub.ts";
export type { LifecycleEvents } from "./host/client/event-stream.ts";
export type { LifecycleEvent, LifecycleEventType } from "./providers/lifecycle-publisher.ts";
export type {
  AttemptTelemetry,
  HostTelemetry,
  Telemetry,
  TelemetryAttempt,
  TelemetryHost,
  TelemetryStats,
  TelemetryTurn,
} from "./telemetry/telemetry.ts";
export type { WaitingFor, WorkflowStatus } from "./providers/records.ts";
export type { FacetCount, SearchFacet } from "./providers/search-index.ts";
export type { DataCondition, DataRange, SearchQuery } from "./search/query.ts";
