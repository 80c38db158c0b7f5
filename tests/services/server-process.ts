import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** How a server is started. */
export interface ServerCommand {
  /** For errors. */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly port: number;
  /** Where it works and where its log is. */
  readonly directory: string;
}

/** A server of the test run's own. It ends with the process that started it, however that ends. */
export class ServerProcess {
  readonly pid: number;
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;
  readonly #watcher: ChildProcess;

  private constructor(server: ChildProcess) {
    this.#process = server;
    this.pid = server.pid ?? -1;
    this.ended = new Promise((resolve) => server.once("exit", () => resolve()));
    // Reads until its input ends, which happens also when this process is killed; a line says that all is well.
    this.#watcher = spawn(
      "sh",
      ["-c", 'trap "" INT TERM; read -r _ || kill -9 "$1" 2>/dev/null', "watch", String(this.pid)],
      {
        stdio: ["pipe", "ignore", "ignore"],
        detached: true,
      },
    );
    this.#watcher.unref();
    (this.#watcher.stdin as unknown as { unref(): void }).unref();
    server.unref();
  }

  /** Starts a server and waits until its port is open. */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const log = join(command.directory, "server.log");
    const out = openSync(log, "a");
    const child = spawn(command.file, command.args, {
      cwd: command.directory,
      env: { ...process.env, ...command.env },
      stdio: ["ignore", out, out],
    });
    closeSync(out);
    const failed = new Promise<never>((_, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => {
        const told = readFileSync(log, "utf8").trim().split("\n").slice(-5).join("\n");
        reject(new Error(`${command.name} ended while it was starting (code ${code}): ${told}`));
      });
    });
    failed.catch(() => {});
    await Promise.race([failed, new Promise((resolve) => child.once("spawn", resolve))]);
    const server = new ServerProcess(child);
    try {
      await Promise.race([failed, portOpens(command)]);
    } catch (error) {
      await server.end("SIGKILL");
      throw error;
    }
    return server;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Ends it with the signal, and waits for that. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.#process.kill(signal);
    const late = setTimeout(() => this.#process.kill("SIGKILL"), 20_000);
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.ended;
    clearTimeout(late);
    this.#watcher.stdin?.end("\n");
  }
}

async function portOpens({ name, port }: ServerCommand): Promise<void> {
  for (let tries = 0; tries < 3_000; tries += 1) {
    if (await isOpen(port)) return;
    await pause(10);
  }
  throw new Error(`${name} does not answer on port ${port}`);
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** A port of the loopback address that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** A folder that is deleted by `remove`. */
export function temporaryFolder(name: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `wfe-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
