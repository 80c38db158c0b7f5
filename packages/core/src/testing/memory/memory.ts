import type { Clock, Provider, Runtime } from "../../providers/index.ts";
import { InvalidOptionError, StoreError } from "../../providers/index.ts";
import { memoryLifecycle } from "./lifecycle.ts";
import { type Locks, memoryLock } from "./lock.ts";
import { memoryOutbox } from "./outbox.ts";
import { memoryPersistence } from "./persistence.ts";
import { memoryQueue } from "./queue.ts";
import { memorySearch } from "./search.ts";
import { Store } from "./store.ts";

export interface MemoryOptions {
  /** What it is called in errors and in `health()`. Default `"memory"`. */
  readonly name?: string;
  /** The store's clock. Default: the clock of the host that opens it. */
  readonly clock?: Clock;
  /** How many waiters a publish wakes before it leaves the rest to `advanceEvents`. Default 500. */
  readonly fanOut?: number;
  /** Whether it brings a search index. Default `true`. */
  readonly search?: boolean;
}

/**
 * Persistence, lock, queue, lifecycle and search in this process's memory, for tests.
 *
 * It serves any number of hosts, and what it holds survives `close`: give the same one to a second host to see what a restart
 * would see. Nothing survives the process.
 */
export function memory(options: MemoryOptions = {}): Provider {
  const { name = "memory", fanOut = 500, search = true } = options;
  if (!Number.isInteger(fanOut) || fanOut < 1) {
    throw new InvalidOptionError(`\`fanOut\` must be a whole number from 1, got ${fanOut}`);
  }
  let opens = 0;
  let current: Runtime | undefined;

  const runtime = (): Runtime => {
    if (opens > 0 && current !== undefined) return current;
    throw new StoreError("STORE_CLOSED", `${name} is not open: start the host that uses it, or call \`open\``, {
      outcome: "not-applied",
      transient: false,
    });
  };
  const clock = (): Clock => options.clock ?? runtime().clock;
  const store = new Store(() => clock().now(), fanOut);
  const locks: Locks = { leases: new Map(), holders: new Map() };
  const opened = (): Store => {
    runtime();
    return store;
  };

  return {
    name,
    persistence: memoryPersistence(opened, memoryOutbox(opened, store.outbox), locks),
    lock: memoryLock(name, locks, () => ({ runtime: runtime(), clock: clock() })),
    queue: memoryQueue(() => {
      runtime();
      return clock();
    }),
    lifecycle: memoryLifecycle(),
    ...(search ? { search: memorySearch(name, opened) } : {}),

    open: async (context) => {
      // Two clocks would give two answers to what is due, and which one would depend on who opened first.
      if (opens > 0 && options.clock === undefined && current?.clock !== context.runtime.clock) {
        throw new InvalidOptionError(
          `hosts that share a ${name}() need one clock: give them the same \`clock\`, or give ${name}({ clock }) its own`,
        );
      }
      opens += 1;
      current = context.runtime;
    },
    close: async () => {
      opens = Math.max(0, opens - 1);
    },
    ping: async () => {
      runtime();
    },
  };
}
