import { randomBytes } from "node:crypto";
import { realpath } from "node:fs/promises";
import { StepTimeoutError } from "@wfe/core";
import { cappedText } from "../processes/capped-text.ts";
import { splitLines } from "../processes/line-splitter.ts";
import { plainJson } from "../processes/plain-json.ts";
import { settled } from "../processes/settled.ts";
import { deniedAccesses, type DeniedAccess, type Grants } from "./audit.ts";
import { DenoError } from "./deno-error.ts";
import { startDeno, type DenoProcess, type LaunchPlan } from "./deno-process.ts";
import { watchMemory } from "./memory-watch.ts";
import { importHosts } from "./modules.ts";
import { netFlags, parseNetGrant, type NetGrant } from "./net-grants.ts";
import { grantedPaths } from "./path-grants.ts";
import { parseFrame, readFrame, type FrameReader } from "./result-frame.ts";
import { firstPosition, withScriptName } from "./script-positions.ts";
import type { SpareProcesses } from "./spares.ts";

/** What a script may do; all that is not named is denied. */
export interface DenoPermissions {
  /** Hosts: `example.com`, `example.com:443`, `https://example.com`, `*.example.com`, addresses. */
  readonly net?: readonly string[];
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  /** Names of variables of the host that are passed on. */
  readonly env?: readonly string[];
  /** Other programs: with it there is no sandbox. The caller sees to it that the host agrees. */
  readonly run?: boolean;
  /** `import()` and code made from strings. */
  readonly dynamicImport?: boolean;
}

/** What `runDeno` needs; nothing of YAML, workflows or the loader. */
export interface DenoOptions {
  readonly script: string;
  /** What positions in errors call the script. Default `script`. */
  readonly name?: string;
  /** `false`: the script is JavaScript. Default: TypeScript. */
  readonly typescript?: boolean;
  readonly permissions?: DenoPermissions;
  /** Where relative paths in permissions start from. */
  readonly folder: string;
  /** Granted paths must lie in one of these. Default: anywhere. */
  readonly roots?: readonly string[] | undefined;
  /** Variables that the script sees and may read. */
  readonly env?: Readonly<Record<string, string>>;
  /** The host's variables, for `permissions.env`. Default: none. */
  readonly hostEnv?: Readonly<Record<string, string | undefined>>;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly item?: unknown;
  readonly matrix?: Readonly<Record<string, unknown>> | undefined;
  /** Fetched modules that it may import; see `fetchModules`. */
  readonly modules?: { readonly folder: string; readonly list: readonly string[] } | undefined;
  /** Milliseconds until the process is killed. */
  readonly timeoutMs?: number | undefined;
  /** Kills the process; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Gets every line, with its newline, as it comes. */
  readonly write?: ((stream: "stdout" | "stderr", line: string) => void) | undefined;
  /** Is told of what was asked for and denied, also when the script fails. */
  readonly onDenied?: ((denied: readonly DeniedAccess[]) => void) | undefined;
  /** Megabytes of heap; buffers may take another 128. Default 256. */
  readonly memoryMb?: number | undefined;
  /** Bytes of stdout and stderr together, until the process is killed. Default 16 MiB. */
  readonly outputBytes?: number | undefined;
  /** Bytes of outputs. Default 4 MiB. */
  readonly resultBytes?: number | undefined;
  /** Where processes come from. Default: a new one. */
  readonly spares?: SpareProcesses | undefined;
}

/** What a script that ended well leaves. */
export interface DenoResult {
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly stdout: string;
  readonly stderr: string;
}

/** Memory beyond the heap: the runtime's own, and buffers. */
const extraMb = 128;
const keep = 128 * 1024;

/**
 * Runs a script in Deno, in a process of its own, with no more permissions than given.
 *
 * Resolves when the script has ended, all that it had begun included. Rejects with a `DenoError` that says why it did not, a
 * `StepTimeoutError`, or the signal's reason; nothing of it runs any more then. Costs a process: 20 ms, or 2 with a spare.
 */
export async function runDeno(options: DenoOptions): Promise<DenoResult> {
  options.signal?.throwIfAborted();
  const { plan, grants, folder } = await planOf(options);
  options.signal?.throwIfAborted();
  const process = options.spares?.take(plan) ?? startDeno(plan);
  try {
    return await new Run(options, { plan, folder }, process).result();
  } finally {
    const denied = deniedAccesses(process.auditFile, grants);
    await process.dispose();
    if (denied.length > 0) options.onDenied?.(denied);
  }
}

interface Planned {
  readonly plan: LaunchPlan;
  readonly grants: Grants;
  /** Where relative paths start from, where some are granted. */
  readonly folder: string | undefined;
}

