import { StoreError } from "../../errors.ts";
import type { Provider } from "../../providers/provider.ts";
import type { OutboxBacklog } from "../../providers/search-outbox.ts";
import type { Clock } from "../../runtime/runtime.ts";
import type { IndexerStats, RunnerStats } from "../core/host-core.ts";
import { readNote } from "../core/search-note.ts";
import type { ClientShared } from "./client-shared.ts";

/** How a host is. */
export interface HostHealth {
  /** Whether every provider answers and, where the host runs workflows, its lease is alive. */
  readonly ok: boolean;
  readonly host: string;
  /** `client`: the host was not started and runs nothing. */
  readonly state: "client" | "starting" | "running" | "stopping" | "stopped";
  readonly providers: readonly ProviderHealth[];
  /** Workflows in hand. */
  readonly inHand: number;
  /** Step bodies at work. */
  readonly bodies: number;
  /** Bodies whose attempt is over (timed out, cancelled, lost) and that have not returned: they hold what they hold. */
  readonly bodiesLeftBehind: number;
  /** How late the oldest work is that is due and that nobody has taken, of the definitions registered here, in milliseconds. */
  readonly lagMs: number;
  /** `none`: the host does not run. */
  readonly lease: "alive" | "lost" | "none";
  /** How far the search index is; undefined where no provider brings one. */
  readonly search: SearchHealth | undefined;
}

/** An index that is behind or dead harms no workflow, so it does not count for `ok`, unless its provider does not answer. */
export interface SearchHealth {
  readonly index: string;
  /**
   * `indexing`: this host feeds it; `standby`: another one does, or will; `other-index`: the store's hosts feed another index than
   * this host has; `client`: this host runs nothing.
   */
  readonly state: IndexerStats["state"] | "client";
  /** Changes that the index has not heard of, counted up to 100,000. */
  readonly pending: number;
  /** How old the oldest of them is. */
  readonly lagMs: number;
  /** Whether all workflows are being written to it anew; those that are still to come are not `pending` yet. */
  readonly rebuilding: boolean;
  /** Workflows that it refused, since this host started. */
  readonly refused: number;
  /** Why the last attempt of this host to feed it failed. */
  readonly error?: Error;
}

export interface ProviderHealth {
  readonly name: string;
  readonly ok: boolean;
  readonly latencyMs: number;
  readonly error?: Error;
}

/** How long a provider may take to answer. */
const patienceMs = 5_000;

/** Asks every provider, all at once. Never rejects: what is wrong stands in the answer. */
export async function health(shared: ClientShared): Promise<HostHealth> {
  const { clock } = shared.core.runtime;
  const opened = await attempt(clock, () => shared.open());
  const { list } = shared.core.providers;
  const providers = await Promise.all(list.map((provider) => providerHealth(clock, provider, opened.error)));
  const reachable = providers.every(({ ok }) => ok);
  const stats = shared.runner()?.stats();
  const lease =
    stats === undefined || stats.state === "new" || stats.state === "stopped"
      ? "none"
      : stats.leaseAlive
        ? "alive"
        : "lost";
  return {
    ok: reachable && lease !== "lost",
    host: shared.core.hostName,
    state: stats === undefined ? "client" : stats.state === "new" ? "starting" : stats.state,
    providers,
    inHand: stats?.inHand ?? 0,
    bodies: stats?.bodies ?? 0,
    bodiesLeftBehind: stats?.bodiesLeftBehind ?? 0,
    lagMs: reachable ? await overdueMs(shared) : 0,
    lease,
    search: reachableStore(providers, shared) ? await searchHealth(shared, stats) : undefined,
  };
}

/** Whether the store answers: whatever else does not. */
function reachableStore(providers: readonly ProviderHealth[], shared: ClientShared): boolean {
  const place = shared.core.providers.list.findLastIndex(({ persistence }) => persistence !== undefined);
  return providers[place]?.ok === true;
}

async function searchHealth(shared: ClientShared, stats: RunnerStats | undefined): Promise<SearchHealth | undefined> {
  const feed = shared.core.providers.search;
  if (feed === undefined) return undefined;
  let backlog: OutboxBacklog = { rows: 0, oldestAt: null };
  let rebuilding = false;
  const { error: failure } = await attempt(shared.core.runtime.clock, async () => {
    const [counted, note] = await Promise.all([feed.outbox.backlog(), readNote(feed)]);
    backlog = counted;
    rebuilding = note !== undefined && note.refilled !== null;
  });
  const { oldestAt } = backlog;
  const error = stats?.search?.error ?? failure;
  return {
    index: feed.index.name,
    state: stats?.search?.state ?? "client",
    pending: backlog.rows,
    lagMs: oldestAt === null ? 0 : Math.max(0, shared.core.engineNow() - oldestAt),
    rebuilding,
    refused: stats?.search?.refused ?? 0,
    ...(error === undefined ? {} : { error }),
  };
}

async function providerHealth(clock: Clock, provider: Provider, openError: Error | undefined): Promise<ProviderHealth> {
  const { name } = provider;
  if (openError !== undefined) return { name, ok: false, latencyMs: 0, error: openError };
  const { latencyMs, error } = await attempt(clock, () => provider.ping());
  return { name, ok: error === undefined, latencyMs, ...(error === undefined ? {} : { error }) };
}

async function overdueMs(shared: ClientShared): Promise<number> {
  const { providers, registry } = shared.core;
  let lagMs = 0;
  await attempt(shared.core.runtime.clock, async () => {
    const [dueAt, now] = await Promise.all([
      providers.persistence.nextDueAt(registry.inAnyStructure()),
      providers.persistence.now(),
    ]);
    lagMs = dueAt === null ? 0 : Math.max(0, now - dueAt);
  });
  return lagMs;
}

/** Makes a call that has to answer in time, and measures it. */
async function attempt(
  clock: Clock,
  call: () => Promise<unknown>,
): Promise<{ readonly latencyMs: number; readonly error: Error | undefined }> {
  const beganAt = clock.monotonic();
  const error = await new Promise<Error | undefined>((resolve) => {
    const timer = clock.setTimer(patienceMs, () => resolve(noAnswer()), { background: true });
    const answered = (failure: Error | undefined): void => {
      timer.cancel();
      resolve(failure);
    };
    call().then(
      () => answered(undefined),
      (reason: unknown) => answered(reason instanceof Error ? reason : new Error(String(reason))),
    );
  });
  return { latencyMs: clock.monotonic() - beganAt, error };
}

function noAnswer(): StoreError {
  return new StoreError(
    "STORE_TIMEOUT",
    `no answer within ${patienceMs} ms: see whether the service is up and can be reached`,
    { outcome: "unknown", transient: true },
  );
}
