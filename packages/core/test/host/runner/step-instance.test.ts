import { expect, it } from "vitest";
import { retry } from "../../../src/builder/retry.ts";
import { workflow } from "../../../src/builder/workflow.ts";
import { WorkflowHost } from "../../../src/host/workflow-host.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";

class Charge {
  run(): number {
    return 1;
  }
}

class Empty {}

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Runs one step of the class, and gives the error and how often an instance was asked for. */
async function failureOf(Step: unknown, createStep?: (Step: any) => unknown): Promise<[any, number]> {
  let asked = 0;
  const counted = (Class: any): any => {
    asked += 1;
    return createStep === undefined ? new Class() : createStep(Class);
  };
  const definition = workflow()
    .then(Step as typeof Charge)
    .id("pay")
    .onError(retry({ maxRetries: 4 }))
    .build("w", 1);
  const clock = new TestClock();
  await using host = new WorkflowHost({
    providers: [memory()],
    clock,
    log,
    workflows: [definition],
    createStep: counted,
  });
  await host.start();
  const handle = await host.startWorkflow(definition, {});
  await clock.advance("10m");
  const { status, error } = (await host.getWorkflow(handle.id))!;
  expect(status).toBe("failed");
  return [error, asked];
}

it.each([
  ["has no `run`", Empty, undefined, /`Empty`.*gave a Empty, which has no method `run`/],
  ["is made by a factory that gives nothing", Charge, () => undefined, /`Charge`.*gave undefined, which has no/],
  ["is made by a factory that gives null", Charge, () => null, /gave null/],
  ["is made by a factory that gives the class", Charge, () => Charge, /gave a function \(Charge\), which has no/],
  ["is made by an asynchronous factory", Charge, async () => new Charge(), /gave a promise; it must give, at once/],
  ["is made by a factory that rejects", Charge, () => Promise.reject(new Error("no database")), /gave a promise/],
])("a step whose class %s fails with what to do, and is not tried again", async (_, Step, createStep, says) => {
  const [error, asked] = await failureOf(Step, createStep);
  expect(asked).toBe(1);
  expect(error).toMatchObject({ code: "FATAL", stepId: "pay", attempt: 1 });
  expect(error.message).toMatch(says);
  expect(error.message).toMatch(/^step `pay` cannot run: .*`createStep`.*a method `run\(input, ctx\)`$/);
});
