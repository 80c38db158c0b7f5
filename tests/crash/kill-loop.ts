import { statSync } from "node:fs";
import { WorkflowHost } from "@wfe/core";
import { Child } from "../processes/support/child.ts";
import { pause, until } from "../processes/support/until.ts";
import { auditOf, type Acknowledged, type Audit } from "./audit.ts";
import { type Kind, kindNames, mixOf, ticked } from "./mix.ts";
import { quiet } from "./quiet.ts";
import { randomOf } from "./random.ts";
import type { RunnerOptions, Start } from "./runner.ts";
import { CrashStore, type StoreName } from "./stores/crash-store.ts";

export interface KillLoopOptions {
  readonly seed: number;
  readonly kills: number;
  readonly store?: StoreName;
}

/** What a kill loop has seen. */
export interface KillLoopReport extends Audit {
  readonly kills: number;
  /** Kills of processes that had not yet come up. */
  readonly killsAtStart: number;
  readonly acknowledgedStarts: number;
  readonly acknowledgedEvents: number;
  /** What reached callers of the client, which nobody killed. */
  readonly clientErrors: readonly string[];
}

/**
 * Workflows that are to be unfinished at any time: enough for every process to have work in hand, and not so many that a process
 * which lives for a moment does nothing but take over. What saw two processes die in a row is run alone.
 */
const unfinishedAtOnce = 12;
/** A process dies after it has begun so many bodies at most, or after so long: there may be nothing left to do. */
const mostBodies = 30;
const longestLifeMs = 1_500;
/**
 * Some of the processes live for a few milliseconds only, as no process does in earnest, so one workflow may well see many of
 * them die before its step has ended.
 */
const maxDeaths = 30;

/**
 * Kills processes that run the mix on one store, at random moments, while a client starts workflows and publishes events there.
 * The last process is left alone; then everything that was acknowledged is looked for.
 */
export async function killLoop({ seed, kills, store: name }: KillLoopOptions): Promise<KillLoopReport> {
  await using store = await CrashStore.create(name);
  const random = randomOf(seed);
  const options: RunnerOptions = { store: store.spec, directory: store.directory, maxDeaths };
  const script = new URL("./runner.ts", import.meta.url);
  await using client = new Client(store, random);

  let killsAtStart = 0;
  // The next process loads its sources while the one before it runs, so that a kill costs no more than a life.
  let next = Child.begin(script, options);
  for (let kill = 0; kill < kills; kill += 1) {
    const current = next;
    next = Child.begin(script, options);
    await current.ready();
    current.onFact(({ fact, value }) => {
      if (fact === "started") client.acknowledged(value as string);
    });
    let isUp = false;
    const starting = current.call("start").then(() => {
      isUp = true;
      if (client.wantsMore) void current.call("startWorkflows", [client.draw(), client.draw()]);
    });
    starting.catch(() => {});
    // Most die at work, some before they have come so far. How far is counted, since nobody knows how fast this machine is.
    const bodies = random() < 0.85 ? Math.floor(random() * mostBodies) : undefined;
    const longest = performance.now() + longestLifeMs;
    if (bodies !== undefined) {
      const before = bodiesOf(store);
      await starting;
      while (bodiesOf(store) < before + bodies && performance.now() < longest) await pause(2);
    }
    await pause(random() * 40);
    if (!isUp) killsAtStart += 1;
    current.kill("SIGKILL");
    const { signal } = await current.ended;
    if (signal !== "SIGKILL") throw new Error(`a process ended by itself\n${current.errors}`);
  }

  await next.ready();
  await next.call("start");
  await client.finish();
  await next.call("stop");
  await next[Symbol.asyncDispose]();
  return {
    kills,
    killsAtStart,
    acknowledgedStarts: client.starts.length,
    acknowledgedEvents: client.events,
    clientErrors: client.errors,
    ...(await auditOf(store, client.host, client.starts)),
  };
}

/** Bodies that have begun so far, by the bytes that they have written about it: a line of this length each, roughly. */
function bodiesOf(store: CrashStore): number {
  return (statSync(store.path("attempts.log"), { throwIfNoEntry: false })?.size ?? 0) / 130;
}

