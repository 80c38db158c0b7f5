import {
  StoreError,
  type ClaimRequest,
  type CommitResult,
  type LifecycleEvent,
  type LockProvider,
  type PersistenceProvider,
  type Provider,
  type Run,
  type TransactionalTurn,
  type TurnCommit,
} from "../../providers/index.ts";
import type { OpenTransaction } from "./application-table.ts";
import type { Dice } from "./dice.ts";
import type { FaultPlan } from "./plan.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { StoreAudit } from "./store-audit.ts";

/** What becomes of a call. */
type Fate = "sound" | "slow" | "before" | "after" | "late" | "repeated" | "lost";

const fateWords: Readonly<Record<Fate, string>> = {
  sound: "goes well",
  slow: "takes long",
  before: "fails before the store has done anything",
  after: "is done, and its answer is lost",
  late: "fails, and lands all the same some time later",
  repeated: "arrives twice",
  lost: "is forgotten",
};

const storeFates: readonly Fate[] = ["before", "before", "after", "after", "late"];
/** A queue may lose and repeat; a store may not. */
const queueFates: readonly Fate[] = ["before", "after", "lost", "repeated"];

type Part = "store" | "lock" | "queue";

/** How long after it has failed a call may still land. */
const latestMs = 3_000;

export interface NetworkOptions {
  readonly scheduler: Scheduler;
  readonly audit: StoreAudit;
  readonly store: Provider;
  readonly calls: Dice;
  readonly hints: Dice;
  readonly plan: FaultPlan;
  /** Whether the fault of this number is left out. */
  readonly without: (fault: number) => boolean;
  readonly tell: (line: () => string) => void;
}

