import type { DecideContext } from "../../engine/decision.ts";
import { InvalidOptionError } from "../../errors.ts";
import type { ClaimedWorkflow } from "../../providers/persistence-provider.ts";
import type { Run } from "../../providers/records.ts";
import type { Timer } from "../../runtime/runtime.ts";
import { systemClock } from "../../runtime/system-runtime.ts";
import type { HostCore, Runner, RunnerStats } from "../core/host-core.ts";
import { Offers } from "../core/offers.ts";
import { BodyTally } from "./body-tally.ts";
import { Chosen } from "./chosen.ts";
import { Committer } from "./committer.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Hand } from "./hand.ts";
import type { Origin } from "./intake.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import type { Reload, RunnerContext } from "./runner-context.ts";
import { StoreReads } from "./store-reads.ts";
import { SuspectGate } from "./suspect-gate.ts";
import { SearchIndexer } from "./search-indexer.ts";
import { Sweeper } from "./sweeper.ts";
import { TransactionLane } from "./transaction-lane.ts";
import { WorkflowRun } from "./workflow-run.ts";

/** After their signals have been aborted, bodies have this time to end before they are left behind. */
const abortedGraceMs = 1_000;
/** Letting go of everything at the end may take so long. */
const lettingGoMs = 5_000;
const tenYearsMs = 315_360_000_000;

/** Puts the parts together: what is claimed comes into hand, what is let go leaves it, and all stands and falls with the lease. */
export class HostRunner implements Runner {
  readonly #core: HostCore;
  readonly #context: Context;
  readonly #committer: Committer;
  readonly #lease: LeaseKeeper;
  readonly #dispatcher: Dispatcher;
  /** Undefined: all that is due is taken. */
  readonly #chosen: Chosen | undefined;
  readonly #sweeper: Sweeper;
  readonly #indexer: SearchIndexer | undefined;
  readonly #bodies: BodyTally;
  readonly #hand: Hand;
  readonly #offers: Offers;
  #state: RunnerStats["state"] = "new";
  #stopping: Promise<void> | undefined;
  #keepAlive: Timer | undefined;
  #ends: (() => void)[] = [];
  #whenEmpty: (() => void) | undefined;

