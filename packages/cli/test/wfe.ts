import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../src/main.ts";
import type { Terminal } from "../src/terminal.ts";

/** What a run of the command has left. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when its stderr or stdout has this text in it. */
  says(text: string): Promise<void>;
}

const bin = fileURLToPath(new URL("../src/bin.ts", import.meta.url));

/** A folder of its own, in which `wfe` is run. */
export class Desk {
  readonly folder: string = mkdtempSync(join(tmpdir(), "wfe-cli-"));
  readonly #running: Set<Running> = new Set();

  file(name: string, text: string): string {
    writeFileSync(join(this.folder, name), text);
    return name;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Runs the command in this process: what it does is the same, and costs less. */
  async wfe(...args: readonly string[]): Promise<Ended> {
    return this.wfeWith({}, ...args);
  }

  async wfeWith(as: Partial<Terminal>, ...args: readonly string[]): Promise<Ended> {
    const before = process.cwd();
    process.chdir(this.folder);
    let stdout = "";
    let stderr = "";
    const terminal: Terminal = {
      data: (text) => void (stdout += text),
      say: (line) => void (stderr += `${line}\n`),
      style: (_, text) => text,
      isLive: false,
      isGitHub: false,
      columns: 120,
      isDataRefused: () => false,
      ...as,
    };
    try {
      const code = await main(args, terminal);
      return { code, stdout, stderr };
    } finally {
      process.chdir(before);
    }
  }

  /** Starts it as a process of its own. */
  start(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Running {
    const { GITHUB_ACTIONS: _github, WFE_DB: _db, WFE_SCHEMA: _schema, ...inherited } = process.env;
    const child = spawn(process.execPath, ["--conditions=wfe-source", bin, ...args], {
      cwd: this.folder,
      env: { ...inherited, NO_COLOR: "1", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    const listeners = new Set<() => void>();
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      for (const listener of listeners) listener();
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
      for (const listener of listeners) listener();
    });
    const ended = new Promise<Ended>((resolve) => {
      child.on("close", (code) => resolve({ code, stdout, stderr }));
    });
    const running: Running = {
      pid: child.pid ?? -1,
      ended,
      kill: (signal) => void child.kill(signal),
      says: (text) =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            if (!stderr.includes(text) && !stdout.includes(text)) return;
            listeners.delete(look);
            resolve();
          };
          listeners.add(look);
          look();
          void ended.then(() => reject(new Error(`it ended without saying ${text}:\n${stdout}\n${stderr}`)));
        }),
    };
    this.#running.add(running);
    void ended.then(() => this.#running.delete(running));
    return running;
  }

  clear(): void {
    for (const running of this.#running) running.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
