import type { StepContext } from "../../definition/step-context.ts";
import type { WorkflowDefinition } from "../../definition/definition.ts";
import { afterTurns, type WorkflowHostOptions } from "../../host/client/host-options.ts";
import { WorkflowHost } from "../../host/workflow-host.ts";
import type { Clock, Provider } from "../../providers/index.ts";
import { Bodies } from "./bodies.ts";
import { Callers, describe } from "./callers.ts";
import { blocksOf, compile, innerId, transactionalIds } from "./compile.ts";
import { dice, type Dice } from "./dice.ts";
import { Ending } from "./ending.ts";
import { Inspection } from "./inspection.ts";
import { Network } from "./network.ts";
import { describeDisaster, type Disaster, type Plan } from "./plan.ts";
import { Scheduler } from "./scheduler.ts";
import { SimulatedProcess } from "./simulated-process.ts";
import type { Script, Sketch } from "./sketch.ts";
import { StoreAudit } from "./store-audit.ts";
import { Verdict, type Violation } from "./verdict.ts";

/** The beginning of every schedule: the year 2030, UTC. */
const startMs = Date.UTC(2030, 0, 1);
/** How often everything that rests is looked at. */
const lookEveryMs = 400;
/** After it could not start, a host is started again. */
const restartMs = 500;

export interface WorldOptions {
  readonly seed: number;
  readonly plan: Plan;
  /** What is left out, by name: `operation:3`, `disaster:0`, `fault:17`, `node:w0.4`, `order`. */
  readonly without: ReadonlySet<string>;
  readonly store: (clock: Clock) => Provider;
  /** Takes the lines of the story; undefined: none are made. */
  readonly trace: string[] | undefined;
}

/** One schedule: everything in it, from its beginning to its end. */
export class World {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly verdict: Verdict;
  readonly network: Network;
  readonly audit: StoreAudit;
  readonly bodies: Bodies;
  readonly callers: Callers;
  readonly inspection: Inspection;
  readonly client: SimulatedProcess;
  /** By place: the process that stands there now. */
  readonly processes: SimulatedProcess[] = [];
  isOver = false;
  healedAt: number | undefined;
  /** Disasters that happened, by kind. */
  readonly struck: Map<string, number> = new Map();
  readonly #options: WorldOptions;
  readonly #definitions: readonly WorkflowDefinition[];
  readonly #inner: WorkflowDefinition;
  /** Second versions, the same in everything but their number. */
  readonly #versions: readonly WorkflowDefinition[];
  readonly #random: Dice;
  readonly #ending: Ending;
  #storeOffsetMs = 0;
  #storeSetBackMs = 0;
  #storeHasJumped = false;
  #lives = 0;
  #pending: Disaster[];

