import { inspect } from "node:util";
import type { Clock, Provider, ProviderContext, Runtime } from "@wfe/core/providers";
import { InvalidOptionError, StoreError } from "@wfe/core/providers";
import { openConnection, openNow, type SqliteOptions, type Target, targetOf } from "./connection.ts";
import { Hints } from "./hints.ts";
import { sqliteLifecycle } from "./lifecycle.ts";
import { sqliteLock } from "./lock.ts";
import { migrate, storeIdOf } from "./migrate.ts";
import { addToOutbox, sqliteOutbox } from "./outbox.ts";
import { sqlitePersistence } from "./persistence.ts";
import { sqliteQueue } from "./queue.ts";
import { sqliteSearch } from "./search.ts";
import { type Connection, Session } from "./session.ts";
import { Transactions } from "./transactions.ts";

/** What the parts of an open provider share. */
export interface OpenStore {
  readonly target: Target;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly now: () => number;
  readonly transactions: Transactions;
  /** What goes with every transaction's work, as its last statements. */
  readonly finish: (session: Session) => void;
  /** Sessions on connections of the application, whose transactions are joined. */
  readonly callers: WeakMap<Connection, Session>;
  /** Which store this is, whatever its file is called. */
  readonly storeId: string;
}

/**
 * WFE in one SQLite file, which may be the application's own: its tables begin with `wfe_`. Any number of hosts and processes
 * of one machine may share it. Persistence, lock, queue, lifecycle and search.
 *
 * Takes a path, `":memory:"`, or a Database of better-sqlite3, to whose file it opens a connection of its own (a database in
 * memory is shared as it is). The file is put into WAL mode.
 *
 * What is started or published in a transaction of the application's is as durable as that connection makes it: better-sqlite3
 * leaves `synchronous` at NORMAL in WAL mode, so set FULL there where it has to survive a power loss.
 */
export function sqlite(fileOrDatabase: string | Connection, options: SqliteOptions = {}): Provider {
  checkOptions(options);
  const target = targetOf(fileOrDatabase);
  const hints = new Hints();
  let opens = 0;
  let store: OpenStore | undefined;
  let opening: Promise<void> | undefined;

  const opened = (): OpenStore => {
    if (store !== undefined) return store;
    throw closed(target);
  };
  const kept = { on: false };
  const finish = (session: Session): void => {
    if (kept.on && session.touched.size > 0) addToOutbox(session, session.touched);
    session.touched.clear();
  };
  const persistence = sqlitePersistence(opened, hints, sqliteOutbox(opened, kept));
  const lifecycle = sqliteLifecycle(() => store);
  hints.foreign.add(lifecycle.look);

  const open = async ({ runtime }: ProviderContext): Promise<void> => {
    store = await openStore(target, options, runtime, hints, finish);
    const { transactions, clock } = store;
    hints.start(clock, () => (transactions.inside ? undefined : transactions.session));
    lifecycle.start();
  };

  const close = (): void => {
    lifecycle.stop();
    hints.stop();
    const { transactions } = opened();
    store = undefined;
    transactions.close(closed(target));
    if (target.shared === undefined) transactions.session.db.close();
  };

  return {
    name: "sqlite",
    persistence,
    lock: sqliteLock(() => (store === undefined ? "sqlite" : `sqlite:${store.storeId}`), opened),
    queue: sqliteQueue(persistence, hints),
    lifecycle,
    ...(options.search === false ? {} : { search: sqliteSearch(opened) }),

    open: async (context) => {
      // Two clocks would give two answers to what is due, and which one would depend on who opened first.
      if (store !== undefined && store.clock !== context.runtime.clock) {
        throw new InvalidOptionError("hosts that share a sqlite() need one clock: give them the same `clock`");
      }
      opens += 1;
      opening ??= open(context);
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
      close();
    },

    ping: async () => {
      await opened().transactions.read((session) => session.value("SELECT 1 FROM wfe_meta"));
    },
  };
}

async function openStore(
  target: Target,
  options: SqliteOptions,
  runtime: Runtime,
  hints: Hints,
  finish: OpenStore["finish"],
): Promise<OpenStore> {
  const now = (): number => runtime.clock.now();
  const db = await openConnection(target, options);
  const own = target.shared === undefined;
  const transactions = new Transactions({
    name: target.name,
    session: new Session(db, now, { own }),
    reconnect: target.file === undefined ? undefined : () => new Session(openNow(target, options), now, { own }),
    finish,
    committed: (session) => hints.committed(session),
  });
  try {
    await migrate(transactions, target.name, runtime.randomId());
    // In a write transaction, so that a file that cannot be written is found now. Where somebody else writes, it can be: and that may
    // be the caller, in a transaction of its own that is to take what the store is opened for.
    let storeId = "";
    const wrote = transactions.tryWrite((session) => (storeId = storeIdOf(session)));
    if (!wrote) storeId = await transactions.read(storeIdOf);
    return { target, runtime, clock: runtime.clock, now, transactions, finish, callers: new WeakMap(), storeId };
  } catch (error) {
    if (target.shared === undefined) transactions.session.db.close();
    throw error;
  }
}

function closed(target: Target): StoreError {
  return new StoreError("STORE_CLOSED", `${target.name} is not open: start the host that uses it, or call \`open\``, {
    outcome: "not-applied",
    transient: false,
  });
}

function checkOptions(options: SqliteOptions): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new InvalidOptionError(`the options of sqlite() must be an object, got ${shown(options)}`);
  const { synchronous = "full", allowNetworkDrive = false, search = true, onConnect } = options;
  if (synchronous !== "full" && synchronous !== "normal")
    throw new InvalidOptionError(`\`synchronous\` must be "full" or "normal", got ${shown(synchronous)}`);
  for (const [name, value] of Object.entries({ allowNetworkDrive, search })) {
    if (typeof value !== "boolean")
      throw new InvalidOptionError(`\`${name}\` must be true or false, got ${shown(value)}`);
  }
  if (onConnect !== undefined && typeof onConnect !== "function")
    throw new InvalidOptionError(`\`onConnect\` must be a function of the connection, got ${shown(onConnect)}`);
  const names = ["synchronous", "allowNetworkDrive", "search", "onConnect"];
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new InvalidOptionError(
      `sqlite() has no option \`${unknown}\`; it has ${names.map((name) => `\`${name}\``).join(", ")}`,
    );
}

/** A value in an error message, which must not fail because of it. */
function shown(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 80, breakLength: Infinity });
}
