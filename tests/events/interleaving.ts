import type { WorkflowDefinition, WorkflowHost } from "@wfe/core";
import { isDeepStrictEqual } from "node:util";
import { Crew, turns } from "../support/crew.ts";
import { randomFrom, type Random } from "../support/random.ts";
import type { StoreKind } from "../support/stores.ts";
import { World } from "../support/world.ts";
import { dataOf, definitionsOf, expectedReads, randomProgram, type Program } from "./program.ts";

/** Workflows that do the same, at different times and with different luck. */
const readersOfAProgram = 5;

/** One workflow that reads one stream, and what has been published there. */
interface Reader {
  readonly key: string;
  readonly program: Program;
  readonly definition: WorkflowDefinition;
  /** The events it has to read, before it has ended. */
  readonly total: number;
  startedAt: number | undefined;
  /** The time of each event; its payload is its index. */
  readonly publishedAt: number[];
}

/**
 * Plays one random interleaving for each of some workflows that share hosts: events are published and workflows started while
 * hosts come, go and die in the middle of what they do, or cannot reach the store for a while. Throws where any of them reads
 * other than it has to.
 */
export async function playInterleavings(store: StoreKind, seed: number, readers: number): Promise<void> {
  const random = randomFrom(seed);
  await using play = new Play(store, random, seed, readers);
  await play.run();
}

class Play implements AsyncDisposable {
  readonly #world: World;
  readonly #random: Random;
  readonly #seed: number;
  readonly #readers: readonly Reader[];
  /** Runs nothing and never dies: who has to know that something was published asks it. */
  readonly #client: WorkflowHost;
  readonly #crew: Crew;
  #allCompleted = false;

  constructor(store: StoreKind, random: Random, seed: number, readers: number) {
    this.#world = new World(store);
    this.#random = random;
    this.#seed = seed;
    const programs = Array.from({ length: Math.ceil(readers / readersOfAProgram) }, (_, index) => {
      const program = randomProgram(random, `program-${index}`);
      return { program, total: expectedReads(program).total, definitions: definitionsOf(program, `program-${index}`) };
    });
    const definitions = programs.flatMap(({ definitions }) => definitions);
    this.#readers = Array.from({ length: readers }, (_, index) => {
      const { program, total, definitions } = random.pick(programs);
      const [definition] = definitions;
      if (definition === undefined) throw new TypeError("a program has a definition");
      return { key: `k-${index}`, program, definition, total, startedAt: undefined, publishedAt: [] };
    });
    this.#client = this.#world.host(definitions);
    this.#crew = new Crew(this.#world, random, definitions);
  }

  async run(): Promise<void> {
    const acts = this.#readers.length * 8;
    for (let act = 0; act < acts; act += 1) await this.#act();
    await this.#finish();
    await Promise.all(this.#readers.map((reader) => this.#check(reader)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#world[Symbol.asyncDispose]();
  }

  async #act(): Promise<void> {
    const random = this.#random;
    const reader = random.pick(this.#readers);
    const dice = random.below(100);
    if (dice < 45) await this.#publish(reader);
    else if (dice < 60) await this.#startWorkflow(reader);
    else await this.#crew.act();
  }

  async #publish(reader: Reader): Promise<void> {
    const random = this.#random;
    const n = reader.publishedAt.length;
    const now = this.#world.clock.now();
    reader.publishedAt.push(now);
    const options = { id: `${reader.key} ${n}` };
    const host = this.#crew.eldest;
    if (host !== undefined && random.chance(0.3)) {
      // By a host that may be gone before it has heard that the event is stored.
      const published = host.publishEvent("e", reader.key, n, options);
      published.catch(() => {});
      if (random.chance(0.2)) {
        await turns(random.below(3));
        this.#crew.kill(host);
      } else if (random.chance(0.5) && this.#crew.reachesStore(host)) {
        await published;
        return;
      }
    }
    if (random.chance(0.1)) {
      const more = Array.from({ length: 3 }, (_, index) => n + index);
      for (const _ of more.slice(1)) reader.publishedAt.push(now);
      await this.#client.publishEvents(
        more.map((payload) => ({ event: "e", key: reader.key, payload, options: { id: `${reader.key} ${payload}` } })),
      );
      return;
    }
    await this.#client.publishEvent("e", reader.key, n, options);
    if (random.chance(0.1)) await this.#client.publishEvent("e", reader.key, n, options);
  }

  async #startWorkflow(reader: Reader): Promise<void> {
    if (reader.startedAt !== undefined) return;
    reader.startedAt = this.#world.clock.now();
    await this.#client.startWorkflow(reader.definition, dataOf(reader.key), { id: reader.key, tags: ["reader"] });
  }

  /** Starts what was not started, publishes what is missing, and lets everything end. */
  async #finish(): Promise<void> {
    for (const reader of this.#readers) await this.#startWorkflow(reader);
    for (const reader of this.#readers) {
      while (this.#eligible(reader) < reader.total) await this.#publish(reader);
    }
    await this.#crew.recover();
    for (let tries = 0; tries < 20; tries += 1) {
      const completed = await this.#client.countWorkflows({ tag: "reader", status: "completed" });
      this.#allCompleted = completed === this.#readers.length;
      if (this.#allCompleted) return;
      await this.#world.clock.advance("12s");
    }
  }

  /** How many of the events that were published count for the workflow. */
  #eligible({ publishedAt, startedAt }: Reader): number {
    return publishedAt.filter((at) => startedAt !== undefined && at >= startedAt).length;
  }

  async #check(reader: Reader): Promise<void> {
    const first = reader.publishedAt.findIndex((at) => at >= (reader.startedAt ?? 0));
    const expected = Object.fromEntries(
      Object.entries(expectedReads(reader.program).log).map(([leaf, reads]) => [
        leaf,
        reads.map((read) => read + first),
      ]),
    );
    if (this.#allCompleted) {
      const { log } = await this.#client.handle(reader.key).result();
      if (isDeepStrictEqual(sorted(log), sorted(expected))) return;
    }
    const details = await this.#client.getWorkflow(reader.key);
    const log: unknown = details?.data["log"];
    throw new Error(
      [
        `seed ${this.#seed}, workflow ${reader.key}: ${details?.status}${details?.error === undefined ? "" : ` (${details.error.message})`}`,
        `program  ${JSON.stringify(reader.program)}`,
        `expected ${JSON.stringify(sorted(expected))}`,
        `read     ${JSON.stringify(sorted(log))}`,
        `waiting for ${JSON.stringify(details?.waitingFor)}, ${reader.publishedAt.length} published, the first that counts is ${first}`,
      ].join("\n"),
    );
  }
}

function sorted(log: unknown): unknown {
  return Object.fromEntries(Object.entries(log ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
