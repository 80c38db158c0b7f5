import { expect, it } from "vitest";
import { retry } from "../../src/builder/retry.ts";
import { workflow } from "../../src/builder/workflow.ts";
import { reviveError } from "../../src/engine/index.ts";
import { Driver } from "./driver.ts";

function failing(): never {
  throw Object.assign(new RangeError("connection refused"), { port: 5432 });
}

const noIdea: unknown = "no idea";

it.each([
  ["throws", (error: any) => error.response.status > 500, /TypeError: Cannot read properties of undefined/],
  ["gives a promise", () => Promise.reject(new Error("later")) as any, /gave a promise/],
  [
    "throws something that is no error",
    () => {
      throw noIdea;
    },
    /a value that is not an error was thrown: no idea/,
  ],
])("a `when` that %s is an error of the step, without a retry, and hides nothing", async (_, when, says) => {
  const definition = workflow()
    .then(failing)
    .id("pay")
    .onError(retry({ maxRetries: 5, when }))
    .build("w", 1);
  const driver = new Driver(definition).start();
  const { phase } = await driver.run({ time: true });
  expect(phase).toBe("failed");
  expect(driver.kinds()).not.toContain("step-retrying");
  const failed = driver.entries.find((entry) => entry.kind === "step-failed");
  expect(failed?.attempt).toBe(1);
  const error = reviveError(failed!.error);
  expect(error).toMatchObject({ name: "ExpressionError", code: "EXPRESSION", stepId: "pay", attempt: 1 });
  expect(error.message).toMatch(says);
  expect(error.message).toMatch(/`when`.*step `pay` had failed with RangeError: connection refused; mend/);
  expect(error.cause).toMatchObject({ name: "RangeError", message: "connection refused", port: 5432 });
  expect((error.cause as Error).stack).toContain("failing");
});

it("a `when` that throws is followed by `then`, like one that says no", async () => {
  const thrower = (): never => failing();
  const behavior = retry({ maxRetries: 5, then: "ignore", when: thrower });
  const definition = workflow()
    .then(failing)
    .id("pay")
    .onError(behavior)
    .then(() => 1)
    .as("after")
    .build("w", 1);
  const state = await new Driver(definition).start().run({ time: true });
  expect(state).toMatchObject({ phase: "completed", data: { after: 1 } });
});

it("has the stack of what `when` threw", async () => {
  const itsOwnPlace = (): never => {
    throw new TypeError("no such field");
  };
  const definition = workflow()
    .then(failing)
    .onError(retry({ when: itsOwnPlace }))
    .build("w", 1);
  const driver = new Driver(definition).start();
  await driver.run({ time: true });
  expect(driver.entries.find((entry) => entry.kind === "step-failed")?.error.stack).toContain("itsOwnPlace");
});
