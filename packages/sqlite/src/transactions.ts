import { StoreError } from "@wfe/core/providers";
import { FlushRepeat, isBusy, isSyncFailure, sqliteCode, storeError } from "./errors.ts";
import type { Session } from "./session.ts";

/** Longest wait for a lock that others hold. */
const maxWaitMs = 60_000;
/** Pauses between attempts: short at first, random so that many processes do not try in step. */
const minPauseMs = 1;
const maxPauseMs = 20;

export interface TransactionsOptions {
  /** The store, for messages. */
  readonly name: string;
  readonly session: Session;
  /** Gives a session on a new connection; undefined where the database cannot be opened a second time. */
  readonly reconnect: (() => Session) | undefined;
  /** Called before every commit: does, in the same transaction, what goes with what was done. */
  readonly finish: (session: Session) => void;
  /** Called after a commit of something that woke or changed; the session holds what. */
  readonly committed: (session: Session) => void;
}

interface Waiting {
  /** False where the lock was not to be had. */
  readonly attempt: () => boolean;
  readonly reject: (error: Error) => void;
  readonly since: number;
}

/**
 * Runs work in transactions on one connection, at once where it can, in the order of the calls where it has to wait.
 *
 * A lock that another process holds is waited for outside of SQLite, so that the thread is free meanwhile: timers fire, and a
 * host's heartbeat is sent. The pauses are real time, whatever clock the host has: it is another process that is waited for, and
 * virtual time does not move it.
 */
export class Transactions {
  readonly #options: TransactionsOptions;
  readonly #waiting: Waiting[] = [];
  #session: Session;
  #draining = false;
  /** In the middle of a transaction: user code that it runs may call in again. */
  #inside = false;
  #ended: StoreError | undefined;

  constructor(options: TransactionsOptions) {
    this.#options = options;
    this.#session = options.session;
  }

  get session(): Session {
    return this.#session;
  }

  /** Whether a transaction of ours is open on the connection: its commit will tell what it has woken. */
  get inside(): boolean {
    return this.#inside;
  }

  /** Runs the work in a write transaction: all of it is committed when the promise resolves, or none when it rejects. */
  async write<T>(work: (session: Session) => T): Promise<T> {
    if (this.#waiting.length === 0 && !this.#inside) {
      const result = this.#attemptWrite(work);
      if (result !== undefined) return result.value;
    }
    return new Promise<T>((resolve, reject) => {
      const attempt = (): boolean => {
        const result = this.#attemptWrite(work);
        if (result === undefined) return false;
        resolve(result.value);
        return true;
      };
      this.#waiting.push({ attempt, reject, since: performance.now() });
      void this.#drain();
    });
  }

  /** The same at once or not at all: false where the lock was not to be had. For what is best effort. */
  tryWrite(work: (session: Session) => void): boolean {
    if (this.#waiting.length > 0 || this.#inside) return false;
    return this.#attemptWrite(work) !== undefined;
  }

  /** Runs the work on one snapshot of the store. */
  read<T>(work: (session: Session) => T): Promise<T> {
    return this.#read(work, true);
  }

  /** The same for work that is one statement, or needs no snapshot: saves the statements around it. */
  readOne<T>(work: (session: Session) => T): Promise<T> {
    return this.#read(work, false);
  }

  async #read<T>(work: (session: Session) => T, snapshot: boolean): Promise<T> {
    const since = performance.now();
    for (let pause = 0; ; pause = nextPause(pause)) {
      if (!this.#inside) {
        const result = this.#attemptRead(work, snapshot);
        if (result !== undefined) return result.value;
      }
      if (performance.now() - since > maxWaitMs) throw this.#busy();
      await sleep(pause);
    }
  }

