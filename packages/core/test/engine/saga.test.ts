import { describe, expect, it } from "vitest";
import { retry } from "../../src/builder/retry.ts";
import { workflow } from "../../src/builder/workflow.ts";
import { Driver, log } from "./driver.ts";

describe("a saga", () => {
  it("undoes newest first, the failing step included, at any depth, then has failed itself", async () => {
    const { ran, step, failing } = log();
    const definition = workflow()
      .saga((b) =>
        b
          .then(step("s1"))
          .compensateWithSequence((u) => u.then(step("1a")).then(step("1b")))
          .ifDo(
            () => true,
            (i) =>
              i
                .then(step("s2"))
                .compensateWithSequence((u) => u.then(step("2a")).then(step("2b")))
                .then(step("s3"))
                .compensateWith(step("3"))
                .then(failing("s4"))
                .compensateWith(step("4")),
          ),
      )
      .then(step("tail"))
      .build("saga", 1);
    const driver = new Driver(definition).start();
    const state = await driver.run();
    expect(ran).toEqual(["s1", "s2", "s3", "s4", "4", "3", "2a", "2b", "1a", "1b"]);
    expect(state.phase).toBe("failed");
    expect(state.error?.message).toBe("s4 failed");
  });

  it("goes on after it when its onError says so", async () => {
    const { ran, step, failing } = log();
    const definition = workflow()
      .saga((b) => b.then(step("a")).compensateWith(step("undo a")).then(failing("b")))
      .as("trip")
      .onError("ignore")
      .compensateWith(step("own"))
      .then(step("tail"))
      .build("saga", 1);
    const driver = new Driver(definition).start();
    const state = await driver.run();
    expect(ran).toEqual(["a", "b", "undo a", "own", "tail"]);
    expect(state.phase).toBe("completed");
    expect(state.data).toMatchObject({ trip: { ok: false } });
  });

  it("begins again from its beginning with retry", async () => {
    const { ran, step, failing } = log();
    const definition = workflow()
      .saga((b) => b.then(step("a")).compensateWith(step("undo a")).then(failing("b", 2)).then(step("c")))
      .onError(retry({ interval: "1s", maxRetries: 5 }))
      .then(step("tail"))
      .build("saga", 1);
    const driver = new Driver(definition).start();
    const state = await driver.run({ time: true });
    expect(ran).toEqual(["a", "b", "undo a", "a", "b", "undo a", "a", "b", "c", "tail"]);
    expect(state.phase).toBe("completed");
  });

  it("is undone by the saga around it after it has completed: inner steps, then its own compensation", async () => {
    const { ran, step, failing } = log();
    const definition = workflow()
      .then(step("first"))
      .compensateWith(step("undo first"))
      .saga((b) => b.then(step("x")).compensateWith(step("undo x")).then(step("y")).compensateWith(step("undo y")))
      .compensateWith(step("undo saga"))
      .then(failing("last"))
      .build("saga", 1);
    const driver = new Driver(definition).start();
    const state = await driver.run();
    expect(ran).toEqual(["first", "x", "y", "last", "undo y", "undo x", "undo saga", "undo first"]);
    expect(state.phase).toBe("failed");
  });

  it("undoes across parallel branches in the reverse order of completion, and the stopped sibling first", async () => {
    const { ran, step, failing } = log();
    const definition = workflow()
      .saga((b) =>
        b.parallel((p) =>
          p
            .branch((x) =>
              x
                .then(step("a1"))
                .compensateWith(step("undo a1"))
                .then(step("a2"))
                .compensateWith(step("undo a2"))
                .delay("1h"),
            )
            .branch((x) => x.then(step("b1")).compensateWith(step("undo b1")).delay("1m").then(failing("b2"))),
        ),
      )
      .build("saga", 1);
    const driver = new Driver(definition).start();
    const state = await driver.run({ time: true });
    expect(ran).toEqual(["a1", "b1", "a2", "b2", "undo a2", "undo b1", "undo a1"]);
    expect(state.phase).toBe("failed");
  });

  it("stops at an undoing that fails for good; retryWorkflow repeats it and undoes the rest", async () => {
    const { ran, step, failing } = log();
    const definition = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .then(step("b"))
      .id("b")
      .compensateWith(failing("undo b", 1))
      .then(failing("c", 1))
      .build("saga", 1);
    const driver = new Driver(definition).start();
    let state = await driver.run();
    expect(state.phase).toBe("failed");
    expect(state.error).toMatchObject({ code: "COMPENSATION_FAILED", stepId: "b" });
    driver.deliver({ kind: "retry" });
    state = await driver.run();
    expect(ran).toEqual(["a", "b", "c", "undo b", "undo b", "undo a"]);
    expect(state.phase).toBe("failed");
    driver.deliver({ kind: "retry" });
    state = await driver.run();
    expect(state.phase).toBe("completed");
    expect(ran.slice(6)).toEqual(["a", "b", "c"]);
  });

  it("gives compensations the output or the error, and the key of what they undo", async () => {
    const seen: unknown[] = [];
    const definition = workflow<{ amount: number }>()
      .then(() => ({ chargeId: "c1" }))
      .as("charge")
      .compensateWith(
        (data, ctx) => void seen.push(["charge", ctx.undoing.output, data.charge, ctx.undoing.idempotencyKey]),
      )
      .then(() => {
        throw new Error("no");
      })
      .compensateWith((_, ctx) => void seen.push(["failing", ctx.undoing.error?.message]))
      .build("saga", 1);
    const driver = new Driver(definition).start({ amount: 1 });
    await driver.run();
    expect(seen).toEqual([
      ["failing", "no"],
      ["charge", { chargeId: "c1" }, { chargeId: "c1" }, "uid0uid0.3"],
    ]);
  });
});
