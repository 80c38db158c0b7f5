import { statSync } from "node:fs";
import { auditOf, type Audit } from "../crash/audit.ts";
import { Client } from "../crash/client.ts";
import { randomOf } from "../crash/random.ts";
import type { RunnerOptions } from "../crash/runner.ts";
import type { CrashStore } from "../crash/stores/crash-store.ts";
import { Child } from "../processes/support/child.ts";
import { pause, until } from "../processes/support/until.ts";

export interface FleetOptions {
  readonly seed: number;
  readonly store: CrashStore;
  /** Host processes at any time. Default 3. */
  readonly hosts?: number;
  readonly kills?: number;
  /** Processes that are stopped for longer than their lease, and go on then. */
  readonly freezes?: number;
  /** What happens to the services meanwhile: the load goes on until it resolves. */
  readonly meanwhile?: (progress: Progress) => Promise<void>;
}

export interface Progress {
  /** Bodies that have begun so far. */
  bodies(): number;
  /** Workflows that have completed so far. */
  completed(): Promise<number>;
}

/** What a fleet has seen. */
export interface FleetReport extends Audit {
  readonly kills: number;
  readonly freezes: number;
  readonly acknowledgedStarts: number;
  readonly acknowledgedEvents: number;
  /** What reached callers of the client. */
  readonly clientErrors: readonly string[];
}

const lease = "2s";
const frozenMs = { least: 2_600, most: 4_000 };
/** See the kill loop: what lives for moments only sees many deaths. */
const maxDeaths = 60;
/** Between two of what happens to processes, so many bodies begin, or so long passes. */
const mostBodies = 25;
const longestMs = 1_500;

/**
 * Runs the mix on several processes at once, of which some are killed and some frozen beyond their lease, while a client starts
 * workflows and publishes events. Then all are left alone, and everything that was acknowledged is looked for.
 */
export async function fleet(options: FleetOptions): Promise<FleetReport> {
  const { seed, store, hosts: size = 3, kills = 0, freezes = 0, meanwhile } = options;
  const random = randomOf(seed);
  await using client = new Client(store, random);
  await using hosts = new Hosts(store, client, size);
  await hosts.up();

  const acts = shuffled([...repeat("kill", kills), ...repeat("freeze", freezes)] as const, random);
  const bodies = (): number => bodiesOf(store);
  const completed = (): Promise<number> => client.host.countWorkflows({ status: "completed" });
  const disturbed = meanwhile?.({ bodies, completed });
  for (const act of acts) {
    const before = bodies() + random() * mostBodies;
    const longest = performance.now() + longestMs;
    while (bodies() < before && performance.now() < longest) await pause(5);
    await pause(random() * 40);
    if (act === "kill") await hosts.kill(random);
    else await hosts.freeze(random, frozenMs.least + random() * (frozenMs.most - frozenMs.least));
  }
  await disturbed;

  await hosts.thawed();
  await hosts.up();
  await client.finish();
  await hosts.stop();
  return {
    kills,
    freezes,
    acknowledgedStarts: client.starts.length,
    acknowledgedEvents: client.events,
    clientErrors: client.errors,
    ...(await auditOf(store, client.host, client.starts)),
  };
}

/** Processes, of which there are always as many. */
class Hosts implements AsyncDisposable {
  readonly #options: RunnerOptions;
  readonly #client: Client;
  readonly #running: Child[] = [];
  readonly #starting: Map<Child, Promise<void>> = new Map();
  /** One at a time, so that there is always somebody to take over. */
  #frozen: Child | undefined;
  #thawing: Promise<void> = Promise.resolve();
  readonly #everyone: Child[] = [];

  constructor(store: CrashStore, client: Client, size: number) {
    this.#options = { store: store.spec, directory: store.directory, lease, maxDeaths };
    this.#client = client;
    for (let host = 0; host < size; host += 1) this.#add();
  }

  /** Waits until every process runs a host. */
  async up(): Promise<void> {
    await Promise.all(this.#starting.values());
  }

  async kill(random: () => number): Promise<void> {
    const victims = this.#running.filter((child) => child !== this.#frozen);
    const victim = victims[Math.floor(random() * victims.length)]!;
    victim.kill("SIGKILL");
    const { signal } = await victim.ended;
    if (signal !== "SIGKILL") throw new Error(`a process ended by itself\n${victim.errors}`);
    this.#running.splice(this.#running.indexOf(victim), 1);
    this.#starting.delete(victim);
    this.#add();
  }

  /** Waits only for the one that was frozen before. */
  async freeze(random: () => number, forMs: number): Promise<void> {
    await this.#thawing;
    await this.up();
    const frozen = this.#running[Math.floor(random() * this.#running.length)]!;
    this.#frozen = frozen;
    frozen.kill("SIGSTOP");
    this.#thawing = this.#thaw(frozen, forMs);
  }

  async thawed(): Promise<void> {
    await this.#thawing;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((child) => child.call("stop")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#everyone) await child[Symbol.asyncDispose]();
  }

  async #thaw(frozen: Child, forMs: number): Promise<void> {
    await pause(forMs);
    frozen.kill("SIGCONT");
    this.#frozen = undefined;
    // It may be killed before it has found out.
    const isGone = frozen.ended.then(() => true);
    const hasLease = until({ what: "a thawed process has a lease again", withinMs: 60_000 }, () =>
      frozen.call<string>("leaseIs").then((lease) => lease === "alive"),
    );
    await Promise.race([isGone, hasLease]);
    hasLease.catch(() => {});
  }

  #add(): void {
    const child = Child.begin(new URL("../crash/runner.ts", import.meta.url), this.#options);
    this.#running.push(child);
    this.#everyone.push(child);
    child.onFact(({ fact, value }) => {
      if (fact === "started") this.#client.acknowledged(value as string);
    });
    const starting = this.#start(child);
    // One that is killed meanwhile is not waited for.
    starting.catch(() => {});
    this.#starting.set(child, starting);
  }

  async #start(child: Child): Promise<void> {
    await child.ready();
    await child.call("start");
    if (this.#client.wantsMore) void child.call("startWorkflows", [this.#client.draw(), this.#client.draw()]);
  }
}

/** By the bytes that they have written about it: a line of this length each, roughly. */
function bodiesOf(store: CrashStore): number {
  return (statSync(store.path("attempts.log"), { throwIfNoEntry: false })?.size ?? 0) / 130;
}

function repeat<Item>(item: Item, times: number): readonly Item[] {
  return Array.from({ length: times }, () => item);
}

function shuffled<Item>(items: readonly Item[], random: () => number): readonly Item[] {
  return items
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
