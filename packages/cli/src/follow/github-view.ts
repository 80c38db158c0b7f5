import type { Terminal } from "../terminal.ts";
import { OutputLines } from "./output-lines.ts";
import { isEnd, textOf } from "./plain-view.ts";
import type { View } from "./view.ts";

/** Lines of output that are held back for one attempt; of more than these the first are let go. */
const mostHeld = 10_000;

/**
 * For the log of GitHub Actions: what an attempt of a step has written, as a group that can be folded. Groups cannot be nested or
 * mixed, so each is written when its attempt has ended.
 */
export function gitHubView(terminal: Terminal): View {
  const lines = new OutputLines();
  const held = new Map<string, string[]>();
  return {
    tell: (event, step) => {
      if (step === undefined) return;
      const execution = event.executionId ?? step.id;
      const output = held.get(execution) ?? [];
      if (event.type === "step.output") {
        output.push(...lines.add(`${execution}/${event.stream}`, event.chunk ?? ""));
        if (output.length > mostHeld) output.splice(0, output.length - mostHeld);
        held.set(execution, output);
        return;
      }
      const text = textOf(event, step);
      if (!isEnd(event)) {
        if (text !== undefined && event.type !== "step.started") terminal.say(`${step.name}: ${text}`);
        return;
      }
      for (const stream of ["stdout", "stderr"]) output.push(...lines.rest(`${execution}/${stream}`));
      held.delete(execution);
      if (output.length > 0) {
        terminal.say(`::group::${step.name}`);
        // What a program writes is not to be taken for a command to the runner.
        const token = `wfe-${Math.random().toString(36).slice(2)}`;
        terminal.say(`::stop-commands::${token}`);
        for (const line of output) terminal.say(line);
        terminal.say(`::${token}::`);
        terminal.say("::endgroup::");
      }
      if (event.type === "step.failed")
        terminal.say(`::error title=${property(step.name)}::${message(text ?? "failed")}`);
      else terminal.say(`${step.name}: ${text}`);
    },
    end: () => {},
  };
}

function message(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return message(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
