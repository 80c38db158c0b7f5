import { type LifecycleEvent, workflow } from "@wfe/core";
import { expect, it } from "vitest";
import { StepBoard } from "../src/follow/step-board.ts";
import { tree } from "../src/follow/tree.ts";
import { harmless } from "../src/harmless.ts";
import type { Terminal } from "../src/terminal.ts";
import { withoutWhen } from "../src/when-wrapper.ts";

const definition = workflow()
  .then(() => 1)
  .id("first")
  .parallel((p) => p.branch((b) => b.then(() => 2).id("inner")))
  .id("both")
  .build("w", 1);

const terminal = { style: (_: unknown, text: string) => text, columns: 80 } as Terminal;

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

it("draws steps in the order of the definition and under what they stand in, whatever began first", () => {
  const twice = workflow()
    .parallel((p) =>
      p
        .branch((b) =>
          b
            .saga((s) =>
              s
                .then(() => 1)
                .id("A1")
                .then(() => 2)
                .id("A2"),
            )
            .id("A"),
        )
        .branch((b) =>
          b
            .saga((s) =>
              s
                .then(() => 1)
                .id("B1")
                .then(() => 2)
                .id("B2"),
            )
            .id("B"),
        ),
    )
    .id("both")
    .build("w", 1);
  const board = new StepBoard(twice);
  for (const id of ["both", "A", "B", "B1", "A1", "B2", "A2"]) board.tell(event("step.started", id));
  const drawn = tree(terminal, board.steps, { now: 0, frame: 0, isLast: false, rows: 50, tails: new Map() });
  expect(drawn.split("\n").map((line) => line.replace(/[⠋-⠿] (\w+).*/u, "$1"))).toEqual([
    "both",
    "  A",
    "    A1",
    "    A2",
    "  B",
    "    B1",
    "    B2",
  ]);
});

it("keeps what has failed in view where there is no room for all", () => {
  const board = new StepBoard();
  board.read({
    steps: Array.from({ length: 31 }, (_, index) => ({
      id: `s${index}`,
      name: `s${index}`,
      status: index === 0 ? ("failed" as const) : ("pending" as const),
      attempt: 1,
      runs: 1,
      kind: "step" as const,
    })),
  });
  const tails = new Map([["s0", ["oh", "\u001B[2J\u001B[31mno\u001B[0m"]]]);
  const drawn = tree(terminal, board.steps, { now: 0, frame: 0, isLast: true, rows: 10, tails });
  expect(drawn.split("\n")).toEqual(["✖ s0", "    │ oh", "    │ ␛[2J\u001B[31mno\u001B[0m", "○ 30 pending"]);
});

it("tells a step whose condition is false as skipped, each time", () => {
  const board = new StepBoard();
  const happened = [
    event("step.started", "b/when", { executionId: "1" }),
    event("step.completed", "b/when", { executionId: "1" }),
    event("step.started", "b/when", { executionId: "2" }),
    event("step.started", "b", { executionId: "3" }),
    event("step.completed", "b", { executionId: "3" }),
    event("step.completed", "b/when", { executionId: "2" }),
    event("step.started", "b/when", { executionId: "4" }),
    event("step.completed", "b/when", { executionId: "4" }),
  ].map((each) => board.tell(each)?.status);
  expect(happened).toEqual([undefined, "skipped", undefined, "running", "completed", undefined, undefined, "skipped"]);
  expect(board.steps.map(({ id }) => id)).toEqual(["b"]);
});

it("shows a step for the node that its `when` becomes", () => {
  const step = (id: string, status: string): { id: string; name: string; status: string } => ({ id, name: id, status });
  expect(
    withoutWhen([
      step("a/when", "completed"),
      step("b/when", "completed"),
      step("b", "completed"),
      step("c/when", "failed"),
      step("c", "skipped"),
    ]),
  ).toEqual([step("a", "skipped"), step("b", "completed"), step("c", "failed")]);
});

it.each([
  ["a tab\tand a line\nend", "a tab\tand a line\nend"],
  ["of another system\r\nand\r", "of another system\nand"],
  ["\u001B[2Jevil", "␛[2Jevil"],
  ["\u001B]0;title\u0007", "␛]0;title␇"],
  ["\u009B2J 10%\r20% \u007F", "\\x9b2J 10%␍20% ␡"],
  ["\u001B[1;31mred\u001B[0m", "\u001B[1;31mred\u001B[0m"],
  ["\u001B[1;31mred\n", "\u001B[1;31mred\u001B[0m\n"],
])("makes control sequences harmless: %j", (text, told) => {
  expect(harmless(text)).toBe(told);
});
