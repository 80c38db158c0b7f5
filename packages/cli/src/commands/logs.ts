import type { LogLine } from "@wfe/core";
import type { Command } from "commander";
import { type JsonOption, type StoreOptions, withJson, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { json } from "../terminal.ts";
import { withClient } from "../with-client.ts";

interface LogsOptions extends StoreOptions, JsonOption {
  readonly follow?: boolean;
  readonly step?: string;
}

/** How often new lines are looked for. */
const pollMs = 300;
/** How late what a step wrote may reach the store. */
const lateMs = 500;

/** `wfe logs`: what the steps of a workflow have written. */
export function addLogs(program: Command, { terminal }: Surroundings): void {
  withJson(withStore(program.command("logs").argument("<id>", "of the workflow")))
    .description("print what the steps of a workflow have written")
    .option("-f, --follow", "go on until it has ended")
    .option("--step <id>", "of this step alone")
    .action(async (id: string, options: LogsOptions) => {
      await withClient(options, async (host) => {
        const print = (lines: readonly LogLine[]): void => {
          for (const line of lines) {
            if (options.step !== undefined && line.stepId !== options.step) continue;
            terminal.data(options.json === true ? `${json(line)}\n` : text(line));
          }
        };
        let at: { readonly cursor?: string } = {};
        for (;;) {
          const { items, cursor } = await host.logs(id, at);
          print(items);
          // What comes next would be for nobody.
          if (terminal.isDataRefused()) return;
          if (cursor === undefined) {
            if (options.follow !== true) return;
            // What was written last may come a little after the end.
            await pause(lateMs);
            return print((await host.logs(id, at)).items.slice(items.length));
          }
          if (items.length === 0 && options.follow !== true) return;
          if (items.length === 0) await pause(pollMs);
          at = { cursor };
        }
      });
    });
}

function text({ kind, level, percent, text: written = "" }: LogLine): string {
  const before = kind === "log" ? `${level}: ` : kind === "progress" && percent !== undefined ? `${percent} % ` : "";
  return `${before}${written.replace(/\n$/, "")}\n`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
