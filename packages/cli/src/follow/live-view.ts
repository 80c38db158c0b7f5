import { createLogUpdate } from "log-update";
import type { Terminal } from "../terminal.ts";
import { OutputLines } from "./output-lines.ts";
import { isEnd } from "./plain-view.ts";
import type { StepBoard } from "./step-board.ts";
import { tree } from "./tree.ts";
import type { View } from "./view.ts";

/** How often durations move on. */
const frameMs = 100;
/** Lines of a failed step's output that stay on the screen. */
const tailLines = 20;

/** The steps as a tree that is drawn anew while they run; what a failed one has written last stays under it. */
export function liveView(terminal: Terminal): View {
  const draw = createLogUpdate(process.stderr);
  const lines = new OutputLines();
  const tails = new Map<string, string[]>();
  let board: StepBoard | undefined;
  let frame = 0;

  const render = (current: StepBoard, isLast: boolean): string =>
    // One row is where the cursor stands.
    tree(terminal, current.steps, { now: Date.now(), frame, isLast, rows: (process.stderr.rows ?? 24) - 1, tails });
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
      // Drawing would cut off what there is no room for.
      draw.clear();
      terminal.say(render(current, true));
      draw.done();
    },
  };
}
