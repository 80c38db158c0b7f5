import { dice, type Dice } from "./dice.ts";
import { drawDefinition, eventNames, withTransactions, type Sketch } from "./sketch.ts";

/** Something a caller does. */
export type Operation = { readonly n: number; readonly atMs: number; readonly by: By } & (
  | { readonly kind: "start"; readonly workflow: number; readonly delayMs: number; readonly priority: number }
  | { readonly kind: "publish"; readonly namespace: string; readonly events: readonly PlannedEvent[] }
  | { readonly kind: "suspend" | "resume" | "migrate"; readonly workflow: number }
  | { readonly kind: "retry"; readonly workflow: number; readonly from?: string }
  | { readonly kind: "terminate"; readonly workflow: number; readonly compensate: boolean }
  | { readonly kind: "set-data"; readonly workflow: number; readonly count: number }
  | { readonly kind: "skip-step"; readonly workflow: number; readonly step: number }
  | { readonly kind: "fork"; readonly workflow: number; readonly seq: number }
);

export interface PlannedWorkflow {
  readonly namespace: string;
  readonly id: string;
  readonly definition: number;
  readonly key: string;
}

/** Which process makes the call: the client, which nobody kills, or one of the hosts. */
export type By = "client" | number;

export interface PlannedEvent {
  readonly name: string;
  readonly key: string;
  /** Publishing it again with the same id delivers nothing twice. */
  readonly id: string;
  /** From when it is published to when it happens. */
  readonly effectiveMs: number;
}

/** Something that goes wrong by plan. Single calls fail on top of it, by chance. */
export type Disaster = { readonly n: number; readonly host: number; readonly at: Moment } & (
  | { readonly kind: "crash"; readonly downMs: number }
  | { readonly kind: "freeze"; readonly forMs: number }
  | { readonly kind: "cut-off"; readonly from: "everything" | "store" | "lock"; readonly forMs: number }
  | { readonly kind: "stop"; readonly timeoutMs: number; readonly downMs: number }
  | { readonly kind: "wall-clock-jump"; readonly byMs: number }
  | { readonly kind: "store-clock-jump"; readonly byMs: number }
);

/** When: at a time; after so many steps of the host's, which meets it at work; or at one of its commits. */
export type Moment = { readonly ms: number } | { readonly steps: number } | { readonly commits: number };

/** Everything of a schedule that is decided before it begins. */
export interface Plan {
  readonly definitions: readonly (readonly Sketch[])[];
  readonly inner: readonly Sketch[];
  readonly workflows: readonly PlannedWorkflow[];
  /** One or two. In both there are workflows of the same ids, and events of the same ids, names and keys. */
  readonly namespaces: readonly string[];
  /** What hosts delete after which time. Empty: nothing. */
  readonly retention: { readonly workflows?: number; readonly events?: number };
  readonly operations: readonly Operation[];
  readonly disasters: readonly Disaster[];
  readonly hosts: readonly HostPlan[];
  /** After so many turns a checkpoint is written; undefined: as hosts do by themselves, which few schedules are long enough for. */
  readonly checkpointTurns: number | undefined;
  readonly leaseMs: number;
  /** Until when things go wrong. */
  readonly chaosMs: number;
  /** Waiters that the store wakes at once. */
  readonly fanOut: number;
  readonly faults: FaultPlan;
  /** Whether there is a second version of each definition, to migrate to. */
  readonly hasVersions: boolean;
  /** Whether the client waits for results and for answers, and hears of the lifecycle of everything. */
  readonly waits: boolean;
}

export interface HostPlan {
  readonly concurrency: number;
  readonly wallOffsetMs: number;
}

/** How often what goes wrong with single calls. */
export interface FaultPlan {
  readonly fails: number;
  readonly slow: number;
  readonly losesHints: number;
  readonly repeatsHints: number;
  /** How often another than the first of what is ready comes first. */
  readonly disorder: number;
  readonly slowMs: number;
}

/** The keys of events: those of workflows, and one that all of them share. */
export const eventKeys: readonly string[] = ["k0", "k1", "all"];

const startsWithinMs = 3_000;