  constructor(options: WorldOptions) {
    this.#options = options;
    const { seed, without } = options;
    this.plan = options.plan;
    const order = dice(seed, "order");
    const { faults } = this.plan;
    const disorder = without.has("order") ? 0 : faults.disorder;
    this.scheduler = new Scheduler((count) => (order.roll() < disorder ? order.below(count) : 0));
    this.scheduler.afterStep = (owner) => this.#afterStep(owner as SimulatedProcess | undefined);
    this.verdict = new Verdict(
      () => this.scheduler.now,
      () => this.scheduler.stop(),
    );
    const store = options.store(this.#storeClock());
    const tell = (line: () => string): void => this.tell(line);
    const { scheduler, verdict } = this;
    this.audit = new StoreAudit({
      store,
      verdict,
      tell,
      now: () => scheduler.now,
      storeNow: () => (this.#storeHasJumped ? undefined : this.storeNow()),
      plan: this.plan,
      transactional: new Set([
        ...this.plan.definitions.flatMap((one, index) => transactionalIds(one).map((step) => `d${index}/${step}`)),
        ...transactionalIds(this.plan.inner).map((step) => `${innerId}/${step}`),
      ]),
    });
    this.network = new Network({
      scheduler,
      audit: this.audit,
      store,
      calls: dice(seed, "calls"),
      hints: dice(seed, "hints"),
      plan: faults,
      without: (fault) => without.has(`fault:${fault}`),
      tell,
    });
    this.bodies = new Bodies({ scheduler, audit: this.audit, verdict, tell });
    this.#random = dice(seed, "hosts");
    this.#definitions = this.plan.definitions.map((sketch, index) =>
      compile(sketch, this.#compileOptions(`d${index}`)),
    );
    this.#inner = compile(this.plan.inner, this.#compileOptions(innerId));
    this.#versions = !this.plan.hasVersions
      ? []
      : this.plan.definitions.map((sketch, index) =>
          compile(sketch, { ...this.#compileOptions(`d${index}`), version: 2 }),
        );
    this.callers = new Callers({
      plan: this.plan,
      definitions: this.#definitions,
      audit: this.audit,
      verdict,
      storeNow: () => this.storeNow(),
      client: () => this.client,
      tell,
    });
    this.inspection = new Inspection(this.audit, this.audit.persistence, verdict, () => this.#storeSetBackMs);
    this.#ending = new Ending(this);
    this.client = this.#process("client", 0, { concurrency: 1, runs: false });
    this.#pending = this.plan.disasters.filter(({ n }) => !without.has(`disaster:${n}`));
  }

  storeNow(): number {
    return startMs + this.scheduler.now + this.#storeOffsetMs;
  }

  tell(line: () => string): void {
    this.#options.trace?.push(`${String(this.scheduler.now).padStart(7)} ms  ${line()}`);
  }

  /** Everything in the plan that can be left out, and everything that went wrong by chance. */
  parts(): readonly string[] {
    return [
      ...this.plan.disasters.map(({ n }) => `disaster:${n}`),
      ...this.plan.operations.map(({ n }) => `operation:${n}`),
      "order",
      ...this.network.faults.map((_, index) => `fault:${index + 1}`),
      ...[...this.plan.definitions, this.plan.inner].flatMap((sketch, index) =>
        nodesOf(sketch).map((n) => `node:${index === this.plan.definitions.length ? innerId : `d${index}`}.${n}`),
      ),
    ];
  }

  /** Runs to the end, or to the first violation, which it gives. */
  async run(): Promise<Violation | undefined> {
    const { scheduler, plan } = this;
    for (const [place, { wallOffsetMs, concurrency }] of plan.hosts.entries())
      this.#startHost(place, wallOffsetMs, concurrency);
    if (plan.waits)
      this.asClient(({ host }) =>
        host.on("*", (event) => this.tell(() => `client hears ${event.type} of ${event.workflowId}`)),
      );
    for (const operation of plan.operations) {
      if (this.#options.without.has(`operation:${operation.n}`)) continue;
      scheduler.at(operation.atMs, undefined, () => {
        const process = operation.by === "client" ? this.client : this.processes[operation.by];
        if (process?.alive === true && process.held === undefined)
          this.#as(process, () => this.callers.make(operation, process));
        else if (operation.kind === "start") this.#as(this.client, () => this.callers.make(operation, this.client));
      });
    }
    for (const disaster of this.#pending) {
      if ("ms" in disaster.at) scheduler.at(disaster.at.ms, undefined, () => this.#strike(disaster));
    }
    scheduler.at(plan.chaosMs, undefined, () => this.#heal());
    this.#lookAgain();
    try {
      await scheduler.run();
    } catch (error) {
      this.verdict.fail("the product does not break", `the simulation cannot go on: ${String(error)}`);
    }
    if (this.verdict.violation === undefined && !this.isOver)
      this.verdict.fail("everything comes to an end", "nothing is left to happen, and the schedule has not ended");
    // Who waits for a result keeps this process alive; where the schedule broke off, nobody else ends that.
    if (!this.isOver) this.client.host.stop({ timeout: 0 }).catch(() => {});
    return this.verdict.violation;
  }

  describe(part: string): string {
    const [kind, number = ""] = part.split(":");
    switch (kind) {
      case "operation": {
        const operation = this.plan.operations[Number(number)];
        return operation === undefined ? part : `operation ${describe(operation)}`;
      }
      case "disaster": {
        const disaster = this.plan.disasters[Number(number)];
        return disaster === undefined ? part : `disaster ${describeDisaster(disaster)}`;
      }
      case "fault":
        return `fault ${number}: ${this.network.faults[Number(number) - 1] ?? "not met"}`;
      case "order":
        return "what is ready comes in a random order";
      default:
        return part;
    }
  }

  definitionsAsText(): readonly string[] {
    return [...this.#definitions, this.#inner].map((one) => JSON.stringify(one.toJSON()));
  }

  // ------------------------------------------------------------- processes

  #compileOptions(id: string): Parameters<typeof compile>[1] {
    return {
      id,
      startMs,
      without: (n) => this.#options.without.has(`node:${id}.${n}`),
      body: (script: Script, input: unknown, ctx: StepContext) => this.bodies.run(script, input, ctx),
    };
  }

  #process(
    name: string,
    wallOffsetMs: number,
    { concurrency, runs }: { readonly concurrency: number; readonly runs: boolean },
  ): SimulatedProcess {
    const process = new SimulatedProcess(name, {
      scheduler: this.scheduler,
      random: this.#random,
      startMs,
      wallOffsetMs,
      concurrency,
    });
    const complain = (message: string, fields?: Record<string, unknown>): void => {
      this.tell(() => `${name} says: ${message}${fields?.error === undefined ? "" : ` (${errorText(fields.error)})`}`);
      // Definitions and store are sound here: what cannot go on is at fault itself.
      if (message.startsWith("a workflow cannot go on") || message.startsWith("a workflow's records cannot be used"))
        this.verdict.fail("the product does not break", `${name}: ${message}: ${errorText(fields?.error)}`);
    };
    const options: WorkflowHostOptions & { readonly [afterTurns]: number | undefined } = {
      providers: [this.network.providerFor(process)],
      runtime: process.runtime,
      name,
      workflows: runs ? [...this.#definitions, ...this.#versions, this.#inner] : [],
      concurrency,
      lease: this.plan.leaseMs,
      [afterTurns]: this.plan.checkpointTurns,
      retention: this.plan.retention,
      log: { debug: () => {}, info: complain, warn: complain, error: complain },
    };
    process.host = new WorkflowHost(options);
    return process;
  }

  #startHost(place: number, wallOffsetMs: number, concurrency: number): void {
    if (this.isOver) return;
    this.#lives += 1;
    const process = this.#process(`h${place}.${this.#lives}`, wallOffsetMs, { concurrency, runs: true });
    this.processes[place] = process;
    this.#as(process, () => {
      process.host.start().then(
        () => this.tell(() => `${process.name} is up`),
        (error: unknown) => {
          this.tell(() => `${process.name} could not start: ${String(error)}`);
          process.alive = false;
          this.scheduler.at(restartMs, undefined, () => this.#startHost(place, wallOffsetMs, concurrency));
        },
      );
    });
  }

  /** Runs code as a process's own. */
  #as(process: SimulatedProcess, run: () => void): void {
    this.scheduler.at(0, process, run);
  }

  // ------------------------------------------------------------- disasters

  #afterStep(owner: SimulatedProcess | undefined): void {
    if (this.#pending.length === 0 || owner === undefined || this.healedAt !== undefined) return;
    for (const disaster of this.#pending) {
      const { at, host } = disaster;
      if (this.processes[host] !== owner || "ms" in at) continue;
      if ("steps" in at ? owner.steps >= at.steps : owner.commits >= at.commits) this.#strike(disaster);
    }
  }

  #strike(disaster: Disaster): void {
    if (!this.#pending.includes(disaster) || this.healedAt !== undefined) return;
    this.#pending = this.#pending.filter((other) => other !== disaster);
    const process = this.processes[disaster.host];
    if (disaster.kind === "store-clock-jump") {
      this.#storeOffsetMs += disaster.byMs;
      this.#storeSetBackMs += Math.max(0, -disaster.byMs);
      this.#storeHasJumped = true;
    } else if (process === undefined || !process.alive) return;
    else this.#strikeProcess(disaster, process);
    this.struck.set(disaster.kind, (this.struck.get(disaster.kind) ?? 0) + 1);
    this.tell(() => `disaster ${describeDisaster(disaster)}: ${process?.name}`);
  }

  #strikeProcess(disaster: Exclude<Disaster, { kind: "store-clock-jump" }>, process: SimulatedProcess): void {
    const { scheduler } = this;
    const { host: place } = disaster;
    const restart = (downMs: number): void =>
      void scheduler.at(downMs, undefined, () => {
        if (this.processes[place]?.alive !== true)
          this.#startHost(place, process.wallOffsetMs, this.plan.hosts[place]?.concurrency ?? 1);
      });
    switch (disaster.kind) {
      case "crash":
        process.alive = false;
        return restart(disaster.downMs);
      case "freeze":
        scheduler.freeze(process);
        process.frozenAt = scheduler.now;
        scheduler.at(disaster.forMs, undefined, () => this.#thaw(process));
        return;
      case "cut-off":
        process.cutOff = disaster.from;
        scheduler.at(disaster.forMs, undefined, () => {
          process.cutOff = "nothing";
        });
        return;
      case "wall-clock-jump":
        process.wallOffsetMs += disaster.byMs;
        return;
      case "stop":
        return this.#as(process, () => {
          void this.#ending.stop(process, disaster.timeoutMs).then(() => {
            process.alive = false;
            restart(disaster.downMs);
          });
        });
    }
  }

  #thaw(process: SimulatedProcess): void {
    if (process.held === undefined) return;
    process.frozenAt = this.scheduler.now;
    this.scheduler.thaw(process);
    this.tell(() => `${process.name} goes on`);
  }

