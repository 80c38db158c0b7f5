export { WorkflowHost } from "./host/workflow-host.ts";
export type { TransactionOptions } from "./host/client/batches.ts";
export type { Accepted, RetryOptions, SuspendOptions, TerminateOptions } from "./host/client/control.ts";
export type { ForkOptions } from "./host/client/fork.ts";
export type { HostHealth, ProviderHealth } from "./host/client/health.ts";
export type { HistoryItem } from "./host/client/history.ts";
export type { StopOptions } from "./host/client/host-life.ts";
export type { WorkflowHostOptions } from "./host/client/host-options.ts";
export type { ListFilter, ListOptions } from "./host/client/list.ts";
export type { Published, PublishItem, PublishOptions } from "./host/client/publish.ts";
export type { StartItem, StartOptions } from "./host/client/start.ts";
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
export type { LifecycleEvent, LifecycleEventType } from "./providers/lifecycle-publisher.ts";
export type { WaitingFor, WorkflowStatus } from "./providers/records.ts";
