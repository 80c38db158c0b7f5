import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { StepClass } from "../../definition/nodes.ts";
import type { StepContext, StepLog } from "../../definition/step-context.ts";
import type { EngineLimits } from "../../engine/decision.ts";
import type { LifecycleEvent, LifecyclePublisher } from "../../providers/lifecycle-publisher.ts";
import type { LockProvider } from "../../providers/lock-provider.ts";
import type { DefinitionRef, PersistenceProvider } from "../../providers/persistence-provider.ts";
import type { Provider } from "../../providers/provider.ts";
import type { QueueProvider } from "../../providers/queue-provider.ts";
import type { DeliveryOutcome, Run, WorkflowStatus } from "../../providers/records.ts";
import type { SearchIndex } from "../../providers/search-index.ts";
import type { SearchOutbox } from "../../providers/search-outbox.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { LogKeeper } from "./log-keeper.ts";
import type { HostTelemetry } from "../../telemetry/telemetry.ts";

/** What all parts of a host share. `WorkflowHost` makes one; nothing else is global. */
export interface HostCore {
  readonly runtime: Runtime;
  readonly providers: ResolvedProviders;
  readonly registry: Registry;
  readonly hub: LifecycleHub;
  readonly options: HostSettings;
  /** Names this host in leases, turns and lifecycle events. */
  readonly hostName: string;
  /** Engine time: the store's at the last synchronization, plus monotonic time since. See `engineTime`. */
  readonly engineNow: () => number;
  /** Reads the store's time anew. The runner calls it at every heartbeat. */
  readonly syncEngineTime: () => Promise<void>;
  readonly log: StepLog;
  /** What steps write goes to the store by it; undefined: the store keeps none of it, or is not to. */
  readonly logs: LogKeeper | undefined;
  /** Undefined: nothing is measured, and nothing that could be is noted. */
  readonly telemetry: HostTelemetry | undefined;
}

/** The interfaces a host uses, after later providers of its list have overridden earlier ones. */
export interface ResolvedProviders {
  readonly persistence: PersistenceProvider;
  readonly lock: LockProvider;
  readonly queue: QueueProvider;
  /** Whether the queue is a service beside the store: what this process wakes is offered there to other hosts. */
  readonly queueStandsApart: boolean;
  readonly lifecycle: LifecyclePublisher | undefined;
  /** The index and what it is fed from; undefined where no provider brings an index. */
  readonly search: SearchFeed | undefined;
  /** All of them, in order: opened before the runner starts, closed after it has stopped. */
  readonly list: readonly Provider[];
}

export interface SearchFeed {
  readonly index: SearchIndex;
  readonly outbox: SearchOutbox;
}

/** The definitions that a host has. */
export interface Registry {
  get(id: string, version: number): WorkflowDefinition | undefined;
  /** What runs workflows that were stored with this structure: the one of the same hash, or any where redefining is allowed. */
  running(id: string, version: number, hash: string): WorkflowDefinition | undefined;
  /** The one with the highest version. */
  latest(id: string): WorkflowDefinition | undefined;
  /** What workflows are claimed by. The same array until one is added. */
  all(): readonly DefinitionRef[];
  /** The same, whatever the structure; the same array, too. */
  inAnyStructure(): readonly DefinitionRef[];
  /** Calls the listener when a definition was added. Gives a function that ends it. */
  onChange(listener: () => void): () => void;
}

/** Where the runner tells what has happened; everything told is committed already. No call throws or blocks. */
export interface LifecycleHub {
  /** Whether anyone listens: where not, events need not be made. */
  readonly active: boolean;
  emit(event: Omit<LifecycleEvent, "at" | "host">): void;
  /** Told always, listeners or not: a workflow of this host has ended, and this is what its row holds. For local waiters. */
  ended(workflow: EndedWorkflow): void;
  /** Told always: a workflow has read these deliveries. For local waiters of `applied()`. */
  deliveriesRead(run: Run, outcomes: readonly DeliveryOutcome[]): void;
}

export interface EndedWorkflow {
  readonly run: Run;
  readonly namespace: string;
  readonly workflowId: string;
  readonly status: WorkflowStatus;
  readonly completedAt: number | null;
  readonly resultText: string | null;
  readonly errorText: string | null;
}

/** Wraps every attempt of a step. Its return is the attempt's result, its throw fails it. */
export type Middleware = (context: StepContext, next: () => Promise<unknown>) => Promise<unknown>;

