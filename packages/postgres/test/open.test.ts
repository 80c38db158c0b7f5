import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { InvalidOptionError, NewerFormatError, type Provider, StoreError, systemRuntime } from "@wfe/core/providers";
import { describe, expect, it, onTestFinished } from "vitest";
import { startPostgres } from "../../../tests/services/postgres.ts";
import { postgres, type PostgresOptions } from "../src/index.ts";
import { admin, schemas, server, url } from "./support/server.ts";
import { workflow } from "./support/records.ts";

const runtime = systemRuntime();

describe.skipIf(server === undefined)("opening", () => {
  it("refuses what is no URL, no Pool and no Kysely instance, and never shows a password", () => {
    expect(() => postgres("mysql://me:secret@host/db")).toThrow(/postgres:\/\/.*mysql:\/\/me:\*\*\*@host/);
    expect(() => postgres("" as never)).toThrow(InvalidOptionError);
    expect(() => postgres({} as never)).toThrow(InvalidOptionError);
    expect(() => postgres(url, { schema: "" })).toThrow(/`schema`/);
    expect(() => postgres(url, { schema: "pg_mine" })).toThrow(/pg_/);
    for (const schema of ["$s.x", "x$plans", "$body$"]) {
      expect(() => postgres(url, { schema })).toThrow(/`schema` must not contain \$s\., \$plans or \$body\$/);
    }
    expect(() => postgres(url, { poolSize: 0 })).toThrow(/`poolSize`/);
  });

  it("refuses what libpq would do with a URL and pg would not, and takes what holds anyway", async () => {
    for (const several of ["postgres://me:secret@a:5432,b:5433/db", "postgres://me@/db?host=a,b"])
      expect(() => postgres(several)).toThrow(/takes one address.*leads to the primary/);
    expect(() => postgres("postgres://me:secret@a,b/db")).toThrow(/me:\*\*\*@a,b/);
    expect(() => postgres(`${url}?target_session_attrs=standby`)).toThrow(/leave `target_session_attrs=standby` out/);
    const schema = schemas.take();
    await (await openingOf(`${url}?target_session_attrs=read-write`, { schema })).close();
  });

  it("says that nobody listens there", async () => {
    await expect(openingOf("postgres://me@127.0.0.1:1/db")).rejects.toMatchObject({
      code: "STORE_UNREACHABLE",
      outcome: "not-applied",
      message: expect.stringContaining("start the server, or check host and port") as string,
    });
  });

  it("says that the host or the database is not there", async () => {
    await expect(openingOf("postgres://me@no-such-host.invalid/db")).rejects.toMatchObject({
      code: "STORE_UNREACHABLE",
    });
    await expect(openingOf(url.replace(/\/postgres$/, "/nowhere"))).rejects.toMatchObject({
      code: "STORE_UNREACHABLE",
      message: expect.stringContaining("nowhere") as string,
    });
  });

  it("says that the password is wrong, or missing", async () => {
    await admin.query("DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD 'right'");
    const as = (user: string): string => url.replace("//postgres@", `//${user}@`);
    for (const user of ["guarded:wrong", "guarded"]) {
      await expect(openingOf(as(user))).rejects.toMatchObject({
        code: "STORE_ACCESS",
        transient: false,
        message: expect.stringMatching(/password/) as string,
      });
    }
  });

  it("says which right is missing, and needs none to create where everything is there", async () => {
    const schema = schemas.take();
    const user = `plain_${process.pid}`;
    await admin.query(`CREATE ROLE ${user} LOGIN`);
    const as = url.replace("//postgres@", `//${user}@`);
    await expect(openingOf(as, { schema })).rejects.toMatchObject({
      code: "STORE_PRIVILEGES",
      message: expect.stringMatching(/permission denied.*grant/) as string,
    });
    await (await openingOf(url, { schema })).close();
    // It may do with the tables what WFE does with them, and no more.
    await admin.query(`GRANT USAGE ON SCHEMA ${schema} TO ${user};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${user};
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${schema} TO ${user}`);
    const provider = await openingOf(as, { schema });
    expect(await provider.persistence?.create([workflow()])).toMatchObject([{ created: true }]);
    await provider.close();
    await admin.query(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
  });

  it("makes and uses everything as a user who owns nothing but a schema", async () => {
    const user = `owner_${process.pid}`;
    const schema = schemas.take();
    await admin.query(`CREATE ROLE ${user} LOGIN; CREATE SCHEMA ${schema} AUTHORIZATION ${user}`);
    const provider = await openingOf(url.replace("//postgres@", `//${user}@`), { schema });
    expect(await provider.persistence?.create([workflow()])).toMatchObject([{ created: true }]);
    await provider.close();
    await admin.query(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
  });

  it("refuses a server that is too old", async () => {
    // No such server can be had here: what a newer one says of itself is changed on its way.
    const proxy = await changingProxy(url, ["180004", "120022"]);
    await expect(openingOf(proxy)).rejects.toMatchObject({
      code: "STORE_VERSION",
      message: expect.stringContaining("WFE needs 13 or later") as string,
    });
  });

  it("refuses a database that is not in UTF-8", async () => {
    const name = `latin_${process.pid}`;
    await admin.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
    onTestFinished(() => void admin.query(`DROP DATABASE ${name} WITH (FORCE)`));
    await expect(openingOf(url.replace(/\/postgres$/, `/${name}`))).rejects.toMatchObject({ code: "STORE_ENCODING" });
  });

  it("refuses a standby, and says so", async () => {
    await using standby = await startPostgres({ standby: true });
    await expect(openingOf(standby.url)).rejects.toMatchObject({
      code: "STORE_READ_ONLY",
      message: expect.stringContaining("connect to the primary") as string,
    });
  });

  it("refuses a schema of a newer WFE, and one whose version makes no sense", async () => {
    const schema = schemas.take();
    await (await openingOf(url, { schema })).close();
    await admin.query(`UPDATE ${schema}.wfe_meta SET value = '1000' WHERE name = 'schema'`);
    await expect(openingOf(url, { schema })).rejects.toThrow(NewerFormatError);
    await admin.query(`UPDATE ${schema}.wfe_meta SET value = 'x' WHERE name = 'schema'`);
    await expect(openingOf(url, { schema })).rejects.toThrow(InvalidOptionError);
  });

  it("writes in READ COMMITTED, whatever the connection's defaults are", async () => {
    const schema = schemas.take();
    const with_ = (option: string): string => `${url}?options=${encodeURIComponent(`-c ${option}`)}`;
    const provider = await openingOf(with_("default_transaction_isolation=serializable"), { schema });
    expect(await provider.persistence?.create([workflow(), workflow()])).toMatchObject([
      { created: true },
      { created: true },
    ]);
    await provider.close();
    const readOnly = await openingOf(with_("default_transaction_read_only=on"), { schema });
    expect(await readOnly.persistence?.create([workflow()])).toMatchObject([{ created: true }]);
    await readOnly.close();
  });

  it("says that the disk is full, and goes on once it is not", async () => {
    const schema = schemas.take();
    const provider = await openingOf(url, { schema });
    // The server's own error, and the server's way to give it, for want of a disk to fill.
    await admin.query(`CREATE FUNCTION ${schema}.no_room() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
      CREATE TRIGGER no_room BEFORE INSERT ON ${schema}.wfe_workflows EXECUTE FUNCTION ${schema}.no_room()`);
    const error: unknown = await provider.persistence?.create([workflow()]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: "STORE_FULL", outcome: "not-applied", transient: true });
    await admin.query(`DROP FUNCTION ${schema}.no_room() CASCADE`);
    expect(await provider.persistence?.create([workflow()])).toMatchObject([{ created: true }]);
    await provider.close();
  });

  it("brings an empty schema up to date once, however many come at the same time", async () => {
    const schema = schemas.take();
    const all = await Promise.all(Array.from({ length: 6 }, () => openingOf(url, { schema })));
    expect(new Set(all.map((provider) => provider.lock?.name)).size).toBe(1);
    for (const provider of all) await provider.close();
  });
});

async function openingOf(address: string, options: PostgresOptions = {}): Promise<Provider> {
  const provider = postgres(address, options);
  await provider.open({ runtime });
  return provider;
}

/** A way to the server on which its answers are changed. */
async function changingProxy(address: string, [from, to]: readonly [string, string]): Promise<string> {
  const target = new URL(address);
  const port = Number(target.port);
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connect(port, target.hostname);
    sockets.add(client).add(upstream);
    client.pipe(upstream);
    upstream.on("data", (data) => client.write(Buffer.from(data.toString("latin1").replaceAll(from, to), "latin1")));
    upstream.on("end", () => client.end());
    for (const socket of [client, upstream]) socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  target.port = String((proxy.address() as AddressInfo).port);
  return target.href;
}
