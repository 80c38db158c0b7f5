import type { Command } from "commander";
import { UsageError } from "../exit-codes.ts";
import { type StoreOptions, wholeNumber, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { actor, withClient } from "../with-client.ts";

interface MigrateOptions extends StoreOptions {
  readonly to?: number;
  readonly step?: Readonly<Record<string, string>>;
}

/** `wfe migrate`: the store's tables, or with an id one workflow to another version of its definition. */
export function addMigrate(program: Command, { terminal }: Surroundings): void {
  withStore(
    program.command("migrate").argument("[id]", "of a workflow to move to another version (default: the store itself)"),
  )
    .description("make or migrate the store's tables; or move a workflow to another version of its definition")
    .option("--to <version>", "the version that the workflow moves to", wholeNumber)
    .option("--step <old=new>", "a step that is called otherwise there (may be given several times)", renamed)
    .action(async (id: string | undefined, options: MigrateOptions) => {
      if ((id === undefined) !== (options.to === undefined)) {
        throw new UsageError("a workflow's id and --to belong together: give both, or neither to migrate the store");
      }
      await withClient(
        options,
        async (host, store) => {
          if (id === undefined || options.to === undefined) {
            // The first call opens the store, which makes or migrates its tables.
            await host.countWorkflows();
            return terminal.say(`${store.name} is up to date`);
          }
          const renames = options.step === undefined ? {} : { steps: options.step };
          await host.as(actor()).migrateWorkflow(id, options.to, renames);
          terminal.say("accepted: the next host that runs it will read it");
        },
        { make: id === undefined },
      );
    });
}

function renamed(given: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [from, to] = given.split("=", 2);
  if (from === undefined || from === "" || to === undefined || to === "") {
    throw new UsageError("--step has to be old=new");
  }
  return { ...before, [from]: to };
}
