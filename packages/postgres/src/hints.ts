import type { ClaimRequest, DefinitionRef, Run, StoreHint, Timer } from "@wfe/core/providers";
import { lookForDue } from "./due.ts";
import { DueSince } from "./due-since.ts";
import { Listeners } from "./listeners.ts";
import type { Store } from "./store.ts";
import type { ListeningConnection } from "./target.ts";

/** How often it is looked whether something has changed, which is what can be relied on. */
const pollMs = 500;
/** How soon a broken connection is opened again, at first and at most. */
const minReconnectMs = 500;
const maxReconnectMs = 30_000;
/** Runs named by one notification, whose text PostgreSQL limits to 8,000 bytes; of more it says only that something has changed. */
const maxNamed = 300;

/** Leases that are looked after: those that claimed last. */
const maxLeases = 100;

/** What one process tells the others. */
interface Notification {
  readonly from: string;
  readonly runs?: readonly Run[];
}

/**
 * Tells of changes: of this process's at once and precisely, of others' by notification, and by looking from time to time.
 *
 * Notifications are sent after the commit, on another connection: in the transaction itself, all that commit would wait for one
 * another.
 */
export class Hints {
  readonly store: Listeners<StoreHint> = new Listeners();
  readonly queue: Listeners<void> = new Listeners();
  /** Called when another process may have changed something. */
  readonly foreign: Listeners<void> = new Listeners();

  readonly dueSince: DueSince = new DueSince();

  /** Woken here, and elsewhere: who has another queue passes on the former. */
  readonly #own: Set<Run> = new Set();
  readonly #woken: Set<Run> = new Set();
  readonly #leases: Set<string> = new Set();
  readonly #definitions: Map<string, DefinitionRef> = new Map();
  readonly #seenDefinitions: WeakSet<readonly DefinitionRef[]> = new WeakSet();
  #changed = false;
  #scheduled = false;
  #open: Store | undefined;
  #channel = "";
  #self = "";
  #poll: Timer | undefined;
  #listener: ListeningConnection | undefined;
  #reconnect: Timer | undefined;
  #reconnectMs = minReconnectMs;
  /** What others are still to be told of; `null`: of something. */
  #unsent: Set<Run> | null | undefined;
  #sending = false;

  /** Something was committed that woke these, or that others may wait for. */
  committed(woken: readonly Run[], changed: boolean): void {
    if (woken.length === 0 && !changed) return;
    for (const run of woken) this.#own.add(run);
    this.#changed ||= changed;
    this.#schedule();
    this.#send(woken, changed);
  }

  /** Who claims here, and what: that is what is looked for. */
  sawClaim({ lease, definitions }: ClaimRequest): void {
    this.#leases.delete(lease);
    this.#leases.add(lease);
    for (const oldest of this.#leases) {
      if (this.#leases.size <= maxLeases) break;
      this.#leases.delete(oldest);
    }
    if (this.#seenDefinitions.has(definitions)) return;
    this.#seenDefinitions.add(definitions);
    for (const one of definitions) this.#definitions.set(`${one.version}:${one.hash ?? ""}:${one.id}`, one);
  }

  /** Something may have changed, nobody knows what. */
  changed(): void {
    this.#changed = true;
    this.#schedule();
  }

  /** What others look for has changed, though nothing became due: they are told to look. */
  toldOthers(): void {
    this.#send([], true);
  }

  /** Begins to look for what others commit. `channel`: of those that have the same schema; "" where notifications are not to be had. */
  start(store: Store, channel: string): void {
    this.#open = store;
    this.#self = store.runtime.randomId();
    this.#channel = channel;
    const poll = (): void => {
      const looked = this.#look(store).finally(() => {
        if (this.#open === store) this.#poll = store.clock.setTimer(pollMs, poll, { background: true });
      });
      void store.clock.track(looked, "engine");
    };
    this.#poll = store.clock.setTimer(pollMs, poll, { background: true });
    if (channel !== "") void this.#listen(store);
  }

  stop(): void {
    this.#open = undefined;
    this.#poll?.cancel();
    this.#reconnect?.cancel();
    this.#listener?.release(false);
    this.#listener = undefined;
    this.#unsent = undefined;
  }

  /** Never rejects. */
  async #look(store: Store): Promise<void> {
    this.foreign.tell();
    if (this.store.size + this.queue.size === 0) return;
    try {
      const { isSomething, since } = await lookForDue(store, [...this.#definitions.values()], [...this.#leases]);
      if (since !== null) this.dueSince.saw(since);
      if (isSomething) this.changed();
    } catch {
      // Hosts look for themselves too, if not as often.
    }
  }

  async #listen(store: Store): Promise<void> {
    const again = (): void => {
      if (this.#open !== store) return;
      this.#listener = undefined;
      this.#reconnect = store.clock.setTimer(this.#reconnectMs, () => void this.#listen(store), { background: true });
      this.#reconnectMs = Math.min(maxReconnectMs, this.#reconnectMs * 2);
    };
    let connection: ListeningConnection | undefined;
    try {
      connection = await store.target.listen?.();
      if (connection === undefined) return;
      const listening = connection;
      listening.onNotification((payload) => this.#heard(payload));
      await listening.query(`LISTEN ${this.#channel}`);
      if (this.#open !== store) return listening.release(false);
      this.#listener = listening;
      this.#reconnectMs = minReconnectMs;
      // What was told meanwhile is lost.
      this.changed();
      listening.onEnd(again);
    } catch {
      // Without it all goes on, by looking.
      connection?.release(true);
      again();
    }
  }

  #heard(payload: string): void {
    let told: Notification;
    try {
      told = JSON.parse(payload) as Notification;
    } catch {
      return;
    }
    if (told.from === this.#self) return;
    if (told.runs === undefined) this.changed();
    else {
      for (const run of told.runs) this.#woken.add(run);
      this.#schedule();
    }
    this.foreign.tell();
  }

  #send(woken: readonly Run[], changed: boolean): void {
    if (this.#channel === "" || this.#open === undefined) return;
    if (changed || this.#unsent === null) this.#unsent = null;
    else {
      this.#unsent ??= new Set();
      for (const run of woken) this.#unsent.add(run);
      if (this.#unsent.size > maxNamed) this.#unsent = null;
    }
    if (!this.#sending) void this.#sendAll();
  }

  /** One at a time: what is committed while one is under way goes with the next. */
  async #sendAll(): Promise<void> {
    this.#sending = true;
    for (let store = this.#open; store !== undefined && this.#unsent !== undefined; store = this.#open) {
      const runs = this.#unsent;
      this.#unsent = undefined;
      const told: Notification = { from: this.#self, ...(runs === null ? {} : { runs: [...runs] }) };
      try {
        await store.read("SELECT pg_notify($1, $2)", [this.#channel, JSON.stringify(told)]);
      } catch {
        // They look for themselves.
      }
    }
    this.#sending = false;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      const own = [...this.#own];
      const hint: StoreHint = this.#changed ? {} : { runs: [...this.#woken] };
      this.#own.clear();
      this.#woken.clear();
      this.#changed = false;
      if (own.length > 0) this.store.tell({ runs: own, own: true });
      if (own.length === 0 || hint.runs?.length !== 0) this.store.tell(hint);
      this.queue.tell();
    });
  }
}
