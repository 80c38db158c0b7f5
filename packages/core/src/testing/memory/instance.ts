import type {
  Checkpoint,
  DeliveryOutcome,
  NewWorkflow,
  Run,
  StoredDelivery,
  StoredLogLine,
  StoredTurn,
  Subscription,
  WaitingFor,
  WorkflowRow,
  WorkflowStatus,
} from "../../providers/index.ts";
import type { IndexedHeap } from "../indexed-heap.ts";
import type { Stream } from "./streams.ts";

/** One workflow and all that is its own. Mutable: never handed out, `toRow` copies. */
export interface Instance {
  readonly run: Run;
  readonly namespace: string;
  readonly id: string;
  readonly uid: string;
  readonly definitionId: string;
  version: number;
  definitionHash: string;
  status: WorkflowStatus;
  readonly priority: number;
  readonly tags: readonly string[];
  readonly createdAt: number;
  updatedAt: number;
  completedAt: number | null;
  dueAt: number | null;
  owner: string | null;
  claim: number;
  signals: number;
  readonly parent: { readonly run: Run; readonly pointer: number } | null;
  readonly startText: string;
  resultText: string | null;
  errorText: string | null;
  waitingFor: readonly WaitingFor[];

  /** Whether its last owner died with it. */
  orphaned: boolean;
  /** Its journal: the turn of seq n is at n. */
  readonly turns: StoredTurn[];
  checkpoint: Checkpoint | null;
  readonly inbox: Inbox;
  /** By pointer and stream. */
  readonly subscriptions: Map<string, LiveSubscription>;
  /** What its steps wrote, and how many lines that ever were. */
  readonly logs: StoredLogLine[];
  logged: number;
  /** The heap of the due index that holds it, if one does. */
  heap: IndexedHeap<Instance> | undefined;
}

interface Inbox {
  /** The highest number given. */
  last: number;
  /** By number, in order. */
  readonly unread: Map<number, UnreadDelivery>;
  /** How many of the unread ones count for the limit. */
  limited: number;
  /** The numbers of all that ever came, so that storing one again does nothing. */
  readonly numbers: Map<string, number>;
  readonly outcomes: Map<number, DeliveryOutcome>;
}

interface UnreadDelivery extends StoredDelivery {
  readonly keepOutcome: boolean;
  readonly exempt: boolean;
}

interface LiveSubscription extends Subscription {
  readonly stream: Stream;
}

export function newInstance(run: Run, workflow: NewWorkflow, now: number): Instance {
  const first = workflow.firstTurn;
  return {
    run,
    namespace: workflow.namespace,
    id: workflow.id,
    uid: workflow.uid,
    definitionId: workflow.definitionId,
    version: workflow.version,
    definitionHash: workflow.definitionHash,
    status: "runnable",
    priority: workflow.priority,
    tags: Object.freeze([...workflow.tags]),
    createdAt: now,
    updatedAt: now,
    completedAt: null,
    dueAt: workflow.startAt ?? now,
    owner: null,
    claim: 0,
    signals: 0,
    parent:
      workflow.parent === null ? null : Object.freeze({ run: workflow.parent.run, pointer: workflow.parent.pointer }),
    startText: workflow.startText,
    resultText: null,
    errorText: null,
    waitingFor: [],
    orphaned: false,
    turns:
      first === null
        ? []
        : [Object.freeze({ seq: 0, turn: first.turn, at: now, host: first.host, entriesText: first.entriesText })],
    checkpoint: null,
    inbox: { last: 0, unread: new Map(), limited: 0, numbers: new Map(), outcomes: new Map() },
    subscriptions: new Map(),
    logs: [],
    logged: 0,
    heap: undefined,
  };
}

/** A copy of its own; what it shares with the instance is frozen. */
export function toRow(instance: Instance): WorkflowRow {
  return {
    run: instance.run,
    namespace: instance.namespace,
    id: instance.id,
    uid: instance.uid,
    definitionId: instance.definitionId,
    version: instance.version,
    definitionHash: instance.definitionHash,
    status: instance.status,
    priority: instance.priority,
    tags: instance.tags,
    createdAt: instance.createdAt,
    updatedAt: instance.updatedAt,
    completedAt: instance.completedAt,
    dueAt: instance.dueAt,
    owner: instance.owner,
    claim: instance.claim,
    signals: instance.signals,
    parent: instance.parent,
    startText: instance.startText,
    resultText: instance.resultText,
    errorText: instance.errorText,
    waitingFor: instance.waitingFor,
  };
}
