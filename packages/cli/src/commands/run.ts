import { randomBytes } from "node:crypto";
import { watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { StoreError } from "@wfe/core";
import type { Command } from "commander";
import { chooseDefinition, definitionsOf } from "../definitions.ts";
import { CancelledError, ConflictError, UsageError } from "../exit-codes.ts";
import { commandLine } from "../in-our-words.ts";
import { duration, jsonObject, type StoreOptions, variable, withJson, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { runHere, type RunHereOptions } from "../run-here.ts";
import { type Selection, selectSteps } from "../select-steps.ts";
import { forgetRun, noteFirst, noteRun, readNote, type RunNote } from "../store/run-notes.ts";
import { type Store, storeAt } from "../store/store.ts";
import type { Terminal } from "../terminal.ts";
import { withClient } from "../with-client.ts";

interface RunCommandOptions extends RunHereOptions {
  readonly var?: Readonly<Record<string, unknown>>;
  readonly input?: Readonly<Record<string, unknown>>;
  readonly workflow?: string;
  readonly id?: string;
  readonly step?: string;
  readonly from?: string;
  readonly watch?: boolean;
}

/** `wfe run`: starts a workflow of a file and stays until it has ended. */
export function addRun(program: Command, { terminal }: Surroundings): void {
  const command = withJson(
    withStore(program.command("run").argument("<file>", "YAML, or a module that exports workflows")),
  )
    .description("run a workflow of a file; its result goes to stdout")
    .option("--workflow <id>", "which one of the file (default: the first that stands in it)")
    .option("--var <name=value>", "a variable, `${{ var.name }}` (may be given several times)", variable)
    .option("--input <json>", "the data to start with; @file reads a file, - reads stdin", jsonObject)
    .option("--id <id>", "of the run: starting the same id again gives the same run (default: made up)")
    .option("--step <name>", "run this step alone")
    .option("--from <name>", "begin at this step")
    .option("--watch", "run again whenever the file changes");
  withRunHere(command).action(async (file: string, options: RunCommandOptions) => {
    if (options.step !== undefined && options.from !== undefined) {
      throw new UsageError("--step and --from exclude each other: give one");
    }
    if (options.watch !== true) return runOnce(terminal, file, options);
    if (options.id !== undefined) throw new UsageError("--watch starts many runs: leave --id out");
    await runAgainAndAgain(terminal, file, options);
  });
}

/** The options of all commands that run a workflow here. */
export function withRunHere(command: Command): Command {
  return command
    .option("--timeout <duration>", "wait so long at most; the run can go on later", duration)
    .option("--grace <duration>", "how long running steps may take when it is stopped", duration, "10s")
    .option("-q, --quiet", "print nothing but errors (with --json: and the result)");
}

async function runOnce(terminal: Terminal, file: string, options: RunCommandOptions): Promise<void> {
  const variables = options.var ?? {};
  const selection: Selection = {
    ...(options.step === undefined ? {} : { only: options.step }),
    ...(options.from === undefined ? {} : { from: options.from }),
  };
  const loaded = await definitionsOf(file, variables);
  const whole = chooseDefinition(loaded, options.workflow);
  const definition = selectSteps(whole, selection);
  const definitions = loaded.map((each) => (each === whole ? definition : each));
  const store = await storeAt(options, true);
  const id = options.id ?? `${definition.id}-${randomBytes(5).toString("hex")}`;
  const note: RunNote = { id, file: resolve(file), variables, ...selection };
  // Before anything runs, so that it can go on after whatever happens.
  const isFirst = noteFirst(store.notes, note);
  if (!isFirst) await checkSameStart(store, note, options);
  await runHere({
    id,
    isKnown: !isFirst,
    store,
    definitions,
    terminal,
    options,
    begin: async (host) => {
      const handle = await host.startWorkflow(definition, options.input ?? {}, { id }).catch((error: unknown) => {
        // Where the store could not answer, it may be there.
        if (isFirst && !(error instanceof StoreError)) forgetRun(store.notes, id);
        throw error;
      });
      if (handle.created) return handle;
      // Begun elsewhere, where nobody knows here with which of them.
      if (isFirst && (await handle.get())?.definitionHash !== definition.hash) {
        forgetRun(store.notes, id);
        throw startedOtherwise(id, "with other steps", options);
      }
      terminal.say(`${id} was started before: this is how it goes on`);
      return handle;
    },
  });
}

/** What is noted of a run is how it was started; a second start that differs would have it go on with other variables, or steps. */
async function checkSameStart(store: Store, note: RunNote, options: RunCommandOptions): Promise<void> {
  const before = readNote(store.notes, note.id);
  if (isDeepStrictEqual(before, note)) return;
  const details = await withClient(options, (host) => host.getWorkflow(note.id), { make: true });
  // It did not come to a start, or was deleted since.
  if (before === undefined || details === undefined) return noteRun(store.notes, note);
  const isOtherFile = before.file !== note.file;
  const areOtherSteps = before.only !== note.only || before.from !== note.from;
  const how = isOtherFile ? `from ${before.file}` : areOtherSteps ? "with other steps" : "with other variables";
  throw startedOtherwise(note.id, how, options);
}

function startedOtherwise(id: string, how: string, options: StoreOptions): ConflictError {
  return new ConflictError(
    `${id} was started before, ${how}: let that go on with \`${commandLine(["resume", id], options)}\`, or give another --id`,
  );
}

/** Until it is interrupted; a run that fails does not end it. */
async function runAgainAndAgain(terminal: Terminal, file: string, options: RunCommandOptions): Promise<void> {
  let changed: () => void = () => {};
  let waiting = new Promise<void>((resolvePromise) => {
    changed = resolvePromise;
  });
  // Editors replace a file by another one: it is the folder that is told of it.
  const watcher = watch(dirname(resolve(file)), (_, name) => {
    if (name === basename(file)) changed();
  });
  try {
    for (;;) {
      try {
        await runOnce(terminal, file, options);
      } catch (error) {
        if (error instanceof CancelledError) throw error;
        terminal.say(`${terminal.style("red", "error:")} ${(error as Error).message}`);
      }
      terminal.say(`waiting for a change of ${file}`);
      await waiting;
      waiting = new Promise<void>((resolvePromise) => {
        changed = resolvePromise;
      });
      // It may be in the middle of being written.
      await new Promise((resolvePromise) => setTimeout(resolvePromise, 100));
    }
  } finally {
    watcher.close();
  }
}
