import { type LifecycleEvent, workflow } from "@wfe/core";
import { expect, it } from "vitest";
import { StepBoard } from "../src/follow/step-board.ts";

const definition = workflow()
  .then(() => 1)
  .id("first")
  .parallel((p) => p.branch((b) => b.then(() => 2).id("inner")))
  .id("both")
  .build("w", 1);

function event(type: LifecycleEvent["type"], stepId: string, rest: Partial<LifecycleEvent> = {}): LifecycleEvent {
  return { type, at: 0, host: "h", namespace: "n", workflowId: "w", definitionId: "w", version: 1, stepId, ...rest };
}

it("tells how deep steps stand, and what becomes of them", () => {
  const board = new StepBoard(definition);
  board.tell(event("step.started", "first", { at: 10, attempt: 1 }));
  board.tell(event("step.retrying", "first", { at: 20, attempt: 1, error: { name: "Error", message: "no" } }));
  expect(board.steps).toMatchObject([{ id: "first", depth: 0, status: "retrying", note: "no" }]);
  board.tell(event("step.started", "first", { at: 30, attempt: 2 }));
  board.tell(event("step.completed", "first", { at: 40, attempt: 2 }));
  board.tell(event("step.waiting", "inner", { details: { events: [{ event: "paid", key: "7" }] } }));
  expect(board.steps).toMatchObject([
    { id: "first", status: "completed", attempt: 2, runs: 1, beganAt: 10, endedAt: 40 },
    { id: "inner", depth: 1, status: "waiting", note: "for paid (7)" },
  ]);
});
