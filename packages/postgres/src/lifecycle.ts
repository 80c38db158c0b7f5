import type { LifecycleEvent, LifecyclePublisher, Timer } from "@wfe/core/providers";
import { decode, encode } from "./lifecycle-text.ts";
import { Listeners } from "./listeners.ts";
import type { Open } from "./postgres.ts";
import type { Store } from "./store.ts";

type Events = readonly LifecycleEvent[];

/** How long what was published is gathered before it is written for other processes. */
const gatherMs = 20;
/** Events that wait to be written; what comes on top is dropped. */
const maxGathered = 5_000;
/** How long a listener counts without a sign of life, and how often it gives one. */
const listenerMs = 30_000;
const listenerRenewMs = 10_000;
/** How long a batch stays, and how long it is looked for: one that was numbered first may be committed later. */
const keepMs = 10_000;

/** Where nobody listens here, only one of so many looks is made. */
const idleLooks = 4;

export interface PostgresLifecycle extends LifecyclePublisher {
  /** Call when the store is open. */
  readonly start: () => void;
  /** Call when another process may have written something. */
  readonly look: () => void;
  /** Call before the store is closed. */
  readonly stop: () => Promise<void>;
}

/**
 * Hands events to the listeners of this process at once. For other processes they are written to a table, and only while one
 * of those has said that it listens: in transactions of their own, bounded, and dropped where that is not enough. `opened`
 * gives what is open, or undefined.
 */
