import type { Runtime } from "../runtime/runtime.ts";
import type { LifecyclePublisher } from "./lifecycle-publisher.ts";
import type { LockProvider } from "./lock-provider.ts";
import type { PersistenceProvider } from "./persistence-provider.ts";
import type { QueueProvider } from "./queue-provider.ts";
import type { SearchIndex } from "./search-index.ts";

/**
 * What `sqlite(...)`, `memory()` and their like give: one connection to something, and the interfaces it serves.
 *
 * In a host's list a later provider overrides an earlier one, per interface. A provider may be shared by several hosts of
 * one process: `open` and `close` then come in pairs, and only the last `close` lets go.
 */
export interface Provider {
  /** What it is, for errors and `health()`: `sqlite`, `postgres`, `memory`... */
  readonly name: string;
  readonly persistence?: PersistenceProvider;
  readonly lock?: LockProvider;
  readonly queue?: QueueProvider;
  readonly lifecycle?: LifecyclePublisher;
  readonly search?: SearchIndex;
  /**
   * Connects, and creates or migrates what is stored; safe from many processes at once. Time, timers and ids come from
   * `runtime` and from nowhere else.
   *
   * Rejects with a `StoreError` that says what to do (unreachable, read-only, no rights), or a `NewerFormatError` when a
   * newer WFE has written the schema.
   */
  open(context: ProviderContext): Promise<void>;
  close(): Promise<void>;
  /** Resolves when the service answers. */
  ping(): Promise<void>;
}

export interface ProviderContext {
  readonly runtime: Runtime;
  /**
   * Of which store this is to be a part: the name of the store's own lock, which no other store has. Undefined for the store itself
   * and what stands before it in the list, and where the store brings no lock.
   */
  readonly store?: string;
}
