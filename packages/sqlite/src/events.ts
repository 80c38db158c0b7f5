import type {
  NewEvent,
  PublishedEvent,
  Run,
  StoredEvent,
  StreamCursor,
  StreamEvents,
  Subscription,
} from "@wfe/core/providers";
import type { Session } from "./session.ts";
import { checkName, checkText } from "./text.ts";
import { wake } from "./wake.ts";

/** Waiters woken by one publish; the rest is left to `advanceEvents`, so that no transaction grows with their number. */
const maxFanOut = 500;

interface Stream {
  readonly stream: number;
  readonly last: number;
  readonly lastAt: number;
}

/** Stores events, numbers those that are effective and wakes their waiters, in the transaction that is open. */
export function publishEvents(session: Session, events: readonly NewEvent[]): PublishedEvent[] {
  for (const event of events) checkEvent(event);
  const touched = new Set<number>();
  const published = events.map((event) => publishOne(session, event, touched));
  wakeWaiters(session, touched, maxFanOut);
  return published;
}

/** Numbers what has become effective and wakes who is left to wake, in the transaction that is open; true: there is more. */
export function advanceEvents(session: Session, limit: number): boolean {
  const now = session.now();
  const due = session.all<{ readonly event: number; readonly stream: number; readonly effectiveAt: number }>(
    "SELECT event, stream, effective_at AS effectiveAt FROM wfe_events WHERE number IS NULL AND effective_at <= ? ORDER BY effective_at, event LIMIT ?",
    now,
    limit,
  );
  const touched = new Set<number>();
  for (const { event, stream, effectiveAt } of due) {
    const { number, at } = nextNumber(session, stream, effectiveAt);
    session.run("UPDATE wfe_events SET number = ?, at = ? WHERE event = ?", number, at, event);
    touched.add(stream);
  }
  const pending = session.values<number>(
    "SELECT stream FROM wfe_streams WHERE pending = 1 ORDER BY stream LIMIT ?",
    limit,
  );
  wakeWaiters(session, new Set([...pending, ...touched]), limit);
  const next = nextDueEvent(session);
  return next !== null && next <= now;
}

/** Whether `advanceEvents` has something to do: asked before a transaction is begun for it. */
export function isEventDue(session: Session): boolean {
  const next = nextDueEvent(session);
  return next !== null && next <= session.now();
}

/** When `advanceEvents` has something to do. */
export function nextDueEvent(session: Session): number | null {
  const pending = session.value("SELECT 1 FROM wfe_streams WHERE pending = 1 LIMIT 1");
  if (pending !== undefined) return session.now();
  const next = session.value("SELECT min(effective_at) FROM wfe_events WHERE number IS NULL");
  // A damaged one is never due.
  return typeof next === "number" ? next : null;
}

/** Stores a subscription. True where the stream has gone beyond its cursor already. */
export function subscribe(session: Session, run: Run, namespace: string, subscription: Subscription): boolean {
  const { pointer, name, key, after } = subscription;
  checkName(name, "an event's name");
  checkName(key, "an event's key");
  const { stream, last } = streamOf(session, namespace, name, key);
  // Its host learns of what is there already by the answer, so only what comes later has to wake it.
  session.run(
    "INSERT OR REPLACE INTO wfe_subscriptions (run, pointer, stream, woken) VALUES (?, ?, ?, ?)",
    run,
    pointer,
    stream,
    last,
  );
  return last > after;
}

export function unsubscribe(session: Session, run: Run, pointers: readonly number[]): void {
  for (const pointer of pointers) {
    session.run("DELETE FROM wfe_subscriptions WHERE run = ? AND pointer = ?", run, pointer);
  }
}

/** The events of a stream behind a cursor. */
export function readStream(session: Session, namespace: string, cursor: StreamCursor): StreamEvents {
  const { name, key, after, since, limit } = cursor;
  const stream = session.get<{ readonly stream: number; readonly expiredThrough: number; readonly expiredAt: number }>(
    `SELECT stream, expired_through AS expiredThrough, expired_at AS expiredAt FROM wfe_streams
     WHERE namespace = ? AND name = ? AND key = ?`,
    namespace,
    name,
    key,
  );
  if (stream === undefined) return { events: [], expiredThrough: 0, expiredAt: 0 };
  const events = session.all<Omit<StoredEvent, "name" | "key">>(
    `SELECT number, event_id AS eventId, payload AS payloadText, at FROM wfe_events
     WHERE stream = ? AND number > ? AND at >= ? ORDER BY number LIMIT ?`,
    stream.stream,
    after,
    since,
    limit,
  );
  return {
    events: events.map(({ number, eventId, payloadText, at }) => ({ number, eventId, name, key, payloadText, at })),
    expiredThrough: stream.expiredThrough,
    expiredAt: stream.expiredAt,
  };
}

