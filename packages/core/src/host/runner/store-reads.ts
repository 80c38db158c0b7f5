import type {
  LoadedWorkflow,
  PersistenceProvider,
  PullRequest,
  PullResult,
  RowWrite,
} from "../../providers/persistence-provider.ts";
import type { Run, StoredTurn, WorkflowRow } from "../../providers/records.ts";
import { persistently } from "../core/back-off.ts";
import { Batcher } from "../core/batcher.ts";
import type { HostCore } from "../core/host-core.ts";

/** Workflows of one load: their journals are in memory all at once. */
const mostLoaded = 100;
/** Turns of one read of a journal. */
const turnsAtOnce = 500;
/** Events numbered, or waiters woken, by one call. */
const advancedAtOnce = 500;

interface RowRequest {
  readonly run: Run;
  readonly claim: number;
  readonly row: RowWrite;
}

interface WorkflowKey {
  readonly namespace: string;
  readonly id: string;
}

/** The store as workflows in hand use it beside commits: in batches, and again where a call may succeed later. */
export class StoreReads {
  readonly #core: HostCore;
  readonly #wanted: () => boolean;
  readonly #loads: Batcher<Run, LoadedWorkflow | undefined>;
  readonly #pulls: Batcher<PullRequest, PullResult>;
  readonly #rows: Batcher<RowRequest, boolean>;
  readonly #finds: Batcher<WorkflowKey, WorkflowRow | undefined>;
  /** Events that became effective by then have their numbers. */
  #effectiveThrough = Number.NEGATIVE_INFINITY;
  #advancing: Promise<void> | undefined;

  /** `wanted`: whether calls that failed are still worth another try. */
  constructor(core: HostCore, wanted: () => boolean) {
    this.#core = core;
    this.#wanted = wanted;
    const { clock } = core.runtime;
    const { persistence } = core.providers;
    const { batch } = core.options.limits;
    this.#loads = new Batcher(clock, Math.min(batch, mostLoaded), (runs) => persistence.load(runs));
    this.#pulls = new Batcher(clock, batch, (requests) => persistence.pull(requests));
    this.#rows = new Batcher(clock, batch, (writes) => persistence.writeRows(writes));
    this.#finds = new Batcher(clock, batch, (keys) => findAll(persistence, keys));
  }

  load(run: Run): Promise<LoadedWorkflow | undefined> {
    return this.#persistently(() => this.#loads.add(run));
  }

  pull(request: PullRequest): Promise<PullResult> {
    return this.#persistently(() => this.#pulls.add(request));
  }

  /** Events that became effective by a time that has passed are in their streams, also where no host ran at that time. */
  async effectiveThrough(time: number): Promise<void> {
    // One that is under way may have begun before that time.
    if (this.#effectiveThrough < time) await this.#advancing;
    if (this.#effectiveThrough >= time) return;
    this.#advancing ??= this.#advanceEvents().finally(() => (this.#advancing = undefined));
    await this.#advancing;
  }

  /** false: the claim is lost. */
  writeRow(write: RowRequest): Promise<boolean> {
    return this.#persistently(() => this.#rows.add(write));
  }

  async find(namespace: string, ids: readonly string[]): Promise<readonly (WorkflowRow | undefined)[]> {
    return Promise.all(ids.map((id) => this.#persistently(() => this.#finds.add({ namespace, id }))));
  }

  /** One turn; undefined where the journal does not have it. */
  async turn(run: Run, seq: number): Promise<StoredTurn | undefined> {
    const [turn] = await this.#turns(run, { from: seq, to: seq, limit: 1 });
    return turn;
  }

  /** The whole journal up to a seq. */
  async journal(run: Run, to: number): Promise<readonly StoredTurn[]> {
    const journal: StoredTurn[] = [];
    for (let from = 0; from <= to;) {
      const turns = await this.#turns(run, { from, to, limit: turnsAtOnce });
      const last = turns.at(-1);
      if (last === undefined) break;
      journal.push(...turns);
      from = last.seq + 1;
    }
    return journal;
  }

  async #advanceEvents(): Promise<void> {
    const { clock } = this.#core.runtime;
    const { persistence } = this.#core.providers;
    const now = this.#core.engineNow();
    const advance = (): Promise<boolean> => clock.track(persistence.advanceEvents(advancedAtOnce), "engine");
    while (await this.#persistently(advance));
    this.#effectiveThrough = now;
  }

  #turns(
    run: Run,
    range: { readonly from: number; readonly to: number; readonly limit: number },
  ): Promise<readonly StoredTurn[]> {
    const { clock } = this.#core.runtime;
    return this.#persistently(() => clock.track(this.#core.providers.persistence.turns(run, range), "engine"));
  }

  #persistently<Result>(call: () => Promise<Result>): Promise<Result> {
    return persistently(this.#core.runtime, call, this.#wanted);
  }
}

async function findAll(
  persistence: PersistenceProvider,
  keys: readonly WorkflowKey[],
): Promise<readonly (WorkflowRow | undefined)[]> {
  const rows = new Map<WorkflowKey, WorkflowRow | undefined>();
  for (const [namespace, ofNamespace] of Map.groupBy(keys, (key) => key.namespace)) {
    const found = await persistence.find(
      namespace,
      ofNamespace.map(({ id }) => id),
    );
    for (const [index, key] of ofNamespace.entries()) rows.set(key, found[index]);
  }
  return keys.map((key) => rows.get(key));
}
