import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { WorkflowHostOptions } from "@wfe/core";
import { UsageError } from "../exit-codes.ts";

/** Where runs are kept when `--db` does not say. */
const defaultFile = join(".wfe", "wfe.db");

/** The store of a command. */
export interface Store {
  readonly providers: WorkflowHostOptions["providers"];
  /** As a person would write it after `--db`; undefined for the default. */
  readonly given: string | undefined;
  /** Its name, without a password. */
  readonly name: string;
  /** Where this machine keeps what it needs to go on with its runs. */
  readonly notes: string;
}

/** Opens nothing yet: a file for SQLite, or the URL of a PostgreSQL. */
export async function storeAt(given: string | undefined): Promise<Store> {
  const scheme = given === undefined ? undefined : /^([a-z][a-z0-9+.-]+):/i.exec(given)?.[1]?.toLowerCase();
  if (given !== undefined && (scheme === "postgres" || scheme === "postgresql")) {
    const { postgres } = await import("@wfe/postgres");
    return { providers: [postgres(given)], given, name: withoutPassword(given), notes: resolve(".wfe", "runs") };
  }
  if (scheme !== undefined && scheme !== "file") {
    throw new UsageError(`--db: there is no store for \`${scheme}:\`; give a file, or a postgres:// URL`);
  }
  const file = resolve(given === undefined ? defaultFile : scheme === "file" ? fileURLToPath(given) : given);
  mkdirSync(dirname(file), { recursive: true });
  const { sqlite } = await import("@wfe/sqlite");
  return { providers: [sqlite(file)], given, name: file, notes: join(dirname(file), "runs") };
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
