import { type WorkflowDefinition, type WorkflowDetails, WorkflowHost, type WorkflowHostOptions } from "@wfe/core";
import { TestClock, testRuntime } from "@wfe/core/testing";
import { KillSwitch, type Line } from "./kill-switch.ts";
import type { StoreKind, TestStore } from "./stores.ts";

type HostOptions = Omit<WorkflowHostOptions, "providers" | "workflows" | "clock" | "runtime">;

/**
 * A store, a clock that stands still until it is told to go on, and the hosts that share both.
 *
 * ```ts
 * await using world = new World(store);
 * const host = await world.start([order]);
 * await world.clock.advance("1h");
 * ```
 */
export class World implements AsyncDisposable {
  readonly clock: TestClock = new TestClock();
  readonly #store: TestStore;
  #ids = 0;
  readonly #hosts: Map<WorkflowHost, KillSwitch> = new Map();

  constructor(store: StoreKind) {
    this.#store = store.open(this.clock);
  }

  /** A host on the world's store, which runs nothing before it is started. It writes no log unless it is given one. */
  host(workflows: readonly WorkflowDefinition[] = [], options: HostOptions = {}): WorkflowHost {
    const killSwitch = new KillSwitch();
    const host = new WorkflowHost({
      log: silent,
      ...options,
      workflows,
      providers: this.#store.connect().map((provider) => killSwitch.provider(provider)),
      runtime: killSwitch.runtime({ ...testRuntime({ clock: this.clock }), randomId: () => this.#newId() }),
    });
    this.#hosts.set(host, killSwitch);
    return host;
  }

  /** A host that runs. */
  async start(workflows: readonly WorkflowDefinition[], options: HostOptions = {}): Promise<WorkflowHost> {
    const host = this.host(workflows, options);
    await host.start();
    return host;
  }

  /** Ends a host as `kill -9` does: from now on it does nothing, and whoever waits for it waits for its lease to run out. */
  kill(host: WorkflowHost): void {
    this.#hosts.get(host)?.kill();
    this.#hosts.delete(host);
  }

  /** Stops a host at once. What it does in vain (bodies that take no notice, a store that is out of reach) gets the time it takes. */
  async stop(host: WorkflowHost): Promise<void> {
    let stopped = false;
    const stopping = host.stop({ timeout: 0 }).finally(() => {
      stopped = true;
    });
    await this.clock.settle();
    while (!stopped) await this.clock.advance("10s");
    await stopping;
    this.#hosts.delete(host);
  }

  /** Unique in this world and the same in every run. Looks random from its beginning on: parts of ids tell things apart. */
  #newId(): string {
    this.#ids += 1;
    const mixed = Math.imul(this.#ids, 0x9e3779b1) >>> 0;
    return `${mixed.toString(36).padStart(7, "0")}-${this.#ids.toString(36)}`;
  }

  /** Changes how a host reaches the store, from its next call on. */
  setLine(host: WorkflowHost, line: Line): void {
    const killSwitch = this.#hosts.get(host);
    if (killSwitch !== undefined) killSwitch.line = line;
  }

  /** Runs one workflow on a host of its own to its end, or to where only somebody outside can move it. */
  async run<Data, Result>(
    definition: WorkflowDefinition<Data, Result>,
    data: Data,
    options: HostOptions & { readonly children?: readonly WorkflowDefinition[] } = {},
  ): Promise<WorkflowDetails<Result>> {
    const { children = [], ...hostOptions } = options;
    const host = await this.start([definition, ...children], hostOptions);
    const handle = await host.startWorkflow(definition, data);
    return (await this.ended(handle)) as WorkflowDetails<Result>;
  }

  /** Lets time pass until the workflow has ended or is suspended, or nothing is left that time would change. */
  async ended<Details extends WorkflowDetails>(handle: { get(): Promise<Details | undefined> }): Promise<Details> {
    for (let timers = 0; ; timers += 1) {
      await this.clock.settle();
      const details = await handle.get();
      if (details === undefined) throw new Error("there is no such workflow");
      if (details.status !== "runnable" && details.status !== "waiting") return details;
      if (timers === 2_000 || !(await this.clock.advanceToNextTimer())) return details;
    }
  }

  /** Waits until nothing is ready to run. No time passes. */
  async settle(): Promise<void> {
    await this.clock.settle();
  }

  /** Lets time pass, second by second, until the fact is there; fails after some minutes. */
  async until<Fact>(fact: () => Fact | Promise<Fact>): Promise<Exclude<NonNullable<Fact>, false>> {
    for (let second = 0; second < 300; second += 1) {
      await this.clock.settle();
      const found = await fact();
      if (found !== undefined && found !== null && found !== false) return found as Exclude<NonNullable<Fact>, false>;
      await this.clock.advance("1s");
    }
    throw new Error(`this has not become true within five minutes: ${fact.toString()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [host, killSwitch] of [...this.#hosts]) {
      killSwitch.line = "open";
      await this.stop(host);
    }
    await this.#store.remove();
  }
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
