import type { WorkflowDefinition, WorkflowDetails } from "@wfe/core";
import type { Command } from "commander";
import { definitionsOf } from "../definitions.ts";
import { ConflictError, NotFoundError, UsageError } from "../exit-codes.ts";
import { variable, withJson, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { runHere, type RunHereOptions } from "../run-here.ts";
import { selectSteps } from "../select-steps.ts";
import { readNote, type RunNote } from "../store/run-notes.ts";
import { type Store, storeAt } from "../store/store.ts";
import { actor, withClient } from "../with-client.ts";
import { withRunHere } from "./run.ts";

/** Where the definitions of a run that exists come from. */
export interface KnownRunOptions {
  readonly file?: string;
  readonly var?: Readonly<Record<string, unknown>>;
}

/** `wfe resume`: goes on here with a run that was interrupted or suspended. */
export function addResume(program: Command, { terminal }: Surroundings): void {
  const command = withJson(withStore(program.command("resume").argument("<id>", "of the run")));
  withRunHere(withKnownRun(command))
    .description("go on here with a run that was interrupted or suspended")
    .action(async (id: string, options: RunHereOptions & KnownRunOptions) => {
      const store = await storeAt(options, false);
      const details = await withClient(options, (host) => host.getWorkflow(id));
      if (details === undefined) throw new NotFoundError(`there is no run \`${id}\`: see \`wfe list\``);
      if (details.status === "failed") {
        throw new UsageError(`${id} has failed: \`wfe retry ${id}\` tries again what failed`);
      }
      await runHere({
        id,
        isKnown: true,
        store,
        definitions: await definitionsOfRun(store, details, options),
        terminal,
        options,
        begin: async (host) => {
          if (details.status === "suspended") await (await host.as(actor()).resumeWorkflow(id)).applied();
          return host.handle(id);
        },
      });
    });
}

/** `--file` and `--var`: for runs that were begun elsewhere. */
export function withKnownRun(command: Command): Command {
  return command
    .option("--file <file>", "where its definition is (default: where it was when the run was begun here)")
    .option("--var <name=value>", "a variable (default: as when the run was begun here)", variable);
}

/** Throws where nothing is known of them. */
export async function definitionsOfRun(
  store: Store,
  details: WorkflowDetails,
  options: KnownRunOptions,
): ReturnType<typeof definitionsOf> {
  const { id, definitionId, version } = details;
  const note: Partial<RunNote> = readNote(store.notes, id) ?? {};
  const file = options.file ?? note.file;
  if (file === undefined) {
    throw new UsageError(`${id} was not begun here: say with --file where workflow \`${definitionId}\` is defined`);
  }
  const loaded = await definitionsOf(file, { ...note.variables, ...options.var });
  const isMeant = (definition: WorkflowDefinition): boolean =>
    definition.id === definitionId && definition.version === version;
  if (!loaded.some(isMeant)) {
    throw new NotFoundError(`${file} has no version ${version} of workflow \`${definitionId}\`, which ${id} is of`);
  }
  return loaded.map((definition) =>
    isMeant(definition) ? asItWasBegun(definition, note, details, options.file) : definition,
  );
}

/**
 * The definition, or those of its steps that the run was begun with. A step may have been mended since; throws where one at which
 * the run stands is gone.
 */
function asItWasBegun(
  definition: WorkflowDefinition,
  note: Partial<RunNote>,
  details: WorkflowDetails,
  named: string | undefined,
): WorkflowDefinition {
  const { id, definitionHash, steps } = details;
  if (definition.hash === definitionHash) return definition;
  const selected = note.only ?? note.from;
  const narrowed =
    selected !== undefined && definition.index.places.has(selected) ? selectSteps(definition, note) : definition;
  if (narrowed.hash === definitionHash) return narrowed;
  // What was noted is of the file that was noted.
  const meant = named === undefined ? narrowed : definition;
  const missing = steps.find(
    (step) => step.runs > 0 && step.status !== "completed" && !meant.index.places.has(step.id),
  );
  if (missing === undefined) return meant;
  throw new ConflictError(
    `the steps of workflow \`${definition.id}\` version ${definition.version} were changed since ${id} was begun: it stands at step \`${missing.id}\`, which is not in ${named ?? note.file} any more. Put it back, or give the file as it was with --file; other steps want a \`version\` of their own`,
  );
}
