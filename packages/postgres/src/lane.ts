import { StoreError } from "@wfe/core/providers";
import { Failed, isBroken } from "./failed.ts";
import type { Connection, Querier, Target } from "./target.ts";

/** A way to connections. */
export interface Access {
  /** Has a connection for as long as the work takes. */
  use<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
}

/**
 * One connection that is kept, used by one call at a time and opened again when it broke. A busy pool does not make it wait.
 *
 * `timeoutMs`: after so long without an answer the line is taken to be dead.
 */
export class Lane implements Access {
  readonly #target: Target;
  readonly #timeoutMs: number;
  #connection: Connection | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(target: Target, timeoutMs: number) {
    this.#target = target;
    this.#timeoutMs = timeoutMs;
  }

  use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const used = this.#tail.then(() => this.#use(work));
    this.#tail = used.catch(() => undefined);
    return used;
  }

  /** Lets go of the connection once what is under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
    this.#connection?.release(false);
    this.#connection = undefined;
  }

  /** Opens it now. */
  open(): Promise<void> {
    const opened = this.#tail.then(async () => void (await this.#open()));
    this.#tail = opened.catch(() => undefined);
    return opened;
  }

  async #use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#open();
    try {
      return await within(this.#timeoutMs, work(connection));
    } catch (error) {
      // An error that the server has told leaves the line as it was; any other may have broken it.
      if (isBroken(error)) {
        this.#connection = undefined;
        connection.release(true);
      }
      throw error;
    }
  }

  async #open(): Promise<Connection> {
    if (this.#closed) throw closed();
    if (this.#connection !== undefined) return this.#connection;
    try {
      this.#connection = await this.#target.connect();
    } catch (error) {
      throw new Failed(error, "connecting");
    }
    return this.#connection;
  }
}

/** A few of them, for calls that need not wait for one another: each takes the least busy one. Opened when they are needed. */
export class Lanes implements Access {
  readonly #lanes: { readonly lane: Lane; calls: number }[];

  constructor(target: Target, timeoutMs: number, count: number) {
    this.#lanes = Array.from({ length: count }, () => ({ lane: new Lane(target, timeoutMs), calls: 0 }));
  }

  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const least = this.#lanes.reduce((one, other) => (other.calls < one.calls ? other : one));
    least.calls += 1;
    try {
      return await least.lane.use(work);
    } finally {
      least.calls -= 1;
    }
  }

  /** Opens one of them now. */
  async open(): Promise<void> {
    await this.#lanes[0]?.lane.open();
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map(({ lane }) => lane.close()));
  }
}

/** Of the connections that are shared, those that the bodies of steps leave to everything else. */
const keptFree = 2;

/** How many bodies of steps may have a connection each; one may in any case, though it is the last. */
export function mostBodies(target: Target): number {
  return Math.max(1, target.size - keptFree);
}

/** The connections that many calls share, each for a moment. */
export class Shared implements Access {
  readonly #target: Target;
  readonly #timeoutMs: number;
  readonly #mostHeld: number;
  readonly #lent: Set<Connection> = new Set();
  readonly #held: Set<Connection> = new Set();
  readonly #asked: Set<Promise<unknown>> = new Set();
  /** Those that wait for one of the places, in their order. */
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  #placesTaken = 0;
  #closed = false;

  constructor(target: Target, timeoutMs: number) {
    this.#target = target;
    this.#timeoutMs = timeoutMs;
    this.#mostHeld = mostBodies(target);
  }

  /** Cuts off what holds a connection: the body of a step may have been left behind in a transaction, which is undone. */
  cutOff(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(closed());
    for (const connection of this.#held) {
      this.#lent.delete(connection);
      connection.release(true);
    }
    this.#held.clear();
  }

  /** Waits for what is asked, and cuts off the rest. */
  async close(): Promise<void> {
    // First: what is asked may wait for one of these connections.
    this.cutOff();
    await Promise.allSettled(this.#asked);
    for (const connection of this.#lent) connection.release(true);
    this.#lent.clear();
  }

  use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const asked = this.#lend((connection) => within(this.#timeoutMs, work(connection)));
    const over = (): void => void this.#asked.delete(asked);
    this.#asked.add(asked);
    asked.then(over, over);
    return asked;
  }

  /** The same for work that takes as long as it takes. It waits where others would have too few connections left. */
  async hold<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    await this.#takePlace();
    try {
      return await this.#lend(async (connection) => {
        if (this.#closed) throw closed();
        this.#held.add(connection);
        try {
          return await work(connection);
        } finally {
          this.#held.delete(connection);
        }
      });
    } finally {
      this.#leavePlace();
    }
  }

  async #takePlace(): Promise<void> {
    if (this.#closed) throw closed();
    if (this.#placesTaken < this.#mostHeld) {
      this.#placesTaken += 1;
      return;
    }
    const place = Promise.withResolvers<void>();
    this.#waiting.push(place);
    await place.promise;
  }

  #leavePlace(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#placesTaken -= 1;
    else next.resolve();
  }

  async #lend<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    let connection: Connection;
    try {
      connection = await this.#target.lend();
    } catch (error) {
      throw new Failed(error, "connecting");
    }
    this.#lent.add(connection);
    let broken = true;
    try {
      const result = await work(connection);
      broken = false;
      return result;
    } catch (error) {
      broken = isBroken(error);
      throw error;
    } finally {
      if (this.#lent.delete(connection)) connection.release(broken);
    }
  }
}

function closed(): Failed {
  return new Failed(new Error("the store is closed"), "connecting");
}

/** Runs a statement; what fails is a `Failed`. `stage`: whether it is committed by itself. */
export async function runStatement(
  connection: Querier,
  stage: "statement" | "committing",
  sql: string,
  values?: readonly unknown[],
): ReturnType<Querier["query"]> {
  try {
    return await connection.query(sql, values);
  } catch (error) {
    throw new Failed(error, stage);
  }
}

/** Waits so long for an answer; without one the line is taken to be dead. */
export async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let late: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(silent(timeoutMs)), timeoutMs);
    late.unref();
  });
  try {
    return await Promise.race([work, silence]);
  } finally {
    clearTimeout(late);
  }
}

function silent(timeoutMs: number): Failed {
  const cause = new StoreError(
    "STORE_UNREACHABLE",
    `the database has not answered for ${timeoutMs / 1000} s: the connection is opened again`,
    { outcome: "unknown", transient: true },
  );
  return new Failed(cause, "committing");
}
