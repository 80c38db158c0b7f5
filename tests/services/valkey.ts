import { execFile } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { debianProgram, type UnpackedProgram } from "./debian-package.ts";
import { type Found, lookFor } from "./service.ts";
import { freePort, ServerProcess, temporaryFolder } from "./server-process.ts";

const run = promisify(execFile);

/** Starts servers. */
export interface ValkeyService {
  /** A server of the caller's own, empty. */
  start(options?: ValkeyOptions): Promise<ValkeyServer>;
}

export interface ValkeyOptions {
  /** Options of the server's command line, such as `["--requirepass", "secret"]`. */
  readonly args?: readonly string[];
  /** Default: one that is free. */
  readonly port?: number;
}

/** A Valkey (or Redis) server that keeps nothing on disk. */
export class ValkeyServer implements AsyncDisposable {
  readonly port: number;
  readonly #program: UnpackedProgram;
  readonly #args: readonly string[];
  readonly #folder = temporaryFolder("valkey");
  #process: ServerProcess | undefined;

  constructor(program: UnpackedProgram, port: number, args: readonly string[]) {
    this.#program = program;
    this.port = port;
    this.#args = args;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, also again after `stop`: empty then, on the same port. */
  async start(): Promise<void> {
    if (this.#process !== undefined) return;
    const fixed = ["--bind", "127.0.0.1", "--port", String(this.port), "--save", "", "--appendonly", "no"];
    this.#process = await ServerProcess.start({
      name: "the Valkey server",
      file: this.#program.file,
      env: this.#program.env,
      args: [...fixed, "--dir", this.#folder.path, ...this.#args],
      port: this.port,
      directory: this.#folder.path,
    });
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    await process?.end(signal);
  }

  /** Asks the server past the provider, such as `command("FLUSHALL")`. */
  async command(name: string, ...args: readonly string[]): Promise<unknown> {
    const client = new Redis(this.port, "127.0.0.1", { lazyConnect: true, retryStrategy: () => null });
    try {
      await client.connect();
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }

  async until(holds: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; !(await holds()); tries += 1) {
      if (tries === 500) throw new Error("the Valkey server does not get there");
      await pause(10);
    }
  }

  /** The server answers nothing until `thaw`, and its connections stay open. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
    this.#folder.remove();
  }
}

/**
 * Valkey or Redis for tests: `valkey-server` or `redis-server` on the PATH (or what `WFE_TEST_VALKEY_SERVER` names), else Debian's
 * package, unpacked without root. See `lookFor` for what happens where there is none.
 */
export function findValkey(): Promise<Found<ValkeyService>> {
  return lookFor("Valkey", async () => serviceOf(await findProgram()));
}

/**
 * The address of a server for tests that get along with others there, each under a prefix of its own: the one that
 * `WFE_VALKEY_URL` names, or a new one that ends with this process.
 */
export function findValkeyUrl(): Promise<Found<string>> {
  return lookFor("Valkey", async () => {
    const given = process.env["WFE_VALKEY_URL"];
    if (given !== undefined && given !== "") return given;
    return (await serviceOf(await findProgram()).start()).url;
  });
}

/** Redis 7, which the provider works with as well: Debian's package. */
export function findRedis(): Promise<Found<ValkeyService>> {
  return lookFor("Redis", async () =>
    serviceOf(await checked(await debianProgram("redis-server", "usr/bin/redis-server"))),
  );
}

function serviceOf(program: UnpackedProgram): ValkeyService {
  return {
    start: async ({ args = [], port } = {}) => {
      const server = new ValkeyServer(program, port ?? (await freePort()), args);
      await server.start();
      return server;
    },
  };
}

async function findProgram(): Promise<UnpackedProgram> {
  const named = process.env["WFE_TEST_VALKEY_SERVER"];
  if (named !== undefined && named !== "") return checked({ file: named, env: {} });
  for (const file of ["valkey-server", "redis-server"]) {
    try {
      return await checked({ file, env: {} });
    } catch {
      // Not there: the next one.
    }
  }
  return checked(await debianProgram("valkey-server", "usr/bin/valkey-server"));
}

async function checked(program: UnpackedProgram): Promise<UnpackedProgram> {
  await run(program.file, ["--version"], { env: { ...process.env, ...program.env } });
  return program;
}
