import { InvalidOptionError, StoreError } from "@wfe/core/providers";
import type { Kysely } from "kysely";
import pg from "pg";
import { checkUrl, withoutPassword } from "./check-url.ts";
import { applicationKysely, isKysely, isKyselyTransaction, kyselyTarget } from "./kysely-target.ts";

/** A row, by the names of its columns. Numbers are asked for as text or JSON: what else a driver makes of them is its user's choice. */
export type Row = Readonly<Record<string, unknown>>;

/** Something that runs statements, one at a time. */
export interface Querier {
  query(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
}

/** A connection that somebody has for himself. */
export interface Connection extends Querier {
  /** What the application knows it as: what a transactional step gets. */
  readonly tx: unknown;
  /** Gives it back; `broken`: nobody is to use it again. */
  release(broken: boolean): void;
}

/** A connection to be told of notifications by. */
export interface ListeningConnection extends Connection {
  onNotification(listener: (payload: string) => void): void;
  onEnd(listener: () => void): void;
}

/** A database, and how to get connections to it. */
export interface Target {
  /** For messages; without the password. */
  readonly name: string;
  /** Opens a connection that is kept: of its own, where there is a way to open one. */
  connect(): Promise<Connection>;
  /** The same for LISTEN. Absent where connections are not ours to open. */
  readonly listen?: () => Promise<ListeningConnection>;
  /** How many connections `lend` may give at the same time. */
  readonly size: number;
  /** Borrows a connection for a moment. */
  lend(): Promise<Connection>;
  /** Ends what was opened here, and leaves alone what was given. */
  close(): Promise<void>;
}

export type PostgresSource = string | pg.Pool | Kysely<any>;

/** How long a connection may take to open. */
const connectTimeoutMs = 10_000;
/** Of a pool of pg that does not say. */
const defaultPoolSize = 10;
/** What the pool of pg says when none was free in that time. */
const timedOut = "timeout exceeded when trying to connect";

export function targetOf(source: PostgresSource, poolSize: number): Target {
  if (typeof source === "string") return urlTarget(source, poolSize);
  if (isKysely(source)) return kyselyTarget(source, poolSize);
  if (isPool(source)) return poolTarget(source, source.options, false);
  throw new InvalidOptionError("postgres() takes a URL (postgres://...), a Pool of pg, or a Kysely instance");
}

/** What an application passes as \`tx\`, if it is something that statements can be sent to. */
export function callersQuerier(tx: unknown): Querier | undefined {
  if (isKyselyTransaction(tx)) return applicationKysely(tx);
  if (!isClient(tx)) return undefined;
  return clientQuerier(tx);
}

function urlTarget(url: string, poolSize: number): Target {
  checkUrl(url);
  const options: pg.PoolConfig = {
    connectionString: url.trim(),
    max: poolSize,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    fallback_application_name: "wfe",
    allowExitOnIdle: true,
  };
  try {
    // What is wrong with the URL is found where it is read.
    return poolTarget(new pg.Pool(options), options, true);
  } catch (error) {
    throw new InvalidOptionError(`postgres() cannot read the URL "${withoutPassword(url)}": correct it`, {
      cause: error,
    });
  }
}

function poolTarget(pool: pg.Pool, options: pg.PoolConfig, ours: boolean): Target {
  // By the class of the one that was given, which may be another copy of pg, or one with other settings.
  const Client = (pool as pg.Pool & { readonly Client?: typeof pg.Client }).Client ?? pg.Client;
  const ignore = (): void => undefined;
  // A pool tells of idle connections that break, and a process ends where nobody listens.
  pool.on("error", ignore);

  const connect = async (): Promise<ListeningConnection> => {
    const client = new Client(options) as KeptClient;
    let ended = false;
    client.on("error", ignore);
    client.on("end", () => (ended = true));
    try {
      await client.connect();
    } catch (error) {
      // Where the login fails on this side, the line is still open.
      destroy(client);
      throw error;
    }
    // It keeps the process alive only while something is asked.
    client.unref();
    let asked = 0;
    return {
      query: async (sql, values) => {
        asked += 1;
        if (asked === 1) client.ref();
        try {
          return await clientQuerier(client).query(sql, values);
        } finally {
          asked -= 1;
          if (asked === 0) client.unref();
        }
      },
      tx: client,
      release: (broken) => {
        // To say goodbye on a dead line would take for ever.
        if (broken) destroy(client);
        else client.end().catch(ignore);
      },
      onNotification: (listener) => client.on("notification", ({ payload }) => listener(payload ?? "")),
      onEnd: (listener) => {
        if (ended) listener();
        else client.on("end", listener);
      },
    };
  };

  const name = nameOf(new Client(options));
  let lent = 0;

  /** A pool that was given may wait for ever, for connections whose holders may wait for us. */
  const borrow = async (): Promise<pg.PoolClient> => {
    const asked = pool.connect();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new Error(timedOut));
      asked.then((client) => client.release(), ignore);
    }, options.connectionTimeoutMillis || connectTimeoutMs);
    try {
      return await Promise.race([asked, late.promise]);
    } catch (error) {
      // Of a server that does not answer pg says the same, and then nobody has any.
      const isUsedUp = (lent > 0 || !ours) && pool.totalCount >= pool.options.max;
      throw isUsedUp && error instanceof Error && error.message === timedOut ? usedUp(name, ours, error) : error;
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    name,
    connect,
    listen: connect,
    size: pool.options.max || defaultPoolSize,
    lend: async () => {
      const client = await borrow();
      lent += 1;
      // While it is lent nobody else listens, and a broken line would end the process.
      client.on("error", ignore);
      return {
        ...clientQuerier(client),
        tx: client,
        release: (broken) => {
          lent -= 1;
          client.off("error", ignore);
          if (broken) client.on("error", ignore);
          client.release(broken);
        },
      };
    },
    close: async () => {
      if (ours) await pool.end();
      else pool.off("error", ignore);
    },
  };
}

function usedUp(name: string, ours: boolean, cause: unknown): StoreError {
  const more = ours
    ? "raise `poolSize`, or let transactional steps take less time"
    : "give it more (`max`), and find who keeps them";
  return new StoreError("STORE_BUSY", `${name}: no connection of the pool was free in time: ${more}`, {
    outcome: "not-applied",
    transient: true,
    cause,
  });
}

function clientQuerier(client: pg.ClientBase): Querier {
  return {
    query: async (sql, values) => {
      const { rows } = await client.query<Row>(sql, values as unknown[]);
      return rows;
    },
  };
}

function destroy(client: pg.Client): void {
  const { stream } = (client as unknown as { readonly connection: { readonly stream: { destroy(): void } } })
    .connection;
  stream.destroy();
}

function nameOf(client: pg.Client): string {
  return `postgres(${client.host}:${client.port}/${client.database ?? ""})`;
}

/** What pg has and its types leave out. */
interface KeptClient extends pg.Client {
  ref(): void;
  unref(): void;
}

/** By its shape: it may come from another copy of pg than ours. */
function isPool(value: unknown): value is pg.Pool {
  if (typeof value !== "object" || value === null) return false;
  const { connect, query, totalCount, options } = value as Partial<pg.Pool>;
  return (
    typeof connect === "function" &&
    typeof query === "function" &&
    typeof totalCount === "number" &&
    options !== undefined
  );
}

function isClient(value: unknown): value is pg.ClientBase {
  if (typeof value !== "object" || value === null || isPool(value)) return false;
  const { query, escapeIdentifier } = value as Partial<pg.ClientBase>;
  return typeof query === "function" && typeof escapeIdentifier === "function";
}
