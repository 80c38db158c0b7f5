import { WfeError } from "@wfe/core";
import { cappedText } from "../processes/capped-text.ts";
import type { StepOutput } from "../compile/outputs.ts";
import type { ShellResult } from "./run-shell.ts";

/** Lines of stderr that the message repeats. */
const toldLines = 10;
const toldLength = 2_000;
/** Bytes of stdout, of stderr and of the outputs that are kept with the error: the store keeps 4 KiB of each of its fields. */
const keptBytes = 4_000;

/** A shell step ended with another exit code than 0, or by a signal. The message has the last lines of its stderr. */
export class ShellFailedError extends WfeError {
  readonly exitCode: number;
  readonly signal: string | null;
  readonly #result: ShellResult;

  constructor(result: ShellResult) {
    const { exitCode, signal, stdout, stderr } = result;
    const how = signal === null ? `exit code ${exitCode}` : `signal ${signal}`;
    // A program that says nothing on stderr said it elsewhere.
    const told = lastLines(stderr) || lastLines(stdout);
    super(
      "SHELL_FAILED",
      told === "" ? `the command ended with ${how}, and said nothing` : `the command ended with ${how}:\n${told}`,
    );
    this.exitCode = exitCode;
    this.signal = signal;
    this.#result = result;
  }

  /**
   * Keeps with the error what the command wrote and set, for {@link leftBehind}: so much of it as an error may hold. `mask` takes out what
   * nobody may read; it comes first, since a cut could leave half of a secret.
   */
  keepOutput(mask: (value: unknown) => unknown): this {
    const { stdout, stderr, outputs } = mask({ ...this.#result }) as ShellResult;
    let left = keptBytes;
    const small = Object.entries(outputs).filter(
      ([name, value]) => (left -= Buffer.byteLength(JSON.stringify([name, value]))) >= 0,
    );
    return Object.assign(this, { stdout: capped(stdout), stderr: capped(stderr), outputs: Object.fromEntries(small) });
  }
}

/** What a command that failed leaves for the data, told by its error as the store gives it back. */
export function leftBehind(step: string, error: Error): StepOutput {
  const { code, exitCode, stdout, stderr, outputs } = error as Error & Readonly<Record<string, unknown>>;
  if (code !== "SHELL_FAILED") return { outputs: {} };
  return {
    outputs: (outputs ?? {}) as StepOutput["outputs"],
    data: { [`${step}.stdout`]: stdout ?? "", [`${step}.stderr`]: stderr ?? "", [`${step}.exit_code`]: exitCode },
  };
}

function capped(text: string): string {
  for (let length = keptBytes; ; length = Math.floor(length * 0.8)) {
    const kept = cappedText(length);
    for (const line of text.split(/(?<=\n)/)) kept.add(line);
    if (Buffer.byteLength(kept.text()) <= keptBytes) return kept.text();
  }
}

function lastLines(text: string): string {
  const lines = text.trimEnd().split("\n").slice(-toldLines);
  return lines.join("\n").slice(-toldLength).trim();
}
