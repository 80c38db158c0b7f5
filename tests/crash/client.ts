import { WorkflowHost } from "@wfe/core";
import { pause, until } from "../processes/support/until.ts";
import type { Acknowledged } from "./audit.ts";
import { type Kind, kindNames, mixOf, ticked } from "./mix.ts";
import { quiet } from "./quiet.ts";
import type { Start } from "./runner.ts";
import type { CrashStore } from "./stores/crash-store.ts";

/**
 * Workflows that are to be unfinished at any time: enough for every process to have work in hand, and not so many that a process
 * which lives for a moment does nothing but take over. What saw two processes die in a row is run alone.
 */
const unfinishedAtOnce = 12;

/** Starts workflows and publishes what they wait for, and keeps in mind what was acknowledged. Runs nothing itself. */
export class Client implements AsyncDisposable {
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
    this.host = new WorkflowHost({ providers: store.providers(), workflows: definitions, log: quiet() });
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
