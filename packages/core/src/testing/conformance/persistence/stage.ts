import { ok, strictEqual } from "node:assert/strict";
import type {
  ClaimedWorkflow,
  ClaimRequest,
  CommitResult,
  NewDelivery,
  NewEvent,
  NewWorkflow,
  PersistenceProvider,
  PullResult,
  Run,
  RowWrite,
  StreamCursor,
  TurnCommit,
  WorkflowRow,
} from "../../../providers/index.ts";
import { recordFormat } from "../../../providers/index.ts";
import type { TestClock } from "../../test-clock.ts";
import type { OpenProvider } from "../harness.ts";

/** A workflow that a case has in hand. */
export interface Held {
  readonly run: Run;
  readonly claim: number;
  readonly row: WorkflowRow;
}

export type Applied = Extract<CommitResult, { outcome: "applied" }>;

/** The definition that workflows have where a case does not say otherwise. */
export const order = { id: "order", version: 1 } as const;

/** A store, and what cases do with it in fewest words. */
export class Stage {
  readonly open: OpenProvider;
  readonly clock: TestClock;
  readonly store: PersistenceProvider;
  #named = 0;
  /** A workflow that nobody runs, to read streams with. */
  #reader: Run | undefined;

  constructor(open: OpenProvider, store: PersistenceProvider) {
    this.open = open;
    this.clock = open.clock;
    this.store = store;
  }

  /** A text that no other call has given. */
  name(prefix: string): string {
    this.#named += 1;
    return `${prefix}-${this.#named}`;
  }

  workflow(over: Partial<NewWorkflow> = {}): NewWorkflow {
    return {
      namespace: "default",
      id: this.name("workflow"),
      uid: this.open.runtime.randomId(),
      definitionId: order.id,
      version: order.version,
      definitionHash: "hash",
      priority: 0,
      tags: [],
      startAt: null,
      startText: "{}",
      parent: null,
      firstTurn: null,
      ...over,
    };
  }

  async start(over: Partial<NewWorkflow> = {}): Promise<Run> {
    const [created] = await this.store.create([this.workflow(over)]);
    ok(created?.created, "the workflow is created");
    return created.run;
  }

  async startMany(count: number, over: Partial<NewWorkflow> = {}): Promise<Run[]> {
    const runs: Run[] = [];
    while (runs.length < count) {
      const batch = Array.from({ length: Math.min(500, count - runs.length) }, () => this.workflow(over));
      runs.push(...(await this.store.create(batch)).map(({ run }) => run));
    }
    return runs;
  }

  claim(over: Partial<ClaimRequest> = {}): Promise<readonly ClaimedWorkflow[]> {
    return this.store.claim({ lease: "lease", limit: 100, definitions: [order], format: recordFormat, ...over });
  }

  /** Claims this one, which has to be due. */
  async take(run: Run, over: Partial<ClaimRequest> = {}): Promise<Held> {
    const [claimed] = await this.claim({ runs: [run], ...over });
    ok(claimed, "the workflow can be claimed");
    return { run, claim: claimed.row.claim, row: claimed.row };
  }

  /** Starts one and claims it. */
  async hold(over: Partial<NewWorkflow> = {}, request: Partial<ClaimRequest> = {}): Promise<Held> {
    const workflow = this.workflow(over);
    const run = await this.start(workflow);
    return this.take(run, { definitions: [{ id: workflow.definitionId, version: workflow.version }], ...request });
  }

  /** Starts many and claims all of them. */
  async holdMany(count: number, over: Partial<NewWorkflow> = {}): Promise<Held[]> {
    const runs = new Set(await this.startMany(count, over));
    const held: Held[] = [];
    while (held.length < count) {
      const claimed = await this.claim({ runs: [...runs].slice(0, 500), limit: 500 });
      ok(claimed.length > 0, "the workflows can be claimed");
      for (const { row } of claimed) {
        runs.delete(row.run);
        held.push({ run: row.run, claim: row.claim, row });
      }
    }
    return held;
  }

  /** Starts one, claims it and lets it go asleep. */
  async sleeping(over: Partial<NewWorkflow> = {}): Promise<Held> {
    const held = await this.hold(over);
    await this.park(held);
    return held;
  }

  turn(held: Pick<Held, "run" | "claim">, seq: number, over: Partial<TurnCommit> = {}): TurnCommit {
    return {
      run: held.run,
      claim: held.claim,
      seq,
      turn: this.name("turn"),
      host: "host",
      entriesText: `[${seq}]`,
      namespace: "default",
      ...over,
    };
  }

