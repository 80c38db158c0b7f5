import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Provider } from "@wfe/core/providers";
import { lockConformance, persistenceConformance, queueConformance, searchConformance } from "@wfe/core/testing";
import Database from "better-sqlite3";
import { afterAll, describe, it } from "vitest";
import { sqlite } from "../src/index.ts";

const directory = mkdtempSync(join(tmpdir(), "wfe-sqlite-"));
const files = new Map<Provider, string>();
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Which of the two does not matter to what the suites are about, and "normal" is faster on a slow disk. */
function providerOf(file: string): Provider {
  const provider = sqlite(file, { synchronous: "normal" });
  files.set(provider, file);
  return provider;
}

function fileOf(provider: Provider): string {
  const file = files.get(provider);
  if (file === undefined) throw new Error("not a provider of this suite");
  return file;
}

function connect(provider: Provider): Database.Database {
  const db = new Database(fileOf(provider));
  db.exec("CREATE TABLE IF NOT EXISTS words (word TEXT)");
  return db;
}

const harness = {
  name: "sqlite",
  test: { describe, it },
  create: () => providerOf(join(directory, `${files.size}.db`)),
  reopen: (provider: Provider) => providerOf(fileOf(provider)),
};

lockConformance(harness);
queueConformance(harness);
searchConformance(harness);
persistenceConformance({
  ...harness,
  transactions: {
    run: async (provider, body) => {
      const db = connect(provider);
      try {
        db.exec("BEGIN IMMEDIATE");
        try {
          await body(db);
          db.exec("COMMIT");
        } catch (error) {
          db.exec("ROLLBACK");
          throw error;
        }
      } finally {
        db.close();
      }
    },
    write: (tx, word) => {
      const db = tx as Database.Database;
      db.exec("CREATE TABLE IF NOT EXISTS words (word TEXT)");
      db.prepare("INSERT INTO words VALUES (?)").run(word);
    },
    words: async (provider) => {
      const db = connect(provider);
      try {
        return db.prepare("SELECT word FROM words").pluck().all() as string[];
      } finally {
        db.close();
      }
    },
  },
});

// A database in memory has one connection, and nothing is there when it is opened again.
persistenceConformance({ name: "sqlite in memory", test: { describe, it }, create: () => sqlite(":memory:") });