/** Starts workflows and publishes what they wait for, and keeps in mind what was acknowledged. Runs nothing itself. */
class Client implements AsyncDisposable {
  readonly host: WorkflowHost;
  readonly starts: Acknowledged[] = [];
  readonly errors: string[] = [];
  events = 0;
  /** Whether there were few unfinished ones when that was looked for last. */
  wantsMore = true;
  readonly #kinds: Readonly<Record<string, Kind>>;
  readonly #random: () => number;
  readonly #drawn: Map<string, Acknowledged> = new Map();
  readonly #publishing: Set<Promise<void>> = new Set();
  readonly #work: Promise<void>;
  #lastDrawn = 0;
  #isFinishing = false;

  constructor(store: CrashStore, random: () => number) {
    this.#kinds = mixOf({
      store: store.spec,
      directory: store.directory,
      publish: () => Promise.reject(new Error("it runs nothing")),
    });
    this.#random = random;
    const definitions = Object.values(this.#kinds).map(({ definition }) => definition);
    this.host = new WorkflowHost({ providers: [store.provider()], workflows: definitions, log: quiet() });
    this.#work = this.#run();
  }

  /** The next workflow to start, by this or by another process. */
  draw(): Start {
    this.#lastDrawn += 1;
    const name = kindNames[Math.floor(this.#random() * kindNames.length)]!;
    const kind = this.#kinds[name]!;
    const start = { id: `${name}-${this.#lastDrawn}`, kind: name, data: kind.data(this.#random) };
    this.#drawn.set(start.id, { id: start.id, kind, data: start.data });
    return start;
  }

  /** A start has been acknowledged, to whomever. */
  acknowledged(id: string): void {
    const start = this.#drawn.get(id)!;
    this.starts.push(start);
    const events = start.kind.events?.(start.data) ?? 0;
    if (events > 0) this.#inBackground(this.#publish(id, events));
  }

  /** Starts no more, and waits until everything has ended. */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    await this.#work;
    await Promise.all(this.#publishing);
    await until(
      { what: "everything has ended", withinMs: 60_000, otherwise: () => this.#unfinishedOnes() },
      async () => (await this.#unfinished()) === 0,
    ).catch((error: unknown) => void this.errors.push(String(error)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isFinishing = true;
    await this.#work;
    await Promise.all(this.#publishing);
    await this.host.stop();
  }

  async #run(): Promise<void> {
    while (!this.#isFinishing) {
      await this.#try(async () => {
        this.wantsMore = (await this.#unfinished()) < unfinishedAtOnce;
        if (!this.wantsMore) return;
        const start = this.draw();
        await this.host.startWorkflow(this.#kinds[start.kind]!.definition, start.data, { id: start.id });
        this.acknowledged(start.id);
        if (this.#random() < 0.1) this.#inBackground(this.#suspendForAWhile(start.id));
      });
      await pause(8);
    }
  }

  /** One after the other, some of them twice. */
  async #publish(id: string, events: number): Promise<void> {
    for (let n = 1; n <= events; n += 1) {
      await pause(this.#random() * 60);
      const times = this.#random() < 0.2 ? 2 : 1;
      for (let time = 0; time < times; time += 1) {
        await this.#try(() => this.host.publishEvent(ticked, id, { n }, { id: `${id}-${n}` }));
      }
      this.events += 1;
    }
  }

  async #suspendForAWhile(id: string): Promise<void> {
    await this.#try(async () => {
      await this.host.suspendWorkflow(id);
      await pause(this.#random() * 100);
      await this.host.resumeWorkflow(id);
    });
  }

  #inBackground(work: Promise<void>): void {
    this.#publishing.add(work);
    void work.finally(() => this.#publishing.delete(work));
  }

  async #try(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.errors.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }

  #unfinished(): Promise<number> {
    return this.host.countWorkflows({ status: ["runnable", "waiting", "suspended"] });
  }

  async #unfinishedOnes(): Promise<unknown> {
    const { items } = await this.host.listWorkflows({ status: ["runnable", "waiting", "suspended"], limit: 20 });
    return items.map(({ id, status, waitingFor, error }) => ({ id, status, waitingFor, error: error?.message }));
  }
}
