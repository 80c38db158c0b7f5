import { existsSync, realpathSync, statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { InvalidOptionError, StoreError } from "@wfe/core/providers";
import Database from "better-sqlite3";
import { isBusy, storeError } from "./errors.ts";
import type { Connection } from "./session.ts";

/** SQLite before this can damage a database in WAL mode: https://sqlite.org/wal.html#walresetbug */
const oldestVersion: readonly number[] = [3, 51, 3];

/** How long SQLite itself waits for a lock, and the thread with it. The rest is waited for outside; see `Transactions`. */
const busyTimeoutMs = 5;
/** How long to try to open a file that others are opening, recovering or converting. */
const maxOpenMs = 60_000;
/** Pages of the log before a checkpoint, 16 MB: fewer, larger ones write a page that many commits changed only once. */
const checkpointPages = 4000;
/** What is left of the log's file after a checkpoint. */
const journalBytes = 64 * 1024 * 1024;

/** Types that `statfs` gives for file systems of other machines, whose locks and shared memory cannot be relied on. */
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x517b, "SMB"],
]);

export interface SqliteOptions {
  /**
   * What a commit survives. `"full"` (the default): power loss. `"normal"`: a crash of the process, not of the machine; the
   * last commits before a power loss may be gone, in their order, and the database is whole.
   */
  readonly synchronous?: "full" | "normal";
  /** Uses a file on a network drive, which is refused otherwise: right only where one machine alone ever opens it. */
  readonly allowNetworkDrive?: boolean;
  /**
   * Whether the store brings a search index of its own. Default `true`. With `false`, and no other index in the host's list,
   * nothing is indexed and `searchWorkflows` refuses; it has to be the same for all hosts of a store.
   */
  readonly search?: boolean;
  /**
   * Called with the provider's own connection when it is opened: for what transactional steps need on it, such as functions,
   * attached databases or pragmas of the application.
   */
  readonly onConnect?: (connection: Connection) => void;
}

/** A database to open, or one in memory that is there already. */
export interface Target {
  readonly name: string;
  /** Undefined for a database in memory. */
  readonly file: string | undefined;
  /** Opens a connection of our own. Undefined where the application's is shared, being the only one there can be. */
  readonly connect: (() => Connection) | undefined;
  readonly shared: Connection | undefined;
}

export function targetOf(fileOrDatabase: string | Connection): Target {
  if (typeof fileOrDatabase === "string") {
    const file = fileOrDatabase.trim();
    if (file === "") throw new InvalidOptionError('sqlite("") names no file: give a path, or ":memory:" for a test');
    if (file === ":memory:") {
      return { name: "sqlite(:memory:)", file: undefined, connect: () => new Database(file), shared: undefined };
    }
    const connect = (): Connection => new Database(file, { timeout: busyTimeoutMs });
    return { name: `sqlite(${file})`, file, connect, shared: undefined };
  }
  if (!isDatabase(fileOrDatabase)) {
    throw new InvalidOptionError("sqlite() takes the path of a file or a Database of better-sqlite3");
  }
  const given = fileOrDatabase;
  if (given.memory) return { name: "sqlite(:memory:)", file: undefined, connect: undefined, shared: given };
  if (given.readonly) {
    throw new InvalidOptionError(
      `sqlite() was given a read-only Database of ${given.name}: open it for writing, or give the path`,
    );
  }
  // By the class of the one that was given: two copies of SQLite in one process undo each other's locks on a file.
  const Class = given.constructor as typeof Database;
  const connect = (): Connection => new Class(given.name, { timeout: busyTimeoutMs });
  return { name: `sqlite(${given.name})`, file: given.name, connect, shared: undefined };
}

/** By its shape: it may come from another copy of better-sqlite3 than ours. */
export function isDatabase(value: unknown): value is Connection {
  if (typeof value !== "object" || value === null) return false;
  const { prepare, inTransaction, name } = value as Partial<Connection>;
  return typeof prepare === "function" && typeof inTransaction === "boolean" && typeof name === "string";
}

/** Opens a connection with all its settings, waiting for others who do the same. Rejects with a `StoreError` that says what to do. */
export async function openConnection(target: Target, options: SqliteOptions): Promise<Connection> {
  checkPlace(target, options);
  const since = performance.now();
  for (;;) {
    try {
      return openNow(target, options);
    } catch (error) {
      if (!isBusy(error) || performance.now() - since > maxOpenMs) throw storeError(error, "statement", target.name);
    }
    await sleep(5 + Math.random() * 45);
  }
}

/** The same without waiting: throws what SQLite throws. */
export function openNow(target: Target, options: SqliteOptions): Connection {
  if (target.connect === undefined) {
    if (target.shared === undefined) throw new TypeError("a target has a connection or a way to make one");
    options.onConnect?.(target.shared);
    return target.shared;
  }
  const db = target.connect();
  try {
    configure(db, target, options);
    options.onConnect?.(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function configure(db: Connection, target: Target, options: SqliteOptions): void {
  const version = db.prepare("SELECT sqlite_version()").pluck().get() as string;
  checkVersion(version);
  if (target.file === undefined) return;

  if (db.pragma("journal_mode", { simple: true }) !== "wal") {
    const mode = db.pragma("journal_mode = WAL", { simple: true });
    if (mode !== "wal") {
      throw new StoreError(
        "STORE_NO_WAL",
        `${target.name}: its journal mode stays "${String(mode)}" and WFE needs WAL: check that file and directory can be written, and that it is on a local disk`,
        { outcome: "not-applied", transient: false },
      );
    }
  }
  db.pragma(`synchronous = ${options.synchronous === "normal" ? "NORMAL" : "FULL"}`);
  // On macOS a plain sync does not reach the disk; elsewhere this changes nothing.
  if (options.synchronous !== "normal") db.pragma("fullfsync = ON");
  db.pragma(`wal_autocheckpoint = ${checkpointPages}`);
  db.pragma(`journal_size_limit = ${journalBytes}`);
}

/** Throws for a SQLite that is too old for WAL mode. */
export function checkVersion(version: string): void {
  const parts = version.split(".").map(Number);
  for (const [place, oldest] of oldestVersion.entries()) {
    const part = parts[place] ?? 0;
    if (part > oldest) return;
    if (part < oldest) {
      throw new StoreError(
        "STORE_VERSION",
        `SQLite ${version} can damage a database in WAL mode: use better-sqlite3 13 or later, which brings ${oldestVersion.join(".")} or later`,
        { outcome: "not-applied", transient: false },
      );
    }
  }
}

function checkPlace({ file, name }: Target, options: SqliteOptions): void {
  if (file === undefined) return;
  const directory = dirname(resolve(file));
  if (!existsSync(directory)) {
    throw new StoreError("STORE_UNREACHABLE", `${name}: the directory ${directory} does not exist: create it`, {
      outcome: "not-applied",
      transient: false,
    });
  }
  const network = networkTypes.get(statfsSync(directory).type);
  if (network === undefined || options.allowNetworkDrive === true) return;
  throw new StoreError(
    "STORE_NETWORK_DRIVE",
    `${name}: ${directory} is a network drive (${network}), where SQLite can lose data: use a local disk, or set \`allowNetworkDrive\` if this machine alone ever opens it`,
    { outcome: "not-applied", transient: false },
  );
}

/** Whether both name one file. */
export function isSameFile(a: string, b: string): boolean {
  if (resolve(a) === resolve(b)) return true;
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false;
  }
}
