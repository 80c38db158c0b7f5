import type { Provider } from "@wfe/core/providers";
import { lockConformance, persistenceConformance, queueConformance, searchConformance } from "@wfe/core/testing";
import pg from "pg";
import { afterAll, beforeAll, describe, it } from "vitest";
import { postgres } from "../src/index.ts";
import { admin, schemas, server, url } from "./support/server.ts";

const schemaOfProvider = new Map<Provider, string>();

/** All stores share its connections: on a new one the server plans each of the functions anew, which takes longer than most tests. */
const pool = new pg.Pool({ connectionString: url, max: 20, allowExitOnIdle: true });
pool.on("error", () => {});
afterAll(() => pool.end());

function providerOf(schema: string): Provider {
  const provider = postgres(pool, { schema });
  schemaOfProvider.set(provider, schema);
  return provider;
}

function schemaOf(provider: Provider): string {
  const schema = schemaOfProvider.get(provider);
  if (schema === undefined) throw new Error("not a provider of this suite");
  return schema;
}

const suite = server === undefined ? describe.skip : describe;

/** A table of the application's, beside WFE's schemas. */
const words = `words_${process.pid}`;

beforeAll(async () => {
  if (server !== undefined) await admin.query(`CREATE TABLE ${words} (word text)`);
});

const harness = {
  name: "postgres",
  test: { describe: suite, it },
  create: () => providerOf(schemas.take()),
  reopen: (provider: Provider) => providerOf(schemaOf(provider)),
  destroy: async (provider: Provider) => {
    await schemas.giveBack(schemaOf(provider));
    await admin.query(`TRUNCATE ${words}`);
  },
};

lockConformance(harness);
queueConformance(harness);
searchConformance(harness);
persistenceConformance({
  ...harness,
  transactions: {
    run: async (_, body) => {
      const client = await admin.connect();
      try {
        await client.query("BEGIN");
        await body(client);
        await client.query("COMMIT");
      } catch (error) {
        await client.query("ROLLBACK");
        throw error;
      } finally {
        client.release();
      }
    },
    write: async (tx, word) => {
      await (tx as pg.ClientBase).query(`INSERT INTO ${words} VALUES ($1)`, [word]);
    },
    words: async () => {
      const { rows } = await admin.query<{ word: string }>(`SELECT word FROM ${words}`);
      return rows.map(({ word }) => word);
    },
  },
});
