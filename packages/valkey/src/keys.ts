/**
 * The names of everything that one provider stores. The prefix stands in braces: so all of it lies in one slot of a cluster, and a
 * script may touch several keys. What follows is the store's: two that are given one prefix take nothing from each other.
 */
export interface Keys {
  /** A hash: when a lease expires, and which process holds it. There is none of a lease that is dead. */
  readonly lease: (id: string) => string;
  /** A hash: which lease holds a key. */
  readonly holders: string;
  /** A hash: what is offered, by run, as `priority:dueAt:order:waiting`. */
  readonly items: string;
  /** A sorted set: what cannot be pulled yet, by the time at which it can. */
  readonly hidden: string;
  /** A sorted set: what can be pulled, in the order of pulling. */
  readonly ready: string;
  /** Counts what was offered. */
  readonly order: string;
  /** A sorted set: processes that listen to lifecycle events, by the time until which they count. */
  readonly listeners: string;
  /** A channel: something may be there to pull, or somebody begins or ends to listen. */
  readonly notes: string;
  /** A channel: lifecycle events. */
  readonly lifecycle: string;
  /** Written once when the provider is opened, to see whether that can be done. */
  readonly probe: string;
}

export function keysOf(prefix: string, store: string | undefined): Keys {
  const first = store === undefined ? `{${prefix}}` : `{${prefix}}:${store}`;
  const name = (what: string): string => `${first}:${what}`;
  return {
    lease: (id) => name(`lease:${id}`),
    holders: name("holders"),
    items: name("queue:items"),
    hidden: name("queue:hidden"),
    ready: name("queue:ready"),
    order: name("queue:order"),
    listeners: name("listeners"),
    notes: name("notes"),
    lifecycle: name("lifecycle"),
    probe: name("probe"),
  };
}
