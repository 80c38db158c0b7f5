import type { Terminal } from "../terminal.ts";
import { OutputLines } from "./output-lines.ts";
import { isEnd, textOf } from "./plain-view.ts";
import type { View } from "./view.ts";

/** Lines of output that are held back for one attempt; of one that writes more, a group is written when so many have come. */
const mostHeld = 10_000;

/** What an attempt has written, so far. */
interface Held {
  readonly name: string;
  lines: string[];
}

/**
 * For the log of GitHub Actions: what an attempt of a step has written, as a group that can be folded. Groups cannot be nested or
 * mixed, so each is written at once, when its attempt has ended.
 */
export function gitHubView(terminal: Terminal): View {
  const lines = new OutputLines();
  const held = new Map<string, Held>();
  const close = (execution: string): void => {
    const { name, lines: output } = held.get(execution) ?? { name: "", lines: [] };
    held.delete(execution);
    for (const stream of ["stdout", "stderr"]) output.push(...lines.rest(`${execution}/${stream}`));
    writeGroup(terminal, name, output);
  };
  return {
    tell: (event, step) => {
      if (step === undefined) return;
      const execution = event.executionId ?? step.id;
      if (event.type === "step.output") {
        const output = held.get(execution) ?? { name: step.name, lines: [] };
        held.set(execution, output);
        output.lines.push(...lines.add(`${execution}/${event.stream}`, event.chunk ?? ""));
        if (output.lines.length < mostHeld) return;
        writeGroup(terminal, `${step.name} (goes on below)`, output.lines);
        output.lines = [];
        return;
      }
      const text = textOf(event, step);
      if (!isEnd(event)) {
        if (text !== undefined && event.type !== "step.started") terminal.say(`${step.name}: ${text}`);
        return;
      }
      close(execution);
      if (event.type === "step.failed")
        terminal.say(`::error title=${property(step.name)}::${message(text ?? "failed")}`);
      else terminal.say(`${step.name}: ${text}`);
    },
    end: () => {
      for (const execution of held.keys()) close(execution);
    },
  };
}

function writeGroup(terminal: Terminal, name: string, output: readonly string[]): void {
  if (output.length === 0) return;
  terminal.say(`::group::${name}`);
  // What a program writes is not to be taken for a command to the runner.
  const token = `wfe-${Math.random().toString(36).slice(2)}`;
  terminal.say(`::stop-commands::${token}`);
  for (const line of output) terminal.say(line);
  terminal.say(`::${token}::`);
  terminal.say("::endgroup::");
}

function message(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return message(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
