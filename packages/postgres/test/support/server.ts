import { afterAll } from "vitest";
import pg from "pg";
import { PostgresSchemas } from "../../../../tests/services/postgres-schemas.ts";
import { type SharedPostgres, sharedPostgresIfAny } from "../../../../tests/services/postgres.ts";

/** The server of the test run, or undefined where none can be started: then what needs it is skipped. */
export const server: SharedPostgres | undefined = await sharedPostgresIfAny();

/** Its address. */
export const url: string = server?.url ?? "postgres://nobody@127.0.0.1:1/none";

/** A connection of the application's own to the server. */
export const admin: pg.Pool = new pg.Pool({ connectionString: url, max: 4, allowExitOnIdle: true });

/** Schemas for the tests of a file. */
export const schemas: PostgresSchemas = new PostgresSchemas(url);

afterAll(async () => {
  if (server !== undefined) await schemas.end();
  await admin.end();
}, 60_000);
