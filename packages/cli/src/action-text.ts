import type { ExplainedAction } from "@wfe/core";
import { commandLine } from "./in-our-words.ts";
import type { StoreOptions } from "./options.ts";

/** The command that does what a call of the library does; where there is none, the call. */
export function actionText({ call, arguments: args }: ExplainedAction, options: StoreOptions): string {
  const [id, second] = args.map((argument) => (typeof argument === "string" ? argument : JSON.stringify(argument)));
  if (id === undefined) return `in a program: ${call}()`;
  const line = (...words: readonly string[]): string => commandLine(words, options);
  switch (call) {
    case "retryWorkflow": {
      const given = retryOptions(args[1]);
      return given === undefined ? inProgram(call, args) : line("retry", id, ...given);
    }
    case "resumeWorkflow":
      return line("resume", id);
    case "suspendWorkflow":
      return line("suspend", id);
    case "terminateWorkflow":
      return line("terminate", id);
    case "publishEvent":
      return `${line("events", "publish", id, second ?? "")} [payload]`;
    case "explain":
      return line("show", id);
    default:
      return inProgram(call, args);
  }
}

/** Undefined for what the command cannot say: an item of an item. */
function retryOptions(given: unknown): readonly string[] | undefined {
  const { from, item = [] } = (given ?? {}) as { readonly from?: string; readonly item?: readonly number[] };
  if (item.length > 1) return undefined;
  return [...(from === undefined ? [] : ["--from", from]), ...item.flatMap((number) => ["--item", String(number)])];
}

function inProgram(call: string, args: readonly unknown[]): string {
  return `in a program: ${call}(${args.map((argument) => JSON.stringify(argument) ?? "...").join(", ")}, ...)`;
}
