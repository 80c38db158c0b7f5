import { StoreError, WfeError } from "@wfe/core/providers";

/** A five-character code of PostgreSQL's: https://www.postgresql.org/docs/current/errcodes-appendix.html. Undefined for other errors. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return /^[0-9A-Z]{5}$/.test(error.code) && "severity" in error ? error.code : undefined;
}

/** Two waited for each other, or for one snapshot: the one that was sent back does it again. */
export function isRepeatable(error: unknown): boolean {
  const state = sqlState(error);
  if (state === "40001" || state === "40P01") return true;
  // One event, published twice at the same time into two streams: the second finds it there.
  return state === "23505" && (error as { constraint?: unknown }).constraint === "wfe_events_id";
}

/** The value is to blame, not the store: only the item that has it fails. */
export function isItemError(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const state = sqlState(error);
  if (state === undefined)
    return error instanceof TypeError || error instanceof RangeError || error instanceof WfeError;
  return state.startsWith("22") || state.startsWith("23") || state === "54000";
}

export function isLockTimeout(error: unknown): boolean {
  return sqlState(error) === "55P03";
}

/** The server is a standby, or has been told to take no writes. */
export function isReadOnly(error: unknown): boolean {
  return sqlState(error) === "25006";
}

/** The connection's default is not READ COMMITTED: see wfe_begin. */
export function isWrongIsolation(error: unknown): boolean {
  return sqlState(error) === "WFE01";
}

/**
 * Where the error came up: before anything was sent, by a statement of a transaction that is not committed, when it may have
 * been, or after a part of what was asked had been.
 */
export type Stage = "connecting" | "statement" | "committing" | "partly";

/** A `StoreError` that says what happened to `store` and what to do. Errors of WFE pass as they are. */
export function storeError(error: unknown, stage: Stage, store: string): Error {
  if (error instanceof WfeError) return error;
  const { code, text, transient } = explain(error);
  const options = { outcome: outcomeOf(error, stage), transient, blocked: isLockTimeout(error), cause: error };
  return new StoreError(code, `${store}: ${text}`, options);
}

function outcomeOf(error: unknown, stage: Stage): StoreError["outcome"] {
  if (stage === "partly") return "unknown";
  if (stage !== "committing") return "not-applied";
  const state = sqlState(error);
  // The line went dead under a COMMIT, or something may have interrupted it after it had taken effect.
  if (state === undefined || state.startsWith("08") || state.startsWith("57P") || state === "57014") return "unknown";
  return state === "40003" || state.startsWith("XX") || state.startsWith("58") ? "unknown" : "not-applied";
}

interface Explanation {
  readonly code: string;
  readonly text: string;
  readonly transient: boolean;
}

function explain(error: unknown): Explanation {
  const message = error instanceof Error ? error.message : String(error);
  const state = sqlState(error);
  if (state === undefined) return explainConnection(error, message);
  const known = byState.find(([prefix]) => state.startsWith(prefix));
  if (known !== undefined) {
    const [, code, transient, text] = known;
    return { code, transient, text: text(message) };
  }
  return { code: "STORE_FAILED", text: `${message} (${state}): see the cause`, transient: false };
}

/** By the beginning of the SQLSTATE, the more particular first: the code of the error, whether it may pass, and what to do. */
const byState: readonly (readonly [string, string, boolean, (message: string) => string])[] = [
  [
    "25006",
    "STORE_READ_ONLY",
    true,
    () => "the server takes no writes (it is a standby, or read-only): connect to the primary",
  ],
  [
    "28",
    "STORE_ACCESS",
    false,
    (message) => `the server refuses the login (${message}): check user, password and pg_hba.conf`,
  ],
  ["3D000", "STORE_UNREACHABLE", false, (message) => `${message}: create it, or name another database`],
  [
    "42501",
    "STORE_PRIVILEGES",
    false,
    (message) =>
      `${message}: grant the user CREATE on the database (or on the schema, where that is there) and let it own WFE's tables`,
  ],
  [
    "3F000",
    "STORE_SCHEMA",
    false,
    (message) => `${message}: somebody has dropped WFE's schema; restart this process to create it`,
  ],
  [
    "42P01",
    "STORE_SCHEMA",
    false,
    (message) => `${message}: somebody has dropped a table of WFE's; restore it from a backup`,
  ],
  [
    "42883",
    "STORE_SCHEMA",
    false,
    (message) => `${message}: somebody has dropped a function of WFE's; restore it from a backup`,
  ],
  [
    "WFE03",
    "STORE_SCHEMA",
    false,
    () =>
      "WFE's schema was lost, and made anew by another process, and what this one has in hand is not there: restart this process",
  ],
  ["53100", "STORE_FULL", true, () => "the server's disk is full: free some space, the write is repeated until then"],
  ["53300", "STORE_BUSY", true, () => "the server has no connection left: raise max_connections, or lower `poolSize`"],
  ["53", "STORE_BUSY", true, (message) => `the server lacks resources (${message}): give it more`],
  ["40", "STORE_BUSY", true, (message) => `${message}: it is repeated`],
  [
    "55P03",
    "STORE_BUSY",
    true,
    () => "another transaction has held a lock for too long: find it in pg_stat_activity (idle in transaction)",
  ],
  [
    "57P03",
    "STORE_UNREACHABLE",
    true,
    (message) => `the server takes no connections yet (${message}): it is tried again`,
  ],
  ["57", "STORE_UNREACHABLE", true, (message) => `the server ended the call (${message}): it is repeated`],
  ["08", "STORE_UNREACHABLE", true, (message) => `the connection failed (${message}): it is opened again`],
  [
    "58",
    "STORE_IO",
    true,
    (message) => `the server could not read or write its files (${message}): check its disk and its log`,
  ],
  ["XX", "STORE_CORRUPTED", false, (message) => `the server reports damage (${message}): check its disk and its log`],
];

function explainConnection(error: unknown, message: string): Explanation {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return { code: "STORE_UNREACHABLE", transient: true, text: `there is no such host (${message}): check the URL` };
  }
  if (code === "ECONNREFUSED" || code === "ENOENT") {
    const text = `nobody listens there (${message || code}): start the server, or check host and port`;
    return { code: "STORE_UNREACHABLE", transient: true, text };
  }
  if (/password/i.test(message) && /SASL|SCRAM|string/.test(message)) {
    return {
      code: "STORE_ACCESS",
      transient: false,
      text: `the server wants a password (${message}): put one into the URL`,
    };
  }
  if (/does not support SSL/i.test(message) || code.startsWith("ERR_TLS") || code.includes("CERT")) {
    return {
      code: "STORE_ACCESS",
      transient: false,
      text: `TLS failed (${message}): check \`ssl\` or sslmode in the URL`,
    };
  }
  return {
    code: "STORE_UNREACHABLE",
    transient: true,
    text: `the connection failed (${message || code}): it is opened again`,
  };
}
