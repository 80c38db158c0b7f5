import { copy, encode } from "../../codec/index.ts";
import type { EventType } from "../../definition/event-type.ts";
import { InvalidOptionError } from "../../errors.ts";
import type { Awaitable } from "../../providers/persistence-provider.ts";
import type { NewEvent, PublishedEvent } from "../../providers/records.ts";
import { checkBatch, checkTx, forItem, inCallersTransaction, type TransactionOptions } from "./batches.ts";
import type { ClientShared } from "./client-shared.ts";
import { checkObject, refuseUnknown } from "./host-options.ts";
import { checkKey, checkName, describeValue } from "./names.ts";
import { validated } from "./schema.ts";
import { checkTime } from "./start.ts";

/** Options of a publish. */
export interface PublishOptions extends TransactionOptions {
  /** Unique in the namespace: publishing with the same id again delivers nothing twice. Default: a random one. */
  readonly id?: string;
  /** When the event happens: a date, or milliseconds since the epoch. Before that nobody sees it. Default: now. */
  readonly effectiveAt?: Date | number;
}

/** One event of a batch. */
export interface PublishItem<Event = EventType | string, Payload = unknown> {
  readonly event: Event;
  readonly key: string;
  readonly payload?: Payload;
  readonly options?: Omit<PublishOptions, "tx">;
}

/** An event that is stored. */
export interface Published {
  readonly id: string;
  /** Whether an event of this id was there already. Unknown, and false, in a transaction of the caller's. */
  readonly duplicate: boolean;
}

/** Stores an event. With `tx` and everything synchronous, the store has been called when this returns its promise. */
export async function publish(
  shared: ClientShared,
  namespace: string,
  event: EventType | string,
  key: string,
  payload: unknown,
  options: PublishOptions,
  late: boolean,
): Promise<Published> {
  checkPublishOptions(options, true);
  const { tx } = options;
  const prepared = prepare(shared, namespace, { event, key, payload, options });
  if (tx === undefined) {
    const stored = await prepared;
    const published = await shared.store.publish(stored);
    shared.wake();
    return { id: stored.eventId, duplicate: published.duplicate };
  }
  const stored = synchronous(prepared);
  const [published] = await inCallersTransaction(late, () => publishIn(shared, tx, [stored]));
  return { id: stored.eventId, duplicate: published?.duplicate ?? false };
}

/** Stores a batch in one transaction. */
export async function publishAll(
  shared: ClientShared,
  namespace: string,
  items: readonly PublishItem[],
  options: TransactionOptions,
  late: boolean,
): Promise<readonly Published[]> {
  const { tx } = checkTx(options);
  checkBatch("publishEvents", items, shared.core.options.limits.batch, {
    fields: ["event", "key", "payload", "options"],
    options: publishOptionNames,
  });
  const prepareItem = (item: PublishItem, index: number): Awaitable<NewEvent> =>
    forItem("publishEvents", index, () => {
      checkPublishOptions(item.options ?? {}, false);
      const prepared = prepare(shared, namespace, item);
      return tx === undefined ? prepared : synchronous(prepared);
    });
  const stored =
    tx === undefined
      ? await Promise.all(items.map(async (item, index) => prepareItem(item, index)))
      : (items.map(prepareItem) as NewEvent[]);
  if (stored.length === 0) return [];
  const published =
    tx === undefined
      ? await shared.store.publishAll(stored)
      : await inCallersTransaction(late, () => publishIn(shared, tx, stored));
  if (tx === undefined) shared.wake();
  return stored.map(({ eventId }, index) => ({ id: eventId, duplicate: published[index]?.duplicate ?? false }));
}

function prepare(
  shared: ClientShared,
  namespace: string,
  { event, key, payload, options = {} }: PublishItem,
): Awaitable<NewEvent> {
  const { name, schema } = eventOf(event);
  checkName("the name of an event", name);
  checkKey("the key of an event", key);
  const { id, effectiveAt } = options;
  const eventId = id === undefined ? shared.core.runtime.randomId() : checkName("the id of an event", id);
  const effective = effectiveAt === undefined ? null : checkTime("effectiveAt", effectiveAt);
  const { valueBytes, depth } = shared.core.options.limits;
  const finish = (checked: unknown): NewEvent => ({
    namespace,
    name,
    key,
    eventId,
    payloadText: encode(copy(checked, { path: "payload", maxBytes: valueBytes, maxDepth: depth })),
    effectiveAt: effective,
  });
  const checked = validated(schema, payload, { what: `the payload of event \`${name}\`` });
  return checked instanceof Promise ? checked.then(finish) : finish(checked);
}

function eventOf(event: EventType | string): Pick<EventType, "name" | "schema"> {
  if (typeof event === "string") return { name: event };
  const { name } = (event ?? {}) as Partial<EventType>;
  if (typeof name === "string") return event;
  throw new InvalidOptionError(
    `an event is expected, its name or what \`event(name)\` gives, got ${describeValue(event)}`,
  );
}

const publishOptionNames: readonly string[] = ["id", "effectiveAt"];

function checkPublishOptions(options: PublishOptions, withTx: boolean): void {
  checkObject("the options of a publish", options);
  refuseUnknown("the options of a publish", options, withTx ? [...publishOptionNames, "tx"] : publishOptionNames);
  if (withTx) checkTx(options);
}

function publishIn(
  shared: ClientShared,
  tx: unknown,
  events: readonly NewEvent[],
): Awaitable<readonly PublishedEvent[]> {
  const { persistence } = shared.core.providers;
  if (persistence.publishIn === undefined) throw shared.noTransactions("publishEvent");
  return persistence.publishIn(tx, events);
}

/** In a caller's transaction nothing is waited for: it may be over by then. */
function synchronous(prepared: Awaitable<NewEvent>): NewEvent {
  if (!(prepared instanceof Promise)) return prepared;
  prepared.catch(() => {});
  throw new InvalidOptionError(
    "the event's schema is asynchronous, which cannot be waited for inside `tx`: validate before, or use a synchronous schema",
  );
}
