import type { NewEvent, PublishedEvent, Run } from "@wfe/core/providers";
import type { Open } from "./postgres.ts";
import { checkName, checkText } from "./text.ts";

/** Waiters woken by one publish; the rest is left to `advanceEvents`, so that no transaction grows with their number. */
const maxFanOut = 500;

interface Published {
  readonly published: readonly (readonly [number: number | null, duplicate: boolean])[];
  readonly woken: readonly Run[] | null;
  readonly changed: boolean;
}

/** An event as `wfe_publish` takes it. */
export function eventItem(event: NewEvent, place: number): object {
  const { namespace, name, key, eventId, payloadText, effectiveAt } = event;
  return {
    place,
    namespace,
    name,
    key,
    id: eventId,
    payload: payloadText,
    ...(effectiveAt === null ? {} : { effectiveAt }),
  };
}

export function checkEvent(event: NewEvent): void {
  checkName(event.namespace, "a namespace");
  checkName(event.name, "an event's name");
  checkName(event.key, "an event's key");
  checkName(event.eventId, "an event's id");
  checkText(event.payloadText, "an event's payload");
}

/** Stores events, numbers those that are effective and wakes their waiters. */
export async function publish({ store, hints }: Open, events: readonly NewEvent[]): Promise<PublishedEvent[]> {
  for (const event of events) checkEvent(event);
  const answer = await store.writeJson<Published>(
    store.shared,
    "SELECT $s.wfe_publish($1::bigint, $2::integer, $3::json, $4::integer, $5)::text AS json",
    [store.now, store.patience.ms, JSON.stringify(events.map(eventItem)), maxFanOut, store.storeId],
  );
  hints.committed(answer?.woken ?? [], answer?.changed === true);
  return (answer?.published ?? []).map(([number, duplicate]) => ({ number, duplicate }));
}

interface DueEvents {
  readonly staged: boolean;
  readonly pending: boolean;
  readonly effectiveAt: number | null;
  readonly now: number;
}

const lookForDue = `SELECT json_build_object(
  'staged', EXISTS (SELECT FROM $s.wfe_staged_events),
  'pending', EXISTS (SELECT FROM $s.wfe_streams WHERE pending = 1),
  'effectiveAt', (SELECT min(effective_at) FROM $s.wfe_events WHERE number IS NULL),
  'now', $s.wfe_now($1::bigint))::text AS json`;

/** Numbers what has become effective and wakes who is left to wake; true: there is more. */
export async function advanceEvents(open: Open, limit: number): Promise<boolean> {
  const { store, hints } = open;
  const due = await dueEvents(open);
  const isDue = ({ pending, effectiveAt, now }: DueEvents): boolean =>
    pending || (effectiveAt !== null && effectiveAt <= now);
  if (due.staged) {
    const answer = await store.writeJson<Published>(
      store.shared,
      "SELECT $s.wfe_take_staged($1::bigint, $2::integer, $3::integer, $4)::text AS json",
      [store.now, store.patience.ms, limit, store.storeId],
    );
    hints.committed(answer?.woken ?? [], answer?.changed === true);
  }
  if (isDue(due)) {
    const answer = await store.writeJson<Omit<Published, "published">>(
      store.shared,
      "SELECT $s.wfe_advance_events($1::bigint, $2::integer, $3::integer, $4)::text AS json",
      [store.now, store.patience.ms, limit, store.storeId],
    );
    hints.committed(answer?.woken ?? [], answer?.changed === true);
  }
  if (!due.staged && !isDue(due)) return false;
  const left = await dueEvents(open);
  return left.staged || isDue(left);
}

/** When `advanceEvents` has something to do; null: not before something changes. */
export async function nextDueEvent(open: Open): Promise<number | null> {
  const { staged, pending, effectiveAt, now } = await dueEvents(open);
  return staged || pending ? now : effectiveAt;
}

async function dueEvents({ store }: Open): Promise<DueEvents> {
  const due = await store.readJson<DueEvents>(lookForDue, [store.now]);
  if (due === null) throw new TypeError("the store gave no answer");
  return due;
}
