import { afterAll } from "vitest";
import pg from "pg";
import { type SharedPostgres, sharedPostgresIfAny } from "../../../../tests/services/postgres.ts";

/** The server of the test run, or undefined where none can be started: then what needs it is skipped. */
export const server: SharedPostgres | undefined = await sharedPostgresIfAny();

/** Its address. */
export const url: string = server?.url ?? "postgres://nobody@127.0.0.1:1/none";

/** A connection of the application's own to the server. */
export const admin: pg.Pool = new pg.Pool({ connectionString: url, max: 4, allowExitOnIdle: true });

let made = 0;

/** The name of a schema that no other test has, and that goes when the file's tests have run. */
export function newSchema(): string {
  made += 1;
  return `wfe_${process.pid}_${made}`;
}

export async function dropSchema(schema: string): Promise<void> {
  await admin.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
}

afterAll(async () => {
  if (server !== undefined) {
    for (let number = 1; number <= made; number += 1) await dropSchema(`wfe_${process.pid}_${number}`);
  }
  await admin.end();
});
