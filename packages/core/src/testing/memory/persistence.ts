import type {
  ClaimedWorkflow,
  ClaimRequest,
  PersistenceProvider,
  PullRequest,
  PullResult,
  Run,
  SearchOutbox,
} from "../../providers/index.ts";
import { recordFormat } from "../../providers/index.ts";
import { commit, writeRow } from "./commit.ts";
import { bury, type Locks } from "./lock.ts";
import { memoryLogs } from "./logs.ts";
import { type Instance, toRow } from "./instance.ts";
import type { Store } from "./store.ts";

/** `opened` gives the store, or throws where the provider is not open. */
export function memoryPersistence(opened: () => Store, outbox: SearchOutbox, locks: Locks): PersistenceProvider {
  return {
    transactionalSteps: false,
    logs: memoryLogs(opened),
    outbox,

    create: async (workflows) => {
      const store = opened();
      return workflows.map((workflow) => store.create(workflow));
    },

    find: async (namespace, ids) => {
      const rows = opened().rows(namespace);
      return ids.map((id) => rowOf(rows.find(id)));
    },

    claim: async (request) => claim(opened(), request),

    commit: async (turns) => {
      const store = opened();
      return turns.map((turn) => commit(store, turn));
    },

    writeRows: async (writes) => {
      const store = opened();
      return writes.map(({ run, claim, row }) => writeRow(store, run, claim, row, false));
    },

    load: async (runs) => {
      const store = opened();
      return runs.map((run) => {
        const instance = store.instances.get(run);
        if (instance === undefined) return undefined;
        const { checkpoint, turns } = instance;
        return { row: toRow(instance), checkpoint, turns: turns.slice((checkpoint?.seq ?? -1) + 1) };
      });
    },

    pull: async (requests) => {
      const store = opened();
      return requests.map((request) => pull(store, request));
    },

    turns: async (run, { from, to, limit }) => {
      const turns = opened().instances.get(run)?.turns ?? [];
      const end = Math.min(to === undefined ? turns.length : to + 1, from + limit);
      return turns.slice(Math.max(0, from), Math.max(0, end));
    },

    deliver: async (deliveries, inboxLimit) => {
      const store = opened();
      return deliveries.map((delivery) => store.deliver(delivery, inboxLimit));
    },

    deliveryOutcomes: async (requests) => {
      const store = opened();
      return requests.map(({ run, number }) => store.instances.get(run)?.inbox.outcomes.get(number));
    },

    publish: async (events) => {
      const store = opened();
      const published = events.map((event) => store.streams.publish(event, store.now()));
      // Whoever sleeps until the next due time has to look again: an event to come, or waiters to come, may be nearer.
      if (store.streams.nextAt(store.now()) !== null) store.hints.changed();
      return published;
    },

    advanceEvents: async (limit) => {
      const store = opened();
      return store.streams.advance(limit, store.now());
    },

    nextDueAt: async (definitions) => {
      const store = opened();
      const times = [store.due.nextDueAt(definitions), store.streams.nextAt(store.now())].filter(
        (time) => time !== null,
      );
      return times.length === 0 ? null : Math.min(...times);
    },

    owned: async (lease) =>
      [...(opened().owned.get(lease) ?? [])].map(({ run, claim, signals }) => ({ run, claim, signals })),

    owners: async () => [...opened().owned.keys()],

    orphan: async (leases, limit) => {
      const store = opened();
      const orphans = leases.flatMap((lease) => [...(store.owned.get(lease) ?? [])]).slice(0, limit);
      for (const orphan of orphans) makeOrphan(store, orphan);
      return orphans.length;
    },

    list: async (filter, page) => opened().rows(filter.namespace).list(filter, page),

    count: async (filter) => opened().rows(filter.namespace).count(filter),

    purge: async ({ workflowsBefore, eventsBefore, limit }) => {
      const store = opened();
      const workflows = workflowsBefore === undefined ? 0 : store.purge(workflowsBefore, limit);
      const events = eventsBefore === undefined ? 0 : store.streams.purge(eventsBefore, limit);
      return { workflows, events };
    },

    bindLockProvider: async (name, lease) => {
      const store = opened();
      store.lockProvider ??= name;
      if (store.lockProvider === name || lease === undefined) return { name: store.lockProvider, leases: [] };
      const others = [...locks.leases].filter(([id]) => id !== lease);
      const living = others.filter(([, { expiresAt }]) => expiresAt > store.now()).map(([id]) => id);
      if (living.length > 0) return { name: store.lockProvider, leases: living.slice(0, 1_000) };
      for (const [id] of others) bury(locks, id);
      store.lockProvider = name;
      return { name, leases: [] };
    },

    now: async () => opened().now(),

    hints: (listener) => opened().hints.listen(listener),
  };
}

function rowOf(instance: Instance | undefined): ReturnType<typeof toRow> | undefined {
  return instance === undefined ? undefined : toRow(instance);
}

function claim(store: Store, request: ClaimRequest): ClaimedWorkflow[] {
  if (request.format < recordFormat) return [];
  const now = store.now();
  const taken =
    request.runs === undefined
      ? store.due.take(request.definitions, now, request.limit)
      : store.due.takeAmong(claimableAmong(store, request, request.runs, now), request.limit);
  return taken.map((instance) => {
    const orphaned = instance.orphaned;
    store.change(instance, () => {
      instance.owner = request.lease;
      instance.claim += 1;
      instance.dueAt = null;
      instance.orphaned = false;
    });
    return { row: toRow(instance), headSeq: instance.turns.length - 1, orphaned };
  });
}

function claimableAmong(store: Store, request: ClaimRequest, runs: readonly Run[], now: number): Instance[] {
  return [...new Set(runs)]
    .map((run) => store.instances.get(run))
    .filter((instance) => instance !== undefined)
    .filter(
      ({ owner, dueAt, version, definitionId, definitionHash }) =>
        owner === null &&
        dueAt !== null &&
        dueAt <= now &&
        request.definitions.some(
          (one) =>
            one.id === definitionId &&
            one.version === version &&
            (one.hash === undefined || one.hash === definitionHash),
        ),
    );
}

function pull(store: Store, request: PullRequest): PullResult {
  const instance = store.instances.get(request.run);
  return {
    signals: instance?.signals ?? 0,
    deliveries: [...(instance?.inbox.unread.values() ?? [])].map(({ number, deliveryId, kind, bodyText, at }) => ({
      number,
      deliveryId,
      kind,
      bodyText,
      at,
    })),
    events: request.streams.map((cursor) => store.streams.read(request.namespace, cursor)),
  };
}

function makeOrphan(store: Store, instance: Instance): void {
  store.change(instance, () => {
    instance.claim += 1;
    instance.owner = null;
    instance.orphaned = true;
    instance.dueAt = store.now();
  });
  store.hints.woken(instance.run);
}