/** Between every process and the store: each call is a task there and a task back, and either may go wrong. */
export class Network {
  /** Nothing goes wrong by chance any more. */
  isCalm = false;
  calls = 0;
  /** What went wrong, by kind. */
  readonly counts: Map<string, number> = new Map();
  /** What went wrong, in order: the first is fault 1. */
  readonly faults: string[] = [];
  readonly #options: NetworkOptions;
  #met = 0;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** The store as a process sees it. */
  providerFor(process: SimulatedProcess): Provider {
    const { audit, store } = this.#options;
    const { persistence } = audit;
    const { queue, lifecycle } = store;
    const through = this.#through<PersistenceProvider>(process, "store", {
      ...persistence,
      claim: (request: ClaimRequest) => audit.claimFor(process, request),
    });
    return {
      name: store.name,
      persistence: {
        ...through,
        transactionalSteps: true,
        commit: (turns) =>
          turns.some((turn) => "execute" in turn) ? this.#transactions(process, turns) : through.commit(turns),
        hints: (listener) => persistence.hints(this.#hintTo(process, listener)),
      },
      lock: this.#lockOf(process, audit.leases.lock),
      ...(queue === undefined
        ? {}
        : {
            queue: {
              ...this.#through(process, "queue", queue),
              hints: (listener) => {
                const hint = this.#hintTo<readonly Run[] | undefined>(process, (runs) => listener(runs));
                return queue.hints((runs) => hint(runs));
              },
            },
          }),
      ...(lifecycle === undefined
        ? {}
        : {
            lifecycle: {
              publish: (events) => lifecycle.publish(events),
              subscribe: (listener) => lifecycle.subscribe(this.#hintTo<readonly LifecycleEvent[]>(process, listener)),
              get hasListeners() {
                return lifecycle.hasListeners;
              },
            },
          }),
      open: (context) => store.open(context),
      close: () => Promise.resolve(),
      ping: () => store.ping(),
    };
  }

  /** A transaction is opened over the network, its body runs in the process, and COMMIT goes over the network again. */
  async #transactions(
    process: SimulatedProcess,
    items: readonly (TurnCommit | TransactionalTurn)[],
  ): Promise<readonly CommitResult[]> {
    const { audit } = this.#options;
    await this.#call(process, "store", "begin", () => Promise.resolve()).catch(() => {
      // Whatever became of it: nothing was to be committed yet.
      throw connectionLost("begin", "not-applied");
    });
    const open = new Map<TurnCommit, OpenTransaction>();
    const execute = async (item: TurnCommit | TransactionalTurn): Promise<TurnCommit | CommitResult> => {
      if (!("execute" in item)) return item;
      const transaction = audit.table.begin();
      try {
        const turn = await item.execute(transaction);
        open.set(turn, transaction);
        return turn;
      } catch (error) {
        return { outcome: "body-failed", error };
      }
    };
    const executed = await Promise.all(items.map(execute));
    const turns = executed.filter((one): one is TurnCommit => !("outcome" in one));
    const committed =
      turns.length === 0
        ? []
        : ((await this.#call(process, "store", "commit", () => audit.commit(turns, open))) as readonly CommitResult[]);
    return executed.map((one) => ("outcome" in one ? one : (committed[turns.indexOf(one)] as CommitResult)));
  }

  /** Takes note of what a process has been told of its lease. */
  #lockOf(process: SimulatedProcess, real: LockProvider): LockProvider {
    const { scheduler } = this.#options;
    const lock = this.#through(process, "lock", real);
    return {
      ...lock,
      name: real.name,
      openLease: async (options) => {
        const askedAt = scheduler.now;
        const lease = await lock.openLease(options);
        process.lease = { ...lease, askedAt };
        return lease;
      },
      renewLeases: async (leases) => {
        const askedAt = scheduler.now;
        const renewed = await lock.renewLeases(leases);
        const { lease } = process;
        const place = leases.findIndex(({ id }) => id === lease?.id);
        if (lease !== undefined && renewed[place] === true) lease.askedAt = Math.max(lease.askedAt, askedAt);
        return renewed;
      },
      closeLeases: (leases) =>
        lock.closeLeases(leases).catch((error: unknown) => {
          // Given up, it runs out by itself.
          if (leases.some(({ id }) => id === process.lease?.id)) process.lease = undefined;
          throw error;
        }),
    };
  }

  /** Each method becomes a call over the network. */
  #through<Methods extends object>(process: SimulatedProcess, part: Part, methods: Methods): Methods {
    const through: Record<string, unknown> = {};
    for (const [name, method] of Object.entries(methods)) {
      if (typeof method !== "function" || name === "hints") continue;
      through[name] = (...given: unknown[]): unknown =>
        this.#call(process, part, name, () => (method as (...all: unknown[]) => Promise<unknown>)(...given));
    }
    return through as Methods;
  }

  #call(process: SimulatedProcess, part: Part, name: string, invoke: () => Promise<unknown>): Promise<unknown> {
    const { scheduler, calls, plan } = this.#options;
    this.calls += 1;
    if (name === "commit") process.commits += 1;
    const fate = this.#fateOf(process, part, name);
    const slowMs = fate === "slow" ? calls.between(1, plan.slowMs) : 0;
    const slowThere = calls.chance(0.5);
    const thereMs = this.#latency() + (slowThere ? slowMs : 0);
    const backMs = this.#latency() + (slowThere ? 0 : slowMs);
    if (slowMs > 0) process.slowUntil = Math.max(process.slowUntil, scheduler.now + thereMs + backMs);
    const moreMs = fate === "late" || fate === "repeated" ? calls.between(1, latestMs) : 0;
    // Whether what is on its way still arrives when its process has died.
    const outlives = calls.chance(0.5);
    const perform = (): Promise<unknown> => scheduler.hold(invoke());

    return new Promise((resolve, reject) => {
      const answer = (run: () => void): void => void scheduler.at(backMs, process, run);
      const fail = (outcome: "unknown" | "not-applied"): void => answer(() => reject(connectionLost(name, outcome)));
      const arrive = (): void => {
        if (!process.alive && !outlives) return;
        const isCut = isCutOff(process, part);
        if (isCut) process.faults += 1;
        if (fate === "before" || fate === "late" || isCut) return fail(fate === "late" ? "unknown" : "not-applied");
        if (fate === "lost") return answer(() => resolve(nothingFor(name)));
        perform().then(
          (result) => {
            if (fate === "after") return fail("unknown");
            answer(() => {
              if (!isCutOff(process, part)) return resolve(result);
              process.faults += 1;
              reject(connectionLost(name, "unknown"));
            });
          },
          (error: unknown) => answer(() => reject(error)),
        );
      };
      scheduler.at(thereMs, undefined, arrive);
      if (moreMs > 0) {
        scheduler.at(thereMs + moreMs, undefined, () => {
          if (process.alive || outlives) perform().catch(() => {});
        });
      }
    });
  }

  #fateOf(process: SimulatedProcess, part: Part, name: string): Fate {
    const { calls, plan } = this.#options;
    const chance = calls.roll();
    const which = calls.roll();
    if (this.isCalm || name === "bindLockProvider" || isCutOff(process, part)) return "sound";
    if (chance >= plan.fails + plan.slow) return "sound";
    const fates = part === "queue" ? queueFates : storeFates;
    const fate = chance < plan.fails ? (fates[Math.floor(which * fates.length)] ?? "before") : "slow";
    this.#met += 1;
    const what = `${process.name}'s ${name} ${fateWords[fate]}`;
    this.faults.push(what);
    if (this.#options.without(this.#met)) return "sound";
    process.faults += 1;
    if ((name === "claim" || name === "pull") && (fate === "after" || fate === "late")) process.claimsInDoubt += 1;
    this.counts.set(fate, (this.counts.get(fate) ?? 0) + 1);
    const number = this.#met;
    this.#options.tell(() => `fault ${number}: ${what}`);
    return fate;
  }

  #latency(): number {
    const { calls } = this.#options;
    return calls.chance(0.4) ? 0 : calls.below(6);
  }

  /** The listener, a moment later, perhaps not at all, and perhaps twice. */
  #hintTo<Hint>(process: SimulatedProcess, listener: (hint: Hint) => void): (hint: Hint) => void {
    const { scheduler, hints, plan } = this.#options;
    return (hint) => {
      if (!process.alive || process.cutOff !== "nothing") return;
      if (!this.isCalm && hints.chance(plan.losesHints)) return;
      scheduler.at(hints.below(4), process, () => listener(hint));
      if (hints.chance(plan.repeatsHints)) scheduler.at(hints.below(50), process, () => listener(hint));
    };
  }
}

function isCutOff({ cutOff }: SimulatedProcess, part: Part): boolean {
  return cutOff === "everything" || cutOff === part || (cutOff === "store" && part === "queue");
}

function connectionLost(name: string, outcome: "unknown" | "not-applied"): StoreError {
  return new StoreError("SIMULATED", `the connection was lost during ${name}`, { outcome, transient: true });
}

/** What a queue gives that has forgotten everything. */
function nothingFor(name: string): unknown {
  return name === "pull" ? { claimed: [], candidates: [] } : undefined;
}