async function planOf(options: DenoOptions): Promise<Planned> {
  const { permissions = {}, folder, roots } = options;
  const paths = (mode: "read" | "write"): Promise<readonly string[]> =>
    grantedPaths({ paths: permissions[mode] ?? [], folder, roots, mode });
  const [read, write] = await Promise.all([paths("read"), paths("write")]);
  const net = (permissions.net ?? []).map(netGrant);
  const env: Record<string, string> = {};
  for (const name of permissions.env ?? []) {
    const value = options.hostEnv?.[name];
    if (value !== undefined) env[name] = value;
  }
  Object.assign(env, options.env);
  const names = [...new Set([...(permissions.env ?? []), ...Object.keys(options.env ?? {})])];
  const flags = [
    ...(read.length === 0 ? [] : [`--allow-read=${read.join(",")}`]),
    ...(write.length === 0 ? [] : [`--allow-write=${write.join(",")}`]),
    ...(await netFlags(net)),
    ...(names.length === 0 ? [] : [`--allow-env=${names.join(",")}`]),
    permissions.run === true ? "--allow-run" : "--deny-run",
  ];
  for (const name of names) checkVariable(name);
  const plan: LaunchPlan = {
    flags,
    env,
    memoryMb: options.memoryMb ?? 256,
    allowsCode: permissions.dynamicImport === true,
    modulesFolder: options.modules?.folder,
    importHosts: importHosts(options.modules?.list ?? []),
  };
  return {
    plan,
    // As Deno compares paths.
    folder: read.length + write.length === 0 ? undefined : await realpath(folder),
    grants: { read, write, net, env: names, run: permissions.run === true, importHosts: plan.importHosts },
  };
}

function netGrant(entry: string): NetGrant {
  const grant = parseNetGrant(entry);
  if ("problem" in grant) throw new DenoError("DENO_GRANT", `\`net: ${entry}\` ${grant.problem}`);
  return grant;
}

/** Variables that Deno itself, or the loader of programs, would act on. */
export function checkVariable(name: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new DenoError(
      "DENO_GRANT",
      `\`env: ${name}\` is no name of a variable: letters, digits and "_", no digit first`,
    );
  }
  if (
    /^(DENO_|NODE_|NPM_|LD_|DYLD_|RUST_|OTEL_|V8_|HOME$|PATH$|TMPDIR$|NO_COLOR$|SSL_|SSLKEYLOGFILE$|https?_proxy$|all_proxy$|no_proxy$)/i.test(
      name,
    )
  ) {
    throw new DenoError(
      "DENO_GRANT",
      `\`env: ${name}\` is not granted: it changes how Deno itself runs; pass the value under another name`,
    );
  }
}

type Cause = { readonly kind: "memory"; readonly usedMb: number } | { readonly kind: "output" };

/** One script in one process. */
class Run {
  readonly #options: DenoOptions;
  readonly #plan: LaunchPlan;
  readonly #folder: string | undefined;
  readonly #process: DenoProcess;
  readonly #name: string;
  readonly #stdout = cappedText(keep);
  readonly #stderr = cappedText(keep);
  /** Why it was killed, where a limit was reached. */
  #cause: Cause | undefined;
  #bytes = 0;

  constructor(options: DenoOptions, { plan, folder }: Omit<Planned, "grants">, process: DenoProcess) {
    this.#options = options;
    this.#plan = plan;
    this.#folder = folder;
    this.#process = process;
    this.#name = options.name ?? "script";
  }