  constructor(core: HostCore) {
    this.#core = core;
    this.#committer = new Committer(core, () => this.#maySend());
    this.#bodies = new BodyTally(core.options.maxBodies);
    this.#context = new Context(core, this.#committer, this.#bodies, {
      leaseId: () => this.#lease.lease?.id ?? "",
      mayAct: () => !this.#lease.inDoubt,
      maySend: () => this.#maySend(),
      isOver: () => this.#state === "stopped",
      released: (run, dueAt) => this.#released(run, dueAt),
      dropped: (run, reload) => this.#dropped(run, reload),
      created: (children) => this.#chosen?.created(children.map(({ id }) => id)),
      poke: () => this.#dispatcher.poke(),
    });
    this.#lease = new LeaseKeeper(core, {
      beat: () => this.#beat(),
      fenced: () => this.#fenced(),
      goOn: () => this.#goOn(),
      lost: () => this.#leaseLost(),
      opened: () => this.#leaseOpened(),
    });
    this.#hand = new Hand(core, {
      lease: () => this.#lease.lease?.id,
      stray: (origin) => this.#bring(origin),
      lost: (run) => this.#claimLost(run),
    });
    this.#offers = new Offers(core, { has: (run) => this.#hand.has(run), settled: () => this.#dispatcher.settled() });
    this.#sweeper = new Sweeper(core, { lease: () => this.#lease.lease, poke: () => this.#dispatcher.poke() });
    const { search } = core.providers;
    this.#indexer =
      search && new SearchIndexer(core, search, { lease: () => this.#lease.lease, inHand: () => this.#hand.size });
    const { only } = core.options;
    this.#chosen = only && new Chosen(core, only, (run) => this.#hand.has(run));
    this.#dispatcher = new Dispatcher(core, {
      lease: () => (this.#maySend() ? this.#lease.lease?.id : undefined),
      freeSlots: () => core.options.concurrency - this.#hand.size,
      take: (claimed) => this.#take(claimed),
      chosen: this.#chosen,
    });
  }

  async start(): Promise<void> {
    if (this.#state !== "new")
      throw new InvalidOptionError(
        `the runner of host \`${this.#core.hostName}\` is ${this.#state}: a runner is started once`,
      );
    await this.#core.syncEngineTime();
    await this.#lease.open();
    this.#state = "running";
    // Where time is the system's, this is what keeps the process alive; other clocks have their own idea of what to wait for.
    if (this.#core.runtime.clock === systemClock) this.#keepAlive = systemClock.setTimer(tenYearsMs, () => {});
    const { persistence, queue } = this.#core.providers;
    this.#ends = [
      persistence.hints(({ runs, own }) => {
        this.#hinted(runs);
        if (own === true && runs !== undefined) this.#offers.offer(runs);
      }),
      queue.hints((runs) => this.#offered(runs)),
      this.#core.registry.onChange(() => this.#dispatcher.poke()),
    ];
    await this.#sweeper.start();
    this.#dispatcher.start();
    this.#indexer?.start();
  }

  stop({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    this.#stopping ??= this.#stop(timeoutMs);
    return this.#stopping;
  }

  wake(runs?: readonly Run[]): void {
    if (this.#state !== "running") return;
    this.#hinted(runs);
    const full = this.#hand.size >= this.#core.options.concurrency;
    if (!full || runs === undefined) return;
    // Others may have room: a queue that is not the store's own tells them.
    const dueAt = this.#core.engineNow();
    const items = runs.filter((run) => !this.#hand.has(run)).map((run) => ({ run, priority: 0, dueAt }));
    this.#core.providers.queue
      .push(items)
      .catch((error: unknown) =>
        this.#core.log.debug("the queue was not told of due workflows; others find them by themselves", { error }),
      );
  }

  has(run: Run): boolean {
    return this.#hand.has(run);
  }

  stats(): RunnerStats {
    return {
      state: this.#state,
      inHand: this.#hand.size,
      bodies: this.#bodies.running,
      bodiesLeftBehind: this.#bodies.leftBehind,
      lagMs: this.#sweeper.lagMs,
      leaseAlive: this.#lease.lease !== undefined && this.#lease.isSure(),
      search: this.#indexer?.stats,
    };
  }

  // -------------------------------------------------------------- in and out

  #take(claimed: readonly ClaimedWorkflow[]): void {
    const lease = this.#lease.lease?.id;
    this.#offers.taken(claimed.map(({ row }) => row.run));
    for (const one of claimed) {
      const { run, owner, claim } = one.row;
      // Claimed under a lease that has died since: it is for whoever takes over from it.
      if (owner !== lease) continue;
      // Where the answer was slow, the heartbeat has found it as a stray, and it is under way.
      const inHand = this.#hand.get(run);
      if (inHand === undefined || inHand.claim < claim) this.#bring({ kind: "claimed", claimed: one });
    }
  }

  #bring(origin: Origin): void {
    const workflow = new WorkflowRun(this.#context, origin);
    this.#hand.add(workflow);
    workflow.begin();
  }

  #released(run: Run, dueAt: number | null | undefined): void {
    this.#hand.remove(run);
    this.#chosen?.released(run, dueAt);
    this.#dispatcher.freed();
    if (dueAt === undefined) this.#dispatcher.poke();
    else if (dueAt !== null) this.#dispatcher.noteDue(dueAt);
    this.#checkEmpty();
  }

  #dropped(run: Run, reload: Reload | undefined): void {
    this.#hand.remove(run);
    const again =
      reload !== undefined &&
      this.#state === "running" &&
      this.#lease.lease !== undefined &&
      this.#hand.mayComeAgain(run);
    if (again) this.#bring({ kind: "again", run, ...reload });
    else this.#dispatcher.freed();
    this.#checkEmpty();
  }

  #claimLost(workflow: WorkflowRun): void {
    workflow.forget("conflict");
    this.#hand.remove(workflow.run);
    this.#dispatcher.freed();
    this.#checkEmpty();
  }

  /** Somebody has told the queue. */
  #offered(runs: readonly Run[] | undefined): void {
    if (this.#state !== "running") return;
    if (runs === undefined) this.#hand.checkSoon();
    for (const run of runs ?? []) this.#hand.get(run)?.poke();
    const others = runs === undefined || runs.some((run) => !this.#hand.has(run));
    if (others) this.#dispatcher.pokeQueue();
  }

  #hinted(runs: readonly Run[] | undefined): void {
    if (this.#state !== "running") return;
    if (runs === undefined) {
      this.#hand.checkSoon();
      this.#dispatcher.poke();
      return;
    }
    let others = false;
    for (const run of runs) {
      const workflow = this.#hand.get(run);
      if (workflow === undefined) others = true;
      else workflow.poke();
    }
    if (others) this.#dispatcher.poke();
  }

  // --------------------------------------------------------------- the lease

  /** Looks at the clock: asked before what counts. */
  #maySend(): boolean {
    if (this.#lease.isSure()) return true;
    // In doubt: nothing is committed or claimed until it is renewed.
    this.#committer.pause();
    return false;
  }

  #beat(): void {
    if (this.#state === "stopped") return;
    this.#hand.check();
    const sync = this.#core
      .syncEngineTime()
      .catch((error: unknown) =>
        this.#core.log.warn("the store's time could not be read; the host goes by its own clock meanwhile", { error }),
      );
    void this.#core.runtime.clock.track(sync, "engine");
  }

  #fenced(): void {
    this.#committer.pause();
    for (const workflow of this.#hand.all()) workflow.abortBodies("lease-lost");
  }

  #goOn(): void {
    this.#committer.resume();
    this.#context.transactions.resume();
    for (const workflow of this.#hand.all()) workflow.pump();
    this.#dispatcher.poke();
  }

  /** Everything in hand is somebody else's. Bodies that are still at work are strangers. */
  #leaseLost(): void {
    this.#committer.abandon();
    for (const workflow of this.#hand.all()) workflow.forget("lease-lost");
    this.#hand.clear();
    this.#checkEmpty();
  }

  #leaseOpened(): void {
    this.#committer.resume();
    this.#context.transactions.resume();
    if (this.#state !== "running") return;
    void this.#sweeper.takeFromTheDead();
    this.#dispatcher.poke();
  }

  // ---------------------------------------------------------------- the end

  async #stop(timeoutMs: number): Promise<void> {
    if (this.#state === "new") {
      this.#state = "stopped";
      return;
    }
    this.#state = "stopping";
    this.#context.stopping = true;
    for (const end of this.#ends) end();
    this.#dispatcher.stop();
    this.#sweeper.stop();
    this.#indexer?.stop();
    for (const workflow of this.#hand.all()) workflow.pump();
    await this.#emptied(timeoutMs);
    for (const workflow of this.#hand.all()) workflow.abortBodies("stopping");
    await this.#emptied(abortedGraceMs);
    for (const workflow of this.#hand.all()) workflow.letGo();
    await this.#emptied(lettingGoMs);
    this.#state = "stopped";
    // What could not be let go is taken over when the lease has ended.
    for (const workflow of this.#hand.all()) workflow.forget("stopping");
    this.#hand.clear();
    this.#committer.abandon();
    await this.#lease.close();
    this.#keepAlive?.cancel();
  }

  get #isEmpty(): boolean {
    return this.#hand.size === 0 && !this.#dispatcher.isSweeping;
  }

  #checkEmpty(): void {
    if (this.#isEmpty) this.#whenEmpty?.();
  }

  /** Resolves when nothing is in hand any more, or after the time. */
  async #emptied(timeoutMs: number): Promise<void> {
    if (this.#isEmpty) return;
    await new Promise<void>((resolve) => {
      const timer = this.#core.runtime.clock.setTimer(timeoutMs, resolve);
      this.#whenEmpty = () => {
        timer.cancel();
        resolve();
      };
      // A claim that is under way may still bring something into hand.
      void this.#dispatcher.settled().then(() => this.#checkEmpty());
    });
    this.#whenEmpty = undefined;
  }
}

interface ContextLinks {
  readonly leaseId: () => string;
  readonly mayAct: () => boolean;
  readonly maySend: () => boolean;
  readonly isOver: () => boolean;
  readonly released: RunnerContext["released"];
  readonly dropped: RunnerContext["dropped"];
  readonly created: RunnerContext["created"];
  readonly poke: () => void;
}

class Context implements RunnerContext {
  readonly core: HostCore;
  readonly committer: Committer;
  readonly transactions: TransactionLane;
  readonly reads: StoreReads;
  readonly bodies: BodyTally;
  readonly suspects: SuspectGate = new SuspectGate();
  readonly leaseId: () => string;
  readonly mayAct: () => boolean;
  readonly released: RunnerContext["released"];
  readonly dropped: RunnerContext["dropped"];
  readonly created: RunnerContext["created"];
  readonly poke: () => void;
  stopping = false;
  readonly #turnPrefix: string;
  #prefixes = 0;
  readonly #decide: { -readonly [Key in keyof DecideContext]: DecideContext[Key] };

  constructor(core: HostCore, committer: Committer, bodies: BodyTally, links: ContextLinks) {
    this.core = core;
    this.#turnPrefix = core.runtime.randomId();
    this.committer = committer;
    this.bodies = bodies;
    this.transactions = new TransactionLane(core, links.maySend);
    this.reads = new StoreReads(core, () => !links.isOver());
    this.leaseId = links.leaseId;
    this.mayAct = links.mayAct;
    this.released = links.released;
    this.dropped = links.dropped;
    this.created = links.created;
    this.poke = links.poke;
    const { limits, maxLoneDeaths } = core.options;
    this.#decide = {
      now: 0,
      random: core.runtime.random,
      maxLoneDeaths,
      limits,
      definitionOf: (id, version) => core.registry.get(id, version),
    };
  }

  /** Random once for the host: random numbers cost more than all else that brings a workflow into hand. */
  newTurnPrefix(): string {
    this.#prefixes += 1;
    return `${this.#turnPrefix}.${this.#prefixes}`;
  }

  /** The same object each time: a decision is synchronous and keeps nothing of it. */
  decideAt(now: number): DecideContext {
    this.#decide.now = now;
    return this.#decide;
  }
}
