import type {
  ClaimedWorkflow,
  ClaimRequest,
  NewDelivery,
  NewEvent,
  NewWorkflow,
  PersistenceProvider,
  Provider,
  CreatedWorkflow,
  Run,
  StoredEvent,
  TurnCommit,
  WorkflowRow,
} from "../../providers/index.ts";
import { finalStatuses } from "../../providers/index.ts";
import type { ApplicationTable, OpenTransaction } from "./application-table.ts";
import { EffectAudit } from "./effect-audit.ts";
import { JournalAudit } from "./journal-audit.ts";
import { LeaseAudit } from "./lease-audit.ts";
import { NamespaceAudit } from "./namespace-audit.ts";
import { placeOf } from "./place-of.ts";
import type { Plan } from "./plan.ts";
import { RetentionAudit } from "./retention-audit.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { Verdict } from "./verdict.ts";

/** A delivery that the store has taken. */
export interface SeenDelivery {
  readonly number: number;
  /** Whether somebody outside asked for it. */
  readonly asked: boolean;
  outcome: "applied" | "refused" | undefined;
}

const allStreamsSince = 0;
const emptyStream = { events: [], deletedThrough: 0 };
/** More events of one stream than a schedule can have. */
const manyEvents = 10_000;

export interface StoreAuditOptions {
  readonly store: Provider;
  readonly verdict: Verdict;
  readonly now: () => number;
  /** The store's time; undefined once it has jumped. */
  readonly storeNow: () => number | undefined;
  readonly plan: Pick<Plan, "namespaces" | "retention">;
  /** The transactional steps, by definition and id. */
  readonly transactional: ReadonlySet<string>;
  /** Told what has happened, for the story. */
  readonly tell: (line: () => string) => void;
}

/**
 * The store as the network reaches it, and what is known of it from what has gone through: it is looked at from here, and never
 * from what hosts believe.
 */
export class StoreAudit {
  readonly leases: LeaseAudit;
  readonly persistence: PersistenceProvider;
  readonly journals: Map<Run, JournalAudit> = new Map();
  /** By namespace and id: one, or several where retention has deleted the earlier ones. */
  readonly runs: Map<string, Run[]> = new Map();
  readonly deliveries: Map<Run, SeenDelivery[]> = new Map();
  /** Events that the store has taken, by namespace and id. */
  readonly events: Set<string> = new Set();
  readonly #real: PersistenceProvider;
  readonly #options: StoreAuditOptions;
  readonly #retention: RetentionAudit;
  readonly #namespaces: NamespaceAudit;
  readonly #effects: EffectAudit;
  readonly #byUid: Map<string, Run> = new Map();
  readonly #namespaceOf: Map<Run, string> = new Map();
  readonly #claims: Map<Run, number> = new Map();
  readonly #owners: Map<Run, string | null> = new Map();
  /** Runs that are to be taken over before anything else is appended under this claim. */
  readonly #takeOvers: Map<Run, number> = new Map();

