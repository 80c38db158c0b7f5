import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PostgresDatabase } from "../../../tests/services/postgres-database.ts";
import { sharedPostgresIfAny } from "../../../tests/services/postgres.ts";
import { Desk } from "./wfe.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 120_000 });

const server = await sharedPostgresIfAny();

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

const talking = `
workflow:
  id: talking
  version: 1
  steps:
    - name: talk
      run: |
        echo one
        while ! test -e go; do sleep 0.05; done
        echo two
`;

describe.skipIf(server === undefined)("wfe on PostgreSQL", () => {
  it("follows what a step writes, while it runs in another process", async () => {
    await using database = await PostgresDatabase.create(server!.url);
    const { url } = database;
    desk.file("w.yaml", talking);
    const run = desk.start(["run", "w.yaml", "--id", "t", "--db", url]);
    await run.says("one");
    const logs = desk.start(["logs", "t", "--follow", "--db", url]);
    await logs.says("one");
    desk.file("go", "");
    expect((await run.ended).code).toBe(0);
    expect(await logs.ended).toMatchObject({ code: 0, stdout: "one\ntwo\n" });
    expect(await desk.wfe("logs", "t", "--db", url)).toMatchObject({ code: 0, stdout: "one\ntwo\n" });
  });

  it("keeps its store in the schema that it is told", async () => {
    await using database = await PostgresDatabase.create(server!.url);
    const { url } = database;
    const at = ["--db", url, "--schema", "ci runs"];
    desk.file("w.yaml", talking);
    const run = desk.start(["run", "w.yaml", "--id", "t", "--db", url, "--grace", "0s"], { WFE_SCHEMA: "ci runs" });
    await run.says("one");
    run.kill("SIGTERM");
    expect(await run.ended).toMatchObject({
      code: 8,
      stderr: expect.stringContaining(`wfe resume t --db ${url} --schema 'ci runs'`),
    });
    desk.file("go", "");
    expect(await desk.wfe("resume", "t", "-q", ...at)).toMatchObject({ code: 0 });
    expect((await desk.wfe("list", ...at)).stdout).toMatch(/^t +talking@1 +completed/mu);
    expect(await desk.wfe("migrate", ...at)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('schema "ci runs"'),
    });
    expect(await desk.wfe("doctor", ...at)).toMatchObject({ code: 0 });
    expect(await database.schemas()).toEqual(["ci runs"]);
  });

  it("makes no store for commands that ask, or that change what is there", async () => {
    await using database = await PostgresDatabase.create(server!.url);
    for (const command of [
      "list",
      "show t",
      "history t",
      "logs t",
      "retry t",
      "retry t --detach",
      "resume t",
      "suspend t",
      "events publish a b",
      "migrate t --to 2",
    ]) {
      const ended = await desk.wfe(...command.split(" "), "--db", database.url, "--schema", "typo");
      expect(ended, command).toMatchObject({
        code: 6,
        stdout: "",
        stderr: expect.stringMatching(/there is no WFE store in its schema "typo": .*wfe migrate/u),
      });
    }
    expect(await database.schemas()).toEqual([]);
  });

  it("makes none to look whether all is well either", async () => {
    await using database = await PostgresDatabase.create(server!.url);
    expect(await desk.wfe("doctor", "--db", database.url)).toMatchObject({
      code: 6,
      stdout: expect.stringContaining("there is no WFE store"),
    });
    expect(await database.schemas()).toEqual([]);
  });

  it("refuses a schema that stands where nobody reads it", async () => {
    expect(await desk.wfe("list", "--db", `${server!.url}?schema=x`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--schema x"),
    });
    expect(await desk.wfe("list", "--db", "here.db", "--schema", "x")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("leave it out"),
    });
    expect(await desk.wfe("list", "--db", server!.url, "--schema", "pg_x")).toMatchObject({ code: 2 });
  });
});
