import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startGroup, type ProcessGroup } from "../processes/process-group.ts";
import { denoBinary } from "./deno-binary.ts";

/** What a process is started with; two steps for which it is equal may use the same spare process. */
export interface LaunchPlan {
  /** `--allow-*` and `--deny-*` for what the step is granted. */
  readonly flags: readonly string[];
  /** Variables that the script may read. */
  readonly env: Readonly<Record<string, string>>;
  /** Limit of V8's heap. */
  readonly memoryMb: number;
  /** Whether code may be made from strings. */
  readonly allowsCode: boolean;
  /** Where fetched modules are; undefined: none may be used. */
  readonly modulesFolder: string | undefined;
  /** Whence modules of the folder were fetched, but for those of npm. */
  readonly importHosts: readonly string[];
}

/** A Deno process that waits for its script, or runs it. */
export interface DenoProcess {
  readonly group: ProcessGroup;
  /** Private to it; its working folder, empty, is in there. */
  readonly folder: string;
  readonly auditFile: string;
  /** Ends the process, and removes its folder. */
  dispose(): Promise<void>;
  disposed: boolean;
}

/**
 * A path where nothing can be: `localStorage` and the Cache API need no permission and would outlive the process; with
 * no folder to write to, they throw.
 */
const nowhere = "/dev/null/deno";

// From the sources it is TypeScript, which Deno runs as it is.
const bootstrap = fileURLToPath(
  import.meta.url.endsWith(".ts")
    ? new URL("./bootstrap.ts", import.meta.url)
    : new URL("./bootstrap.js", import.meta.url),
);

/** Flags that every process has: nothing is asked, nothing is loaded from the network, nothing of the folder around it counts. */
const always = ["--no-prompt", "--cached-only", "--no-config", "--no-lock", "--deny-ffi", "--deny-sys"];

/** The command line for a plan, without the binary. */
function denoArguments(plan: LaunchPlan): readonly string[] {
  const v8 = [
    `--max-old-space-size=${plan.memoryMb}`,
    ...(plan.allowsCode ? [] : ["--disallow-code-generation-from-strings"]),
  ];
  return [
    "run",
    ...always,
    ...(plan.modulesFolder === undefined ? ["--no-remote", "--no-npm"] : []),
    plan.importHosts.length === 0 ? "--deny-import" : `--allow-import=${plan.importHosts.join(",")}`,
    ...plan.flags,
    `--v8-flags=${v8.join(",")}`,
    bootstrap,
  ];
}

/** Starts a process that waits for its script on standard input. */
export function startDeno(plan: LaunchPlan): DenoProcess {
  const binary = denoBinary();
  const folder = mkdtempSync(join(tmpdir(), `wfe-deno-${process.pid}-`));
  const home = join(folder, "home");
  mkdirSync(home);
  const auditFile = join(folder, "audit");
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
  let group: ProcessGroup;
  try {
    group = startGroup(
      "/bin/sh",
      ["-c", limits, "sh", String((plan.memoryMb + 520) * 1024), binary, ...denoArguments(plan)],
      {
        cwd: home,
        env: {
          ...plan.env,
          HOME: home,
          DENO_DIR: plan.modulesFolder ?? nowhere,
          DENO_NO_UPDATE_CHECK: "1",
          DENO_NO_PACKAGE_JSON: "1",
          // Without it, each TypeScript module would cost 150 ms of vain attempts to write to the cache.
          DENO_EMIT_CACHE_MODE: "disable",
          DENO_AUDIT_PERMISSIONS: auditFile,
          NO_COLOR: "1",
        },
        stdio: ["pipe", "pipe", "pipe"],
        cleanUp: removeFolder,
      },
    );
  } catch (error) {
    removeFolder();
    throw error;
  }
  const started: DenoProcess = {
    group,
    folder,
    auditFile,
    disposed: false,
    dispose: async () => {
      if (started.disposed) return;
      started.disposed = true;
      await group.end(0);
      const { stdin, stdout, stderr } = group.child;
      for (const stream of [stdin, stdout, stderr]) stream?.destroy();
      removeFolder();
    },
  };
  return started;
}

/**
 * Run by the shell that becomes Deno: no core files, no more data memory than given in KiB (buffers count there, in V8's limit
 * they do not), a bound for files written. What a system does not know is left out.
 */
const limits = 'ulimit -c 0; ulimit -d "$1" 2>/dev/null; shift; exec "$@"';
