import { StoreError, WfeError } from "@wfe/core/providers";

/** SQLite's extended result code, such as `SQLITE_BUSY_SNAPSHOT`; undefined for other errors. */
export function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" && error.code.startsWith("SQLITE_") ? error.code : undefined;
}

/** Someone else has the lock: nothing was done, and trying again will do. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== undefined && (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED"));
}

/**
 * The value is to blame, not the store: a constraint, a value too long, or one that cannot be bound. Only the item that has it
 * fails.
 */
export function isItemError(error: unknown): boolean {
  const code = sqliteCode(error);
  if (code === undefined) return error instanceof TypeError || error instanceof RangeError || error instanceof WfeError;
  return code.startsWith("SQLITE_CONSTRAINT") || code === "SQLITE_TOOBIG" || code === "SQLITE_MISMATCH";
}

/** After one of these nobody knows what is on the disk: the kernel may have dropped pages that it could not write. */
export function isSyncFailure(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === "SQLITE_IOERR_FSYNC" || code === "SQLITE_IOERR_DIR_FSYNC";
}

/** Where the error came up: before the COMMIT, when the transaction was rolled back, or in it. */
export type Stage = "statement" | "commit";

/** A `StoreError` that says what happened to `store` and what to do. Errors of WFE pass as they are. */
export function storeError(error: unknown, stage: Stage, store: string): Error {
  if (error instanceof WfeError || error instanceof FlushRepeat) return error;
  const code = sqliteCode(error) ?? "";
  const { name, text, transient } = explain(code, error);
  // A full disk and a lock are told before anything is written for good; of other errors of a COMMIT nobody knows.
  const told = code.startsWith("SQLITE_FULL") || isBusy(error) || code.startsWith("SQLITE_CONSTRAINT");
  const outcome = stage === "statement" || told ? "not-applied" : "unknown";
  return new StoreError(name, `${store}: ${text}`, { outcome, transient, cause: error });
}

/** Not an error: a flush was rolled back and is to be repeated in another way. */
export class FlushRepeat extends Error {
  /** Whether the connection is unusable, since a statement of a step's body is still open on it. */
  readonly replaceConnection: boolean;

  constructor(options: { readonly replaceConnection?: boolean } = {}) {
    super("the flush is repeated");
    this.replaceConnection = options.replaceConnection ?? false;
  }
}

interface Explanation {
  readonly name: string;
  readonly text: string;
  readonly transient: boolean;
}

function explain(code: string, error: unknown): Explanation {
  const message = error instanceof Error ? error.message : String(error);
  if (isBusy(error)) {
    const text = "another connection has held the write lock for too long: find the transaction that stays open";
    return { name: "STORE_BUSY", text, transient: true };
  }
  if (code.startsWith("SQLITE_FULL")) {
    const text = "the disk is full: free some space, the write is repeated until then";
    return { name: "STORE_FULL", text, transient: true };
  }
  if (code.startsWith("SQLITE_READONLY")) {
    if (code === "SQLITE_READONLY_DBMOVED") {
      const text = "the file was moved or deleted under this process: put it back, then restart this process";
      return { name: "STORE_READ_ONLY", text, transient: false };
    }
    const text = `it cannot be written (${code}): give this process the right to write the file and its directory`;
    return { name: "STORE_READ_ONLY", text, transient: true };
  }
  if (code.startsWith("SQLITE_CANTOPEN") || code === "SQLITE_PERM" || code === "SQLITE_AUTH") {
    const text = `it cannot be opened (${message}): check the path and the rights of the file and its directory`;
    return { name: "STORE_UNREACHABLE", text, transient: false };
  }
  if (code === "SQLITE_NOTADB") {
    const text = "this file is not a SQLite database (or is an encrypted one): name another file";
    return { name: "STORE_NOT_A_DATABASE", text, transient: false };
  }
  if (code.startsWith("SQLITE_CORRUPT")) {
    const text = `the file is damaged (${message}): stop all processes, run "PRAGMA integrity_check", restore a backup`;
    return { name: "STORE_CORRUPTED", text, transient: false };
  }
  if (code.startsWith("SQLITE_IOERR")) {
    const text = `the disk failed (${code}): check it, then restart this process`;
    return { name: "STORE_IO", text, transient: false };
  }
  if (code === "SQLITE_NOMEM") return { name: "STORE_MEMORY", text: "out of memory: try again", transient: true };
  const text = `${message}${code === "" ? "" : ` (${code})`}: see the cause`;
  return { name: "STORE_FAILED", text, transient: false };
}
