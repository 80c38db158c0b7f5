import type { HistoryItem } from "@wfe/core";
import type { Command } from "commander";
import { type JsonOption, type StoreOptions, withJson, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { table } from "../table.ts";
import { json } from "../terminal.ts";
import { withClient } from "../with-client.ts";

/** `wfe history`: all that has happened to a workflow. */
export function addHistory(program: Command, { terminal }: Surroundings): void {
  withJson(withStore(program.command("history").argument("<id>", "of the workflow")))
    .description("tell what has happened to a workflow, oldest first")
    .action(async (id: string, options: StoreOptions & JsonOption) => {
      await withClient(options, async (host) => {
        let cursor: string | undefined;
        let isFirst = true;
        do {
          const page = await host.history(id, { limit: 1_000, ...(cursor === undefined ? {} : { cursor }) });
          // One document per line: a history may be longer than what fits into one.
          if (options.json === true) for (const item of page.items) terminal.data(`${json(item)}\n`);
          else terminal.data(text(page.items, isFirst));
          isFirst = false;
          cursor = page.cursor;
        } while (cursor !== undefined);
      });
    });
}

function text(items: readonly HistoryItem[], withHead: boolean): string {
  const rows = items.map((item) => [
    String(item.seq),
    new Date(item.at).toISOString(),
    item.kind,
    item.stepId ?? "",
    item.attempt === undefined ? "" : String(item.attempt),
    item.error?.message ?? item.reason ?? (item.actor === undefined ? "" : `by ${item.actor}`),
  ]);
  const lines = table(["SEQ", "AT", "WHAT", "STEP", "ATTEMPT", "MORE"], rows);
  return withHead ? lines : lines.slice(lines.indexOf("\n") + 1);
}