/** Makes the instance of a step class for one attempt. */
export type CreateStep = (step: StepClass) => { run(input: unknown, context: StepContext): unknown };

export interface HostLimits extends EngineLimits {
  /** Unread deliveries of one workflow. */
  readonly inboxDeliveries: number;
  /** Items in one call of a caller, and in one call of the store. */
  readonly batch: number;
  /** Bytes of one piece of `ctx.write`, and of a message of `ctx.progress` or `ctx.log`. */
  readonly outputLineBytes: number;
  /** Lines that are kept of one workflow's steps: the newest. */
  readonly logLines: number;
}

/** Workflows that a host takes only. */
export interface OnlyThese {
  readonly namespace: string;
  readonly ids: readonly string[];
}

/** The options of a host, checked and complete. */
export interface HostSettings {
  /** Absent: whatever is due. Children of these are taken as well. */
  readonly only?: OnlyThese;
  /** Workflows in hand at once. */
  readonly concurrency: number;
  /** Bodies running at once, over all workflows. */
  readonly maxBodies: number;
  /** How long a silent host keeps its workflows. */
  readonly leaseMs: number;
  /** Deaths of a host while the workflow ran alone that suspend it as poison. */
  readonly maxLoneDeaths: number;
  readonly limits: HostLimits;
  /** How long `stop` lets running bodies finish. */
  readonly graceMs: number;
  /** Outermost first. */
  readonly middleware: readonly Middleware[];
  readonly createStep: CreateStep;
  /** Absent bounds keep for ever. */
  readonly retention: { readonly workflowsMs?: number; readonly eventsMs?: number };
  /** How often the store is asked for due work when nothing hints at any. */
  readonly pollMs: number;
  /** Time that comes sooner than this is waited for in hand, not parked. */
  readonly nearMs: number;
  /** A checkpoint is written after at least so many turns. */
  readonly checkpointTurns: number;
}

/** Defaults of everything that is not the user's own code. */
export const defaultSettings: Omit<HostSettings, "limits" | "middleware" | "createStep" | "retention"> = {
  concurrency: 500,
  maxBodies: 5_000,
  leaseMs: 10_000,
  maxLoneDeaths: 3,
  graceMs: 30_000,
  pollMs: 1_000,
  nearMs: 1_000,
  checkpointTurns: 64,
};

/** Limits of the host, beside the engine's. */
export const defaultHostLimits: Omit<HostLimits, keyof EngineLimits> = {
  inboxDeliveries: 10_000,
  batch: 500,
  outputLineBytes: 64 * 1024,
  logLines: 1_000,
};

/** The half of a host that runs workflows. Made by `createRunner`; a host that was never started needs none. */
export interface Runner {
  /** Opens the lease, takes over what dead hosts left and begins to run what is due. Rejects where that cannot be. */
  start(): Promise<void>;
  /**
   * Begins no more steps, lets bodies finish for `timeoutMs`, aborts the rest, parks everything and ends the lease. The providers
   * stay open. A second call waits for the first one.
   */
  stop(options: { readonly timeoutMs: number }): Promise<void>;
  /** Says that workflows may have become due, or were signalled: after a start, a delivery or a publish of this host. */
  wake(runs?: readonly Run[]): void;
  /** Whether the workflow is in hand: if it ends now, it most likely does so here. */
  has(run: Run): boolean;
  stats(): RunnerStats;
}

export interface IndexerStats {
  /** `standby`: another host feeds the index. `other-index`: the store's hosts feed another one than this host has. */
  readonly state: "starting" | "indexing" | "standby" | "other-index";
  /** Workflows that the index refused, since this host started: no search finds them. */
  readonly refused: number;
  /** Why the last attempt failed; undefined where it did not. */
  readonly error: Error | undefined;
}

export interface RunnerStats {
  readonly state: "new" | "running" | "stopping" | "stopped";
  /** Workflows in hand. */
  readonly inHand: number;
  /** Bodies at work, those left behind not counted. */
  readonly bodies: number;
  /** Bodies whose attempt is over (time-out, cancellation, lost claim) and that have not returned. */
  readonly bodiesLeftBehind: number;
  /** How late the work claimed last was, in milliseconds. */
  readonly lagMs: number;
  /** Whether the host's lease was alive at the last heartbeat. */
  readonly leaseAlive: boolean;
  /** How feeding the search index goes on this host; undefined where there is none. */
  readonly search: IndexerStats | undefined;
}
