import type { LifecycleEvent } from "@wfe/core";
import type { BoardStep, StepBoard } from "./step-board.ts";

/** Shows a run to whoever watches. */
export interface View {
  /** Something has happened; `step` is what it happened to. */
  tell(event: LifecycleEvent, step: BoardStep | undefined, board: StepBoard): void;
  /** The run has ended, or is let go. */
  end(board: StepBoard): void;
}
