import type { WorkflowStatus } from "@wfe/core";
import type { Command } from "commander";
import { durationText } from "../duration-text.ts";
import { UsageError } from "../exit-codes.ts";
import { collect, type JsonOption, type StoreOptions, wholeNumber, withJson, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { table } from "../table.ts";
import { json } from "../terminal.ts";
import { withClient } from "../with-client.ts";

interface ListCommandOptions extends StoreOptions, JsonOption {
  readonly status?: readonly WorkflowStatus[];
  readonly definition?: string;
  readonly tag?: string;
  readonly waitingFor?: string;
  readonly search?: string;
  readonly limit: number;
  readonly cursor?: string;
}

/** `wfe list`: workflows, newest first. */
export function addList(program: Command, { terminal }: Surroundings): void {
  withJson(withStore(program.command("list").alias("ls")))
    .description("list workflows, newest first")
    .option("--status <status>", "only those of this status (may be given several times)", collect)
    .option("--definition <id>", "only those of this definition")
    .option("--tag <tag>", "only those with this tag")
    .option("--waiting-for <event>", "only those that wait for this event")
    .option("--search <query>", "those that a search finds: words, and filters such as status:failed")
    .option("--limit <number>", "at most so many", wholeNumber, 50)
    .option("--cursor <cursor>", "go on after the page that ended with this cursor")
    .action(async (options: ListCommandOptions) => {
      const { search, waitingFor } = options;
      const page = { limit: options.limit, ...(options.cursor === undefined ? {} : { cursor: options.cursor }) };
      const filter = {
        ...(options.status === undefined ? {} : { status: options.status }),
        ...(options.definition === undefined ? {} : { definitionId: options.definition }),
        ...(options.tag === undefined ? {} : { tag: options.tag }),
        ...(waitingFor === undefined ? {} : { waitingForEvent: waitingFor }),
      };
      if (search !== undefined && Object.keys(filter).length > 0) {
        throw new UsageError("--search has filters of its own: --search 'declined status:failed tag:vip'");
      }
      const { items, cursor } = await withClient(options, (host) =>
        search === undefined ? host.listWorkflows({ ...filter, ...page }) : host.searchWorkflows(search, page),
      );
      if (options.json === true) return terminal.data(`${json({ items, cursor: cursor ?? null }, 2)}\n`);
      if (items.length === 0) return terminal.say("there are none");
      const rows = items.map(({ id, definitionId, version, status, createdAt, completedAt }) => [
        id,
        `${definitionId}@${version}`,
        status,
        new Date(createdAt).toISOString(),
        completedAt === undefined ? "" : durationText(completedAt - createdAt),
      ]);
      terminal.data(table(["ID", "DEFINITION", "STATUS", "CREATED", "TOOK"], rows));
      if (cursor !== undefined) terminal.say(`there are more: --cursor ${cursor}`);
    });
}
