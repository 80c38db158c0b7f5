import pg from "pg";

/** Tables whose rows say what the schema is, and none of what is stored in it. */
const kept = new Set(["wfe_meta", "wfe_definitions"]);

/**
 * Schemas for tests, one at a time, each empty when it is taken. To make one costs ten times as much as to empty one, so that
 * those that are given back are used again.
 */
export class PostgresSchemas {
  readonly #pool: pg.Pool;
  readonly #free: string[] = [];
  readonly #made: string[] = [];

  constructor(url: string) {
    this.#pool = new pg.Pool({ connectionString: url, max: 2, allowExitOnIdle: true });
  }

  /** A schema that no other test has. It is made by who opens a store in it. */
  take(): string {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const name = `wfe_test_${process.pid}_${this.#made.length + 1}`;
    this.#made.push(name);
    return name;
  }

  /** Deletes what is stored in it. Everybody has let go of it before. */
  async giveBack(schema: string): Promise<void> {
    const { rows } = await this.#pool.query<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r'",
      [schema],
    );
    const deletes = rows.filter(({ name }) => !kept.has(name)).map(({ name }) => `DELETE FROM ${schema}.${name}`);
    if (rows.length > 0) {
      await this.#pool.query([...deletes, `DELETE FROM ${schema}.wfe_meta WHERE name IN ('lock', 'search')`].join(";"));
    }
    this.#free.push(schema);
  }

  /** Drops all of them. */
  async end(): Promise<void> {
    for (const schema of this.#made) await this.#pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await this.#pool.end();
  }
}
