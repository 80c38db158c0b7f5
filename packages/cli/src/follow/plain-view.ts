import type { LifecycleEvent } from "@wfe/core";
import { durationText } from "../duration-text.ts";
import type { Terminal } from "../terminal.ts";
import { OutputLines } from "./output-lines.ts";
import type { BoardStep } from "./step-board.ts";
import type { View } from "./view.ts";

/** One line for each thing that happens, and for each line of output: for logs and pipes. */
export function plainView(terminal: Terminal): View {
  const lines = new OutputLines();
  /** Whose output has begun, by execution. */
  const begun = new Map<string, string>();
  const close = (execution: string): void => {
    const name = begun.get(execution);
    if (name === undefined) return;
    begun.delete(execution);
    for (const stream of ["stdout", "stderr"]) {
      for (const line of lines.rest(`${execution}/${stream}`)) terminal.say(`${name} | ${line}`);
    }
  };
  const say = (step: BoardStep, text: string): void => terminal.say(`${step.name}: ${text}`);
  return {
    tell: (event, step) => {
      if (step === undefined) return;
      const execution = event.executionId ?? step.id;
      if (event.type === "step.output") {
        begun.set(execution, step.name);
        const source = `${execution}/${event.stream}`;
        for (const line of lines.add(source, event.chunk ?? "")) terminal.say(`${step.name} | ${line}`);
        return;
      }
      if (isEnd(event)) close(execution);
      const text = textOf(event, step);
      if (text !== undefined) say(step, text);
    },
    end: () => {
      for (const execution of begun.keys()) close(execution);
    },
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
      if (step.status === "skipped") return "skipped";
      return `completed${took}${attempt}`;
    case "step.failed":
      return `failed${took}${attempt}: ${event.error?.message ?? "no reason"}`;
    case "step.progress":
      return step.note === "" ? undefined : step.note;
    default:
      return undefined;
  }
}
