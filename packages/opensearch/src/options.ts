import type { ConnectionOptions } from "node:tls";
import { type Client } from "@opensearch-project/opensearch";
import { type Duration, parseDuration } from "@wfe/core";
import { InvalidOptionError } from "@wfe/core/providers";

/** Options of `opensearch()`. All may be left out. */
export interface OpenSearchOptions {
  /**
   * What the index is called: an alias of this name, over indexes `<name>-000001` and so on. Default `"wfe"`. Each store needs one of
   * its own.
   */
  readonly index?: string;
  /** Login by name and password. It may also stand in the URL, where whatever logs URLs shows it. */
  readonly username?: string;
  readonly password?: string;
  /**
   * TLS of `https:` URLs, as `node:tls` takes it: `ca` for a certificate authority of your own, `cert` and `key` for a client's
   * certificate. Certificates are checked unless `rejectUnauthorized` is `false`.
   */
  readonly tls?: ConnectionOptions;
  /** Sent with every request, such as `{ authorization: "Bearer ..." }`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How long a request may take. Default `"10s"`. */
  readonly requestTimeout?: Duration;
  /** How often a request, or what of a batch was put off by a busy cluster, is tried again at once, 0 to 20. Default 3. */
  readonly retries?: number;
  /** Shards of an index when it is made, 1 to 1,000. Default 1: enough for tens of millions of workflows. */
  readonly shards?: number;
  /** Copies of each shard, 0 to 10. Default: one where the cluster has a second node. */
  readonly replicas?: number;
}

/** Options, checked and complete. */
export interface CheckedOptions {
  readonly alias: string;
  readonly requestTimeoutMs: number;
  readonly retries: number;
  readonly shards: number;
  readonly replicas: number | undefined;
  /** For messages, without what is secret. */
  readonly where: string;
  /** Undefined where a client was given. */
  readonly connection: ConnectionSettings | undefined;
  readonly client: Client | undefined;
}

export interface ConnectionSettings {
  readonly nodes: readonly string[];
  readonly auth: { readonly username: string; readonly password: string } | undefined;
  readonly tls: ConnectionOptions | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

const known: Readonly<Record<keyof OpenSearchOptions, true>> = {
  index: true,
  username: true,
  password: true,
  tls: true,
  headers: true,
  requestTimeout: true,
  retries: true,
  shards: true,
  replicas: true,
};

/** The options that only a client of our own has. */
const ofConnection = ["username", "password", "tls", "headers"] as const;

export function checkOptions(target: string | readonly string[] | Client, options: OpenSearchOptions): CheckedOptions {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !Object.hasOwn(known, name)) {
      throw new InvalidOptionError(
        `opensearch(): there is no option \`${name}\`. There is ${Object.keys(known).join(", ")}`,
      );
    }
  }
  const given = isClient(target);
  const connection = given ? undefined : connectionOf(target, options);
  if (given) {
    const wrong = ofConnection.find((name) => options[name] !== undefined);
    if (wrong !== undefined)
      throw new InvalidOptionError(`opensearch(): \`${wrong}\` belongs to the client that was given: set it there`);
  }
  return {
    alias: checkIndex(options.index ?? "wfe"),
    requestTimeoutMs: checkTimeout(options.requestTimeout ?? "10s"),
    retries: checkWhole("retries", options.retries ?? 3, 0, 20),
    shards: checkWhole("shards", options.shards ?? 1, 1, 1_000),
    replicas: options.replicas === undefined ? undefined : checkWhole("replicas", options.replicas, 0, 10),
    where: connection === undefined ? "opensearch" : `opensearch(${connection.nodes.map(withoutLogin).join(", ")})`,
    connection,
    client: given ? target : undefined,
  };
}

/** By its shape: it may come from another copy of the client than ours. */
function isClient(target: unknown): target is Client {
  if (typeof target !== "object" || target === null || Array.isArray(target)) return false;
  return typeof (target as Partial<Client>).transport?.request === "function";
}

function connectionOf(target: string | readonly string[], options: OpenSearchOptions): ConnectionSettings {
  const given: readonly unknown[] = Array.isArray(target) ? target : [target];
  if (given.length === 0) throw new InvalidOptionError("opensearch() takes at least one URL");
  const nodes = given.map(checkUrl);
  const { username, password, tls, headers = {} } = options;
  if ((username === undefined) !== (password === undefined))
    throw new InvalidOptionError("opensearch(): `username` and `password` go together: give both, or neither");
  for (const [name, value] of [
    ["username", username],
    ["password", password],
  ] as const) {
    if (value !== undefined && (typeof value !== "string" || value === ""))
      throw new InvalidOptionError(`opensearch(): \`${name}\` must be a text that is not empty`);
  }
  if (tls !== undefined && nodes.some((node) => !node.startsWith("https:")))
    throw new InvalidOptionError("opensearch(): `tls` is for https: URLs, and one of these is http:");
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== "string") throw new InvalidOptionError(`opensearch(): the header \`${name}\` must be a text`);
  }
  const auth = username === undefined || password === undefined ? undefined : { username, password };
  return { nodes, auth, tls, headers };
}

function checkUrl(url: unknown): string {
  const parsed = typeof url === "string" ? URL.parse(url.trim()) : null;
  if (parsed?.protocol === "http:" || parsed?.protocol === "https:") return parsed.href;
  // Not shown: it may hold a password.
  throw new InvalidOptionError(
    'opensearch() takes URLs such as "https://search.example.org:9200", or a Client of @opensearch-project/opensearch',
  );
}

function withoutLogin(url: string): string {
  const parsed = new URL(url);
  return `${parsed.protocol}//${parsed.host}${parsed.pathname === "/" ? "" : parsed.pathname}`;
}

/** What OpenSearch allows in the name of an index, short enough for a number behind it. */
function checkIndex(name: unknown): string {
  if (typeof name === "string" && /^[a-z0-9][a-z0-9_.-]{0,199}$/.test(name)) return name;
  throw new InvalidOptionError(
    `opensearch(): \`index\` must be 1 to 200 lower-case letters, digits, "_", "-" or ".", and begin with a letter or digit, got ${JSON.stringify(name)}`,
  );
}

function checkTimeout(value: Duration): number {
  const ms = parseDuration(value, "requestTimeout");
  if (ms >= 100 && ms <= 600_000) return ms;
  throw new InvalidOptionError(`opensearch(): \`requestTimeout\` must be from 100 ms to 10 min, got ${ms} ms`);
}

function checkWhole(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new InvalidOptionError(
    `opensearch(): \`${name}\` must be a whole number from ${least} to ${most}, got ${String(value)}`,
  );
}
