import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NewDelivery, NewEvent, Run, TurnCommit } from "../../../providers/index.ts";
import { seededRandom } from "../../test-runtime.ts";
import type { Stage } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

const lanes = 500;
const rounds = 20;

export function interleavingCases({ describe, it }: PersistenceSuite): void {
  describe("no lost wake-up", () => {
    it(`holds for ${lanes * rounds} interleavings of publish, deliver, subscribe, unsubscribe and release`, async (stage) => {
      const world = new World(stage, 1);
      await world.begin();
      for (let round = 0; round < rounds; round += 1) {
        await world.claimWhatIsDue();
        await world.pullWhatHasCome();
        await world.commitAndLetGo();
        await world.letTimePass();
      }
      await world.end();
    });
  });
}

/** One workflow, its stream and its inbox, as they have to be: the model. */
interface Lane {
  readonly run: Run;
  readonly key: string;
  /** What the stream holds: the event numbered n is at n - 1. */
  readonly published: string[];
  /** What will be in the stream after a second. */
  readonly coming: string[];
  /** What the inbox has had: the delivery numbered n is at n - 1. */
  readonly delivered: string[];

  held: boolean;
  claim: number;
  seq: number;
  noted: number;
  /** How many events and deliveries its host has pulled. */
  events: number;
  deliveries: number;
  /** How many deliveries its turns have read. */
  read: number;
  /** What the pull under way has brought. */
  pulled: { readonly events: readonly string[]; readonly deliveries: readonly string[] } | undefined;
  subscribed: boolean;
  /** Whether anything has come since its host last looked. */
  touched: boolean;
}

/** Lanes side by side, whose host and whose outsiders act at random, and at the same time. */
class World {
  readonly #stage: Stage;
  readonly #random: () => number;
  readonly #lanes: Lane[] = [];
  #sent = 0;

  constructor(stage: Stage, seed: number) {
    this.#stage = stage;
    this.#random = seededRandom(seed);
  }

