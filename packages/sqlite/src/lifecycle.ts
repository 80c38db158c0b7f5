import { deserialize, serialize } from "node:v8";
import type { LifecycleEvent, LifecyclePublisher, Timer } from "@wfe/core/providers";
import { Listeners } from "./hints.ts";
import type { Session } from "./session.ts";
import type { OpenStore } from "./sqlite.ts";

type Events = readonly LifecycleEvent[];

/** How long what was published is gathered before it is written for other processes. */
const gatherMs = 20;
/** Events that wait to be written; what comes on top is dropped. */
const maxGathered = 5_000;
/** How long a listener counts without a sign of life, and how often it gives one. */
const listenerMs = 30_000;
const listenerRenewMs = 10_000;
/** How long a batch stays, and how many stay at most. */
const keepMs = 10_000;
const maxBatches = 1_000;

const otherListener = "SELECT 1 FROM wfe_listeners WHERE listener <> ? AND expires_at >= ? LIMIT 1";

export interface SqliteLifecycle extends LifecyclePublisher {
  /** Call when the store is open. */
  readonly start: () => void;
  /** Call when another connection has committed something. */
  readonly look: () => void;
  /** Call before the store is closed. */
  readonly stop: () => void;
}

/**
 * Hands events to the listeners of this process at once. For other processes they are written to a table, and only while one
 * of those has said that it listens: in transactions of their own, bounded, and dropped where that is not enough. `store` gives
 * the open store, or undefined.
 */
export function sqliteLifecycle(store: () => OpenStore | undefined): SqliteLifecycle {
  const listeners = new Listeners<Events>();
  let gathered: LifecycleEvent[] = [];
  let flushTimer: Timer | undefined;
  let renewTimer: Timer | undefined;
  /** Whether another process listens, as far as was seen when something last changed. */
  let others = false;
  /** The last batch that was read; null: from now on. */
  let seen: number | null = null;
  /** This process's name among the listeners. */
  let self = "";

  /** Best effort, and at once or not at all: false where it was not done. What goes wrong must not reach whoever publishes. */
  const attempt = (work: (session: Session) => void): boolean => {
    try {
      return store()?.transactions.tryWrite(work) === true;
    } catch {
      return false;
    }
  };

  const flush = (): void => {
    flushTimer = undefined;
    const bytes = bytesOf(gathered);
    if (bytes === undefined) {
      gathered = [];
      return;
    }
    const written = attempt((session) => {
      const now = session.now();
      // The last of them may have gone without a word.
      others = session.value(otherListener, self, now) !== undefined;
      if (!others) return;
      const add = "INSERT INTO wfe_lifecycle (source, at, events) VALUES (?, ?, ?)";
      const last = session.insert(add, self, now, bytes) ?? 0;
      session.run("DELETE FROM wfe_lifecycle WHERE batch <= ?", last - maxBatches);
      const oldest = "SELECT batch FROM wfe_lifecycle ORDER BY batch LIMIT 100";
      session.run(`DELETE FROM wfe_lifecycle WHERE batch IN (${oldest}) AND at < ?`, now - keepMs);
    });
    if (written) gathered = [];
    else flushLater();
  };

  const flushLater = (): void => {
    flushTimer ??= store()?.clock.setTimer(gatherMs, flush, { background: true });
  };

  const gather = (events: Events): void => {
    for (const event of events.slice(0, maxGathered - gathered.length)) gathered.push(event);
    flushLater();
  };

  /** Says that this process listens, or that it does no longer; soon again where that could not be written. */
  const register = (): void => {
    renewTimer?.cancel();
    const done = attempt((session) => {
      if (listeners.size === 0) {
        session.run("DELETE FROM wfe_listeners WHERE listener = ?", self);
        return;
      }
      const now = session.now();
      session.run("INSERT OR REPLACE INTO wfe_listeners (listener, expires_at) VALUES (?, ?)", self, now + listenerMs);
      session.run("DELETE FROM wfe_listeners WHERE expires_at < ?", now);
      seen ??= session.value<number | null>("SELECT max(batch) FROM wfe_lifecycle") ?? 0;
    });
    if (done && listeners.size === 0) return;
    renewTimer = store()?.clock.setTimer(done ? listenerRenewMs : gatherMs, register, { background: true });
  };

  const look = async (): Promise<void> => {
    const opened = store();
    if (opened === undefined) return;
    const batches = await opened.transactions.read((session) => {
      others = session.value(otherListener, self, session.now()) !== undefined;
      if (listeners.size === 0 || seen === null) return [];
      return session.all<{ readonly batch: number; readonly source: string; readonly events: Uint8Array }>(
        "SELECT batch, source, events FROM wfe_lifecycle WHERE batch > ? ORDER BY batch LIMIT 100",
        seen,
      );
    });
    for (const { batch, source, events } of batches) {
      // Two looks may be under way at once.
      if (seen !== null && batch <= seen) continue;
      seen = batch;
      if (source !== self) listeners.tell(deserialize(events) as Events);
    }
  };

  const lookBestEffort = (): void => {
    look().catch(() => {
      // Events are dropped, by contract.
    });
  };

  return {
    publish: (events) => {
      if (events.length === 0) return;
      listeners.tell(events);
      if (others) gather(events);
    },

    subscribe: (listener) => {
      const end = listeners.add(listener);
      if (listeners.size === 1) register();
      return () => {
        end();
        if (listeners.size === 0) register();
      };
    },

    get hasListeners() {
      return others || listeners.size > 0;
    },

    start: () => {
      self = store()?.runtime.randomId() ?? "";
      seen = null;
      others = false;
      if (listeners.size > 0) register();
      lookBestEffort();
    },

    look: lookBestEffort,

    stop: () => {
      flush();
      flushTimer?.cancel();
      renewTimer?.cancel();
      flushTimer = undefined;
      renewTimer = undefined;
      gathered = [];
      // One that could not say so is forgotten after some time.
      if (listeners.size > 0) attempt((session) => session.run("DELETE FROM wfe_listeners WHERE listener = ?", self));
    },
  };
}

/** Undefined where there is nothing to write, or nothing that can be. */
function bytesOf(events: Events): Uint8Array | undefined {
  if (events.length === 0) return undefined;
  try {
    return serialize(events);
  } catch {
    return undefined;
  }
}
