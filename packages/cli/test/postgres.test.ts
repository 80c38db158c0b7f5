import pg from "pg";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { sharedPostgresIfAny } from "../../../tests/services/postgres.ts";
import { Desk } from "./wfe.ts";

const server = await sharedPostgresIfAny();
const name = `wfe_cli_${process.pid}`;
const url = server?.url.replace(/\/[^/]*$/, `/${name}`) ?? "";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());
afterAll(async () => {
  if (server !== undefined) await onServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
});

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
    await onServer(`CREATE DATABASE ${name}`);
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

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client(server?.url);
  await client.connect();
  await client.query(statement);
  await client.end();
}
