import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { Tables } from "./tables.ts";

/** Which database the SQL is for. */
export type Dialect = "sqlite" | "postgres";

/**
 * Builds SQL and runs none: the providers run what `compile()` gives, by their own drivers and in their own transactions.
 *
 * With `schema` every table is named with it, so that no search path decides which one is meant.
 */
export function queryBuilder(dialect: Dialect, schema?: string): Kysely<Tables> {
  const db = builderOf(dialect);
  return schema === undefined ? db : db.withSchema(schema);
}

function builderOf(dialect: Dialect): Kysely<Tables> {
  if (dialect === "sqlite") {
    return new Kysely<Tables>({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (db) => new SqliteIntrospector(db),
        createQueryCompiler: () => new SqliteQueryCompiler(),
      },
    });
  }
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
}
