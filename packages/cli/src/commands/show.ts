import type { Explanation, WorkflowDetails } from "@wfe/core";
import type { Command } from "commander";
import { actionText } from "../action-text.ts";
import { NotFoundError } from "../exit-codes.ts";
import { type JsonOption, type StoreOptions, withJson, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { table } from "../table.ts";
import { json, type Terminal } from "../terminal.ts";
import { withoutWhen } from "../when-wrapper.ts";
import { withClient } from "../with-client.ts";

/** `wfe show`: one workflow as it is now. */
export function addShow(program: Command, { terminal }: Surroundings): void {
  withJson(withStore(program.command("show").argument("<id>", "of the workflow")))
    .description("show a workflow: its status, its steps, what it waits for, its data")
    .action(async (id: string, options: StoreOptions & JsonOption) => {
      const { details, explained } = await withClient(options, async (host) => {
        const found = await host.getWorkflow(id);
        const seen = found === undefined ? undefined : { ...found, steps: withoutWhen(found.steps) };
        return { details: seen, explained: found === undefined ? undefined : await host.explain(id) };
      });
      if (details === undefined) throw new NotFoundError(`there is no workflow \`${id}\`: see \`wfe list\``);
      if (options.json === true) terminal.data(`${json(details, 2)}\n`);
      else print(terminal, details, explained, options);
    });
}

function print(
  terminal: Terminal,
  details: WorkflowDetails,
  explained: Explanation | undefined,
  options: StoreOptions,
): void {
  const { id, definitionId, version, status, createdAt, completedAt, tags, error, data, steps } = details;
  const time = (at: number): string => new Date(at).toISOString();
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["id", id],
    ["definition", `${definitionId}@${version}`],
    ["status", status],
    ["created", time(createdAt)],
    ["ended", completedAt === undefined ? undefined : time(completedAt)],
    ["tags", tags.length === 0 ? undefined : tags.join(", ")],
    ["error", error?.message],
  ];
  for (const [name, value] of facts) if (value !== undefined) terminal.data(`${`${name}:`.padEnd(12)}${value}\n`);
  if (explained !== undefined) terminal.data(`\n${explained.story.trimEnd()}\n`);
  const actions = explained?.actions ?? [];
  if (actions.length > 0) {
    const lines = actions.map((action) => `  ${actionText(action, options)}  ${action.text}`);
    terminal.data(`\nWhat can be done:\n${lines.join("\n")}\n`);
  }
  if (steps.length > 0) {
    const rows = steps.map((step) => [step.name, step.status, String(step.attempt), String(step.runs)]);
    terminal.data(`\n${table(["STEP", "STATUS", "ATTEMPT", "RUNS"], rows)}`);
  }
  terminal.data(`\ndata: ${json(data, 2)}\n`);
}
