import { StoreError } from "@wfe/core/providers";
import { CompiledQuery, type Kysely, type Transaction } from "kysely";
import type { Connection, Querier, Row, Target } from "./target.ts";

/** The committer's and the heartbeat's. */
const kept = 2;
/** How long one of its connections may be waited for. */
const lendTimeoutMs = 10_000;

/**
 * A database that is reached by an application's Kysely instance: its connections are borrowed, since there is no way to open one
 * of our own. Two of them are kept for as long as the provider is open. `poolSize`: how many it has, which it does not say.
 */
export function kyselyTarget(given: Kysely<any>, poolSize: number): Target {
  // A plugin that renames columns or changes results would change ours.
  const db = given.withoutPlugins();
  return {
    name: "postgres(kysely)",
    connect: () => borrow(db),
    size: Math.max(1, poolSize - kept),
    lend: () => borrow(db),
    close: async () => undefined,
  };
}

export function isKysely(value: unknown): value is Kysely<any> {
  if (typeof value !== "object" || value === null) return false;
  const { executeQuery, connection, withoutPlugins } = value as Partial<Kysely<any>>;
  return typeof executeQuery === "function" && typeof connection === "function" && typeof withoutPlugins === "function";
}

export function isKyselyTransaction(value: unknown): value is Transaction<any> {
  return isKysely(value) && value.isTransaction;
}

/** A transaction of the application's. */
export function applicationKysely(db: Kysely<any>): Querier {
  return querier(db.withoutPlugins());
}

function borrow(db: Kysely<any>): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      gaveUp = true;
      reject(
        new StoreError(
          "STORE_BUSY",
          `postgres(kysely): no connection of the Kysely instance was free for ${lendTimeoutMs / 1000} s: give its pool more (WFE keeps two, and borrows others for moments)`,
          { outcome: "not-applied", transient: true },
        ),
      );
    }, lendTimeoutMs);
    let gaveUp = false;
    const held = db.connection().execute(
      (connection) =>
        new Promise<void>((done, fail) => {
          clearTimeout(late);
          if (gaveUp) return done();
          resolve({
            ...querier(connection),
            tx: connection,
            // Kysely's pool sees for itself which of its connections are broken.
            release: (broken) => (broken ? fail(new Error("the connection is broken")) : done()),
          });
        }),
    );
    held.catch((error: unknown) => {
      clearTimeout(late);
      reject(error instanceof Error ? error : new Error(String(error)));
    });
  });
}

function querier(db: Kysely<any>): Querier {
  return {
    query: async (sql, values = []) => {
      const { rows } = await db.executeQuery(CompiledQuery.raw(sql, [...values]));
      return rows as Row[];
    },
  };
}
