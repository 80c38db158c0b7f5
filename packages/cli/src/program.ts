import { createRequire } from "node:module";
import { Command } from "commander";
import { addCompletion } from "./commands/completion.ts";
import { addControl } from "./commands/control.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEvents } from "./commands/events.ts";
import { addGraph } from "./commands/graph.ts";
import { addHistory } from "./commands/history.ts";
import { addInit } from "./commands/init.ts";
import { addList } from "./commands/list.ts";
import { addLogs } from "./commands/logs.ts";
import { addMigrate } from "./commands/migrate.ts";
import { addNodes } from "./commands/nodes.ts";
import { addResume } from "./commands/resume.ts";
import { addRetry } from "./commands/retry.ts";
import { addRun } from "./commands/run.ts";
import { addSchema } from "./commands/schema.ts";
import { addShow } from "./commands/show.ts";
import { addValidate } from "./commands/validate.ts";
import { addWorker } from "./commands/worker.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

/** What every command is given. */
export interface Surroundings {
  readonly terminal: Terminal;
  /** Ends the process with this code, where the command itself has gone well. */
  readonly endWith: (code: ExitCode) => void;
}

/** In the order of `wfe --help`. */
const commands: readonly ((program: Command, surroundings: Surroundings) => void)[] = [
  addRun,
  addResume,
  addValidate,
  addGraph,
  addInit,
  addList,
  addShow,
  addLogs,
  addHistory,
  addRetry,
  addControl,
  addEvents,
  addWorker,
  addMigrate,
  addDoctor,
  addSchema,
  addNodes,
  addCompletion,
];

export function makeProgram(terminal: Terminal, endWith: (code: ExitCode) => void): Command {
  const { version } = createRequire(import.meta.url)("../package.json") as { version: string };
  const program = new Command("wfe")
    .description("Run, watch and repair workflows. Results go to stdout, everything else to stderr.")
    .version(version, "-V, --version", "say which version this is")
    .helpOption("-h, --help", "say how it is used")
    .showSuggestionAfterError()
    .showHelpAfterError("(see --help)")
    .exitOverride()
    .configureOutput({ writeErr: (text) => terminal.say(text.trimEnd()), writeOut: (text) => terminal.data(text) })
    .addHelpText("after", exitCodesHelp());
  for (const add of commands) add(program, { terminal, endWith });
  for (const command of program.commands) command.exitOverride();
  return program;
}

function exitCodesHelp(): string {
  const words: Readonly<Record<keyof typeof exitCodes, string>> = {
    ok: "all is well",
    workflowFailed: "the workflow failed",
    usage: "wrong use of the command, or input that is not taken",
    invalidDefinition: "a definition is not valid, or its file cannot be loaded",
    notFound: "a workflow, definition or file is not there",
    conflict: "it is not possible as things stand: an id is taken, a call was refused",
    storeUnavailable: "the store cannot be reached or used",
    timedOut: "it took too long",
    cancelled: "it was cancelled or terminated",
    defect: "a defect of wfe",
  };
  const lines = Object.entries(words).map(([key, text]) => {
    const code = exitCodes[key as keyof typeof exitCodes];
    return `  ${String(code).padStart(2)}  ${text}`;
  });
  return `\nExit codes:\n${lines.join("\n")}`;
}