  constructor(options: StoreAuditOptions) {
    const { store, verdict } = options;
    if (store.persistence === undefined || store.lock === undefined)
      throw new TypeError("a simulated store needs persistence and lock");
    this.#options = options;
    this.#real = store.persistence;
    this.leases = new LeaseAudit(store.lock, verdict, options.storeNow);
    this.#namespaces = new NamespaceAudit(verdict);
    this.#effects = new EffectAudit(verdict, options.transactional);
    this.#retention = new RetentionAudit({
      real: store.persistence,
      verdict,
      plan: options.plan,
      storeNow: options.storeNow,
      rows: () => this.rows(),
      journal: (run) => this.journal(run),
      tell: options.tell,
    });
    this.persistence = this.#watched(store.persistence);
  }

  /** What transactional steps write to. */
  get table(): ApplicationTable {
    return this.#effects.table;
  }

  /** Workflows that retention has deleted. */
  get purged(): ReadonlySet<Run> {
    return this.#retention.workflows;
  }

  /** Events that retention has deleted, by namespace and id. */
  get purgedEvents(): ReadonlySet<string> {
    return this.#retention.events;
  }

  /** The journal of the workflow that was started under this uid. */
  journalOf(uid: string): JournalAudit | undefined {
    const run = this.#byUid.get(uid);
    return run === undefined ? undefined : this.journals.get(run);
  }

  /** The lease under which it was claimed last. */
  ownerOf(run: Run): string | null | undefined {
    return this.#owners.get(run);
  }

  journal(run: Run): JournalAudit {
    let journal = this.journals.get(run);
    if (journal === undefined)
      this.journals.set(run, (journal = new JournalAudit(run, `run ${run}`, this.#options.verdict)));
    return journal;
  }

  #watched(real: PersistenceProvider): PersistenceProvider {
    const watched: PersistenceProvider = {
      transactionalSteps: false,
      create: async (workflows) => {
        const created = await real.create(workflows);
        for (const [index, one] of created.entries()) this.#created(workflows[index], one);
        return created;
      },
      find: async (namespace, ids) => {
        const rows = await real.find(namespace, ids);
        this.#namespaces.given(namespace, rows);
        return rows;
      },
      claim: async (request) => {
        const claimed = await this.#claim(request);
        if (claimed.length > request.limit)
          this.#options.verdict.fail(
            "a claim is bounded",
            `${claimed.length} workflows were given where ${request.limit} were asked for`,
          );
        for (const one of claimed) this.#claimed(one);
        return claimed;
      },
      commit: (turns) => this.commit(turns.filter((turn): turn is TurnCommit => !("execute" in turn))),
      writeRows: async (writes) => {
        const before = await this.#rows(writes.map(({ run }) => run));
        const written = await real.writeRows(writes);
        for (const [index, { run, claim }] of writes.entries())
          this.#rowWritten(run, claim, before[index], written[index] === true);
        return written;
      },
      load: (runs) => real.load(runs),
      pull: async (requests) => {
        const results = await real.pull(requests);
        this.#namespaces.pulled(requests, results);
        return results;
      },
      turns: (run, range) => real.turns(run, range),
      deliver: async (deliveries, limit) => {
        const results = await real.deliver(deliveries, limit);
        for (const [index, result] of results.entries())
          if (result.outcome === "accepted") this.#delivered(deliveries[index], result.number);
        return results;
      },
      deliveryOutcomes: (requests) => real.deliveryOutcomes(requests),
      publish: async (events) => {
        const published = await real.publish(events);
        for (const event of events) this.#published(event);
        return published;
      },
      advanceEvents: (limit) => real.advanceEvents(limit),
      nextDueAt: (definitions) => real.nextDueAt(definitions),
      owned: (lease) => real.owned(lease),
      owners: () => real.owners(),
      orphan: async (leases, limit) => {
        for (const lease of leases) {
          if (!this.leases.dead.has(lease))
            this.#options.verdict.fail(
              "only dead hosts are robbed",
              `workflows of lease ${lease} were freed, which nobody had found dead`,
            );
        }
        const freed = await real.orphan(leases, limit);
        if (freed > 0) this.#options.tell(() => `store: ${freed} workflows of ${leases.join(", ")} are free`);
        return freed;
      },
      list: async (filter, page) => {
        const listed = await real.list(filter, page);
        this.#namespaces.given(filter.namespace, listed.items);
        return listed;
      },
      count: (filter) => real.count(filter),
      purge: (bounds) => this.#retention.purge(bounds),
      bindLockProvider: (name, lease) => real.bindLockProvider(name, lease),
      now: () => real.now(),
      hints: (listener) => real.hints(listener),
    };
    return watched;
  }

  /** A host asks for no more than it has room for. One that has not heard of all it has claimed cannot know. */
  async claimFor(process: SimulatedProcess, request: ClaimRequest): Promise<readonly ClaimedWorkflow[]> {
    const owned = (await this.#real.owned(request.lease)).length;
    if (process.faults === 0 && owned + request.limit > process.concurrency)
      this.#options.verdict.fail(
        "a claim is bounded",
        `${process.name} has ${owned} workflows and asks for ${request.limit} more, with room for ${process.concurrency}`,
      );
    return this.persistence.claim(request);
  }

  async #rows(runs: readonly Run[]): Promise<readonly (WorkflowRow | undefined)[]> {
    return (await this.#real.load(runs)).map((loaded) => loaded?.row);
  }

  #created(workflow: NewWorkflow | undefined, { run, uid }: Pick<CreatedWorkflow, "run" | "uid">): void {
    // Another one had the id already, or this one is told of again.
    if (workflow === undefined || uid !== workflow.uid || this.#byUid.get(uid) === run) return;
    const place = placeOf(workflow.namespace, workflow.id);
    const runs = this.runs.get(place) ?? [];
    this.runs.set(place, [...runs, run]);
    // A start may land once more after all that came of the first one has been deleted.
    if (this.#byUid.has(uid)) this.#effects.beginsAnew(uid);
    this.#byUid.set(uid, run);
    this.#namespaceOf.set(run, workflow.namespace);
    if (runs.some((earlier) => !this.purged.has(earlier)))
      this.#options.verdict.fail("what is acknowledged is there", `${place} is created anew, and was there already`);
    const journal = new JournalAudit(run, place, this.#options.verdict);
    this.journals.set(run, journal);
    const { firstTurn } = workflow;
    if (firstTurn !== null)
      journal.appended({ seq: 0, ...firstTurn }, this.#options.now(), undefined, () => emptyStream);
    this.#options.tell(() => `store: ${place} is created, as run ${run}`);
  }

  #claim(request: ClaimRequest): Promise<readonly ClaimedWorkflow[]> {
    if (this.#options.plan.namespaces.length === 1) return this.#real.claim(request);
    const due = async (): Promise<readonly WorkflowRow[]> => {
      const now = await this.#real.now();
      return (await this.rows()).filter(
        ({ owner, dueAt, run, definitionId, version }) =>
          owner === null &&
          dueAt !== null &&
          dueAt <= now &&
          (request.runs === undefined || request.runs.includes(run)) &&
          request.definitions.some((one) => one.id === definitionId && one.version === version),
      );
    };
    return this.#namespaces.claim({ real: this.#real, due }, request);
  }

  #claimed({ row, orphaned, headSeq }: ClaimedWorkflow): void {
    const before = this.#claims.get(row.run) ?? 0;
    if (row.claim <= before)
      this.#options.verdict.fail(
        "only the owner writes the row",
        `${row.id}: claim ${row.claim} after claim ${before}`,
      );
    this.#claims.set(row.run, row.claim);
    this.#owners.set(row.run, row.owner);
    // With nothing in its journal there is nothing that its last host may have begun.
    if (orphaned && headSeq >= 0) this.#takeOvers.set(row.run, row.claim);
    this.#options.tell(
      () => `store: ${row.id} is claimed by ${row.owner} (claim ${row.claim}${orphaned ? ", its host died" : ""})`,
    );
  }

  /** `open`: the transactions that turns are part of. They commit where their turns are appended. */
  async commit(
    turns: readonly TurnCommit[],
    open?: ReadonlyMap<TurnCommit, OpenTransaction>,
  ): ReturnType<PersistenceProvider["commit"]> {
    const rowed = turns.filter((turn) => turn.row !== undefined);
    const before = new Map<Run, WorkflowRow | undefined>();
    const rows = rowed.length === 0 ? [] : await this.#rows(rowed.map(({ run }) => run));
    for (const [index, { run }] of rowed.entries()) before.set(run, rows[index]);
    const results = await this.#real.commit(turns);
    for (const [index, turn] of turns.entries()) {
      const result = results[index];
      if (result === undefined) continue;
      this.#options.tell(
        () =>
          `store: ${this.journal(turn.run).label} turn ${turn.seq} (${turn.turn}, ${turn.host}): ${result.outcome} ${turn.entriesText}`,
      );
      if (result.outcome === "applied") open?.get(turn)?.commit();
      if (result.outcome !== "applied") continue;
      await this.#appended(turn);
      if (turn.row !== undefined) this.#rowWritten(turn.run, turn.claim, before.get(turn.run), result.rowWritten);
    }
    this.#effects.balance();
    return results;
  }

  async #appended(turn: TurnCommit): Promise<void> {
    const { verdict } = this.#options;
    const journal = this.journal(turn.run);
    if (this.#takeOvers.get(turn.run) === turn.claim) {
      this.#takeOvers.delete(turn.run);
      if (!turn.entriesText.includes(`"taken-over"`))
        verdict.fail(
          "a take-over is on record",
          `${journal.label}: turn ${turn.seq} is the first under claim ${turn.claim}, after a host's death, and no \`taken-over\``,
        );
    }
    const streams = turn.entriesText.includes("event-consumed") ? await this.#streamsOf(turn) : new Map();
    journal.appended(turn, this.#options.now(), this.#options.storeNow(), (name, key) => ({
      events: streams.get(`${name}\0${key}`) ?? [],
      deletedThrough: this.#retention.deleted(turn.namespace, name, key).at(-1)?.number ?? 0,
    }));
    journal.claim = turn.claim;
    journal.isLate = turn.claim < (this.#claims.get(turn.run) ?? 0);
    this.#effects.recorded(journal);
    for (const child of turn.create ?? []) {
      this.#namespaces.reaches(turn.namespace, `starts ${child.id}`, child.namespace);
      await this.#childCreated(child);
    }
    for (const delivery of turn.deliver ?? []) {
      this.#namespaces.reaches(turn.namespace, `tells run ${delivery.to}`, this.#namespaceOf.get(delivery.to));
      this.#delivered(delivery, undefined);
    }
    for (const { number, outcome } of turn.read ?? []) this.#readDelivery(turn.run, number, outcome);
  }

  async #childCreated(child: NewWorkflow): Promise<void> {
    const [row] = await this.#real.find(child.namespace, [child.id]);
    if (row?.uid === child.uid) this.#created(child, row);
  }

  /** The streams that a turn may have read from: those of the names and keys there are. */
  async #streamsOf(turn: TurnCommit): Promise<Map<string, readonly StoredEvent[]>> {
    const wanted = [...turn.entriesText.matchAll(/"name":"([^"]*)","key":"([^"]*)"/g)].map(
      ([, name = "", key = ""]) => ({ name, key }),
    );
    const cursors = wanted.map((stream) => ({ ...stream, after: 0, since: allStreamsSince, limit: manyEvents }));
    const [pulled] = await this.#real.pull([{ run: turn.run, namespace: turn.namespace, streams: cursors }]);
    return new Map(
      wanted.map(({ name, key }, index) => [
        `${name}\0${key}`,
        // A host may have read what was deleted between its reading and its turn.
        [...this.#retention.deleted(turn.namespace, name, key), ...(pulled?.events[index]?.events ?? [])],
      ]),
    );
  }

  #rowWritten(run: Run, claim: number, before: WorkflowRow | undefined, written: boolean): void {
    if (before === undefined || !written) return;
    if (before.claim !== claim)
      this.#options.verdict.fail(
        "only the owner writes the row",
        `${before.id}: its row was written under claim ${claim}, and it is at claim ${before.claim}`,
      );
  }

  #delivered(delivery: NewDelivery | undefined, number: number | undefined): void {
    // To whom was deleted meanwhile nothing can be told.
    if (delivery === undefined || this.purged.has(delivery.to)) return;
    const seen = this.deliveries.get(delivery.to) ?? [];
    this.deliveries.set(delivery.to, seen);
    const next = seen.length + 1;
    if (number !== undefined && number <= seen.length) return;
    if (number !== undefined && number !== next)
      this.#options.verdict.fail(
        "calls are read once, in order",
        `a call to run ${delivery.to} got number ${number} where ${next} was next`,
      );
    seen.push({ number: next, asked: delivery.keepOutcome, outcome: undefined });
    this.#options.tell(() => `store: ${this.journal(delivery.to).label} has call ${next}: ${delivery.bodyText}`);
  }

  #readDelivery(run: Run, number: number, outcome: "applied" | "refused"): void {
    const seen = this.deliveries.get(run) ?? [];
    const delivery = seen[number - 1];
    const fail = (message: string): void =>
      this.#options.verdict.fail("calls are read once, in order", `${this.journal(run).label}: ${message}`);
    if (delivery === undefined) return fail(`call ${number} was read, and never came`);
    if (delivery.outcome !== undefined) return fail(`call ${number} was read twice`);
    if (seen.some((other) => other.number < number && other.outcome === undefined))
      return fail(`call ${number} was read before an earlier one`);
    delivery.outcome = outcome;
  }

  #published(event: NewEvent): void {
    const place = placeOf(event.namespace, event.eventId);
    if (!this.events.has(place))
      this.#options.tell(() => `store: event ${event.name}/${event.key} is there (${place})`);
    this.events.add(place);
  }

  /** Every row there is. */
  async rows(): Promise<readonly WorkflowRow[]> {
    const rows: WorkflowRow[] = [];
    for (const namespace of this.#options.plan.namespaces)
      rows.push(...(await this.#real.list({ namespace }, { limit: 500 })).items);
    return rows;
  }
}

export function hasEnded({ status }: WorkflowRow): boolean {
  return finalStatuses.includes(status);
}
