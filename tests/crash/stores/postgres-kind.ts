import { randomUUID } from "node:crypto";
import { inTransaction, postgres } from "@wfe/postgres";
import pg from "pg";
import { sharedPostgres } from "../../services/postgres.ts";
import { effectColumns, type OpenStore, type StoreKind } from "./store-kind.ts";

/** A schema in a server. */
export interface PostgresAddress {
  readonly url: string;
  readonly schema: string;
}

/** A schema of its own in the server of the test run. */
export const postgresKind: StoreKind = {
  provider: (address) => {
    const { url, schema } = parse(address);
    return postgres(url, { schema, poolSize: 4 });
  },
  effect: ({ before, after }, address) => {
    const { schema } = parse(address);
    return inTransaction(async (effect, ctx) => {
      before(effect, ctx);
      await ctx.tx.query(`INSERT INTO ${schema}.effects (workflow, label, key) VALUES ($1, $2, $3)`, [
        effect.owner,
        effect.label,
        ctx.idempotencyKey,
      ]);
      after(effect);
      return effect.label;
    });
  },
  create: async () => {
    const { url } = await sharedPostgres();
    return createIn(url);
  },
  open: (address) => new PostgresStore(parse(address)),
};

/** Makes a schema in the server of that URL, with the table of effects. Gives its address. */
export async function createIn(url: string): Promise<string> {
  const schema = `crash_${randomUUID().replaceAll("-", "")}`;
  await using store = new PostgresStore({ url, schema }, { keeps: true });
  await store.query(`CREATE SCHEMA ${schema}`);
  await store.query(`CREATE TABLE effects (place bigserial PRIMARY KEY, ${effectColumns})`);
  return JSON.stringify({ url, schema } satisfies PostgresAddress);
}

function parse(address: string): PostgresAddress {
  return JSON.parse(address) as PostgresAddress;
}

class PostgresStore implements OpenStore {
  readonly #pool: pg.Pool;
  readonly #schema: string;
  readonly #keeps: boolean;

  constructor({ url, schema }: PostgresAddress, options: { readonly keeps?: boolean } = {}) {
    this.#schema = schema;
    this.#keeps = options.keeps ?? false;
    this.#pool = new pg.Pool({ connectionString: url, max: 2, options: `-c search_path=${schema}` });
    this.#pool.on("error", () => {});
  }

  async query<Row>(sql: string): Promise<Row[]> {
    const { rows } = await this.#pool.query(sql);
    return rows as Row[];
  }

  async bytes(): Promise<number> {
    const [row] = await this.query<{ bytes: string }>(
      `SELECT sum(pg_total_relation_size(oid)) AS bytes FROM pg_class
       WHERE relkind = 'r' AND relnamespace = '${this.#schema}'::regnamespace`,
    );
    return Number(row?.bytes);
  }

  /** Only the rows that a frozen process has written are locked. */
  async isWritable(): Promise<boolean> {
    return true;
  }

  async damage(): Promise<readonly string[]> {
    const journals = await this.query(
      `SELECT run, min(seq) AS lowest, max(seq) AS highest, count(*) AS turns FROM wfe_turns
       GROUP BY run HAVING min(seq) <> 0 OR max(seq) <> count(*) - 1`,
    );
    const orphans = await this.query("SELECT run FROM wfe_turns WHERE run NOT IN (SELECT run FROM wfe_workflows)");
    return [...journals, ...orphans].map((row) => `a journal is not whole: ${JSON.stringify(row)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#keeps) await this.query(`DROP SCHEMA IF EXISTS ${this.#schema} CASCADE`);
    await this.#pool.end();
  }
}
