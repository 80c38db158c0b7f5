import { InvalidOptionError } from "@wfe/core/providers";
import { Cluster, Redis, type RedisOptions } from "ioredis";

/** A URL, ioredis's options, or a client of ioredis, also of a cluster, whose settings are copied for connections of our own. */
export type ValkeyTarget = string | RedisOptions | Redis | Cluster;

export interface ValkeyOptions {
  /**
   * What every key begins with, in braces: `{wfe}:...`. Hosts of one store share it. Stores may share it too, since the store's id
   * comes next; but a copy of a store that is used beside it, such as a restored backup, has the same id, and needs another prefix.
   * At most 100 characters, without braces. Default `"wfe"`.
   */
  readonly prefix?: string;
}

export type Client = Redis | Cluster;

/** Where a provider connects to. */
export interface Target {
  /** For errors: never with a password. */
  readonly name: string;
  readonly prefix: string;
  /** A client that is not connected yet. */
  readonly connect: (retryStrategy: RetryStrategy) => Client;
}

/** After how many milliseconds a lost connection is tried again; null: not at all. */
export type RetryStrategy = (times: number) => number | null;

/** A command that has no answer after this time is given up, and so is an attempt to connect. */
const patienceMs = 2_000;

/** Checks what the user gave. Connects to nothing. */
export function targetOf(given: ValkeyTarget, options: ValkeyOptions): Target {
  const prefix = prefixOf(options);
  if (typeof given === "string") return { prefix, ...ofUrl(given) };
  if (given instanceof Cluster || given instanceof Redis || isClient(given)) return { prefix, ...ofClient(given) };
  if (typeof given === "object" && given !== null) {
    refuseKeyPrefix(given.keyPrefix);
    const { host = "127.0.0.1", port = 6379, path } = given;
    return { prefix, name: path ?? `${host}:${port}`, connect: (retry) => new Redis({ ...given, ...settings(retry) }) };
  }
  throw new InvalidOptionError(
    `\`valkey(...)\` takes a URL such as "redis://localhost:6379", ioredis's options or one of its clients, got ${String(given)}`,
  );
}

function prefixOf(options: ValkeyOptions): string {
  const unknown = Object.keys(options).filter((key) => key !== "prefix");
  if (unknown.length > 0) throw new InvalidOptionError(`\`valkey\` has no option \`${unknown[0]}\`: it has \`prefix\``);
  const { prefix = "wfe" } = options;
  if (typeof prefix === "string" && /^[^{}\0]{1,100}$/u.test(prefix)) return prefix;
  throw new InvalidOptionError(
    `\`prefix\` must be a text of 1 to 100 characters without braces, got ${JSON.stringify(prefix)}`,
  );
}

function ofUrl(text: string): Pick<Target, "name" | "connect"> {
  const url = URL.parse(text.replace(/^valkey(s?):/u, "redis$1:"));
  if (url === null || !["redis:", "rediss:"].includes(url.protocol)) {
    throw new InvalidOptionError(
      `\`valkey(...)\` takes a URL that begins with redis:// or rediss:// (TLS), such as "redis://localhost:6379"${url === null ? "" : `, got one that begins with ${url.protocol}//`}`,
    );
  }
  return {
    name: `${url.hostname === "" ? "127.0.0.1" : url.hostname}:${url.port === "" ? 6379 : url.port}`,
    connect: (retry) => new Redis(url.href, settings(retry)),
  };
}

function ofClient(client: Client): Pick<Target, "name" | "connect"> {
  if ("duplicate" in client && "nodes" in client) {
    refuseKeyPrefix(client.options.keyPrefix ?? client.options.redisOptions?.keyPrefix);
    return {
      name: "the cluster",
      connect: (retry) => {
        const { retryStrategy: _, ...ofNodes } = settings(retry);
        const { redisOptions } = client.options;
        const options = { ...redisOptions, ...ofNodes };
        return client.duplicate([], {
          redisOptions: options,
          lazyConnect: true,
          enableOfflineQueue: false,
          clusterRetryStrategy: retry,
        });
      },
    };
  }
  refuseKeyPrefix(client.options.keyPrefix);
  const { host = "127.0.0.1", port = 6379, path } = client.options;
  return { name: path ?? `${host}:${port}`, connect: (retry) => client.duplicate(settings(retry)) };
}

/** Of another copy of ioredis. */
function isClient(given: unknown): given is Client {
  const { duplicate, evalsha } = (given ?? {}) as { readonly duplicate?: unknown; readonly evalsha?: unknown };
  return typeof duplicate === "function" && typeof evalsha === "function";
}

function refuseKeyPrefix(keyPrefix: string | undefined): void {
  if (keyPrefix === undefined || keyPrefix === "") return;
  throw new InvalidOptionError(
    `\`keyPrefix\` of ioredis is not used here: leave it out, and give \`valkey(..., { prefix: ${JSON.stringify(keyPrefix)} })\` instead`,
  );
}

/** Whoever calls is told at once what does not work: what waits here would come out of time later. */
function settings(retryStrategy: RetryStrategy): RedisOptions {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: patienceMs,
    commandTimeout: patienceMs,
    connectionName: "wfe",
    retryStrategy,
    // After a failover this server may have become a replica: the next connection finds the primary, where the address is a name of it.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  };
}
