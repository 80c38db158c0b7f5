import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PostgresDatabase } from "../../../tests/services/postgres-database.ts";
import { sharedPostgresIfAny } from "../../../tests/services/postgres.ts";
import { Desk } from "./wfe.ts";

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
});
