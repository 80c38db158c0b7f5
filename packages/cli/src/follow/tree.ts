import { stripVTControlCharacters } from "node:util";
import { durationText } from "../duration-text.ts";
import { harmless } from "../harmless.ts";
import type { Terminal } from "../terminal.ts";
import type { BoardStatus, BoardStep } from "./step-board.ts";

const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
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

/** Of these, many can be told in one line where there is no room for each. */
const foldable: ReadonlySet<BoardStatus> = new Set(["pending", "completed", "skipped", "cancelled", "compensated"]);

export interface Drawn {
  readonly now: number;
  readonly frame: number;
  /** Nothing moves any more: what failed steps have written last is shown. */
  readonly isLast: boolean;
  /** How many lines there is room for. */
  readonly rows: number;
  readonly tails: ReadonlyMap<string, readonly string[]>;
}

/**
 * Steps as lines. Where there are too many of them, those that stand beside each other and have nothing to say are one line together,
 * for what fails or runs to stay in view.
 */
export function tree(terminal: Terminal, steps: readonly BoardStep[], drawn: Drawn): string {
  const parts = steps.map((step) => ({ step, lines: linesOf(terminal, step, drawn) }));
  const all = parts.flatMap(({ lines }) => lines);
  if (all.length <= drawn.rows) return all.join("\n");
  const folded: string[] = [];
  for (let from = 0; from < parts.length;) {
    const { step, lines } = parts[from] as (typeof parts)[number];
    let to = from + 1;
    while (foldable.has(step.status) && parts[to]?.step.status === step.status) to += 1;
    const [sign, color] = signs[step.status];
    if (to - from < 2) folded.push(...lines);
    else folded.push(`${terminal.style(color, sign)} ${terminal.style("gray", `${to - from} ${step.status}`)}`);
    from = to;
  }
  return folded.join("\n");
}

function linesOf(terminal: Terminal, step: BoardStep, drawn: Drawn): readonly string[] {
  const tail = drawn.tails.get(step.id);
  if (drawn.isLast) {
    const left = step.status === "failed" ? (tail ?? []) : [];
    return [lineOf(terminal, step, drawn), ...left.map((line) => `    │ ${harmless(line)}`)];
  }
  return [lineOf(terminal, step, drawn), ...(step.status === "running" ? lastLine(terminal, tail) : [])];
}

function lastLine(terminal: Terminal, tail: readonly string[] | undefined): readonly string[] {
  const line = tail?.at(-1);
  return line === undefined || line.trim() === ""
    ? []
    : [terminal.style("gray", `    │ ${cut(plainText(line), terminal.columns - 6)}`)];
}

function lineOf(terminal: Terminal, step: BoardStep, at: { readonly now: number; readonly frame: number }): string {
  const [sign, colour] = signs[step.status];
  const indent = "  ".repeat(step.depth);
  const shown = step.status === "running" ? (spinner[at.frame % spinner.length] ?? sign) : sign;
  const took = step.beganAt === undefined ? "" : ` ${durationText((step.endedAt ?? at.now) - step.beganAt)}`;
  const attempt = step.attempt > 1 ? ` attempt ${step.attempt}` : "";
  const runs = step.runs > 1 ? ` ×${step.runs}` : "";
  const note = step.note === undefined || step.note === "" ? "" : ` ${plainText(step.note.split("\n", 1)[0] ?? "")}`;
  const plain = harmless(step.name.replaceAll("\n", "␊"));
  const name = step.status === "pending" || step.status === "skipped" ? terminal.style("gray", plain) : plain;
  const rest = cut(
    `${runs}${took}${attempt}${note}`,
    Math.max(10, terminal.columns - indent.length - plain.length - 4),
  );
  return `${indent}${terminal.style(colour, shown)} ${name}${terminal.style("gray", rest)}`;
}

/** Without colours too: they would be cut in two. */
function plainText(text: string): string {
  return harmless(stripVTControlCharacters(text));
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}