  /** Refuses all that comes, and all that waits. */
  close(reason: StoreError): void {
    this.#ended ??= reason;
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }

  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    // A turn for whoever is in the middle of a transaction now.
    await sleep(0);
    let pause = 0;
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      let done = false;
      try {
        done = !this.#inside && head.attempt();
      } catch (error) {
        head.reject(error as Error);
        done = true;
      }
      if (!done && performance.now() - head.since > maxWaitMs) {
        head.reject(this.#busy());
        done = true;
      }
      if (done) this.#forgetWaiting(head);
      pause = done ? 0 : nextPause(pause);
      await sleep(pause);
    }
    this.#draining = false;
  }

  /** `close` may have taken it out meanwhile. */
  #forgetWaiting(waiting: Waiting): void {
    const place = this.#waiting.indexOf(waiting);
    if (place !== -1) this.#waiting.splice(place, 1);
  }

  /** Undefined where the lock was not to be had. */
  #attemptWrite<T>(work: (session: Session) => T): { readonly value: T } | undefined {
    if (this.#ended !== undefined) throw this.#ended;
    const session = this.#session;
    const { db } = session;
    // Somebody else's transaction, on a database in memory that we share with the application.
    if (db.inTransaction) return undefined;

    let value: T;
    this.#inside = true;
    try {
      try {
        session.run("BEGIN IMMEDIATE");
      } catch (error) {
        if (isBusy(error)) return undefined;
        throw this.#failed(error, "statement");
      }
      try {
        value = work(session);
        this.#options.finish(session);
      } catch (error) {
        this.#rollback(session, error);
        throw this.#failed(error, "statement");
      }
      try {
        session.run("COMMIT");
      } catch (error) {
        this.#rollback(session, error);
        throw this.#failed(error, "commit");
      }
    } finally {
      this.#inside = false;
    }
    if (session.woken.size > 0 || session.changed) this.#options.committed(session);
    return { value };
  }

  #attemptRead<T>(work: (session: Session) => T, snapshot: boolean): { readonly value: T } | undefined {
    // What was read before a failed sync is no worse than before, so reading goes on; a closed store is closed.
    if (this.#ended !== undefined && !this.#session.db.open) throw this.#ended;
    const session = this.#session;
    if (session.db.inTransaction) return undefined;
    this.#inside = true;
    try {
      if (snapshot) session.run("BEGIN");
      const value = work(session);
      if (snapshot) session.run("COMMIT");
      return { value };
    } catch (error) {
      this.#rollback(session, error);
      if (isBusy(error)) return undefined;
      throw this.#failed(error, "statement");
    } finally {
      this.#inside = false;
    }
  }

  #rollback(session: Session, cause: unknown): void {
    session.forget();
    session.takeHints();
    if (cause instanceof FlushRepeat && cause.replaceConnection) {
      this.#replace(session);
      return;
    }
    try {
      if (session.db.inTransaction) session.run("ROLLBACK");
    } catch {
      // The error that brought us here says more. Should the transaction still be open, every later one waits and then says so.
    }
  }

  /** A step's body has closed it, or left an iterator open, on which better-sqlite3 refuses everything else: both are the collector's. */
  #replace(session: Session): void {
    if (session.db.open) {
      session.db.unsafeMode(true);
      if (session.db.inTransaction) session.db.exec("ROLLBACK");
      session.db.unsafeMode(false);
    }
    if (this.#options.reconnect !== undefined) this.#session = this.#options.reconnect();
  }

  #failed(error: unknown, stage: "statement" | "commit"): Error {
    const failure = storeError(error, stage, this.#options.name);
    const lost = isSyncFailure(error) || (stage === "commit" && sqliteCode(error)?.startsWith("SQLITE_IOERR") === true);
    if (lost) {
      // What the kernel could not write it may have dropped, and a second fsync would say that all is well.
      this.#ended = new StoreError(
        "STORE_IO",
        `${this.#options.name}: a write to the disk failed, so nothing more is written: check the disk, then restart this process`,
        { outcome: "not-applied", transient: false, cause: error },
      );
    }
    return failure;
  }

  #busy(): StoreError {
    return new StoreError(
      "STORE_BUSY",
      `${this.#options.name}: another connection has held the write lock for ${maxWaitMs / 1000} s: find the transaction that stays open`,
      { outcome: "not-applied", transient: true },
    );
  }
}

function nextPause(pause: number): number {
  const longest = Math.min(maxPauseMs, Math.max(minPauseMs, pause * 2));
  return minPauseMs + Math.random() * longest;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (ms === 0) setImmediate(resolve);
    else setTimeout(resolve, ms);
  });
}