  async result(): Promise<DenoResult> {
    const { signal, timeoutMs, resultBytes = 4 * 1024 * 1024 } = this.#options;
    const { group } = this.#process;
    const nonce = `\u0001wfe-${randomBytes(18).toString("hex")}:`;
    const toStdout = this.#lines("stdout", this.#stdout);
    const frame = readFrame(nonce, resultBytes, toStdout.push);
    const toStderr = this.#lines("stderr", this.#stderr);
    const closed = Promise.all([
      this.#read(group.child.stdout, (chunk) => {
        frame.push(chunk);
        if (frame.body !== undefined) this.#answered?.();
      }),
      this.#read(group.child.stderr, toStderr.push),
    ]);
    const memory = watchMemory(group.pid, this.#plan.memoryMb + extraMb, (usedMb) =>
      this.#kill({ kind: "memory", usedMb }),
    );
    group.child.stdin?.end(`${this.#header(nonce, resultBytes)}\n`);

    const answered = new Promise<void>((resolve) => (this.#answered = resolve));
    const ended = await settled({ done: Promise.race([group.exited, answered]), signal, timeoutMs });
    // What listens for the end of the script, and does not end, is not waited for: the result is there.
    if (ended.kind === "done") await settled({ done: group.exited, timeoutMs: 100, signal });
    memory.stop();
    if (group.alive()) await group.end(0);
    await settled({ done: closed, timeoutMs: 1_000 });
    frame.end();
    toStdout.end();
    toStderr.end();
    if (ended.kind === "aborted") throw signal?.reason;
    if (ended.kind === "timeout") {
      throw new StepTimeoutError(
        `the script ran longer than its time-out of ${timeoutMs} ms and was killed: raise \`timeout\`, or make it quicker`,
      );
    }
    if (ended.kind === "failed") {
      throw new DenoError("DENO_NO_RESULT", "Deno could not be started", { cause: ended.error });
    }
    return this.#judge(frame, await group.exited);
  }

  #answered: (() => void) | undefined;

  #header(nonce: string, maxResult: number): string {
    const { script, typescript = true, data = {}, inputs = {}, item, matrix } = this.#options;
    return (
      plainJson({
        nonce,
        source: script,
        mediaType: typescript ? "application/typescript" : "text/javascript",
        data,
        inputs,
        item,
        matrix,
        maxResult,
        ...(this.#folder === undefined ? {} : { folder: this.#folder }),
      }) ?? ""
    );
  }

  #lines(stream: "stdout" | "stderr", kept: { add(line: string): void }): ReturnType<typeof splitLines> {
    return splitLines((line) => {
      const told = stream === "stderr" ? withScriptName(line, this.#name) : line;
      kept.add(told);
      this.#options.write?.(stream, told);
    });
  }

  #read(stream: NodeJS.ReadableStream | null, push: (chunk: Buffer) => void): Promise<void> {
    const { outputBytes = 16 * 1024 * 1024, resultBytes = 4 * 1024 * 1024 } = this.#options;
    return new Promise((resolve) => {
      if (stream === null) return resolve();
      stream.on("data", (chunk: Buffer) => {
        this.#bytes += chunk.length;
        if (this.#bytes > outputBytes + resultBytes) this.#kill({ kind: "output" });
        else push(chunk);
      });
      stream.once("close", resolve);
      stream.on("error", () => {});
    });
  }

  #kill(cause: Cause): void {
    this.#cause ??= cause;
    this.#process.group.signal("SIGKILL");
  }

  #judge(
    frame: FrameReader,
    { code, signal }: { readonly code: number | null; readonly signal: NodeJS.Signals | null },
  ): DenoResult {
    const stderr = this.#stderr.text();
    const { memoryMb } = this.#plan;
    if (this.#cause?.kind === "memory" || /out of memory|memory allocation of \d+ bytes failed/i.test(stderr)) {
      throw new DenoError(
        "DENO_MEMORY_LIMIT",
        `the script took more memory than its limit of ${memoryMb} MB and was killed: use less; a program that loads the file can raise the limit by the option \`deno: { memoryMb }\`, the \`wfe\` command cannot`,
      );
    }
    if (this.#cause?.kind === "output") {
      throw new DenoError(
        "DENO_OUTPUT_LIMIT",
        `the script printed more than ${this.#options.outputBytes ?? 16 * 1024 * 1024} bytes and was killed: print less, or write to a file`,
      );
    }
    if (frame.tooLong) {
      throw new DenoError(
        "DENO_RESULT_INVALID",
        `the outputs are larger than ${this.#options.resultBytes ?? 4 * 1024 * 1024} bytes: write them to a file`,
      );
    }
    if (frame.body === undefined && stderr.includes("Top-level await promise never resolved")) {
      throw new DenoError(
        "DENO_SCRIPT_FAILED",
        "the script waits for something that never comes: a top-level `await` whose promise is never settled",
      );
    }
    if (frame.body === undefined) {
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      const told = stderr.trim().split("\n").slice(-10).join("\n");
      throw new DenoError(
        "DENO_NO_RESULT",
        `the script's process ended ${how}, without a result: let the script run to its end instead of \`Deno.exit\`${told === "" ? "" : `\n${told}`}`,
      );
    }
    const result = parseFrame(frame.body);
    if ("error" in result) throw this.#thrown(result.error);
    return { outputs: result.outputs, stdout: this.#stdout.text(), stderr };
  }

  /** The script's error: its message, where it was thrown, and its stack in the script's own lines. */
  #thrown(error: { readonly name: string; readonly message: string; readonly stack: string }): DenoError {
    const stack = withScriptName(error.stack, this.#name);
    // Of a script that cannot be parsed, Deno says so in the message of another error.
    const message = withScriptName(error.message, this.#name).replace(/^(TypeError: )?SyntaxError: /, "SyntaxError: ");
    const place = firstPosition(stack, this.#name);
    const head =
      /^(Error|SyntaxError)$/.test(error.name) || /^(SyntaxError|Permission denied)/.test(message)
        ? `${message}${grantedInstead(message, this.#plan.flags)}`
        : `${error.name}: ${message}`;
    const thrown = new DenoError(
      "DENO_SCRIPT_FAILED",
      place === undefined || head.includes(place) ? head : `${head} (${place})`,
    );
    if (stack !== "") thrown.stack = stack;
    return thrown;
  }
}

/** What a script may read or write that was denied a path: paths are granted relative to the file, and asked for by their full names. */
function grantedInstead(message: string, flags: readonly string[]): string {
  const mode = /^Permission denied: Requires (read|write) access/.exec(message)?.[1];
  const paths = flags.find((flag) => flag.startsWith(`--allow-${mode}=`))?.slice(`--allow-${mode}=`.length);
  if (mode === undefined || paths === undefined) return "";
  const example = mode === "read" ? 'await readFile("name")' : "Deno.writeTextFile(`${Wfe.folder}/name`, text)";
  return `; granted to ${mode}: ${paths.split(",").join(", ")} (a relative path is one of \`Wfe.folder\`: \`${example}\`)`;
}
