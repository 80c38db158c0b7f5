import { createHash } from "node:crypto";
import type { Provider, ProviderContext } from "@wfe/core/providers";
import { InvalidOptionError, StoreError } from "@wfe/core/providers";
import { KnownDefinitions } from "./definitions.ts";
import { Hints } from "./hints.ts";
import { postgresLifecycle } from "./lifecycle.ts";
import { mostBodies } from "./lane.ts";
import { postgresLock } from "./lock.ts";
import { migrate } from "./migrate.ts";
import { type KeptOutbox, postgresOutbox } from "./outbox.ts";
import { postgresPersistence } from "./persistence.ts";
import { postgresQueue } from "./queue.ts";
import { postgresSearch } from "./search.ts";
import { commitLanes, Store } from "./store.ts";
import { type PostgresSource, type Target, targetOf } from "./target.ts";

export interface PostgresOptions {
  /** The schema that WFE's tables and functions are in, which is made where it is missing. Default `"wfe"`. */
  readonly schema?: string;
  /**
   * Whether hosts tell each other of changes by LISTEN and NOTIFY. Without it they look twice a second, as they do where a
   * pooler in transaction mode loses notifications. Default true, except for a Kysely instance.
   */
  readonly notify?: boolean;
  /**
   * Connections of the pool that is made for a URL, beside the four that are kept; of a Kysely instance: how many its pool has.
   * Transactional steps take all but two of them (of a Kysely instance: all but four), and at least one; the rest of the steps
   * wait. A Pool says it itself (`max`). Default 10.
   */
  readonly poolSize?: number;
  /**
   * Whether the store brings a search index of its own. Default `true`. With `false`, and no other index in the host's list,
   * nothing is indexed and `searchWorkflows` refuses; it has to be the same for all hosts of a store.
   */
  readonly search?: boolean;
  /**
   * Whether the store is made where it is missing, and migrated where it is of an older WFE. Default `true`. With `false` either is an
   * error, for whoever only looks at what others keep there.
   */
  readonly migrate?: boolean;
}

/** What the parts of an open provider share. */
export interface Open {
  readonly store: Store;
  readonly definitions: KnownDefinitions;
  readonly hints: Hints;
  readonly kept: KeptOutbox;
}

/**
 * WFE in a schema of a PostgreSQL database (13 or later), which may be the application's own. Any number of hosts on any
 * machines may share it. Persistence, lock, queue, lifecycle and search.
 *
 * Takes a URL, a Pool of pg or a Kysely instance. Beside the pool it opens four connections of its own: two for commits, one
 * for heartbeats, and one to listen. Of a Kysely instance it keeps two connections, and borrows others for moments.
 */
export function postgres(source: PostgresSource, options: PostgresOptions = {}): Provider {
  const { schema = "wfe", poolSize = 10, notify = true, search = true, migrate: mayMigrate = true } = options;
  checkOptions(schema, poolSize, { search, migrate: mayMigrate });
  const hints = new Hints();
  let open: Open | undefined;
  let opens = 0;
  let opening: Promise<void> | undefined;

  const opened = (): Open => {
    if (open !== undefined) return open;
    throw new StoreError("STORE_CLOSED", "postgres() is not open: start the host that uses it, or call `open`", {
      outcome: "not-applied",
      transient: false,
    });
  };
  // What is wrong with the arguments is told where they are. A pool that was ended is not begun again.
  let fresh: Target | undefined = targetOf(source, poolSize);
  const kept: KeptOutbox = { on: false };
  const persistence = postgresPersistence(
    opened,
    hints,
    postgresOutbox(opened, kept),
    commitLanes(fresh),
    mostBodies(fresh),
  );
  const lifecycle = postgresLifecycle(() => open);
  hints.foreign.add(lifecycle.look);

  const begin = async ({ runtime }: ProviderContext): Promise<void> => {
    const target = fresh ?? targetOf(source, poolSize);
    fresh = undefined;
    const store = new Store({ target, schema, runtime });
    try {
      await migrate(store, schema, mayMigrate);
      // What is lent to us is taken while there is some: later it may be in the hands of those that wait for this one.
      if (target.listen === undefined) await store.committer.open();
    } catch (error) {
      const failure = store.failure(error);
      await store.close();
      throw failure;
    }
    open = { store, definitions: new KnownDefinitions(), hints, kept };
    // A test's time stands still until everything is quiet, which what comes in by itself would be too late for.
    const listens = notify && target.listen !== undefined && store.isRealTime;
    hints.start(store, listens ? channelOf(store.storeId) : "");
    lifecycle.start();
  };

  return {
    name: "postgres",
    persistence,
    lock: postgresLock(() => (open === undefined ? "postgres" : `postgres:${open.store.storeId}`), opened),
    queue: postgresQueue(persistence, hints),
    lifecycle,
    ...(search ? { search: postgresSearch(opened) } : {}),

    open: async (context) => {
      // Two clocks would give two answers to what is due, and which one would depend on who opened first.
      if (open !== undefined && open.store.clock !== context.runtime.clock) {
        throw new InvalidOptionError("hosts that share a postgres() need one clock: give them the same `clock`");
      }
      opens += 1;
      opening ??= begin(context);
      try {
        await opening;
      } catch (error) {
        opens -= 1;
        if (opens === 0) opening = undefined;
        throw error;
      }
    },

    close: async () => {
      if (opens === 0) return;
      opens -= 1;
      if (opens > 0) return;
      opening = undefined;
      const { store } = opened();
      // What the others say at their end may need a connection.
      store.shared.cutOff();
      await lifecycle.stop();
      hints.stop();
      open = undefined;
      await store.close();
    },

    ping: async () => {
      await opened().store.read("SELECT 1 FROM $s.wfe_meta LIMIT 1");
    },
  };
}

/** A name for those alone that have the same store. */
function channelOf(storeId: string): string {
  return `wfe_${createHash("sha256").update(storeId).digest("hex").slice(0, 32)}`;
}

function checkOptions(schema: string, poolSize: number, switches: Readonly<Record<string, boolean>>): void {
  for (const [name, value] of Object.entries(switches)) {
    if (typeof value === "boolean") continue;
    throw new InvalidOptionError(`\`${name}\` must be true or false, got ${JSON.stringify(value)}`);
  }
  if (typeof schema !== "string" || schema === "" || schema.includes("\0") || Buffer.byteLength(schema) > 63) {
    throw new InvalidOptionError(
      `\`schema\` must be the name of a schema, of 1 to 63 bytes, got ${JSON.stringify(schema)}`,
    );
  }
  if (/\$(s\.|plans|body\$)/.test(schema)) {
    throw new InvalidOptionError(
      "`schema` must not contain $s., $plans or $body$, which statements of WFE's have in them",
    );
  }
  if (/^pg_/i.test(schema))
    throw new InvalidOptionError(`\`schema\` must not begin with pg_, which PostgreSQL keeps for itself`);
  if (!Number.isInteger(poolSize) || poolSize < 1) {
    throw new InvalidOptionError(`\`poolSize\` must be a whole number from 1, got ${poolSize}`);
  }
}
