import type { DefinitionRef } from "../../providers/persistence-provider.ts";
import type { Lease } from "../../providers/lock-provider.ts";
import type { Timer } from "../../runtime/runtime.ts";
import type { HostCore } from "../core/host-core.ts";

export interface SweeperOptions {
  readonly lease: () => Lease | undefined;
  /** Workflows have become due. */
  readonly poke: () => void;
}

/** Workflows freed, events advanced and records deleted by one call. */
const batch = 500;
/** What is due for so long, and was not claimed, may have another structure than what is registered here. */
const strangeAfterMs = 10_000;
/** Calls of one round: the rest waits for the next. */
const mostCalls = 20;
/** How often, at least, it looks whether a host has died: the store may know of a process that is gone long before its lease ends. */
const lookMs = 1_000;
/** How often retention deletes; what is kept for less is deleted as often as that. */
const purgePeriodMs = 60_000;

/**
 * The upkeep of a store that every host does now and then: takes workflows from dead hosts, does what time has made due among
 * events, deletes what retention no longer keeps. Every call is bounded, and the rounds of several hosts fall at random times.
 */
export class Sweeper {
  readonly #core: HostCore;
  readonly #options: SweeperOptions;
  #timer: Timer | undefined;
  #lookTimer: Timer | undefined;
  #stopped = false;
  #purgedAt = Number.NEGATIVE_INFINITY;
  #lagMs = 0;
  /** Of which it was told that workflows of another structure wait. */
  readonly #toldOf: Set<DefinitionRef> = new Set();

  constructor(core: HostCore, options: SweeperOptions) {
    this.#core = core;
    this.#options = options;
  }

  /** How late the oldest due work was, when it was looked for last. */
  get lagMs(): number {
    return this.#lagMs;
  }

  /** What a process of this machine left behind when it died goes on at once; all else from time to time. */
  async start(): Promise<void> {
    await this.takeFromTheDead();
    this.#schedule();
    this.#scheduleLook();
  }

  takeFromTheDead(): Promise<void> {
    return this.#core.runtime.clock.track(
      this.#attempt("workflows of dead hosts", () => this.#takeFromTheDead()),
      "engine",
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#lookTimer?.cancel();
  }

  #scheduleLook(): void {
    const { clock, random } = this.#core.runtime;
    const { leaseMs } = this.#core.options;
    const delayMs = Math.min(lookMs, leaseMs / 2) * (0.9 + random() * 0.2);
    if (this.#stopped) return;
    const plannedAt = clock.monotonic() + delayMs;
    const look = async (): Promise<void> => {
      // Where time has leapt (a machine that slept), hosts are to renew their leases before any of them is reaped.
      const leapt = clock.monotonic() - plannedAt > leaseMs / 3;
      if (!leapt) await this.takeFromTheDead();
      this.#scheduleLook();
    };
    this.#lookTimer = clock.setTimer(delayMs, () => void look(), { background: true });
  }

  #schedule(): void {
    if (this.#stopped) return;
    const { clock, random } = this.#core.runtime;
    // Longer than the heartbeat: where time leaps (a machine that slept), hosts renew their leases before any of them is reaped.
    const delayMs = (this.#core.options.leaseMs / 2) * (0.9 + random() * 0.2);
    const round = (): void => void clock.track(this.#round(), "engine").then(() => this.#schedule());
    this.#timer = clock.setTimer(delayMs, round, { background: true });
  }

  /** Never rejects. */
  async #round(): Promise<void> {
    await this.#attempt("workflows of dead hosts", () => this.#takeFromTheDead());
    await this.#attempt("events", () => this.#advanceEvents());
    await this.#attempt("lag", () => this.#measureLag());
    await this.#attempt("retention", () => this.#purge());
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    if (this.#stopped) return;
    try {
      await work();
    } catch (error) {
      if (!this.#stopped) this.#core.log.warn(`upkeep (${what}) failed; it is done again in the next round`, { error });
    }
  }

  async #takeFromTheDead(): Promise<void> {
    const { persistence, lock } = this.#core.providers;
    const own = this.#options.lease()?.id;
    const others = (await persistence.owners()).filter((owner) => owner !== own);
    if (others.length === 0) return;
    const dead = await lock.reap(others);
    if (dead.length === 0) return;
    let freed = 0;
    for (let calls = 0; calls < mostCalls; calls++) {
      const count = await persistence.orphan(dead, batch);
      freed += count;
      if (count < batch) break;
    }
    if (freed === 0) return;
    this.#core.log.info("took workflows from hosts that have died", { workflows: freed, hosts: dead.length });
    this.#options.poke();
  }

  async #advanceEvents(): Promise<void> {
    for (let calls = 0; calls < mostCalls; calls++) {
      if (!(await this.#core.providers.persistence.advanceEvents(batch))) return;
    }
  }

  async #measureLag(): Promise<void> {
    const { providers, registry } = this.#core;
    const due = await providers.persistence.nextDueAt(registry.inAnyStructure());
    this.#lagMs = due === null ? 0 : Math.max(0, this.#core.engineNow() - due);
    if (this.#lagMs > strangeAfterMs) await this.#tellOfStrangers();
  }

  /** What was stored with another structure than the one that is registered waits for a host that has it: somebody has to know. */
  async #tellOfStrangers(): Promise<void> {
    const { providers, registry, log } = this.#core;
    for (const definition of registry.all()) {
      const { id, version, hash } = definition;
      if (hash === undefined || this.#toldOf.has(definition)) continue;
      const [any, own] = await Promise.all(
        [{ id, version }, definition].map((one) => providers.persistence.nextDueAt([one])),
      );
      if (any == null || any >= (own ?? Number.POSITIVE_INFINITY)) continue;
      this.#toldOf.add(definition);
      log.warn(
        `workflows of \`${id}\` version ${version} are due that were started with another structure than this host has: they wait for a host that has theirs. Raise the version with each change, and migrate them to it; while developing, \`allowRedefine: true\` lets them go on with the new one`,
        { definitionId: id, version, definitionHash: hash },
      );
    }
  }

  async #purge(): Promise<void> {
    const { retention } = this.#core.options;
    const { clock } = this.#core.runtime;
    const lease = this.#options.lease();
    if (lease === undefined || (retention.workflowsMs === undefined && retention.eventsMs === undefined)) return;
    const { workflowsMs = purgePeriodMs, eventsMs = purgePeriodMs } = retention;
    if (clock.monotonic() - this.#purgedAt < Math.min(purgePeriodMs, workflowsMs, eventsMs)) return;
    const [mine] = await this.#core.providers.lock.acquire(["purge"], lease);
    if (mine !== true) return;
    const now = this.#core.engineNow();
    const bounds = {
      ...(retention.workflowsMs === undefined ? {} : { workflowsBefore: now - retention.workflowsMs }),
      ...(retention.eventsMs === undefined ? {} : { eventsBefore: now - retention.eventsMs }),
    };
    for (let calls = 0; calls < mostCalls; calls++) {
      const gone = await this.#core.providers.persistence.purge({ ...bounds, limit: batch });
      if (gone.workflows + gone.events === 0) {
        this.#purgedAt = clock.monotonic();
        return;
      }
    }
  }
}
