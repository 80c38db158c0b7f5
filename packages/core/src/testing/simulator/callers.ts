import { encode } from "../../codec/index.ts";
import type { Accepted } from "../../host/client/control.ts";
import { RefusedError, WorkflowNotFoundError } from "../../errors.ts";
import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { WorkflowClient } from "../../host/client/workflow-client.ts";
import type { WorkflowHost } from "../../host/workflow-host.ts";
import { eventKeys, type Operation, type Plan, type PlannedWorkflow } from "./plan.ts";
import { eventNames } from "./sketch.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import { placeOf } from "./place-of.ts";
import type { StoreAudit } from "./store-audit.ts";
import type { Verdict } from "./verdict.ts";

/** A workflow, by its name. */
interface Named {
  readonly namespace: string;
  readonly id: string;
}

export interface CallersOptions {
  readonly plan: Plan;
  readonly definitions: readonly WorkflowDefinition[];
  readonly audit: StoreAudit;
  readonly verdict: Verdict;
  readonly storeNow: () => number;
  readonly client: () => SimulatedProcess;
  readonly tell: (line: () => string) => void;
}

/** The application: makes the calls, and remembers what was acknowledged. */
export class Callers {
  /** Calls that were made by processes which lived to hear the answer. */
  asked = 0;
  acknowledged = 0;
  /** What the client still waits for. */
  readonly waits: Set<string> = new Set();
  readonly #open: Set<SimulatedProcess[]> = new Set();
  readonly #options: CallersOptions;
  readonly #starts: Set<string> = new Set();
  readonly #events: Set<string> = new Set();
  /** Calls that control a workflow, made and acknowledged, by workflow. */
  readonly #controls: Map<string, { made: number; acknowledged: number }> = new Map();

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** Makes a call; nobody waits for it here. */
  make(operation: Operation, process: SimulatedProcess): void {
    const { tell } = this.#options;
    this.#counted(process, `operation ${operation.n} (${operation.kind})`, this.#call(operation, process.host));
    tell(() => `${process.name}: operation ${describe(operation)}`);
  }

  /** An event that somebody waits for, so that the schedule may end. */
  publishWanted(namespace: string, name: string, key: string, id: string, process: SimulatedProcess): void {
    const events = [{ name, key, id, effectiveMs: 0 }];
    this.#counted(process, `the event ${id}`, this.#publish(process.host, namespace, events));
  }

  control(kind: "resume" | "terminate", { namespace, id }: Named, process: SimulatedProcess): void {
    const client = process.host.in(namespace);
    const call = (): Promise<Accepted> =>
      kind === "resume" ? client.resumeWorkflow(id) : client.terminateWorkflow(id);
    const place = placeOf(namespace, id);
    this.#counted(process, `${kind} of ${place}`, this.#control(place, process.host, call));
  }

