import { randomBytes } from "node:crypto";
import { closeSync, constants as flags, fstatSync, openSync, readSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { StepTimeoutError, WfeError } from "@wfe/core";
import { cappedText } from "../processes/capped-text.ts";
import { splitLines } from "../processes/line-splitter.ts";
import { markerVariable, startGroup, type ProcessGroup } from "../processes/process-group.ts";
import { settled } from "../processes/settled.ts";
import { outputFileBytes, outputOfLine, outputsOfFile } from "./output-lines.ts";

/** What `runShell` needs; nothing of YAML, workflows or the loader. */
export interface ShellOptions {
  /** The program text. */
  readonly run: string;
  /** The shell and its options, as words: `["sh"]`, `["bash", "-eo", "pipefail"]`. `-c` and the text are appended. Default `["sh"]`. */
  readonly shell?: readonly string[];
  /** The whole environment; see `shellEnvironment`. */
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  /** Milliseconds until the group is ended and a `StepTimeoutError` thrown. */
  readonly timeoutMs?: number | undefined;
  /** Ends the group; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Gets every line, with its newline, as it comes; one of more than 64 KiB in pieces. */
  readonly write?: ((stream: "stdout" | "stderr", line: string) => void) | undefined;
  /** Time between TERM and KILL. Default 5,000. */
  readonly graceMs?: number | undefined;
  /** Time that what still runs when the shell has ended is given before it is ended too. Default 250. */
  readonly lingerMs?: number | undefined;
  /** UTF-16 units of each stream that are kept; more is cut in the middle, with a notice. Default 131,072. */
  readonly keep?: number | undefined;
}

/** How a shell ended. */
export interface ShellResult {
  readonly exitCode: number;
  /** The signal that ended the shell; its exit code is then 128 and the signal's number, as in shells. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** Standard output up to 4 Mi UTF-16 units, for whoever reads a value in it; not to be stored. */
  readonly text: string;
  readonly stderr: string;
  /** What `##wfe[output name=value]` lines and `$WFE_OUTPUT` set; the file wins over lines. */
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** A text longer than this goes to the shell as a file: the system takes no longer argument. */
const argumentBytes = 100 * 1024;
const defaultKeep = 128 * 1024;
const wholeLength = 4 * 1024 * 1024;

/**
 * Runs a program text in a shell, in a process group of its own.
 *
 * Resolves however the shell ends by itself; an exit code is data. On time-out and abort it ends the whole group (TERM, after
 * `graceMs` KILL), waits until nothing of it is left, and rejects. What the shell leaves running in its group when it ends is
 * ended too. Throws a `WfeError` with code `SHELL_START` where shell or folder do not exist.
 */
export async function runShell(options: ShellOptions): Promise<ShellResult> {
  options.signal?.throwIfAborted();
  if (process.platform === "win32") {
    throw new WfeError(
      "SHELL_START",
      "shell steps need process groups, which Windows has not: run this host under WSL",
    );
  }
  // Files with names that nobody can guess, readable by nobody else: a folder for each step would take half a millisecond.
  const prefix = join(tmpdir(), `wfe-${randomBytes(12).toString("hex")}`);
  const files: StepFiles = { output: `${prefix}.output`, program: `${prefix}.sh` };
  closeSync(openSync(files.output, "wx", 0o600));
  try {
    return await runIn(files, options);
  } finally {
    for (const file of [files.output, files.program]) rmSync(file, { recursive: true, force: true });
  }
}

/** The temporary files of a step; the second is there for a long program text only. */
interface StepFiles {
  readonly output: string;
  readonly program: string;
}

async function runIn(files: StepFiles, options: ShellOptions): Promise<ShellResult> {
  const [command = "sh", ...words] = options.shell ?? ["sh"];
  const marker = randomBytes(12).toString("hex");
  let group: ProcessGroup;
  try {
    group = startGroup(command, [...words, ...program(files.program, options.run)], {
      cwd: options.workingDir,
      env: { ...options.env, WFE_OUTPUT: files.output, [markerVariable]: marker },
      stdio: ["ignore", "pipe", "pipe"],
      marker,
    });
  } catch (error) {
    // Too large an environment is thrown, other reasons come as an event.
    throw notStarted(error, command, options);
  }

  const fromLines: Record<string, unknown> = Object.create(null);
  const keep = options.keep ?? defaultKeep;
  const whole = cappedText(wholeLength);
  const stdout = collect(group.child.stdout, keep, (line) => {
    whole.add(line);
    options.write?.("stdout", line);
    const output = outputOfLine(line);
    if (output !== undefined) fromLines[output.name] = output.value;
  });
  const stderr = collect(group.child.stderr, keep, (line) => options.write?.("stderr", line));

  const ending = await ended(group, [stdout.closed, stderr.closed], command, options);
  const exitCode = ending.code ?? 128 + (ending.signal === null ? 0 : constants.signals[ending.signal]);
  return {
    exitCode,
    signal: ending.signal,
    stdout: stdout.text(),
    text: whole.text(),
    stderr: stderr.text(),
    outputs: { ...fromLines, ...outputsOfFile(readOutput(files.output)) },
  };
}

/** Waits for the shell, ends what is left of its group, and throws where it was made to end. */
async function ended(
  group: ProcessGroup,
  streams: readonly Promise<void>[],
  command: string,
  options: ShellOptions,
): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
  const { signal, timeoutMs, graceMs = 5_000, lingerMs = 250 } = options;
  const cut = await settled({ done: group.exited, signal, timeoutMs });
  if (cut.kind === "failed") throw notStarted(cut.error, command, options);
  if (cut.kind !== "done") {
    await group.end(graceMsFor(signal, graceMs));
    for (const stream of [group.child.stdout, group.child.stderr]) stream?.destroy();
    if (cut.kind === "aborted") throw signal?.reason;
    throw new StepTimeoutError(
      `the shell ran longer than its time-out of ${timeoutMs} ms and was ended, with all it had started: raise \`timeout\`, or make it quicker`,
    );
  }
  // A filter at the end of a pipe may still be writing; a server in the background would do so for ever.
  const closed = Promise.all(streams);
  await settled({ done: closed, timeoutMs: group.alive() ? lingerMs : 5_000 });
  if (group.alive()) await group.end(graceMsFor(signal, Math.min(graceMs, 1_000)));
  // One that has left the group may hold the pipes; it was started to outlive the step.
  await settled({ done: closed, timeoutMs: 50 });
  for (const stream of [group.child.stdout, group.child.stderr]) stream?.destroy();
  return cut.value;
}

/** A host that stops, or fears for its lease, waits a second for its steps and no longer. */
export function graceMsFor(signal: AbortSignal | undefined, graceMs: number): number {
  const reason = (signal?.reason as { reason?: unknown } | undefined)?.reason;
  return reason === "stopping" || reason === "lease-lost" ? Math.min(graceMs, 500) : graceMs;
}

function collect(
  stream: NodeJS.ReadableStream | null,
  keep: number,
  onLine: (line: string) => void,
): { readonly closed: Promise<void>; text(): string } {
  const kept = cappedText(keep);
  const lines = splitLines((line) => {
    kept.add(line);
    onLine(line);
  });
  const closed = new Promise<void>((resolve) => {
    if (stream === null) return resolve();
    stream.on("data", (chunk: Buffer) => lines.push(chunk));
    stream.once("close", resolve);
    // A pipe that breaks has said all it will say.
    stream.on("error", () => {});
  });
  return {
    closed,
    text: () => {
      lines.end();
      return kept.text();
    },
  };
}

function program(file: string, run: string): string[] {
  if (Buffer.byteLength(run) <= argumentBytes) return ["-c", run];
  writeFileSync(file, run, { mode: 0o600, flag: "wx" });
  return [file];
}

function readOutput(file: string): string {
  let handle: number;
  try {
    // The step may have put anything there: a link is not followed, and a pipe must not block the host.
    handle = openSync(file, flags.O_RDONLY | flags.O_NOFOLLOW | flags.O_NONBLOCK);
  } catch {
    return "";
  }
  try {
    const info = fstatSync(handle);
    if (!info.isFile() || info.size === 0) return "";
    const bytes = Buffer.allocUnsafe(outputFileBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(handle, bytes, length, bytes.length - length, null);
    }
    if (length <= outputFileBytes) return bytes.toString("utf8", 0, length);
    throw new WfeError(
      "SHELL_OUTPUT_FILE",
      `$WFE_OUTPUT has more than ${outputFileBytes} bytes: put large results in a file, and give its name as the output`,
    );
  } finally {
    closeSync(handle);
  }
}

function notStarted(error: unknown, command: string, options: ShellOptions): WfeError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "E2BIG") {
    return new WfeError(
      "SHELL_START",
      `\`${command}\` could not be started: its environment and program text are larger than the system takes; pass large values in files`,
      { cause: error },
    );
  }
  const isFolder = statSync(options.workingDir, { throwIfNoEntry: false })?.isDirectory() === true;
  const what = isFolder
    ? `\`${command}\` could not be started (${code}): is it installed, and in the PATH of the host?`
    : `the folder \`${options.workingDir}\` of the step does not exist: create it in an earlier step, or correct \`working_dir\``;
  return new WfeError("SHELL_START", what, { cause: error });
}
