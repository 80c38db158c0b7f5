import { randomUUID } from "node:crypto";
import pg from "pg";

/** A database of a test's own in a server, for what goes by databases and not by schemas. */
export class PostgresDatabase implements AsyncDisposable {
  readonly url: string;
  readonly #server: string;
  readonly #name: string;

  private constructor(server: string, name: string) {
    this.#server = server;
    this.#name = name;
    this.url = server.replace(/\/[^/]*$/, `/${name}`);
  }

  static async create(server: string): Promise<PostgresDatabase> {
    const name = `wfe_${randomUUID().replaceAll("-", "")}`;
    await onServer(server, `CREATE DATABASE ${name}`);
    return new PostgresDatabase(server, name);
  }

  /** The schemas that somebody has made. */
  async schemas(): Promise<readonly string[]> {
    const made = "SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$|public$)'";
    const rows = (await onServer(this.url, `${made} ORDER BY 1`)) as readonly { readonly name: string }[];
    return rows.map(({ name }) => name);
  }

  /** Whoever is connected is cut off. */
  async [Symbol.asyncDispose](): Promise<void> {
    await onServer(this.#server, `DROP DATABASE ${this.#name} WITH (FORCE)`);
  }
}

async function onServer(server: string, statement: string): Promise<readonly unknown[]> {
  const client = new pg.Client(server);
  await client.connect();
  const { rows } = await client.query<Readonly<Record<string, unknown>>>(statement);
  await client.end();
  return rows;
}
