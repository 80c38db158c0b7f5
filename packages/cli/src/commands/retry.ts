import type { Command } from "commander";
import { NotFoundError } from "../exit-codes.ts";
import { wholeNumber, withJson, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { runHere, type RunHereOptions } from "../run-here.ts";
import { storeAt } from "../store/store.ts";
import { actor, withClient } from "../with-client.ts";
import { definitionsOfRun, type KnownRunOptions, withKnownRun } from "./resume.ts";
import { withRunHere } from "./run.ts";

interface RetryCommandOptions extends RunHereOptions, KnownRunOptions {
  readonly from?: string;
  readonly item?: number;
  readonly detach?: boolean;
}

/** `wfe retry`: tries again what failed, here or, with `--detach`, where a worker runs. */
export function addRetry(program: Command, { terminal }: Surroundings): void {
  const command = withJson(withStore(program.command("retry").argument("<id>", "of the workflow")));
  withRunHere(withKnownRun(command))
    .description("try a failed or suspended workflow again, from what failed or from an earlier step")
    .option("--from <step>", "go back to this step")
    .option("--item <number>", "this item of a for-each alone, from 0", wholeNumber)
    .option("--detach", "only ask for it: a worker goes on with it")
    .action(async (id: string, options: RetryCommandOptions) => {
      const retry = {
        ...(options.from === undefined ? {} : { from: options.from }),
        ...(options.item === undefined ? {} : { item: options.item }),
      };
      if (options.detach === true) {
        await withClient(options, (host) => host.as(actor()).retryWorkflow(id, retry));
        return terminal.say("accepted: the next host that runs it will read it");
      }
      const store = await storeAt(options, false);
      const details = await withClient(options, (host) => host.getWorkflow(id));
      if (details === undefined) throw new NotFoundError(`there is no workflow \`${id}\`: see \`wfe list\``);
      await runHere({
        id,
        isKnown: true,
        store,
        definitions: await definitionsOfRun(store, details, options),
        terminal,
        options,
        begin: async (host) => {
          await (await host.as(actor()).retryWorkflow(id, retry)).applied();
          return host.handle(id);
        },
      });
    });
}
