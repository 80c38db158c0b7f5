import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianProgram, type UnpackedProgram } from "./debian-package.ts";
import { type Found, lookFor } from "./service.ts";
import { freePort, ServerProcess, temporaryFolder } from "./server-process.ts";

/** Starts poolers. */
export interface PgBouncerService {
  /** A pooler in transaction mode before the server of that URL. Sessions are not the client's own there: no LISTEN, no SET. */
  start(postgresUrl: string): Promise<{ readonly url: string } & AsyncDisposable>;
}

/** PgBouncer for tests: Debian's package, unpacked without root. See `lookFor` for what happens where there is none. */
export function findPgBouncer(): Promise<Found<PgBouncerService>> {
  return lookFor("PgBouncer", async () => {
    const program = await debianProgram("pgbouncer", "usr/sbin/pgbouncer");
    return { start: (postgresUrl) => start(program, postgresUrl) };
  });
}

async function start(
  program: UnpackedProgram,
  postgresUrl: string,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const { hostname, port: postgresPort, username, password, pathname } = new URL(postgresUrl);
  const folder = temporaryFolder("pgbouncer");
  const port = await freePort();
  const server = `host=${hostname} port=${postgresPort} user=${username}${password === "" ? "" : ` password=${password}`}`;
  const settings = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    auth_type: "any",
    pool_mode: "transaction",
    default_pool_size: 20,
    max_client_conn: 300,
    ignore_startup_parameters: "extra_float_digits",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const file = join(folder.path, "pgbouncer.ini");
  writeFileSync(file, `[databases]\n* = ${server}\n\n[pgbouncer]\n${lines.join("\n")}\n`);
  // It does not run as root; whom it becomes has to read its settings.
  const isRoot = process.getuid?.() === 0;
  chmodSync(folder.path, 0o755);
  const pooler = await ServerProcess.start({
    name: "PgBouncer",
    file: program.file,
    env: program.env,
    args: [...(isRoot ? ["-u", "nobody"] : []), file],
    port,
    directory: folder.path,
  });
  return {
    url: `postgres://${username}@127.0.0.1:${port}${pathname}`,
    async [Symbol.asyncDispose]() {
      await pooler.end("SIGKILL");
      folder.remove();
    },
  };
}
