import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  chmodSync,
  chownSync,
  existsSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  clusterTemplate,
  copyFor,
  findPostgres,
  makeServicesFolder,
  servicesFolder,
  type PostgresPrograms,
} from "./postgres-programs.ts";

/** What a server is to be like. */
export interface PostgresOptions {
  /** Writes through to the disk, as in production. Default false: a test survives no power failure anyway. */
  readonly durable?: boolean;
  /** Further settings, as in `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A server that only follows another one, and takes no writes. Default false. */
  readonly standby?: boolean;
}

/** One server with a folder of its own, a child of this process. */
export class PostgresServer {
  readonly #options: PostgresOptions;
  readonly #programs: PostgresPrograms;
  readonly #folder: string;
  readonly #cluster: string;
  #port = 0;
  #process: ChildProcess | undefined;

  constructor(options: PostgresOptions) {
    this.#options = options;
    this.#programs = findPostgres();
    const template = clusterTemplate(this.#programs);
    makeServicesFolder();
    this.#folder = mkdtempSync(join(servicesFolder, "postgres-"));
    chmodSync(this.#folder, 0o755);
    const { user } = this.#programs;
    if (user !== undefined) chownSync(this.#folder, user.uid, user.gid);
    this.#cluster = join(this.#folder, "cluster");
    copyFor(user, join(template, "cluster"), this.#cluster);
    // One user has to give a password, for the tests of those who give a wrong one.
    const access = join(this.#cluster, "pg_hba.conf");
    writeFileSync(access, `host all guarded 127.0.0.1/32 scram-sha-256\n${readFileSync(access, "utf8")}`);
    if (options.standby === true) writeFileSync(join(this.#cluster, "standby.signal"), "");
  }

  /** User `postgres` needs no password, and there is a database of that name. */
  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.#port}/postgres`;
  }

  /** The process id of the server, for tests that freeze it. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts it, at the port it had before. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const port = this.#port === 0 ? await freePort() : this.#port;
      try {
        await this.#startAt(port);
        this.#port = port;
        return;
      } catch (error) {
        // The port was taken between being found free and being used, or what was killed has not gone altogether.
        if (attempt === 50) throw error;
        await sleep(100);
      }
    }
  }

  async #startAt(port: number): Promise<void> {
    const logFile = join(this.#folder, "server.log");
    const log = openSync(logFile, "a");
    const server = spawn(join(this.#programs.bin, "postgres"), ["-D", this.#cluster, ...this.#settings(port)], {
      ...this.#programs.user,
      cwd: this.#cluster,
      stdio: ["ignore", log, log],
      env: { ...process.env, LC_ALL: "C" },
    });
    closeSync(log);
    this.#process = server;
    await new Promise<void>((resolve, reject) => {
      server.once("spawn", resolve);
      server.once("error", reject);
    });
    const statusFile = join(this.#cluster, "postmaster.pid");
    for (;;) {
      if (server.exitCode !== null || server.signalCode !== null) {
        throw new Error(`PostgreSQL ended while it was starting: ${readFileSync(logFile, "utf8").slice(-2_000)}`);
      }
      // Its last line says so once connections are taken; a file that was left behind names another process.
      const [pid = "", ...status] = existsSync(statusFile) ? readFileSync(statusFile, "utf8").split("\n") : [];
      if (Number(pid) === server.pid && status.some((line) => line.startsWith("ready") || line.startsWith("standby")))
        return;
      await sleep(10);
    }
  }

  #settings(port: number): string[] {
    const settings: Record<string, string> = {
      port: String(port),
      listen_addresses: "127.0.0.1",
      max_connections: "300",
      ...(process.platform === "win32" ? {} : { unix_socket_directories: "" }),
      ...(this.#options.durable === true ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
      ...this.#options.settings,
    };
    return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  }

  /** Ends all sessions and the server, in good order; what is stored stays. */
  async stop(): Promise<void> {
    await this.#end("SIGINT");
  }

  /** `kill -9`: what was committed is there after the next start. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#process;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill(signal);
    const late = setTimeout(() => server.kill("SIGKILL"), 15_000);
    await ended;
    clearTimeout(late);
  }

  /** Ends the server, and deletes everything. */
  async remove(): Promise<void> {
    await this.#end("SIGQUIT");
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
