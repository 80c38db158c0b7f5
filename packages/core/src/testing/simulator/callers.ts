import { encode } from "../../codec/index.ts";
import type { Accepted } from "../../host/client/control.ts";
import { RefusedError, WorkflowNotFoundError } from "../../errors.ts";
import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { WorkflowHost } from "../../host/workflow-host.ts";
import { eventKeys, type Operation, type Plan } from "./plan.ts";
import { eventNames } from "./sketch.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { StoreAudit } from "./store-audit.ts";
import type { Verdict } from "./verdict.ts";

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
  publishWanted(name: string, key: string, id: string, process: SimulatedProcess): void {
    this.#counted(process, `the event ${id}`, this.#publish(process.host, [{ name, key, id, effectiveMs: 0 }]));
  }

  control(kind: "resume" | "terminate", id: string, process: SimulatedProcess): void {
    const call = (): Promise<Accepted> =>
      kind === "resume" ? process.host.resumeWorkflow(id) : process.host.terminateWorkflow(id);
    this.#counted(process, `${kind} of ${id}`, this.#control(id, process.host, call));
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
    switch (operation.kind) {
      case "start":
        return this.#start(operation, host);
      case "publish":
        return this.#publish(host, operation.events);
      case "fork":
        return host.forkWorkflow(`w${operation.workflow}`, { at: operation.seq });
      default: {
        const id = `w${operation.workflow}`;
        return this.#control(id, host, () => controlCall(operation, host, id));
      }
    }
  }

  async #start(
    { workflow, delayMs, priority }: Extract<Operation, { kind: "start" }>,
    host: WorkflowHost,
  ): Promise<void> {
    const { plan, definitions, audit, verdict } = this.#options;
    const { definition = 0, key = "" } = plan.workflows[workflow] ?? {};
    const id = `w${workflow}`;
    const handle = await host.startWorkflow(
      definitions[definition] as WorkflowDefinition,
      { key },
      { id, priority, ...(delayMs === 0 ? {} : { delay: delayMs }) },
    );
    this.#starts.add(id);
    if (this.#isPatient(host))
      this.#wait(
        `the result of ${id}`,
        handle.result().then((data) => this.#resultIs(id, data)),
      );
    if (!audit.runs.has(id))
      verdict.fail("what is acknowledged is there", `the start of ${id} is acknowledged, and it is not in the store`);
  }

  async #publish(host: WorkflowHost, events: Extract<Operation, { kind: "publish" }>["events"]): Promise<void> {
    const { audit, verdict, storeNow } = this.#options;
    const items = events.map(({ name, key, id, effectiveMs }) => ({
      event: name,
      key,
      payload: { id },
      options: { id, ...(effectiveMs === 0 ? {} : { effectiveAt: storeNow() + effectiveMs }) },
    }));
    const [first] = items;
    if (items.length === 1 && first !== undefined)
      await host.publishEvent(first.event, first.key, first.payload, first.options);
    else await host.publishEvents(items);
    for (const { id } of events) {
      this.#events.add(id);
      if (!audit.events.has(id))
        verdict.fail("what is acknowledged is there", `event ${id} is acknowledged, and it is not in the store`);
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
    const state = audit.journals.get(audit.runs.get(id) ?? -1)?.state;
    if (state?.phase === "completed" && encode(data) !== encode(state.data))
      verdict.fail(
        "the row says what the journal says",
        `the result of ${id} is ${encode(data)}, and its journal ends with ${encode(state.data)}`,
      );
  }

  #askedOf(id: string): number {
    const { audit } = this.#options;
    const run = audit.runs.get(id);
    return run === undefined ? 0 : (audit.deliveries.get(run) ?? []).filter(({ asked }) => asked).length;
  }

  /** At the end: what was acknowledged is there, and no more often than it was asked for. */
  async judge(numbered: (name: string, key: string) => Promise<readonly string[]>): Promise<void> {
    const { audit, verdict } = this.#options;
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
    for (const name of eventNames) for (const key of eventKeys) found.push(...(await numbered(name, key)));
    const times = Map.groupBy(found, (id) => id);
    for (const [id, { length }] of times)
      if (length > 1) verdict.fail("what is acknowledged is there", `event ${id} is there ${length} times`);
    for (const id of this.#events)
      if (!times.has(id)) verdict.fail("what is acknowledged is there", `event ${id} was acknowledged, and is gone`);
  }
}

function controlCall(operation: Operation, host: WorkflowHost, id: string): Promise<Accepted> {
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
