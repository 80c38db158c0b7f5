import Database from "better-sqlite3";
import { expect, it } from "vitest";

it("runs on the Node version the packages are developed with", () => {
  expect(process.versions.node).toMatch(/^24\./);
});

it("loads the packages from their sources, with no build before", async () => {
  await import("@wfe/core");
  await import("@wfe/core/definition");
  await import("@wfe/core/providers");
  await import("@wfe/core/testing");
  await import("@wfe/sql");
  await import("@wfe/sqlite");
  await import("@wfe/yaml");

  for (const name of [
    "@wfe/core",
    "@wfe/core/definition",
    "@wfe/core/providers",
    "@wfe/core/testing",
    "@wfe/sql",
    "@wfe/sqlite",
  ]) {
    expect(import.meta.resolve(name)).toMatch(/\/packages\/[a-z]+\/src\/(\w+\/)?index\.ts$/);
  }
});

it("has a SQLite without the bug that could corrupt a database in WAL mode", () => {
  const database = new Database(":memory:");
  const version = database.prepare<[], string>("select sqlite_version()").pluck().get() ?? "";
  database.close();
  expect(version.localeCompare("3.51.3", "en", { numeric: true })).toBeGreaterThanOrEqual(0);
});