export function drawPlan(seed: number): Plan {
  const shape = dice(seed, "plan");
  const texts = dice(seed, "definitions");
  const chaosMs = shape.between(4_000, 9_000);
  const leaseMs = shape.pick([2_000, 3_000, 5_000]);
  const definitions = Array.from({ length: shape.between(1, 3) }, () =>
    drawDefinition(texts, { nodes: 14, children: true }),
  );
  const tenancy = dice(seed, "namespaces");
  const namespaces = tenancy.chance(0.25) ? ["default", "other"] : ["default"];
  const workflows = Array.from({ length: shape.between(2, 5) }, (_, index): PlannedWorkflow => ({
    namespace: namespaces[index % namespaces.length] ?? "default",
    id: `w${Math.floor(index / namespaces.length)}`,
    definition: shape.below(definitions.length),
    key: shape.pick(["k0", "k1"]),
  }));
  const hosts = Array.from({ length: shape.between(2, 3) }, () => ({
    concurrency: shape.pick([2, 3, 8, 50]),
    wallOffsetMs: shape.chance(0.3) ? shape.pick([-3_600_000, 600_000, 86_400_000]) : 0,
  }));
  const calm = shape.chance(0.1);
  const extras = dice(seed, "extras");
  const hasVersions = extras.chance(0.15);
  const retention = drawRetention(dice(seed, "retention"));
  const operations = drawOperations(dice(seed, "operations"), workflows, chaosMs, hosts.length);
  const repaired = withRepairs(extras, operations, { workflows: workflows.length, chaosMs, hasVersions });
  const inner = drawDefinition(texts, { nodes: 4, children: false });
  const transactions = dice(seed, "transactions");
  const checkpoints = dice(seed, "checkpoints");
  const isTransactional = transactions.chance(0.4);
  return {
    definitions: isTransactional ? definitions.map((one) => withTransactions(transactions, one)) : definitions,
    inner: isTransactional ? withTransactions(transactions, inner) : inner,
    workflows,
    namespaces,
    retention,
    operations: soonStarted(retention, inNamespaces(tenancy, repaired, namespaces)),
    disasters: calm ? [] : drawDisasters(dice(seed, "disasters"), { chaosMs, leaseMs, hosts: hosts.length }),
    hosts,
    checkpointTurns: checkpoints.chance(0.4) ? checkpoints.between(2, 8) : undefined,
    leaseMs,
    chaosMs,
    fanOut: shape.pick([1, 2, 500]),
    faults: {
      fails: calm ? 0 : shape.pick([0, 0.02, 0.06, 0.15]),
      slow: calm ? 0 : shape.pick([0, 0.02, 0.1]),
      losesHints: calm ? 0 : shape.pick([0, 0.1, 0.5, 1]),
      repeatsHints: shape.pick([0, 0.1]),
      disorder: shape.pick([0, 0.3, 0.8]),
      slowMs: shape.pick([100, 1_000, leaseMs * 2]),
    },
    hasVersions,
    waits: extras.chance(0.3),
  };
}

/** Longer than it takes to start a workflow, so that no call which is repeated starts again what has ended and is gone. */
function drawRetention(dice: Dice): Plan["retention"] {
  if (!dice.chance(0.25)) return {};
  return {
    ...(dice.chance(0.7) ? { workflows: dice.pick([4_000, 6_000]) } : {}),
    ...(dice.chance(0.7) ? { events: dice.pick([300, 1_500, 4_000]) } : {}),
  };
}

/** A host that is cut off might repeat its start for longer than what has ended is kept. */
function soonStarted({ workflows }: Plan["retention"], operations: readonly Operation[]): readonly Operation[] {
  if (workflows === undefined) return operations;
  return operations.map((operation) => (operation.kind === "start" ? { ...operation, by: "client" } : operation));
}

/** Publishes to one of the namespaces, and now and then the same to the other one too. */
function inNamespaces(
  dice: Dice,
  operations: readonly Operation[],
  namespaces: readonly string[],
): readonly Operation[] {
  if (namespaces.length === 1) return operations;
  const placed = operations.map((operation): Operation =>
    operation.kind === "publish" ? { ...operation, namespace: dice.pick(namespaces) } : operation,
  );
  const copies = placed.flatMap((operation): Operation[] =>
    operation.kind === "publish" && dice.chance(0.5)
      ? [{ ...operation, namespace: namespaces.find((one) => one !== operation.namespace) ?? "default" }]
      : [],
  );
  return [...placed, ...copies.map((copy, index) => ({ ...copy, n: placed.length + index }))];
}

/** Retries from a step, and migrations. */
function withRepairs(
  dice: Dice,
  operations: readonly Operation[],
  plan: { readonly workflows: number; readonly chaosMs: number; readonly hasVersions: boolean },
): readonly Operation[] {
  const repaired = operations.map((operation): Operation =>
    operation.kind === "retry" && dice.chance(0.3) ? { ...operation, from: `step${dice.below(10)}` } : operation,
  );
  const migrations = Array.from({ length: plan.hasVersions ? dice.between(1, 3) : 0 }, (_, index): Operation => ({
    n: operations.length + index,
    kind: "migrate",
    workflow: dice.below(plan.workflows),
    atMs: dice.between(200, plan.chaosMs),
    by: "client",
  }));
  return [...repaired, ...migrations];
}