  /** What the row of a workflow becomes that goes to sleep; `over` says otherwise. */
  row(over: Partial<RowWrite> = {}): RowWrite {
    return {
      status: "waiting",
      dueAt: null,
      release: true,
      notedSignals: 0,
      version: order.version,
      definitionHash: "hash",
      completedAt: null,
      resultText: null,
      errorText: null,
      waitingFor: [],
      ...over,
    };
  }

  async commit(turn: TurnCommit): Promise<CommitResult> {
    const [result] = await this.store.commit([turn]);
    ok(result, "there is a result");
    return result;
  }

  /** Commits a turn that has to be applied. */
  async apply(turn: TurnCommit): Promise<Applied> {
    const result = await this.commit(turn);
    strictEqual(result.outcome, "applied");
    return result;
  }

  /** Appends turns from seq 0 on. */
  async journal(held: Pick<Held, "run" | "claim">, length: number): Promise<void> {
    for (let seq = 0; seq < length; seq += 1) await this.apply(this.turn(held, seq));
  }

  /** Lets a workflow go; asleep where `over` does not say otherwise and nothing has come. */
  async park(held: Held, over: Partial<RowWrite> = {}): Promise<void> {
    const row = this.row({ notedSignals: held.row.signals, ...over });
    const [written] = await this.store.writeRows([{ run: held.run, claim: held.claim, row }]);
    ok(written, "the row is written");
  }

  /** Ends a workflow, now. */
  async end(held: Held, over: Partial<RowWrite> = {}): Promise<void> {
    await this.park(held, { status: "completed", completedAt: this.clock.now(), resultText: "{}", ...over });
  }

  async rowOf(run: Run): Promise<WorkflowRow> {
    const [loaded] = await this.store.load([run]);
    ok(loaded, "the workflow is there");
    return loaded.row;
  }

  async isDue(run: Run): Promise<boolean> {
    const { dueAt, owner } = await this.rowOf(run);
    return owner === null && dueAt !== null && dueAt <= this.clock.now();
  }

  /** Asserts that it wants a host now, by its row and by a claim, which takes it. */
  async takeWoken(run: Run): Promise<Held> {
    ok(await this.isDue(run), "the workflow is due");
    return this.take(run);
  }

  delivery(to: Run, over: Partial<NewDelivery> = {}): NewDelivery {
    const deliveryId = this.open.runtime.randomId();
    return { deliveryId, to, kind: "suspend", bodyText: "{}", keepOutcome: false, exempt: false, ...over };
  }

  /** Delivers one, which has to be accepted, and gives its number. */
  async deliver(to: Run, over: Partial<NewDelivery> = {}): Promise<number> {
    const [result] = await this.store.deliver([this.delivery(to, over)], 10_000);
    ok(result?.outcome === "accepted", "the delivery is accepted");
    return result.number;
  }

  event(over: Partial<NewEvent> = {}): NewEvent {
    const eventId = this.open.runtime.randomId();
    return { namespace: "default", name: "paid", key: "o-1", eventId, payloadText: "{}", effectiveAt: null, ...over };
  }

  /** Publishes one and gives its number. */
  async publish(over: Partial<NewEvent> = {}): Promise<number | null> {
    const [published] = await this.store.publish([this.event(over)]);
    ok(published, "there is an answer");
    return published.number;
  }

  /** Does all that time has made due among events. */
  async advanceEvents(): Promise<void> {
    for (let calls = 0; await this.store.advanceEvents(100); calls += 1) {
      ok(calls < 10_000, "there is an end to what is to be done about events");
    }
  }

  async pull(run: Run, streams: readonly StreamCursor[] = [], namespace = "default"): Promise<PullResult> {
    const [pulled] = await this.store.pull([{ run, namespace, streams }]);
    ok(pulled, "there is an answer");
    return pulled;
  }

  /** The payloads of a stream's events after a cursor. */
  async payloads(over: Partial<StreamCursor> & { readonly namespace?: string } = {}): Promise<readonly string[]> {
    const { namespace = "default", ...cursor } = over;
    this.#reader ??= await this.start({ namespace: "reader", definitionId: "reader" });
    const { events } = await this.pull(this.#reader, [this.cursor(cursor)], namespace);
    return (events[0]?.events ?? []).map(({ payloadText }) => payloadText);
  }

  cursor(over: Partial<StreamCursor> = {}): StreamCursor {
    return { name: "paid", key: "o-1", after: 0, since: 0, limit: 1_000, ...over };
  }

  /**
   * Waits until a condition holds: for what comes "soon", in this process or from another. Time passes on the test clock and
   * in reality, in small steps, for at most 20 s of the one and some seconds of the other.
   */
  async soon(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (let step = 0; step < 400; step += 1) {
      if (await holds()) return;
      await this.clock.advance(50);
      await new Promise((resolve) => setTimeout(resolve, step < 40 ? 1 : 10));
    }
    ok(await holds(), "it comes in time");
  }
}