  #counted(process: SimulatedProcess, what: string, call: Promise<unknown>): void {
    const { tell } = this.#options;
    const open = [process];
    this.#open.add(open);
    call.then(
      () => {
        this.#open.delete(open);
        this.asked += 1;
        this.acknowledged += 1;
        tell(() => `${process.name}: ${what} is acknowledged`);
      },
      (error: unknown) => {
        this.#open.delete(open);
        // An answer all the same: there is nothing of that id yet, or it cannot be.
        const answered = error instanceof WorkflowNotFoundError || error instanceof RefusedError;
        if (process.alive) this.asked += 1;
        if (answered) this.acknowledged += 1;
        tell(() => `${process.name}: ${what} is refused: ${String(error)}`);
      },
    );
  }

  /** Whether somebody who is alive has not heard yet. */
  get isBusy(): boolean {
    return [...this.#open].some(([process]) => process?.alive === true);
  }

  #call(operation: Operation, host: WorkflowHost): Promise<unknown> {
    if (operation.kind === "publish") return this.#publish(host, operation.namespace, operation.events);
    const workflow = this.#options.plan.workflows[operation.workflow] as PlannedWorkflow;
    const client = host.in(workflow.namespace);
    if (operation.kind === "start") return this.#start(operation, workflow, host);
    if (operation.kind === "fork") return client.forkWorkflow(workflow.id, { at: operation.seq });
    const place = placeOf(workflow.namespace, workflow.id);
    return this.#control(place, host, () => controlCall(operation, client, workflow.id));
  }

  async #start(
    { delayMs, priority }: Extract<Operation, { kind: "start" }>,
    { namespace, id, definition, key }: PlannedWorkflow,
    host: WorkflowHost,
  ): Promise<void> {
    const { definitions, audit, verdict } = this.#options;
    const place = placeOf(namespace, id);
    const handle = await host
      .in(namespace)
      .startWorkflow(
        definitions[definition] as WorkflowDefinition,
        { key },
        { id, priority, ...(delayMs === 0 ? {} : { delay: delayMs }) },
      );
    this.#starts.add(place);
    if (this.#isPatient(host))
      this.#wait(
        `the result of ${place}`,
        handle.result().then((data) => this.#resultIs(place, data)),
      );
    if (!audit.runs.has(place))
      verdict.fail(
        "what is acknowledged is there",
        `the start of ${place} is acknowledged, and it is not in the store`,
      );
  }

  async #publish(
    host: WorkflowHost,
    namespace: string,
    events: Extract<Operation, { kind: "publish" }>["events"],
  ): Promise<void> {
    const { audit, verdict, storeNow } = this.#options;
    const client = host.in(namespace);
    const items = events.map(({ name, key, id, effectiveMs }) => ({
      event: name,
      key,
      payload: { id, namespace },
      options: { id, ...(effectiveMs === 0 ? {} : { effectiveAt: storeNow() + effectiveMs }) },
    }));
    const [first] = items;
    if (items.length === 1 && first !== undefined)
      await client.publishEvent(first.event, first.key, first.payload, first.options);
    else await client.publishEvents(items);
    for (const { id } of events) {
      const place = placeOf(namespace, id);
      this.#events.add(place);
      if (!audit.events.has(place))
        verdict.fail("what is acknowledged is there", `event ${place} is acknowledged, and it is not in the store`);
    }
  }

  async #control(id: string, host: WorkflowHost, call: () => Promise<Accepted>): Promise<void> {
    const { verdict } = this.#options;
    const controls = this.#controls.get(id) ?? { made: 0, acknowledged: 0 };
    this.#controls.set(id, controls);
    controls.made += 1;
    const accepted = await call();
    controls.acknowledged += 1;
    if (this.#isPatient(host)) this.#wait(`the answer of ${id} to call ${controls.acknowledged}`, accepted.applied());
    if (this.#askedOf(id) < controls.acknowledged)
      verdict.fail(
        "what is acknowledged is there",
        `${controls.acknowledged} calls to ${id} are acknowledged, and ${this.#askedOf(id)} are in its inbox`,
      );
    const stored = this.#askedOf(id);
    if (stored > controls.made)
      verdict.fail("calls are read once, in order", `${controls.made} calls to ${id} were made, and ${stored} came`);
  }

  /** Whether this caller waits for what comes of its calls. */
  #isPatient(host: WorkflowHost): boolean {
    return this.#options.plan.waits && host === this.#options.client().host;
  }

  #wait(what: string, answer: Promise<unknown>): void {
    this.waits.add(what);
    const answered = (): void => {
      this.waits.delete(what);
      this.#options.tell(() => `client: ${what} is known`);
    };
    answer.then(answered, answered);
  }

  /** A result is what the journal ends with. */
  #resultIs(id: string, data: unknown): void {
    const { audit, verdict } = this.#options;
    const runs = audit.runs.get(id) ?? [];
    const state = audit.journals.get(runs[0] ?? -1)?.state;
    // Once it is deleted its id is free, and another one may have it.
    if (runs.length > 1) return;
    if (state?.phase === "completed" && encode(data) !== encode(state.data))
      verdict.fail(
        "the row says what the journal says",
        `the result of ${id} is ${encode(data)}, and its journal ends with ${encode(state.data)}`,
      );
  }

  #askedOf(id: string): number {
    const { audit } = this.#options;
    const deliveries = (audit.runs.get(id) ?? []).flatMap((run) => audit.deliveries.get(run) ?? []);
    return deliveries.filter(({ asked }) => asked).length;
  }

  /** At the end: what was acknowledged is there, and no more often than it was asked for. */
  async judge(numbered: (namespace: string, name: string, key: string) => Promise<readonly string[]>): Promise<void> {
    const { audit, verdict, plan } = this.#options;
    for (const id of this.#starts)
      if (!audit.runs.has(id)) verdict.fail("what is acknowledged is there", `${id} was started, and is gone`);
    for (const [id, { made }] of this.#controls) {
      if (this.#askedOf(id) > made)
        verdict.fail(
          "calls are read once, in order",
          `${made} calls to ${id} were made, and ${this.#askedOf(id)} came`,
        );
    }
    const found: string[] = [];
    for (const namespace of plan.namespaces)
      for (const name of eventNames)
        for (const key of eventKeys)
          found.push(...(await numbered(namespace, name, key)).map((id) => placeOf(namespace, id)));
    const times = Map.groupBy(found, (id) => id);
    for (const [id, { length }] of times)
      if (length > 1) verdict.fail("what is acknowledged is there", `event ${id} is there ${length} times`);
    for (const id of this.#events)
      if (!times.has(id) && !audit.purgedEvents.has(id))
        verdict.fail("what is acknowledged is there", `event ${id} was acknowledged, and is gone`);
  }
}

function controlCall(operation: Operation, host: WorkflowClient, id: string): Promise<Accepted> {
  switch (operation.kind) {
    case "suspend":
      return host.suspendWorkflow(id);
    case "resume":
      return host.resumeWorkflow(id);
    case "retry":
      return host.retryWorkflow(id, operation.from === undefined ? {} : { from: operation.from });
    case "migrate":
      return host.migrateWorkflow(id, 2);
    case "terminate":
      return host.terminateWorkflow(id, { compensate: operation.compensate });
    case "set-data":
      return host.setData(id, { count: operation.count });
    case "skip-step":
      return host.skipStep(id, `step${operation.step}`, "skipped");
    default:
      throw new TypeError(`${operation.kind} is no call that controls a workflow`);
  }
}

export function describe(operation: Operation): string {
  const { n, kind, atMs, by, ...rest } = operation;
  const who = by === "client" ? "the client" : `host ${by}`;
  return `${n}: at ${atMs} ms ${who} makes a ${kind} ${JSON.stringify(rest)}`;
}
