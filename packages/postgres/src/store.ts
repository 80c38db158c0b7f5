import type { Clock, Runtime } from "@wfe/core/providers";
import { systemClock } from "@wfe/core/providers";
import { isLockTimeout, isReadOnly, isRepeatable, isWrongIsolation, storeError } from "./errors.ts";
import { causeOf, Failed, isBroken } from "./failed.ts";
import { type Access, Lane, Lanes, runStatement, Shared } from "./lane.ts";
import { Patience } from "./patience.ts";
import { inSchema, quoteName } from "./schema.ts";
import type { Connection, Querier, Row, Target } from "./target.ts";

/** Longest wait for an answer: of what commits and reads, and of a heartbeat. */
export const answerMs = 60_000;
const heartbeatMs = 10_000;
/** How often what was sent back by a deadlock is done again before the caller hears of it. */
const mostRepeats = 8;

/** How many flushes may be under way: a host makes one while the other is being stored. Connections that are lent to us are kept sparingly. */
export function commitLanes(target: Target): number {
  return target.listen === undefined ? 1 : 2;
}

export interface StoreOptions {
  readonly target: Target;
  readonly schema: string;
  readonly runtime: Runtime;
}

/** A database with WFE's schema, and the connections to it. */
export class Store {
  readonly target: Target;
  readonly runtime: Runtime;
  readonly clock: Clock;
  /** For turns, and what they need: nothing else makes a flush wait. */
  readonly committer: Lanes;
  /** For leases alone. */
  readonly heartbeat: Lane;
  readonly shared: Shared;
  readonly patience: Patience;
  /** Which store this is, whatever it is called. Set once the schema is there. */
  storeId = "";

  readonly schemaName: string;
  readonly #schema: string;
  readonly #statements: Map<string, string> = new Map();
  /** Whether each write says itself what transaction it needs: the connections' own defaults are other ones. */
  #explicit = false;

  constructor({ target, schema, runtime }: StoreOptions) {
    this.target = target;
    this.runtime = runtime;
    this.clock = runtime.clock;
    this.schemaName = schema;
    this.#schema = quoteName(schema);
    this.committer = new Lanes(target, answerMs, commitLanes(target));
    this.heartbeat = new Lane(target, heartbeatMs);
    this.shared = new Shared(target, answerMs);
    this.patience = new Patience(this.clock);
  }

  /** What stands for the server's time; null: nothing does. */
  get now(): number | null {
    return this.clock === systemClock ? null : this.clock.now();
  }

  /** Whether time passes by itself, and not by a test that says when. */
  get isRealTime(): boolean {
    return this.clock === systemClock;
  }

  /** A statement with the schema named in it. */
  sql(statement: string): string {
    let named = this.#statements.get(statement);
    if (named === undefined) {
      named = inSchema(statement, this.#schema);
      this.#statements.set(statement, named);
    }
    return named;
  }

  /** Runs a statement that changes nothing. */
  async read(statement: string, values?: readonly unknown[], access: Access = this.shared): Promise<readonly Row[]> {
    try {
      return await access.use((connection) => runStatement(connection, "statement", this.sql(statement), values));
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** The same for a statement whose one value is JSON, in a column `json`. Null where there is no row. */
  async readJson<Value>(statement: string, values?: readonly unknown[]): Promise<Value | null> {
    return jsonOf<Value>(await this.read(statement, values));
  }

  /** The same for many, a row each: no single text has to hold them all, which neither JavaScript nor a driver could. */
  async readJsonRows<Value>(statement: string, values?: readonly unknown[]): Promise<Value[]> {
    const rows = await this.read(statement, values);
    return rows.map(({ json }) => JSON.parse(String(json)) as Value);
  }

  /** Runs a statement that is a transaction of its own; done again where it was sent back by a deadlock. */
  async write(access: Access, statement: string, values?: readonly unknown[]): Promise<readonly Row[]> {
    try {
      return await this.writeOrFail(access, statement, values);
    } catch (error) {
      if (isLockTimeout(causeOf(error))) this.patience.blocked();
      throw this.failure(error);
    }
  }

  async writeJson<Value>(access: Access, statement: string, values?: readonly unknown[]): Promise<Value | null> {
    return jsonOf<Value>(await this.write(access, statement, values));
  }

  /** The same, which rejects with a `Failed`. */
  writeOrFail(access: Access, statement: string, values?: readonly unknown[]): Promise<readonly Row[]> {
    const sql = this.sql(statement);
    return this.repeatedly((explicit) =>
      access.use((connection) =>
        explicit
          ? transact(connection, (inside) => runStatement(inside, "statement", sql, values))
          : runStatement(connection, "committing", sql, values),
      ),
    );
  }

  /** Runs work in one transaction; rejects with a `Failed`, or with what the work throws. */
  transaction<T>(access: Access, work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.repeatedly(() => access.use((connection) => transact(connection, work)));
  }

  /** `explicit`: whether the transaction's properties are to be said. */
  async repeatedly<T>(attempt: (explicit: boolean) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const explicit = this.#explicit;
      try {
        return await attempt(explicit);
      } catch (error) {
        const cause = causeOf(error);
        if (isWrongIsolation(cause) && !explicit) this.#explicit = true;
        else if (isReadOnly(cause) && tries === 1) this.#explicit = true;
        else if (!isRepeatable(cause) || tries > mostRepeats) throw error;
        else await pause(tries * 5 * Math.random());
      }
    }
  }

  /** The error that says what happened and what to do. */
  failure(error: unknown): Error {
    return error instanceof Failed ? storeError(error.cause, error.stage, this.target.name) : (error as Error);
  }

  async close(): Promise<void> {
    await Promise.all([this.committer.close(), this.heartbeat.close()]);
    await this.shared.close();
    await this.target.close();
  }
}

/** One transaction around work. What the work throws undoes all of it. */
export async function transact<Given extends Querier, T>(
  connection: Given,
  work: (connection: Given) => Promise<T>,
): Promise<T> {
  // Whatever the connection's defaults are: with another isolation wake-ups would be lost.
  await runStatement(connection, "statement", "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
  let result: T;
  try {
    result = await work(connection);
  } catch (error) {
    await rollBack(connection, error);
    throw error;
  }
  await runStatement(connection, "committing", "COMMIT");
  return result;
}

async function rollBack(connection: Querier, cause: unknown): Promise<void> {
  // On a line that is dead it would only hide what has happened; the server rolls back by itself.
  if (isBroken(cause)) return;
  await runStatement(connection, "statement", "ROLLBACK");
}

/** Real time, whatever clock the host has: it is another transaction that is waited for. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what it holds is known where the SQL stands
export function jsonOf<Value>(rows: readonly Row[]): Value | null {
  const text = rows[0]?.["json"];
  return typeof text === "string" ? (JSON.parse(text) as Value) : null;
}
