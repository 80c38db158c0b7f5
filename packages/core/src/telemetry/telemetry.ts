/**
 * Where a host tells what can be measured: spans and metrics are made of it, by `@wfe/otel` or by another.
 *
 * No call blocks, waits for anything or throws; what an exporter does, or fails to do, changes nothing for a workflow. A host
 * without telemetry makes none of these calls.
 */
export interface Telemetry {
  /** A host opens. Gives what it tells to, until `close`. */
  open(host: TelemetryHost): HostTelemetry;
}

/** What telemetry may ask of its host, whenever it is collected. */
export interface TelemetryHost {
  readonly name: string;
  readonly namespace: string;
  /** Read from memory. */
  stats(): TelemetryStats;
  /** Asks the store; workflows of the host's own namespace. */
  countByStatus(): Promise<ReadonlyMap<string, number>>;
  /** Asks the store how much the search index has still to be told; undefined: there is none. */
  outboxDepth(): Promise<number | undefined>;
}

export interface TelemetryStats {
  readonly inHand: number;
  readonly bodies: number;
  readonly bodiesLeftBehind: number;
  /** How late the oldest due work is that nobody has taken. */
  readonly lagMs: number;
}

export interface HostTelemetry {
  /** The W3C `traceparent` of who calls, to be kept in the workflow that is started; undefined: there is none. */
  caller(): string | undefined;
  /** Whether anything is made of attempts and turns now: where not, they are not told. */
  readonly active: boolean;
  /** An attempt of a step is about to run. `traceparent`: of who started the workflow. */
  attempt(attempt: TelemetryAttempt, traceparent: string | undefined): AttemptTelemetry;
  /** A turn was decided, and its end at the store is known. */
  turn(turn: TelemetryTurn): void;
  /** A new workflow came into hand, so long after it could have. */
  queued(delayMs: number): void;
  /** Something that time makes due was done, so long after its time. */
  timer(lagMs: number): void;
  /** An append was refused: another host goes on with the workflow, or its journal has a hole. */
  lost(reason: "conflict" | "hole"): void;
  /** A workflow was taken over from a dead host. */
  takenOver(): void;
  close(): void;
}

export interface TelemetryAttempt {
  readonly workflow: {
    readonly id: string;
    readonly namespace: string;
    readonly definitionId: string;
    readonly version: number;
  };
  readonly node: { readonly id: string; readonly name: string };
  readonly attempt: number;
  readonly executionId: string;
}

/** One attempt under way. */
export interface AttemptTelemetry {
  /** Runs the body, so that what it calls is seen to be part of it. */
  run<Result>(body: () => Result): Result;
  /** It has ended; `abandoned`: its result is not wanted any more. */
  ended(outcome: "returned" | "threw" | "timed-out" | "abandoned", error?: unknown): void;
}

export interface TelemetryTurn {
  readonly workflowId: string;
  readonly namespace: string;
  readonly definitionId: string;
  readonly seq: number;
  readonly entries: number;
  /** What it is about: the kind of its first entry. */
  readonly kind: string;
  readonly outcome: "applied" | "conflict" | "hole" | "failed";
  readonly durationMs: number;
  readonly traceparent: string | undefined;
}
