import { createLogUpdate } from "log-update";
import { durationText } from "../duration-text.ts";
import type { Terminal } from "../terminal.ts";
import { OutputLines } from "./output-lines.ts";
import { isEnd } from "./plain-view.ts";
import type { BoardStatus, BoardStep, StepBoard } from "./step-board.ts";
import type { View } from "./view.ts";

/** How often durations move on. */
const frameMs = 100;
const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/** Lines of a failed step's output that stay on the screen. */
const tailLines = 20;

const signs: Readonly<Record<BoardStatus, readonly [string, "gray" | "cyan" | "yellow" | "green" | "red"]>> = {
  pending: ["○", "gray"],
  running: ["⠋", "cyan"],
  retrying: ["↻", "yellow"],
  waiting: ["◷", "yellow"],
  completed: ["✔", "green"],
  failed: ["✖", "red"],
  skipped: ["↷", "gray"],
  cancelled: ["■", "gray"],
  compensated: ["↶", "yellow"],
};

/** The steps as a tree that is drawn anew while they run; what a failed one has written last stays under it. */
export function liveView(terminal: Terminal): View {
  const draw = createLogUpdate(process.stderr);
  const lines = new OutputLines();
  const tails = new Map<string, string[]>();
  let board: StepBoard | undefined;
  let frame = 0;

  const render = (current: StepBoard, isLast: boolean): string => {
    const now = Date.now();
    return current.steps
      .flatMap((step) => [
        lineOf(terminal, step, { now, frame }),
        ...(step.status === "failed" && isLast ? (tails.get(step.id) ?? []).map((line) => `    │ ${line}`) : []),
        ...(step.status === "running" && !isLast ? lastLine(terminal, tails.get(step.id)) : []),
      ])
      .join("\n");
  };
  const timer = setInterval(() => {
    frame += 1;
    if (board !== undefined) draw(render(board, false));
  }, frameMs);
  // Whoever follows keeps the process alive, not the drawing.
  timer.unref();

  return {
    tell: (event, step, current) => {
      board = current;
      if (step === undefined) return;
      const tail = tails.get(step.id) ?? [];
      if (event.type === "step.output") tail.push(...lines.add(`${step.id}/${event.stream}`, event.chunk ?? ""));
      if (isEnd(event)) for (const stream of ["stdout", "stderr"]) tail.push(...lines.rest(`${step.id}/${stream}`));
      if (event.type === "step.started") tail.length = 0;
      tails.set(step.id, tail.slice(-tailLines));
    },
    end: (current) => {
      clearInterval(timer);
      draw(render(current, true));
      draw.done();
    },
  };
}

function lastLine(terminal: Terminal, tail: readonly string[] | undefined): readonly string[] {
  const line = tail?.at(-1);
  return line === undefined || line.trim() === ""
    ? []
    : [terminal.style("gray", `    │ ${cut(line, terminal.columns - 6)}`)];
}

function lineOf(terminal: Terminal, step: BoardStep, at: { readonly now: number; readonly frame: number }): string {
  const [sign, colour] = signs[step.status];
  const indent = "  ".repeat(step.depth);
  const shown = step.status === "running" ? (spinner[at.frame % spinner.length] ?? sign) : sign;
  const took = step.beganAt === undefined ? "" : ` ${durationText((step.endedAt ?? at.now) - step.beganAt)}`;
  const attempt = step.attempt > 1 ? ` attempt ${step.attempt}` : "";
  const runs = step.runs > 1 ? ` ×${step.runs}` : "";
  const note = step.note === undefined || step.note === "" ? "" : ` ${step.note.split("\n", 1)[0]}`;
  const name = step.status === "pending" || step.status === "skipped" ? terminal.style("gray", step.name) : step.name;
  const rest = cut(
    `${runs}${took}${attempt}${note}`,
    Math.max(10, terminal.columns - indent.length - step.name.length - 4),
  );
  return `${indent}${terminal.style(colour, shown)} ${name}${terminal.style("gray", rest)}`;
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}
