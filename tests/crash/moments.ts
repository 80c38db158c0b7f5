import type { Moment } from "./dying-provider.ts";

/** A process that dies at a moment, and the kind of workflow in which that moment comes. */
export interface Case extends Moment {
  readonly title: string;
  readonly kind: string;
  /** Which data to take, where it matters. */
  readonly data?: Record<string, unknown>;
  /** Whether the process that dies is the one that starts the workflow, or publishes, itself. */
  readonly by?: "starter" | "publisher";
  /** In the long run only. */
  readonly long?: true;
}

const undone = { price: 99 };

/** Each named point of a turn's way, before and after the store has done it. */
export const cases: readonly Case[] = [
  { title: "before its lease is opened", kind: "chain", call: "openLease", when: "before", long: true },
  { title: "after its lease is opened", kind: "chain", call: "openLease", when: "after" },
  { title: "while a heartbeat is stored", kind: "timers", call: "renewLeases", when: "after", long: true },
  { title: "before a claim", kind: "chain", call: "claim", when: "before", long: true },
  { title: "after a claim that it has not heard of", kind: "chain", call: "claim", when: "after" },
  { title: "before a workflow is loaded", kind: "events", call: "load", when: "before", long: true },
  { title: "before the first turn is stored", kind: "chain", call: "commit", when: "before" },
  { title: "after the first turn is stored", kind: "chain", call: "commit", when: "after" },
  {
    title: "before a step's result is stored",
    kind: "chain",
    call: "commit",
    when: "before",
    saying: "step-completed",
  },
  { title: "after a step's result is stored", kind: "chain", call: "commit", when: "after", saying: "step-completed" },
  { title: "in a transactional step that has written", kind: "chain", call: "commit", when: "during" },
  {
    title: "in the second of two transactional steps",
    kind: "chain",
    call: "commit",
    when: "during",
    nth: 2,
    long: true,
  },
  {
    title: "in the middle of a loop",
    kind: "loop",
    call: "commit",
    when: "after",
    saying: "iteration-started",
    nth: 3,
  },
  {
    title: "when some items are done",
    kind: "fan",
    data: { items: [1, 2, 3, 4, 5] },
    call: "commit",
    when: "before",
    saying: "branch-ended",
    nth: 2,
  },
  {
    title: "when branches are joined",
    kind: "branches",
    call: "commit",
    when: "after",
    saying: "branch-ended",
    nth: 3,
    long: true,
  },
  { title: "before a retry is stored", kind: "retries", call: "commit", when: "before", saying: "step-retrying" },
  { title: "after a retry is stored", kind: "retries", call: "commit", when: "after", saying: "step-retrying", nth: 2 },
  {
    title: "before a timer is stored",
    kind: "timers",
    call: "commit",
    when: "before",
    saying: "timer-set",
    long: true,
  },
  { title: "after a timer is stored", kind: "timers", call: "commit", when: "after", saying: "timer-set" },
  { title: "before a time-out is stored", kind: "timers", call: "commit", when: "before", saying: "wait-timed-out" },
  { title: "before a workflow is parked", kind: "events", call: "commit", when: "before", doing: "parking" },
  { title: "while a workflow is parked", kind: "events", call: "commit", when: "after", doing: "parking" },
  {
    title: "before a subscription is stored",
    kind: "events",
    call: "commit",
    when: "before",
    doing: "subscribe",
    long: true,
  },
  { title: "before an event is consumed", kind: "events", call: "commit", when: "before", saying: "event-consumed" },
  { title: "after an event is consumed", kind: "events", call: "commit", when: "after", saying: "event-consumed" },
  { title: "before its children are stored", kind: "family", call: "commit", when: "before", doing: "children" },
  { title: "after its children are stored", kind: "family", call: "commit", when: "after", doing: "children" },
  {
    title: "before a child's end is told to its parent",
    kind: "family",
    call: "commit",
    when: "before",
    doing: "deliver",
  },
  {
    title: "after a child's end is told to its parent",
    kind: "family",
    call: "commit",
    when: "after",
    doing: "deliver",
  },
  {
    title: "before a parent has read of its child's end",
    kind: "family",
    call: "commit",
    when: "before",
    doing: "read",
    long: true,
  },
  {
    title: "before an undoing begins",
    kind: "saga",
    data: undone,
    call: "commit",
    when: "before",
    saying: "undo-started",
  },
  {
    title: "after an undoing has begun",
    kind: "saga",
    data: undone,
    call: "commit",
    when: "after",
    saying: "undo-step-started",
  },
  { title: "in a transactional compensation", kind: "saga", data: undone, call: "commit", when: "during", nth: 4 },
  {
    title: "before a completed undoing is stored",
    kind: "saga",
    data: undone,
    call: "commit",
    when: "before",
    saying: "undo-completed",
    nth: 1,
  },
  {
    title: "after a completed undoing is stored",
    kind: "saga",
    data: undone,
    call: "commit",
    when: "after",
    saying: "undo-completed",
    nth: 1,
  },
  {
    title: "when a saga has been undone",
    kind: "saga",
    data: undone,
    call: "commit",
    when: "before",
    saying: "undo-ended",
    long: true,
  },
  {
    title: "before a checkpoint is stored",
    kind: "loop",
    data: { times: 200, round: 0, sum: 0 },
    call: "commit",
    when: "before",
    doing: "checkpoint",
  },
  {
    title: "after a checkpoint is stored",
    kind: "loop",
    data: { times: 200, round: 0, sum: 0 },
    call: "commit",
    when: "after",
    doing: "checkpoint",
  },
  { title: "before the end is stored", kind: "graph", call: "commit", when: "before", saying: "workflow-completed" },
  { title: "after the end is stored", kind: "graph", call: "commit", when: "after", saying: "workflow-completed" },
  { title: "before a start is stored", kind: "chain", by: "starter", call: "create", when: "before" },
  {
    title: "after a start that its caller has not heard of",
    kind: "chain",
    by: "starter",
    call: "create",
    when: "after",
  },
  { title: "before an event is stored", kind: "events", by: "publisher", call: "publish", when: "before" },
  {
    title: "after an event is stored that its publisher has not heard of",
    kind: "events",
    by: "publisher",
    call: "publish",
    when: "after",
  },
  {
    title: "before an event that a step publishes is stored",
    kind: "relay",
    call: "publish",
    when: "before",
    long: true,
  },
  { title: "after an event that a step publishes is stored", kind: "relay", call: "publish", when: "after" },
];

/** The moments at which a process takes over what another one has left, that died in the middle of a step. */
export const takeovers: readonly Case[] = [
  { title: "before a dead lease is reaped", kind: "chain", call: "reap", when: "before", long: true },
  { title: "after a dead lease is reaped", kind: "chain", call: "reap", when: "after" },
  { title: "before a dead host's workflows are freed", kind: "chain", call: "orphan", when: "before", long: true },
  { title: "after a dead host's workflows are freed", kind: "chain", call: "orphan", when: "after" },
  { title: "before the take-over is stored", kind: "chain", call: "commit", when: "before", saying: "taken-over" },
  { title: "after the take-over is stored", kind: "chain", call: "commit", when: "after", saying: "taken-over" },
];