/** An operation without its number. */
type Drawn = Operation extends infer One ? (One extends Operation ? Omit<One, "n"> : never) : never;

function drawOperations(
  dice: Dice,
  workflows: Plan["workflows"],
  chaosMs: number,
  hosts: number,
): readonly Operation[] {
  const by = (): By => (dice.chance(0.8) ? "client" : dice.below(hosts));
  const drawn: Drawn[] = [];
  for (const workflow of workflows.keys()) {
    const start = {
      kind: "start" as const,
      workflow,
      delayMs: dice.chance(0.1) ? dice.pick([0, 500, 2_000]) : 0,
      priority: dice.chance(0.3) ? dice.between(-3, 3) : 0,
    };
    const atMs = dice.below(startsWithinMs);
    drawn.push({ ...start, atMs, by: by() });
    // The same one again: from somebody who has not heard.
    if (dice.chance(0.2)) drawn.push({ ...start, atMs: atMs + dice.below(400), by: by() });
  }
  const publishes = dice.between(2, 9);
  for (let index = 0; index < publishes; index += 1) {
    const events = Array.from({ length: dice.chance(0.2) ? 3 : 1 }, (_, place) => ({
      name: dice.pick(eventNames),
      key: dice.pick(eventKeys),
      id: `e${index}.${place}`,
      effectiveMs: dice.chance(0.15) ? dice.pick([-1_000, 300, 2_000]) : 0,
    }));
    const atMs = dice.below(chaosMs);
    drawn.push({ kind: "publish", namespace: "default", events, atMs, by: by() });
    if (dice.chance(0.2))
      drawn.push({ kind: "publish", namespace: "default", events, atMs: atMs + dice.below(400), by: by() });
  }
  const controls = dice.chance(0.5) ? dice.between(1, 4) : 0;
  for (let index = 0; index < controls; index += 1) drawn.push(...drawControl(dice, workflows.length, chaosMs, by));
  return drawn.toSorted((a, b) => a.atMs - b.atMs).map((operation, n): Operation => ({ ...operation, n }));
}

function drawControl(dice: Dice, workflows: number, chaosMs: number, by: () => By): Drawn[] {
  const workflow = dice.below(workflows);
  const atMs = dice.between(200, chaosMs);
  const common = { workflow, atMs, by: by() };
  switch (dice.below(7)) {
    case 0:
    case 1:
      return [
        { ...common, kind: "suspend" },
        { ...common, kind: "resume", atMs: atMs + dice.below(2_000), by: by() },
      ];
    case 2:
      return [{ ...common, kind: "terminate", compensate: dice.chance(0.7) }];
    case 3:
      return [{ ...common, kind: "retry" }];
    case 4:
      return [{ ...common, kind: "set-data", count: dice.below(5) }];
    case 5:
      return [{ ...common, kind: "skip-step", step: dice.below(10) }];
    default:
      return [{ ...common, kind: "fork", seq: dice.below(6) }];
  }
}

function drawDisasters(
  dice: Dice,
  { chaosMs, leaseMs, hosts }: { readonly chaosMs: number; readonly leaseMs: number; readonly hosts: number },
): readonly Disaster[] {
  const moment = (): Moment =>
    dice.chance(0.3)
      ? { ms: dice.between(50, chaosMs) }
      : dice.chance(0.6)
        ? { steps: dice.between(5, 250) }
        : { commits: dice.between(1, 25) };
  return Array.from({ length: dice.below(5) }, (_, n): Disaster => {
    const common = { n, host: dice.below(hosts), at: moment() };
    const long = (): number => Math.floor(leaseMs * dice.pick([0.2, 0.7, 1.2, 2.5]));
    switch (dice.below(10)) {
      case 0:
      case 1:
      case 2:
        return { ...common, kind: "crash", downMs: dice.between(10, 2_500) };
      case 3:
      case 4:
        return { ...common, kind: "freeze", forMs: long() };
      case 5:
      case 6:
        return {
          ...common,
          kind: "cut-off",
          from: dice.pick(["everything", "store", "lock"] as const),
          forMs: long(),
        };
      case 7:
        return { ...common, kind: "stop", timeoutMs: dice.pick([0, 100, 3_000]), downMs: dice.between(10, 1_500) };
      case 8:
        return { ...common, kind: "wall-clock-jump", byMs: dice.pick([-3_600_000, -5_000, 5_000, 86_400_000]) };
      default:
        return { ...common, kind: "store-clock-jump", byMs: dice.pick([-2_000, -200, 1_000, 20_000]) };
    }
  });
}

export function describeDisaster({ n, kind, host, at, ...rest }: Disaster): string {
  return `${n}: ${kind} of host ${host} at ${JSON.stringify(at)} ${JSON.stringify(rest)}`;
}