function publishOne(session: Session, event: NewEvent, touched: Set<number>): PublishedEvent {
  const { namespace, eventId, payloadText, effectiveAt } = event;
  const find = "SELECT number FROM wfe_events WHERE namespace = ? AND event_id = ?";
  const known = session.get<{ readonly number: number | null }>(find, namespace, eventId);
  if (known !== undefined) return { number: known.number, duplicate: true };

  const { stream } = streamOf(session, namespace, event.name, event.key);
  const isFuture = effectiveAt !== null && effectiveAt > session.now();
  const { number, at } = isFuture ? { number: null, at: null } : nextNumber(session, stream, session.now());
  session.run(
    "INSERT INTO wfe_events (stream, number, at, effective_at, namespace, event_id, payload) VALUES (?, ?, ?, ?, ?, ?, ?)",
    stream,
    number,
    at,
    effectiveAt,
    namespace,
    eventId,
    payloadText,
  );
  // Whoever sleeps until the next due time has to look again.
  if (isFuture) session.changed = true;
  else touched.add(stream);
  return { number, duplicate: false };
}

function streamOf(session: Session, namespace: string, name: string, key: string): Stream {
  const find = "SELECT stream, last, last_at AS lastAt FROM wfe_streams WHERE namespace = ? AND name = ? AND key = ?";
  const found = session.get<Stream>(find, namespace, name, key);
  if (found !== undefined) return found;
  const add = "INSERT INTO wfe_streams (namespace, name, key) VALUES (?, ?, ?)";
  return { stream: session.insert(add, namespace, name, key) ?? 0, last: 0, lastAt: 0 };
}

function nextNumber(session: Session, stream: number, time: number): { readonly number: number; readonly at: number } {
  // A clock that is set back must not turn the order round: retention deletes by time, from the front.
  const next = session.get<{ readonly last: number; readonly lastAt: number }>(
    "UPDATE wfe_streams SET last = last + 1, last_at = max(last_at, ?) WHERE stream = ? RETURNING last, last_at AS lastAt",
    time,
    stream,
  );
  if (next === undefined) throw new TypeError("an event is of a stream that is not there");
  return { number: next.last, at: next.lastAt };
}

/** Wakes up to `limit` waiters of these streams that have not been woken for its last event, and marks where some are left. */
function wakeWaiters(session: Session, streams: ReadonlySet<number>, limit: number): void {
  const runs: Run[] = [];
  for (const stream of streams) {
    const waiters = session.rows<[run: number, pointer: number, last: number]>(
      `SELECT b.run, b.pointer, s.last FROM wfe_streams s JOIN wfe_subscriptions b ON b.stream = s.stream
       WHERE s.stream = ? AND b.woken < s.last LIMIT ?`,
      stream,
      limit - runs.length + 1,
    );
    const some = waiters.slice(0, limit - runs.length);
    for (const [run, pointer, last] of some) {
      const mark = "UPDATE wfe_subscriptions SET woken = ? WHERE run = ? AND pointer = ? AND stream = ?";
      session.run(mark, last, run, pointer, stream);
      runs.push(run);
    }
    const pending = waiters.length > some.length ? 1 : 0;
    session.run("UPDATE wfe_streams SET pending = ? WHERE stream = ? AND pending <> ?", pending, stream, pending);
    // Whoever sleeps until the next due time has to look again: there are more to be woken now.
    if (pending === 1) session.changed = true;
  }
  wake(session, runs);
}

function checkEvent(event: NewEvent): void {
  checkName(event.namespace, "a namespace");
  checkName(event.name, "an event's name");
  checkName(event.key, "an event's key");
  checkName(event.eventId, "an event's id");
  checkText(event.payloadText, "an event's payload");
}
