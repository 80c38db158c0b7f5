/** One instrument, as `docs/telemetry.md` lists it. */
export interface MetricInfo {
  readonly name: string;
  readonly kind: "counter" | "histogram" | "gauge";
  readonly unit: string;
  /** The attributes of its points; each has few values. */
  readonly attributes: readonly string[];
  readonly description: string;
}

export type MetricKey =
  | "workflows"
  | "inHand"
  | "bodies"
  | "lag"
  | "stepDuration"
  | "queueDelay"
  | "timerLag"
  | "commitDuration"
  | "lostAppends"
  | "takeOvers"
  | "outboxDepth"
  | "loopBlock";

/** Everything that is measured. The names are stable: dashboards and alerts hang on them. */
export const metrics: Readonly<Record<MetricKey, MetricInfo>> = {
  workflows: {
    name: "wfe.workflows",
    kind: "gauge",
    unit: "{workflow}",
    attributes: ["wfe.status"],
    description: "Workflows of the host's namespace by status, counted in the store when it is collected",
  },
  inHand: {
    name: "wfe.host.workflows",
    kind: "gauge",
    unit: "{workflow}",
    attributes: [],
    description: "Workflows that this host has in hand",
  },
  bodies: {
    name: "wfe.host.steps",
    kind: "gauge",
    unit: "{step}",
    attributes: ["wfe.state"],
    description: "Step bodies at work (running), or left behind by their attempt and still not ended (left-behind)",
  },
  lag: {
    name: "wfe.host.lag",
    kind: "gauge",
    unit: "s",
    attributes: [],
    description: "How late the oldest due work is that no host has taken",
  },
  stepDuration: {
    name: "wfe.step.duration",
    kind: "histogram",
    unit: "s",
    attributes: ["wfe.definition.id", "wfe.step.id", "wfe.outcome"],
    description: "From the beginning to the end of an attempt of a step",
  },
  queueDelay: {
    name: "wfe.queue.delay",
    kind: "histogram",
    unit: "s",
    attributes: [],
    description: "From when a workflow could begin until a host begins it",
  },
  timerLag: {
    name: "wfe.timer.lag",
    kind: "histogram",
    unit: "s",
    attributes: [],
    description: "From when a timer, deadline or retry was due until it is acted upon",
  },
  commitDuration: {
    name: "wfe.turn.commit.duration",
    kind: "histogram",
    unit: "s",
    attributes: ["wfe.outcome"],
    description: "From the decision of a turn until the store's answer",
  },
  lostAppends: {
    name: "wfe.appends.lost",
    kind: "counter",
    unit: "{turn}",
    attributes: ["wfe.reason"],
    description: "Turns that the store refused since another host goes on with the workflow, or turns are missing",
  },
  takeOvers: {
    name: "wfe.takeovers",
    kind: "counter",
    unit: "{workflow}",
    attributes: [],
    description: "Workflows taken over from hosts that had died",
  },
  outboxDepth: {
    name: "wfe.outbox.depth",
    kind: "gauge",
    unit: "{row}",
    attributes: [],
    description: "Changes that the search index has not been told yet, counted in the store when it is collected",
  },
  loopBlock: {
    name: "wfe.event_loop.block",
    kind: "gauge",
    unit: "s",
    attributes: [],
    description: "The longest time since the last collection for which the event loop of the process stood still",
  },
};

/** One kind of span. */
export interface SpanInfo {
  readonly name: string;
  readonly attributes: readonly string[];
  readonly description: string;
}

export type SpanKey = "step" | "turn";

export const spans: Readonly<Record<SpanKey, SpanInfo>> = {
  step: {
    name: "wfe.step",
    attributes: ["wfe.workflow.id", "wfe.definition.id", "wfe.step.id", "wfe.attempt", "wfe.outcome"],
    description: "An attempt of a step, from the beginning of its body to its end",
  },
  turn: {
    name: "wfe.turn",
    attributes: ["wfe.workflow.id", "wfe.seq", "wfe.kind", "wfe.outcome"],
    description: "A turn, from its decision until the store's answer",
  },
};
