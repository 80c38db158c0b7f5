import type { WorkflowDefinition, WorkflowHost } from "@wfe/core";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

const mostHosts = 3;

/** Hosts that come, go, die and lose the store at random, and the time that passes meanwhile. */
export class Crew {
  readonly #world: World;
  readonly #random: Random;
  readonly #definitions: readonly WorkflowDefinition[];
  #hosts: readonly WorkflowHost[] = [];
  /** Those whose line to the store is not open. */
  readonly #cutOff: Set<WorkflowHost> = new Set();

  constructor(world: World, random: Random, definitions: readonly WorkflowDefinition[]) {
    this.#world = world;
    this.#random = random;
    this.#definitions = definitions;
  }

  /** The one that has been there longest. */
  get eldest(): WorkflowHost | undefined {
    return this.#hosts[0];
  }

  /** Whether the host can be expected to answer. */
  reachesStore(host: WorkflowHost): boolean {
    return this.#hosts.includes(host) && !this.#cutOff.has(host);
  }

  async act(): Promise<void> {
    const random = this.#random;
    const dice = random.below(40);
    if (dice < 18) await turns(1 + random.below(6));
    else if (dice < 24) await this.#world.settle();
    else if (dice < 30) await this.#world.clock.advance(random.pick([1, 50, 800, 3_000]));
    else if (dice < 35) await this.#start();
    else if (dice < 37) this.#killAny();
    else if (dice < 39) this.#changeLine();
    else await this.#stopEldest();
  }

  kill(host: WorkflowHost): void {
    this.#world.kill(host);
    this.#forget(host);
  }

  /** From now on there is a host, and every host reaches the store. */
  async recover(): Promise<void> {
    for (const host of this.#cutOff) this.#world.setLine(host, "open");
    this.#cutOff.clear();
    if (this.#hosts.length === 0) await this.#start();
  }

  async #start(): Promise<void> {
    if (this.#hosts.length < mostHosts) this.#hosts = [...this.#hosts, await this.#world.start(this.#definitions)];
  }

  #killAny(): void {
    if (this.#hosts.length > 0) this.kill(this.#random.pick(this.#hosts));
  }

  async #stopEldest(): Promise<void> {
    const host = this.eldest;
    if (host === undefined) return;
    this.#forget(host);
    await this.#world.stop(host);
  }

  /** A host that is alive cannot reach the store, or hears no answer; or again it can. */
  #changeLine(): void {
    if (this.#hosts.length === 0) return;
    const host = this.#random.pick(this.#hosts);
    const line = this.#cutOff.has(host) ? "open" : this.#random.pick(["cut", "deaf"] as const);
    this.#world.setLine(host, line);
    if (line === "open") this.#cutOff.delete(host);
    else this.#cutOff.add(host);
  }

  #forget(host: WorkflowHost): void {
    this.#hosts = this.#hosts.filter((other) => other !== host);
    this.#cutOff.delete(host);
  }
}

/** Lets the event loop turn: what runs meanwhile may be cut off anywhere. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
