import type { LifecycleEvent } from "@wfe/core";
import { durationText } from "../duration-text.ts";
import type { Terminal } from "../terminal.ts";
import { OutputLines } from "./output-lines.ts";
import type { BoardStep } from "./step-board.ts";
import type { View } from "./view.ts";

/** One line for each thing that happens, and for each line of output: for logs and pipes. */
export function plainView(terminal: Terminal): View {
  const lines = new OutputLines();
  const say = (step: BoardStep, text: string): void => terminal.say(`${step.name}: ${text}`);
  return {
    tell: (event, step) => {
      if (step === undefined) return;
      if (event.type === "step.output") {
        const source = `${event.executionId}/${event.stream}`;
        for (const line of lines.add(source, event.chunk ?? "")) terminal.say(`${step.name} | ${line}`);
        return;
      }
      if (isEnd(event)) {
        for (const stream of ["stdout", "stderr"]) {
          for (const line of lines.rest(`${event.executionId}/${stream}`)) terminal.say(`${step.name} | ${line}`);
        }
      }
      const text = textOf(event, step);
      if (text !== undefined) say(step, text);
    },
    end: () => {},
  };
}

export function isEnd({ type }: LifecycleEvent): boolean {
  return type === "step.completed" || type === "step.failed" || type === "step.retrying";
}

/** What has happened to a step, in a few words; undefined for what is not worth a line. */
export function textOf(event: LifecycleEvent, step: BoardStep): string | undefined {
  const took = step.beganAt === undefined ? "" : ` in ${durationText(event.at - step.beganAt)}`;
  const attempt = step.attempt > 1 ? ` (attempt ${step.attempt})` : "";
  switch (event.type) {
    case "step.started":
      return `started${attempt}`;
    case "step.waiting":
      return `waiting ${step.note ?? ""}`.trimEnd();
    case "step.retrying":
      return `failed, is retried: ${event.error?.message ?? "no reason"}`;
    case "step.completed":
      return `completed${took}${attempt}`;
    case "step.failed":
      return `failed${took}${attempt}: ${event.error?.message ?? "no reason"}`;
    case "step.progress":
      return step.note === "" ? undefined : step.note;
    default:
      return undefined;
  }
}