export function postgresLifecycle(opened: () => Open | undefined): PostgresLifecycle {
  const listeners = new Listeners<Events>();
  let gathered: LifecycleEvent[] = [];
  let flushTimer: Timer | undefined;
  let renewTimer: Timer | undefined;
  /** Whether another process listens, as far as was seen when something last changed. */
  let others = false;
  /** The last batch of each process that was read. */
  let seen: Map<string, number> = new Map();
  /** Batches up to this one were there before. */
  let begun: number | null = null;
  let self = "";
  let skipped = 0;
  let looking = false;
  let lookAgain = false;
  let writing: Promise<void> = Promise.resolve();

  const attempt = async (work: (store: Store) => Promise<void>): Promise<boolean> => {
    const store = opened()?.store;
    if (store === undefined) return false;
    try {
      await work(store);
      return true;
    } catch {
      // Best effort, by contract: what goes wrong must not reach whoever publishes.
      return false;
    }
  };

  const flush = (): void => {
    flushTimer = undefined;
    const events = gathered;
    gathered = [];
    const text = encode(events);
    if (text === undefined) return;
    // One after the other: so the numbers of one process are in the order of its commits.
    writing = writing.then(async () => {
      await attempt(async (store) => {
        // The last of the listeners may have gone without a word.
        const rows = await store.write(
          store.shared,
          `WITH old AS (
            DELETE FROM $s.wfe_lifecycle WHERE batch IN (SELECT batch FROM $s.wfe_lifecycle ORDER BY batch LIMIT 100)
              AND at < $s.wfe_now($1::bigint) - $2::bigint
          )
          INSERT INTO $s.wfe_lifecycle (source, at, events) SELECT $3, $s.wfe_now($1::bigint), $4
          WHERE EXISTS (SELECT FROM $s.wfe_listeners WHERE listener <> $3 AND expires_at >= $s.wfe_now($1::bigint))
          RETURNING batch::text`,
          [store.now, keepMs, self, text],
        );
        others = rows.length > 0;
        if (others) opened()?.hints.toldOthers();
      });
    });
    void opened()?.store.clock.track(writing, "engine");
  };

  const gather = (events: Events): void => {
    for (const event of events.slice(0, maxGathered - gathered.length)) gathered.push(event);
    flushTimer ??= opened()?.store.clock.setTimer(gatherMs, flush, { background: true });
  };

  /** Says that this process listens, or that it does no longer. */
  const register = async (): Promise<void> => {
    renewTimer?.cancel();
    renewTimer = undefined;
    const listens = listeners.size > 0;
    const done = await attempt(async (store) => {
      if (!listens) {
        await store.write(store.shared, "DELETE FROM $s.wfe_listeners WHERE listener = $1", [self]);
        return;
      }
      const [row] = await store.write(
        store.shared,
        `WITH gone AS (DELETE FROM $s.wfe_listeners WHERE expires_at < $s.wfe_now($2::bigint) AND listener <> $1),
        here AS (
          INSERT INTO $s.wfe_listeners (listener, expires_at) VALUES ($1, $s.wfe_now($2::bigint) + $3::bigint)
          ON CONFLICT (listener) DO UPDATE SET expires_at = excluded.expires_at
        )
        SELECT coalesce(max(batch), 0)::text AS last FROM $s.wfe_lifecycle`,
        [self, store.now, listenerMs],
      );
      begun ??= Number(row?.["last"] ?? 0);
      opened()?.hints.toldOthers();
    });
    if (listeners.size === 0 || renewTimer !== undefined) return;
    const again = (): void => void track(register());
    renewTimer = opened()?.store.clock.setTimer(done ? listenerRenewMs : 1_000, again, { background: true });
  };

  const look = async (): Promise<void> => {
    if (looking) {
      lookAgain = true;
      return;
    }
    looking = true;
    do {
      lookAgain = false;
      await attempt(readNew);
    } while (lookAgain);
    looking = false;
  };

  const readNew = async (store: Store): Promise<void> => {
    const listens = listeners.size > 0 && begun !== null;
    const answer = await store.readJson<{
      readonly others: boolean;
      readonly batches: { readonly batch: number; readonly source: string; readonly events: string }[] | null;
    }>(
      `SELECT json_build_object(
        'others', EXISTS (SELECT FROM $s.wfe_listeners WHERE listener <> $1 AND expires_at >= $s.wfe_now($2::bigint)),
        'batches', (SELECT json_agg(l ORDER BY l.batch) FROM (
          SELECT batch, source, events FROM $s.wfe_lifecycle
          WHERE $3::boolean AND batch > $4::bigint AND source <> $1 AND at >= $s.wfe_now($2::bigint) - $5::bigint
            AND batch > coalesce(($6::json ->> source)::bigint, 0)
          ORDER BY batch LIMIT 1000
        ) l)
      )::text AS json`,
      [self, store.now, listens, begun ?? 0, keepMs, JSON.stringify(Object.fromEntries(seen))],
    );
    others = answer?.others === true;
    for (const { batch, source, events } of answer?.batches ?? []) {
      if (batch <= (seen.get(source) ?? 0)) continue;
      seen.set(source, batch);
      listeners.tell(decode(events));
    }
  };

  const track = (work: Promise<void>): Promise<void> => opened()?.store.clock.track(work, "engine") ?? work;

  return {
    publish: (events) => {
      if (events.length === 0) return;
      listeners.tell(events);
      if (others) gather(events);
    },

    subscribe: (listener) => {
      const end = listeners.add(listener);
      if (listeners.size === 1 && opened() !== undefined) void track(register());
      return () => {
        end();
        if (listeners.size === 0 && opened() !== undefined) void track(register());
      };
    },

    get hasListeners() {
      return others || listeners.size > 0;
    },

    start: () => {
      self = opened()?.store.runtime.randomId() ?? "";
      seen = new Map();
      begun = null;
      others = false;
      if (listeners.size > 0) void track(register());
      void track(look());
    },

    look: () => {
      // Where nobody listens here, all that is to be learned is whether somebody else does: that is not urgent.
      skipped += 1;
      if (opened() === undefined || (listeners.size === 0 && skipped < idleLooks)) return;
      skipped = 0;
      void track(look());
    },

    stop: async () => {
      flushTimer?.cancel();
      renewTimer?.cancel();
      renewTimer = undefined;
      if (gathered.length > 0) flush();
      flushTimer = undefined;
      await writing;
      // One that could not say so is forgotten after some time.
      if (listeners.size > 0) {
        await attempt(async (store) => {
          await store.write(store.shared, "DELETE FROM $s.wfe_listeners WHERE listener = $1", [self]);
        });
      }
    },
  };
}
