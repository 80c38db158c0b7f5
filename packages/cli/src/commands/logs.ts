import type { LogLine, WorkflowDefinition, WorkflowHost } from "@wfe/core";
import type { Command } from "commander";
import { NotFoundError } from "../exit-codes.ts";
import { keptLines } from "../kept-lines.ts";
import { MissingLines } from "../missing-lines.ts";
import { type JsonOption, type StoreOptions, withJson, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import type { Store } from "../store/store.ts";
import { json } from "../terminal.ts";
import { withClient } from "../with-client.ts";
import { definitionsOfRun } from "./resume.ts";

interface LogsOptions extends StoreOptions, JsonOption {
  readonly follow?: boolean;
  readonly step?: string;
}

/** Read by one call. */
const pageLines = 1_000;
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
      await withClient(options, async (host, store) => {
        const missing = new MissingLines();
        let last: LogLine | undefined;
        let isPrinted = false;
        const print = (lines: readonly LogLine[]): void => {
          last = lines.at(-1) ?? last;
          for (const line of lines) {
            if (options.step !== undefined && line.stepId !== options.step) continue;
            isPrinted = true;
            const count = missing.before(line);
            if (count > 0) terminal.say(missingText(count, line));
            terminal.data(options.json === true ? `${json(line)}\n` : text(line));
          }
        };
        const end = async (): Promise<void> => {
          if (options.step !== undefined && !isPrinted) await checkStep(host, store, id, options.step);
        };
        let at: { readonly cursor?: string } = {};
        for (;;) {
          const { items, cursor } = await host.logs(id, { ...at, limit: pageLines });
          print(items);
          // What comes next would be for nobody.
          if (terminal.isDataRefused()) return;
          if (cursor === undefined) {
            if (options.follow !== true) return end();
            // What was written last may come a little after the end.
            await pause(lateMs);
            const late = await host.logs(id, { ...at, limit: pageLines });
            print(after(late.items, last));
            if (late.cursor === undefined) return end();
            at = { cursor: late.cursor };
            continue;
          }
          if (items.length === 0 && options.follow !== true) return end();
          if (items.length === 0) await pause(pollMs);
          at = { cursor };
        }
      });
    });
}

/** Throws where there is no such step: one that wrote nothing is something else. */
async function checkStep(host: WorkflowHost, store: Store, id: string, step: string): Promise<void> {
  const details = await host.getWorkflow(id);
  if (details === undefined) return;
  // The store knows those that have begun; those to come are in the file, where the run was begun here.
  const definitions = await definitionsOfRun(store, details, {}).catch(() => undefined);
  const isIts = (each: WorkflowDefinition): boolean =>
    each.id === details.definitionId && each.version === details.version;
  const places = definitions?.find(isIts)?.index.places.keys() ?? [];
  const known = new Set([...places, ...details.steps.map((each) => each.id)]);
  if (known.has(step)) return;
  const names = [...known].map((each) => `\`${each}\``).join(", ");
  throw new NotFoundError(`${id} has no step \`${step}\`; it has ${names === "" ? "none" : names}`);
}

/** What comes after a line that was printed; all, where that one is there no longer. */
function after(lines: readonly LogLine[], printed: LogLine | undefined): readonly LogLine[] {
  const isIt = ({ at, executionId, attempt, line, text: written }: LogLine): boolean =>
    at === printed?.at &&
    executionId === printed.executionId &&
    attempt === printed.attempt &&
    line === printed.line &&
    written === printed.text;
  return lines.slice(lines.findLastIndex(isIt) + 1);
}

function missingText(count: number, { stepId }: LogLine): string {
  const lines = count === 1 ? "1 line" : `${count.toLocaleString("en")} lines`;
  return `… ${lines} of ${stepId} ${count === 1 ? "is" : "are"} gone: of a workflow the newest are kept, ${keptLines.toLocaleString("en")} where \`wfe\` runs it`;
}

function text({ kind, level, percent, text: written = "" }: LogLine): string {
  const before = kind === "log" ? `${level}: ` : kind === "progress" && percent !== undefined ? `${percent} % ` : "";
  return `${before}${written.replace(/\n$/, "")}\n`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
