import { WfeError } from "@wfe/core";
import type { ShellResult } from "./run-shell.ts";

/** Lines of stderr that the message repeats. */
const toldLines = 10;
const toldLength = 2_000;

/** A shell step ended with another exit code than 0, or by a signal. The message has the last lines of its stderr. */
export class ShellFailedError extends WfeError {
  readonly exitCode: number;
  readonly signal: string | null;

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
  }
}

function lastLines(text: string): string {
  const lines = text.trimEnd().split("\n").slice(-toldLines);
  return lines.join("\n").slice(-toldLength).trim();
}