  /** From here on nothing goes wrong any more. */
  #heal(): void {
    this.healedAt = this.scheduler.now;
    this.network.isCalm = true;
    for (const process of this.processes) {
      process.cutOff = "nothing";
      this.#thaw(process);
    }
    this.tell(() => "nothing goes wrong any more");
  }

  // ------------------------------------------------------------- looking on

  #lookAgain(): void {
    this.scheduler.at(lookEveryMs, undefined, () => {
      void this.scheduler.hold(this.#look()).then(() => {
        if (!this.isOver) this.#lookAgain();
      });
    });
  }

  async #look(): Promise<void> {
    try {
      const rows = await this.audit.rows();
      await this.inspection.look(rows);
      if (this.healedAt !== undefined) await this.#ending.further(rows);
    } catch (error) {
      this.verdict.fail("the product does not break", `the store cannot be looked at: ${errorText(error)}`);
    }
  }

  /** Calls of the client's, in its name. */
  asClient(run: (client: SimulatedProcess) => void): void {
    this.#as(this.client, () => run(this.client));
  }

  finished(): void {
    this.isOver = true;
    this.scheduler.stop();
  }

  #storeClock(): Clock {
    const refuse = (): never => {
      throw new TypeError("a simulated store has no timers of its own");
    };
    return {
      now: () => this.storeNow(),
      monotonic: () => this.scheduler.now,
      setTimer: refuse,
      yield: refuse,
      track: (work) => work,
    };
  }
}

/** Every node of a sketch, hooks and all. */
function nodesOf(sketch: readonly Sketch[]): number[] {
  return sketch.flatMap((one) => [one.n, ...blocksOf(one).flatMap(nodesOf)]);
}

function errorText(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : JSON.stringify(error);
}
