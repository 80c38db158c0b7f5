import { deserialize, serialize } from "node:v8";
import type { LifecycleEvent, LifecyclePublisher, Timer } from "@wfe/core/providers";
import { Listeners } from "./hints.ts";
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

export interface SqliteLifecycle extends LifecyclePublisher {
  /** Call when the store is open. */
  readonly start: () => void;
  /** Call when another connection has committed something. */
  readonly look: () => void;
  /** Call before the store is closed. */
  readonly stop: () => Promise<void>;
}

/**
 * `store` gives the open store, or undefined. Hands events to the listeners of this process at once. For other processes they are written to a table, and only while one of
 * those has said that it listens: in transactions of their own, bounded, and dropped where that is not enough.
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

  /** Best effort: what goes wrong here must not reach whoever publishes. */
  const attempt = async (work: (opened: OpenStore) => Promise<void>): Promise<void> => {
    const opened = store();
    if (opened === undefined) return;
    try {
      await work(opened);
    } catch {
      // Events are dropped, by contract.
    }
  };

  const flush = async (): Promise<void> => {
    flushTimer = undefined;
    const events = gathered;
    gathered = [];
    if (events.length === 0) return;
    await attempt(async ({ transactions }) => {
      const bytes = serialize(events);
      await transactions.write((session) => {
        const now = session.now();
        session.run("INSERT INTO wfe_lifecycle (source, at, events) VALUES (?, ?, ?)", self, now, bytes);
        const last = session.value<number>("SELECT max(batch) FROM wfe_lifecycle") ?? 0;
        session.run("DELETE FROM wfe_lifecycle WHERE batch <= ?", last - maxBatches);
        session.run(
          "DELETE FROM wfe_lifecycle WHERE batch IN (SELECT batch FROM wfe_lifecycle ORDER BY batch LIMIT 100) AND at < ?",
          now - keepMs,
        );
      });
    });
  };

  const gather = (events: Events): void => {
    const opened = store();
    if (opened === undefined) return;
    for (const event of events.slice(0, maxGathered - gathered.length)) gathered.push(event);
    flushTimer ??= opened.clock.setTimer(gatherMs, () => void flush(), { background: true });
  };

  /** Says that this process listens, or that it does no longer. */
  const register = (): Promise<void> =>
    attempt(async ({ transactions }) => {
      await transactions.write((session) => {
        if (listeners.size === 0) {
          session.run("DELETE FROM wfe_listeners WHERE listener = ?", self);
          return;
        }
        const now = session.now();
        session.run(
          "INSERT OR REPLACE INTO wfe_listeners (listener, expires_at) VALUES (?, ?)",
          self,
          now + listenerMs,
        );
        session.run("DELETE FROM wfe_listeners WHERE expires_at < ?", now);
        seen ??= session.value<number | null>("SELECT max(batch) FROM wfe_lifecycle") ?? 0;
      });
    });

  const renew = (): void => {
    renewTimer = undefined;
    const opened = store();
    if (opened === undefined || listeners.size === 0) return;
    void register();
    renewTimer = opened.clock.setTimer(listenerRenewMs, renew, { background: true });
  };

  const look = (): Promise<void> =>
    attempt(async ({ transactions }) => {
      const batches = await transactions.read((session) => {
        const listening = "SELECT 1 FROM wfe_listeners WHERE listener <> ? AND expires_at >= ? LIMIT 1";
        others = session.value(listening, self, session.now()) !== undefined;
        if (listeners.size === 0 || seen === null) return [];
        return session.all<{ readonly batch: number; readonly source: string; readonly events: Uint8Array }>(
          "SELECT batch, source, events FROM wfe_lifecycle WHERE batch > ? ORDER BY batch LIMIT 100",
          seen,
        );
      });
      for (const { batch, source, events } of batches) {
        seen = batch;
        if (source !== self) listeners.tell(deserialize(events) as Events);
      }
    });

  return {
    publish: (events) => {
      if (events.length === 0) return;
      listeners.tell(events);
      if (others) gather(events);
    },

    subscribe: (listener) => {
      const end = listeners.add(listener);
      if (listeners.size === 1) renew();
      return () => {
        end();
        if (listeners.size === 0) void register();
      };
    },

    get hasListeners() {
      return others || listeners.size > 0;
    },

    start: () => {
      self = store()?.runtime.randomId() ?? "";
      seen = null;
      others = false;
      if (renewTimer === undefined) renew();
      void look();
    },

    look: () => void look(),

    stop: async () => {
      flushTimer?.cancel();
      renewTimer?.cancel();
      flushTimer = undefined;
      renewTimer = undefined;
      await flush();
      await attempt(({ transactions }) =>
        transactions.write((session) => void session.run("DELETE FROM wfe_listeners WHERE listener = ?", self)),
      );
    },
  };
}
