import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemRuntime } from "@wfe/core/providers";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { postgres } from "../src/index.ts";
import { migrationsOf } from "../src/schema.ts";
import { workflow } from "./support/records.ts";
import { admin, schemas, server, url } from "./support/server.ts";

describe.skipIf(server === undefined)("migrations", () => {
  it("leave all or nothing when their process is killed behind any of their statements, and the next one does the rest", async () => {
    const counts = migrationsOf("any").map((migration) => migration.statements().length);
    const last = counts.reduce((sum, count) => sum + count, 0);
    // In the middle of each version, and behind the first and the last statement of all.
    const middles = counts.map((count, version) => {
      const before = counts.slice(0, version).reduce((sum, earlier) => sum + earlier, 0);
      return before + Math.ceil(count / 2);
    });
    const stops = [1, ...middles, last];
    const database = await makeDatabase();
    for (const stop of stops) {
      await stopBehind(database, stop);
      const child = migratingChild(database.url);
      const backend = await database.sleeper();
      child.kill("SIGKILL");
      await once(child, "exit");
      // What the server does by itself as soon as it writes to the line.
      await database.client.query("SELECT pg_terminate_backend($1)", [backend]);
      await stopBehind(database, 0);
      const { rows } = await database.client.query("SELECT 1 FROM pg_namespace WHERE nspname = 'wfe'");
      expect(rows).toEqual([]);
    }
    const provider = postgres(database.url);
    await provider.open({ runtime: systemRuntime() });
    expect(await provider.persistence?.create([workflow()])).toMatchObject([{ created: true }]);
    await provider.close();
  }, 120_000);

  it("from one version to the next keep what is stored, with others migrating at the same time", async () => {
    const schema = schemas.take();
    const [first] = migrationsOf(schema);
    // As the first version has left it.
    await admin.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.wfe_meta (name text PRIMARY KEY, value text NOT NULL);
      INSERT INTO ${schema}.wfe_meta VALUES ('schema', '1'), ('store', 'one')`);
    await admin.query((first?.statements() ?? []).join(";\n"));
    const providers = await Promise.all(
      [1, 2, 3].map(async () => {
        const provider = postgres(url, { schema });
        await provider.open({ runtime: systemRuntime() });
        return provider;
      }),
    );
    expect(providers.map((provider) => provider.lock?.name)).toEqual(["postgres:one", "postgres:one", "postgres:one"]);
    for (const provider of providers) await provider.close();
    expect(await namesIn(schema)).toEqual(await namesIn(await wholeSchema()));
  });

  it("are left to others with `migrate: false`, which says what is to be done", async () => {
    const schema = schemas.take();
    const open = async (): Promise<void> => {
      const provider = postgres(url, { schema, migrate: false });
      await provider.open({ runtime: systemRuntime() });
      await provider.close();
    };
    await expect(open()).rejects.toMatchObject({
      code: "STORE_SCHEMA",
      message: expect.stringContaining("there is no WFE store"),
    });
    expect((await admin.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema])).rows).toEqual([]);
    const owner = postgres(url, { schema });
    await owner.open({ runtime: systemRuntime() });
    await owner.close();
    await open();
    await admin.query(`UPDATE ${schema}.wfe_meta SET value = '1' WHERE name = 'schema'`);
    await expect(open()).rejects.toMatchObject({ code: "STORE_SCHEMA", message: expect.stringContaining("older WFE") });
    expect(() => postgres(url, { migrate: 1 as never })).toThrow("must be true or false");
  });
});

interface Database {
  readonly url: string;
  readonly client: pg.Client;
  /** The process of the server that a statement of a migration is held up in. */
  readonly sleeper: () => Promise<number>;
}

/** A database whose server holds up whoever has run so many statements that change a schema. */
async function makeDatabase(): Promise<Database> {
  const name = `migrated_${process.pid}`;
  await admin.query(`CREATE DATABASE ${name}`);
  const address = url.replace(/\/[^/]*$/, `/${name}`);
  const client = new pg.Client(address);
  await client.connect();
  onTestFinished(async () => {
    await client.end();
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  });
  // A sequence counts on where a transaction is rolled back.
  await client.query(`CREATE SEQUENCE public.run_so_far; CREATE TABLE public.stops (behind bigint);
    INSERT INTO public.stops VALUES (0);
    CREATE FUNCTION public.count_statement() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF nextval('public.run_so_far') = (SELECT behind FROM public.stops) THEN PERFORM pg_sleep(600); END IF;
    END $$;
    CREATE EVENT TRIGGER count_statement ON ddl_command_end EXECUTE FUNCTION public.count_statement()`);
  const sleeper = async (): Promise<number> => {
    for (;;) {
      const { rows } = await client.query<{ pid: number }>(
        "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep'",
        [name],
      );
      if (rows[0] !== undefined) return rows[0].pid;
      await sleep(10);
    }
  };
  return { url: address, client, sleeper };
}

/** 0: nowhere. Two statements go before those of the migrations: they make the schema and `wfe_meta`. */
async function stopBehind({ client }: Database, statement: number): Promise<void> {
  await client.query("UPDATE public.stops SET behind = $1", [statement === 0 ? 0 : statement + 2]);
  await client.query("ALTER SEQUENCE public.run_so_far RESTART");
}

let whole: string | undefined;

/** A schema that was made in one go. */
async function wholeSchema(): Promise<string> {
  if (whole !== undefined) return whole;
  whole = schemas.take();
  const provider = postgres(url, { schema: whole });
  await provider.open({ runtime: systemRuntime() });
  await provider.close();
  return whole;
}

/** All tables, indexes and functions of a schema. */
async function namesIn(schema: string): Promise<string[]> {
  const { rows } = await admin.query<{ name: string }>(
    `SELECT relkind::text || relname::text AS name FROM pg_class WHERE relnamespace = $1::regnamespace
    UNION ALL SELECT 'f' || proname::text FROM pg_proc WHERE pronamespace = $1::regnamespace ORDER BY 1`,
    [schema],
  );
  return rows.map(({ name }) => name);
}

function migratingChild(address: string): ChildProcess {
  return fork(fileURLToPath(new URL("./children/migrate.ts", import.meta.url)), [address], {
    execArgv: ["--conditions=wfe-source"],
  });
}
