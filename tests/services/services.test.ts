import { Redis } from "ioredis";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { findPgBouncer } from "./pgbouncer.ts";
import { sharedPostgresIfAny } from "./postgres.ts";
import { findRedis, findValkey } from "./valkey.ts";

const [valkey, redis, pgBouncer, postgres] = await Promise.all([
  findValkey(),
  findRedis(),
  findPgBouncer(),
  sharedPostgresIfAny(),
]);

describe.each([
  { name: "Valkey", found: valkey },
  { name: "Redis", found: redis },
])("$name", ({ found }) => {
  it.skipIf(!found.available)("is started on a port of its own, is stopped, and is there again", async () => {
    await using server = await found.service!.start();
    await using other = await found.service!.start();
    expect(other.port).not.toBe(server.port);
    await server.command("SET", "key", "value");
    expect(await other.command("GET", "key")).toBe(null);
    await server.stop();
    const client = new Redis(server.url, { lazyConnect: true, retryStrategy: () => null });
    client.on("error", () => {});
    await expect(client.connect()).rejects.toThrow();
    await server.start();
    expect(await server.command("GET", "key")).toBe(null);
  });
});

describe("PgBouncer", () => {
  it.skipIf(!pgBouncer.available || postgres === undefined)("gives one session to several clients", async () => {
    await using pooler = await pgBouncer.service!.start(postgres!.url);
    const clients = [new pg.Client(pooler.url), new pg.Client(pooler.url)];
    const sessions = new Set<number>();
    for (const client of clients) {
      await client.connect();
      const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      sessions.add(rows[0]!.pid);
    }
    for (const client of clients) await client.end();
    expect(sessions.size).toBe(1);
  });
});
