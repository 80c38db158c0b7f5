import { type Accepted, type WorkflowClient, WorkflowHost } from "@wfe/core";
import type { Command } from "commander";
import { ConflictError, NotFoundError } from "../exit-codes.ts";
import { finalStatuses } from "../final-statuses.ts";
import { keptLines } from "../kept-lines.ts";
import { type StoreOptions, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { quietLog } from "../quiet-log.ts";
import { storeAt } from "../store/store.ts";
import type { Terminal } from "../terminal.ts";
import { actor, withClient } from "../with-client.ts";
import { definitionsOfRun, type KnownRunOptions, withKnownRun } from "./resume.ts";

interface ControlOptions extends StoreOptions, KnownRunOptions {
  readonly reason?: string;
  readonly compensate?: boolean;
}

/** How long another host is given to apply a call before we look whether we can. */
const othersMs = 1_000;

/** `wfe suspend` and `wfe terminate`. */
export function addControl(program: Command, { terminal }: Surroundings): void {
  const control = (name: string, description: string): Command =>
    withKnownRun(withStore(program.command(name).argument("<id>", "of the workflow")))
      .description(description)
      .option("--reason <text>", "for the history");

  control("suspend", "stop a workflow until it is resumed").action(async (id: string, options: ControlOptions) =>
    apply({ terminal, id, options, done: "suspended" }, (host) => host.suspendWorkflow(id, reasonOf(options))),
  );
  control("terminate", "end a workflow")
    .option("--compensate", "undo what it has done first")
    .action(async (id: string, options: ControlOptions) =>
      apply({ terminal, id, options, done: "terminated" }, (host) =>
        host.terminateWorkflow(id, { ...reasonOf(options), compensate: options.compensate === true }),
      ),
    );
}

function reasonOf({ reason }: ControlOptions): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

interface Applying {
  readonly terminal: Terminal;
  readonly id: string;
  readonly options: ControlOptions;
  readonly done: string;
}

/** Stores the call, and sees to it that somebody applies it: a host that runs, or this process where it knows the definition. */
async function apply(
  { terminal, id, options, done }: Applying,
  call: (host: WorkflowClient) => Promise<Accepted>,
): Promise<void> {
  const { details, isApplied } = await withClient(options, async (host) => {
    const found = await host.getWorkflow(id);
    if (found === undefined) throw new NotFoundError(`there is no workflow \`${id}\`: see \`wfe list\``);
    if (found.status === done) return { details: found, isApplied: true };
    if (finalStatuses.has(found.status) && !(done === "terminated" && (await mayStillEnd(host, id)))) {
      throw new ConflictError(`${id} has ended already: it is ${found.status}`);
    }
    const accepted = await call(host.as(actor()));
    return { details: found, isApplied: await isSoonApplied(accepted) };
  });
  if (isApplied) return terminal.say(`${id} is ${done}`);
  const store = await storeAt(options, false);
  let definitions: Awaited<ReturnType<typeof definitionsOfRun>>;
  try {
    definitions = await definitionsOfRun(store, details, options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return terminal.say(`accepted: the next host that runs it will read it. Here it cannot be applied: ${why}`);
  }
  const host = new WorkflowHost({
    providers: store.providers,
    namespace: options.namespace,
    workflows: definitions,
    only: [id],
    allowRedefine: true,
    log: quietLog,
    limits: { logLines: keptLines },
  });
  try {
    await host.start();
    for (let look = 0; look < 100; look++) {
      const status = (await host.getWorkflow(id))?.status;
      if (status === done) return terminal.say(`${id} is ${done}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    terminal.say("accepted: it is applied as soon as its steps have stopped");
  } finally {
    await host.stop({ timeout: "10s" });
  }
}

/** One that failed in its undoing stands there until that is repeated, or given up. */
async function mayStillEnd(host: WorkflowClient, id: string): Promise<boolean> {
  const { actions } = await host.explain(id);
  return actions.some((action) => action.call === "terminateWorkflow");
}

async function isSoonApplied(accepted: Accepted): Promise<boolean> {
  try {
    await accepted.applied({ timeout: othersMs });
    return true;
  } catch (error) {
    if ((error as { readonly code?: string }).code === "RESULT_TIMEOUT") return false;
    throw error;
  }
}
