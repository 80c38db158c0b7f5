import { describe, expect, it } from "vitest";
import { workflow, type ErrorBehavior, type WorkflowDefinition } from "../../src/index.ts";
import { decodeEntries } from "../../src/engine/index.ts";
import { endedItemScope } from "../../src/engine/set-item.ts";
import { Driver } from "./driver.ts";

/** Boxes in boxes: what is in them is seen in turn; `bad` is refused. */
function boxes(seen: string[], onError: ErrorBehavior, bad: readonly string[] = ["bad"]): WorkflowDefinition {
  return workflow()
    .forEach(
      () => [
        ["a0", "bad", "a2"],
        ["b0", "b1", "b2"],
      ],
      (outer) =>
        outer
          .forEach(
            (_, at) => at.item as string[],
            (inner) =>
              inner
                .delay((_, at) => (at.item === "b1" ? 10 : 0))
                .then((_, at) => {
                  if (bad.includes(String(at.item))) throw new Error("bad item");
                  seen.push(String(at.item));
                })
                .id("pack")
                .onError(onError),
            { concurrency: 1 },
          )
          .id("inner"),
      { concurrency: 2, onFailure: "wait" },
    )
    .id("outer")
    .build("w", 1);
}

function ended(driver: Driver, index: number, around?: readonly number[], stepId = "inner"): unknown {
  const turns = driver.journal.map(({ seq, text }) => ({ seq, entries: decodeEntries(text) }));
  const call = { kind: "set-item", stepId, index, item: "x", ...(around === undefined ? {} : { around }) } as const;
  return endedItemScope(driver.definition, turns, call);
}

describe("an item of nested for-eaches", () => {
  it("is replaced where it has failed, and nowhere else", async () => {
    const seen: string[] = [];
    const driver = new Driver(boxes(seen, "suspend")).start();
    expect(await driver.run()).toMatchObject({ phase: "suspended" });
    expect(driver.deliver({ kind: "set-item", stepId: "inner", index: 1, item: "mended" })).toEqual({});
    driver.deliver({ kind: "retry" });
    expect(await driver.run({ time: true })).toMatchObject({ phase: "completed" });
    expect(seen.toSorted()).toEqual(["a0", "a2", "b0", "b1", "b2", "mended"]);
  });

  it("is to be named by all its numbers where nothing tells which is meant", async () => {
    const seen: string[] = [];
    const driver = new Driver(boxes(seen, "suspend")).start();
    await driver.run();
    const { refused } = driver.deliver({ kind: "set-item", stepId: "inner", index: 2, item: "new" });
    expect(refused).toContain("one of [0, 2], [1, 2]");
    expect(driver.deliver({ kind: "set-item", stepId: "inner", around: [0], index: 9, item: "new" }).refused).toContain(
      "has 3 items",
    );
    expect(driver.deliver({ kind: "set-item", stepId: "inner", around: [7], index: 1, item: "new" }).refused).toContain(
      "not open in item 7",
    );
    expect(driver.deliver({ kind: "set-item", stepId: "inner", around: [1], index: 2, item: "new" })).toEqual({});
    expect(driver.deliver({ kind: "set-item", stepId: "inner", around: [0], index: 1, item: "mended" })).toEqual({});
    driver.deliver({ kind: "retry" });
    expect(await driver.run({ time: true })).toMatchObject({ phase: "completed" });
    expect(seen.toSorted()).toEqual(["a0", "a2", "b0", "b1", "mended", "new"]);
  });

  it("is found in the journal of a workflow that has failed", async () => {
    const seen: string[] = [];
    const driver = new Driver(boxes(seen, "fail")).start();
    expect(await driver.run({ time: true })).toMatchObject({ phase: "failed" });
    expect(ended(driver, 1, [7])).toMatchObject({ refused: expect.stringContaining("never reached in item 7") });
    expect(ended(driver, 1, [], "pack")).toMatchObject({ refused: expect.stringContaining("no `forEach`") });
    expect(driver.deliver({ kind: "set-item", stepId: "inner", index: 1, item: "mended" })).toEqual({});
    driver.deliver({ kind: "retry" });
    expect(await driver.run({ time: true })).toMatchObject({ phase: "completed" });
    expect(seen.toSorted()).toEqual(["a0", "a2", "b0", "b1", "b2", "mended"]);
  });

  it("is to be named also there, where several have failed at that number", async () => {
    const driver = new Driver(boxes([], "fail", ["bad", "b1"])).start();
    await driver.run({ time: true });
    expect(ended(driver, 1)).toMatchObject({ refused: expect.stringContaining("one of [0, 1], [1, 1]") });
    expect(ended(driver, 1, [1])).toEqual({ scope: expect.any(Number) });
    expect(ended(driver, 1, [1])).not.toEqual(ended(driver, 1, [0]));
  });

  it("counts for a for-each that had ended well, when a retry goes back into it", async () => {
    const seen: string[] = [];
    let broken = true;
    const definition = workflow()
      .forEach(
        () => ["a", "b"],
        (b) => b.then((_, at) => void seen.push(String(at.item))).id("pack"),
      )
      .id("each")
      .then(() => {
        if (broken) throw new Error("no");
      })
      .build("w", 1);
    const driver = new Driver(definition).start();
    await driver.run();
    broken = false;
    expect(ended(driver, 2, undefined, "each")).toMatchObject({ refused: expect.stringContaining("2 items") });
    expect(driver.deliver({ kind: "set-item", stepId: "each", index: 1, item: "new" })).toEqual({});
    driver.deliver({ kind: "retry", from: "pack", item: [1] });
    expect(await driver.run()).toMatchObject({ phase: "completed" });
    expect(seen).toEqual(["a", "b", "new"]);
  });
});
