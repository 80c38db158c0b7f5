import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { WorkflowHostOptions } from "@wfe/core";
import { UsageError } from "../exit-codes.ts";
import type { StoreOptions } from "../options.ts";
import { quoted } from "../quoted.ts";

/** Where runs are kept when `--db` does not say. */
const defaultFile = join(".wfe", "wfe.db");

/** The store of a command. */
export interface Store {
  readonly providers: WorkflowHostOptions["providers"];
  /** Its name, without a password. */
  readonly name: string;
  /** Where this machine keeps what it needs to go on with its runs. */
  readonly notes: string;
}

/**
 * Opens nothing yet: a file for SQLite, or the URL of a PostgreSQL. A file is made by whoever asks for it first; in a PostgreSQL, where
 * a name that is mistyped would leave tables with others, only with `make`.
 */
export async function storeAt(
  { db: given, schema }: Pick<StoreOptions, "db" | "schema">,
  make: boolean,
): Promise<Store> {
  const scheme = given === undefined ? undefined : /^([a-z][a-z0-9+.-]+):/i.exec(given)?.[1]?.toLowerCase();
  if (given !== undefined && (scheme === "postgres" || scheme === "postgresql")) {
    refuseSchemaIn(given);
    const { postgres } = await import("@wfe/postgres");
    const inSchema = schema === undefined ? {} : { schema };
    return {
      providers: [postgres(given, { ...inSchema, migrate: make })],
      name: `${withoutPassword(given)}${schema === undefined ? "" : `, schema "${schema}"`}`,
      notes: resolve(".wfe", "runs"),
    };
  }
  if (scheme !== undefined && scheme !== "file") {
    throw new UsageError(`--db: there is no store for \`${scheme}:\`; give a file, or a postgres:// URL`);
  }
  if (schema !== undefined) {
    throw new UsageError(
      `--schema (or WFE_SCHEMA) is of a PostgreSQL, and ${given ?? defaultFile} is a file: leave it out, or give a postgres:// URL to --db`,
    );
  }
  const file = resolve(given === undefined ? defaultFile : scheme === "file" ? fileURLToPath(given) : given);
  mkdirSync(dirname(file), { recursive: true });
  const { sqlite } = await import("@wfe/sqlite");
  return { providers: [sqlite(file)], name: file, notes: join(dirname(file), "runs") };
}

/** Other programs take it from there; here it would be passed over. */
function refuseSchemaIn(url: string): void {
  const schema = URL.parse(url)?.searchParams.get("schema");
  if (schema == null) return;
  throw new UsageError(`--db: leave \`schema\` out of the URL, and say --schema ${quoted(schema)} instead`);
}

function withoutPassword(url: string): string {
  try {
    const parsed = new URL(url);
    if (parsed.password !== "") parsed.password = "***";
    return parsed.href;
  } catch {
    throw new UsageError("--db: this is not a URL that can be read: postgres://user:password@host:5432/database");
  }
}
