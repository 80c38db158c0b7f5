import { type Duration, WorkflowHost } from "@wfe/core";
import type { Command } from "commander";
import { definitionsOf } from "../definitions.ts";
import { CancelledError } from "../exit-codes.ts";
import { duration, type StoreOptions, variable, wholeNumber, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { keptLines } from "../kept-lines.ts";
import { listenForSignals } from "../signals.ts";
import { storeAt } from "../store/store.ts";

interface WorkerOptions extends StoreOptions {
  readonly var?: Readonly<Record<string, unknown>>;
  readonly concurrency: number;
  readonly grace: string;
}

/** `wfe worker`: a host that runs what is due, until it is told to stop. */
export function addWorker(program: Command, { terminal }: Surroundings): void {
  withStore(program.command("worker").argument("<files...>", "YAML, or modules that export workflows"))
    .description("run workflows of these files that are started elsewhere, until it is told to stop")
    .option("--var <name=value>", "a variable (may be given several times)", variable)
    .option("--concurrency <number>", "workflows in hand at once", wholeNumber, 500)
    .option("--grace <duration>", "how long running steps may take when it is stopped", duration, "30s")
    .action(async (files: readonly string[], options: WorkerOptions) => {
      const definitions = (await Promise.all(files.map((file) => definitionsOf(file, options.var ?? {})))).flat();
      const store = await storeAt(options, true);
      const host = new WorkflowHost({
        providers: store.providers,
        namespace: options.namespace,
        workflows: definitions,
        concurrency: options.concurrency,
        limits: { logLines: keptLines },
      });
      host.on("workflow.started", ({ workflowId }) => terminal.say(`${workflowId}: started`));
      host.on("workflow.completed", ({ workflowId }) => terminal.say(`${workflowId}: completed`));
      host.on("workflow.failed", ({ workflowId, error }) =>
        terminal.say(`${workflowId}: failed: ${error?.message ?? "no reason"}`),
      );
      const signals = listenForSignals(terminal);
      try {
        await host.start();
        terminal.say(`runs ${definitions.map(({ id, version }) => `${id}@${version}`).join(", ")} from ${store.name}`);
        await signals.interrupted;
      } catch (error) {
        // To stop is what it was told.
        if (!(error instanceof CancelledError)) throw error;
      } finally {
        await host.stop({ timeout: options.grace as Duration });
        signals.end();
      }
    });
}
