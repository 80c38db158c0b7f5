import { InvalidOptionError, NewerFormatError } from "@wfe/core/providers";
import { describe, expect, it } from "vitest";
import { type Migration, pendingMigrations, sharedTables } from "../src/index.ts";

const migrations: readonly Migration[] = [1, 2, 5].map((version) => ({ version, statements: () => [] }));
const versionsAfter = (stored: number): readonly number[] =>
  pendingMigrations(migrations, stored, "sqlite(x)").map(({ version }) => version);

describe("pendingMigrations", () => {
  it("are those beyond what is stored, in order", () => {
    expect(versionsAfter(0)).toEqual([1, 2, 5]);
    expect(versionsAfter(1)).toEqual([2, 5]);
    expect(versionsAfter(5)).toEqual([]);
  });

  it("refuse what a newer version has stored, or something else", () => {
    expect(() => versionsAfter(6)).toThrow(NewerFormatError);
    expect(() => versionsAfter(Number.NaN)).toThrow(InvalidOptionError);
  });
});

describe("sharedTables", () => {
  it("are the same tables and indexes for both databases", () => {
    const names = (dialect: "sqlite" | "postgres"): readonly (string | undefined)[] =>
      sharedTables(dialect).map((table) => /^create (?:unique )?(?:table|index) "(\w+)"/.exec(table.sql)?.[1]);
    expect(names("postgres")).toEqual(names("sqlite"));
    expect(new Set(names("sqlite")).size).toBe(sharedTables("sqlite").length);
    expect(names("sqlite").every((name) => name?.startsWith("wfe_"))).toBe(true);
  });
});
