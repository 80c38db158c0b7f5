import type { InvalidWorkflowFileError } from "@wfe/yaml";
import { CommanderError } from "commander";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import { harmlessTerminal } from "./harmless.ts";
import { makeProgram } from "./program.ts";
import { processTerminal, type Terminal } from "./terminal.ts";

/** Runs the command line and gives the code that the process is to end with. Never rejects. */
export async function main(args: readonly string[], given: Terminal = processTerminal()): Promise<number> {
  const terminal = harmlessTerminal(given);
  let code: number = exitCodes.ok;
  const program = makeProgram(terminal, (ended) => {
    code = ended;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    await report(terminal, error);
    return exitCodeOf(error);
  }
}

async function report(terminal: Terminal, error: unknown): Promise<void> {
  // It has said what it had to say.
  if (error instanceof CommanderError) return;
  if (isInvalidFile(error)) {
    const { formatProblems } = await import("@wfe/yaml");
    terminal.say(formatProblems(error.problems, terminal.isGitHub ? "github" : "pretty").trimEnd());
    terminal.say(`${error.problems.length} ${error.problems.length === 1 ? "problem" : "problems"}`);
    return;
  }
  const label = terminal.style("red", "error:");
  if (exitCodeOf(error) !== exitCodes.defect) {
    terminal.say(`${label} ${(error as Error).message}`);
    return;
  }
  terminal.say(`${label} this is a defect of wfe, please report it`);
  terminal.say(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

function isInvalidFile(error: unknown): error is InvalidWorkflowFileError {
  return error instanceof Error && "problems" in error && Array.isArray(error.problems);
}