  async begin(): Promise<void> {
    for (const run of await this.#stage.startMany(lanes)) {
      this.#lanes.push({
        run,
        key: `key-${run}`,
        published: [],
        coming: [],
        delivered: [],
        held: false,
        claim: 0,
        seq: 0,
        noted: 0,
        events: 0,
        deliveries: 0,
        read: 0,
        pulled: undefined,
        subscribed: false,
        touched: true,
      });
    }
  }

  /** Claims while outsiders act; then nothing may be left that sleeps over something to do. */
  async claimWhatIsDue(): Promise<void> {
    await this.#atOnce([() => this.#claim()]);
    await this.#stage.advanceEvents();
    await this.#claim();
    for (const lane of this.#lanes) {
      if (lane.held) continue;
      strictEqual(lane.delivered.length, lane.deliveries, `run ${lane.run} sleeps over a delivery`);
      if (lane.subscribed) strictEqual(lane.published.length, lane.events, `run ${lane.run} sleeps over an event`);
    }
  }

  /** Reads for every workflow in hand while outsiders act. */
  async pullWhatHasCome(): Promise<void> {
    const held = this.#lanes.filter((lane) => lane.held);
    const before = new Map(
      held.map((lane) => [lane, { published: lane.published.length, delivered: lane.delivered.length }]),
    );
    await this.#atOnce(
      chunks(held, 100).map((chunk) => async () => {
        const pulled = await this.#stage.store.pull(
          chunk.map(({ run, key, events }) => ({
            run,
            namespace: "default",
            streams: [this.#stage.cursor({ key, after: events })],
          })),
        );
        for (const [place, lane] of chunk.entries()) {
          const result = pulled[place];
          const had = before.get(lane);
          ok(result && had);
          lane.noted = result.signals;
          // What came meanwhile may be there or not; what came before is there.
          const events = result.events[0]?.events ?? [];
          const numbers = events.map(({ number }) => number);
          deepStrictEqual(
            numbers,
            events.map((_, step) => lane.events + step + 1),
            `run ${lane.run} reads every event once`,
          );
          ok(lane.events + events.length >= had.published, `run ${lane.run} reads all that was published`);
          deepStrictEqual(
            result.deliveries.map(({ number }) => number),
            result.deliveries.map((_, step) => lane.deliveries + step + 1),
          );
          ok(
            lane.deliveries + result.deliveries.length >= had.delivered,
            `run ${lane.run} reads all that was delivered`,
          );
          lane.pulled = {
            events: events.map(({ payloadText }) => payloadText),
            deliveries: result.deliveries.map(({ bodyText }) => bodyText),
          };
        }
      }),
    );
    for (const lane of held) {
      const { events, deliveries } = lane.pulled ?? { events: [], deliveries: [] };
      deepStrictEqual(events, lane.published.slice(lane.events, lane.events + events.length));
      deepStrictEqual(deliveries, lane.delivered.slice(lane.deliveries, lane.deliveries + deliveries.length));
      lane.events += events.length;
      lane.deliveries += deliveries.length;
      // Its signals were noted before anything was read: for what came meanwhile it may be woken, though it has read that.
      const had = before.get(lane);
      lane.touched = lane.published.length !== had?.published || lane.delivered.length !== had.delivered;
      lane.pulled = undefined;
    }
  }

  /** Ends every turn while outsiders act: with a subscription or without, most of them letting the workflow go. */
  async commitAndLetGo(): Promise<void> {
    const held = this.#lanes.filter((lane) => lane.held);
    const turns = held.map((lane) => this.#turn(lane));
    await this.#atOnce(
      chunks(turns, 100).map((chunk) => async () => {
        for (const result of await this.#stage.store.commit(chunk)) {
          ok(result.outcome === "applied" && result.rowWritten, "the turn and its row are written");
        }
      }),
    );
  }

  async letTimePass(): Promise<void> {
    await this.#stage.clock.advance("1s");
    await this.#stage.advanceEvents();
    for (const lane of this.#lanes) {
      if (lane.coming.length === 0) continue;
      lane.published.push(...lane.coming.splice(0));
      lane.touched = true;
    }
  }

  /** Everything that was sent is in its place, in order. */
  async end(): Promise<void> {
    for (const lane of this.#lanes) {
      deepStrictEqual(await this.#stage.payloads({ key: lane.key }), lane.published);
    }
  }

  #turn(lane: Lane): TurnCommit {
    const stage = this.#stage;
    const release = this.#random() < 0.8;
    const ended = release && this.#random() < 0.1;
    const waits = !ended && this.#random() < 0.7;
    const read = Array.from({ length: lane.deliveries - lane.read }, (_, step) => lane.read + step + 1);
    const turn = stage.turn(lane, lane.seq, {
      read: read.map((number) => ({ number, outcome: "applied", reason: null })),
      unsubscribe: lane.subscribed ? [1] : [],
      subscribe: waits ? [{ pointer: 1, name: "paid", key: lane.key, after: lane.events }] : [],
      row: stage.row({
        release,
        notedSignals: lane.noted,
        status: ended ? "completed" : "waiting",
        completedAt: ended ? stage.clock.now() : null,
      }),
    });
    lane.read = lane.deliveries;
    lane.seq += 1;
    lane.subscribed = waits;
    lane.held = !release;
    return turn;
  }

  async #claim(): Promise<void> {
    for (;;) {
      const claimed = await this.#stage.claim({ limit: 100 });
      if (claimed.length === 0) return;
      for (const { row } of claimed) {
        const lane = this.#lanes.find(({ run }) => run === row.run);
        ok(lane && !lane.held, "nothing is claimed that is in hand");
        ok(lane.touched, `run ${row.run} is woken by something`);
        lane.held = true;
        lane.claim = row.claim;
      }
    }
  }

  /** Does these, and what outsiders do, all at once and begun in any order. */
  async #atOnce(acts: readonly (() => Promise<void>)[]): Promise<void> {
    const all = [...acts, ...this.#outside()];
    const order = all.map((act) => ({ act, place: this.#random() })).sort((a, b) => a.place - b.place);
    await Promise.all(order.map(({ act }) => act()));
  }

  #outside(): (() => Promise<void>)[] {
    const events: NewEvent[] = [];
    const deliveries: NewDelivery[] = [];
    for (const lane of this.#lanes) {
      this.#sent += 1;
      const text = `${this.#sent}`;
      const dice = this.#random();
      if (dice < 0.2) {
        events.push(this.#stage.event({ key: lane.key, payloadText: text }));
        lane.published.push(text);
      } else if (dice < 0.3) {
        const effectiveAt = this.#stage.clock.now() + 1_000;
        events.push(this.#stage.event({ key: lane.key, payloadText: text, effectiveAt }));
        lane.coming.push(text);
      } else if (dice < 0.4) {
        deliveries.push(this.#stage.delivery(lane.run, { bodyText: text }));
        lane.delivered.push(text);
      } else continue;
      lane.touched = true;
    }
    return [
      ...chunks(events, 50).map((chunk) => async () => void (await this.#stage.store.publish(chunk))),
      ...chunks(deliveries, 50).map((chunk) => async () => void (await this.#stage.store.deliver(chunk, 10_000))),
    ];
  }
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const result: T[][] = [];
  for (let from = 0; from < items.length; from += size) result.push(items.slice(from, from + size));
  return result;
}
