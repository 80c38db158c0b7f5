import {
  type NewEvent,
  type NewWorkflow,
  type RowWrite,
  type Run,
  systemRuntime,
  type TurnCommit,
} from "@wfe/core/providers";

const runtime = systemRuntime();

/** The definition that workflows have. */
export const definition = { id: "order", version: 1 } as const;

export function workflow(over: Partial<NewWorkflow> = {}): NewWorkflow {
  return {
    namespace: "default",
    id: runtime.randomId(),
    uid: runtime.randomId(),
    definitionId: definition.id,
    version: definition.version,
    definitionHash: "hash",
    priority: 0,
    tags: [],
    startAt: null,
    startText: "{}",
    parent: null,
    firstTurn: null,
    ...over,
  };
}

export function turn(run: Run, seq: number, over: Partial<TurnCommit> = {}): TurnCommit {
  return {
    run,
    claim: 1,
    seq,
    turn: runtime.randomId(),
    host: "host-1",
    entriesText: "[]",
    namespace: "default",
    ...over,
  };
}

export function waitingRow(over: Partial<RowWrite> = {}): RowWrite {
  return {
    status: "waiting",
    dueAt: null,
    release: true,
    notedSignals: 0,
    version: definition.version,
    definitionHash: "hash",
    completedAt: null,
    resultText: null,
    errorText: null,
    waitingFor: [],
    ...over,
  };
}

export function event(over: Partial<NewEvent> = {}): NewEvent {
  return {
    namespace: "default",
    name: "paid",
    key: "o-1",
    eventId: runtime.randomId(),
    payloadText: "{}",
    effectiveAt: null,
    ...over,
  };
}
