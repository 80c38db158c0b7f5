import { describe, expect, it } from "vitest";
import { WorkflowHost } from "../../../src/host/workflow-host.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, laterNumbers, numbers, step } from "./definitions.ts";

const order = define("order", [step("charge", () => 1)]);
const refund = define("refund", [step("pay", () => 1)]);
const strict = { ...define("strict", [step("pay", () => 1)]), dataSchema: numbers("amount") };
const later = { ...define("later", [step("pay", () => 1)]), dataSchema: laterNumbers("amount") };
const broken = {
  "~standard": {
    version: 1 as const,
    vendor: "test",
    validate: (): never => {
      throw new RangeError("no such table");
    },
  },
};

function client(): WorkflowHost {
  const workflows = [order, refund, strict, later, { ...define("broken", []), dataSchema: broken }];
  return new WorkflowHost({ providers: [memory()], workflows, clock: new TestClock() });
}

async function refused(call: (host: any) => Promise<unknown>): Promise<any> {
  const host = client();
  const error = await call(host).then(
    () => expect.fail("it was not refused"),
    (thrown: unknown) => thrown,
  );
  expect((await host.listWorkflows({})).items).toEqual([]);
  return error;
}

const good = { definition: order, data: {} };
const event = { event: "paid", key: "k" };

describe("an item of a batch", () => {
  it.each([
    [{ ...good, id: "mine" }, /^item 1 of `startWorkflows`: `id` is an option, give it as `options: \{ id \}`$/],
    [{ ...good, option: { id: "mine" } }, /^item 1 of `startWorkflows`: .*`option`, did you mean `options`\?/],
    [{ ...good, dat: {} }, /^item 1 .*`dat`, did you mean `data`\?/],
    [{ ...good, options: { idd: "mine" } }, /^item 1 of `startWorkflows`: the options of a start: .*`id`\?/],
  ])("of startWorkflows has nothing that would be ignored: %j", async (item, says) => {
    const error = await refused((host) => host.startWorkflows([good, item]));
    expect(error).toMatchObject({ code: "INVALID_OPTION", message: expect.stringMatching(says) });
  });

  it.each([
    [{ ...event, paylod: 5 }, /^item 1 of `publishEvents`: .*`paylod`, did you mean `payload`\?/],
    [{ ...event, id: "mine" }, /^item 1 of `publishEvents`: `id` is an option, give it as `options: \{ id \}`$/],
    [{ ...event, options: { at: 5 } }, /^item 1 of `publishEvents`: the options of a publish: there is no `at`/],
    [{ ...event, key: 5 }, /^item 1 of `publishEvents`: the key of an event must be a string/],
  ])("of publishEvents has nothing that would be ignored: %j", async (item, says) => {
    const error = await refused((host) => host.publishEvents([event, item]));
    expect(error).toMatchObject({ code: "INVALID_OPTION", message: expect.stringMatching(says) });
  });

  it("is allowed fields without a value", async () => {
    const host = client();
    await host.startWorkflows([{ ...good, options: undefined, id: undefined } as never]);
    await host.publishEvents([{ ...event, payload: undefined, id: undefined } as never]);
  });

  it.each([
    [
      { definition: order, data: { a: [() => 1] } },
      "INVALID_VALUE",
      "items[2].data.a[0]",
      /`data\.a\[0\]` is a function/,
    ],
    [{ definition: "unknown", data: {} }, "DEFINITION_NOT_FOUND", undefined, /unknown/],
    [{ definition: strict, data: { amount: "x" } }, "VALIDATION_FAILED", undefined, /amount/],
    [{ definition: later, data: { amount: "x" } }, "VALIDATION_FAILED", undefined, /amount/],
    [{ definition: "broken", data: {} }, "VALIDATION_FAILED", undefined, /its schema threw: no such table/],
    [{ definition: refund, data: {}, options: { id: "twice" } }, "WORKFLOW_ID_CONFLICT", undefined, /`twice`/],
    [{ ...good, options: { delay: "soon" } }, "INVALID_OPTION", undefined, /`delay` must be a duration/],
  ])("that cannot be started is named: %j", async (item, code, path, says) => {
    const first = { ...good, options: { id: "twice" } };
    const error = await refused((host) => host.startWorkflows([first, good, item]));
    expect(error).toMatchObject({ code, path, message: expect.stringMatching(says) });
    expect(error.message).toMatch(/^item 2 of `startWorkflows`: /);
    expect(error.stack).toContain("item 2 of `startWorkflows`: ");
  });

  it.each([
    [{ ...event, payload: { f: () => 1 } }, "items[1].payload.f"],
    [{ event: { name: "paid", schema: laterNumbers("by") }, key: "k", payload: { by: "x" } }, undefined],
  ])("that cannot be published is named: %j", async (item, path) => {
    const error = await refused((host) => host.publishEvents([event, item]));
    expect(error).toMatchObject({ path, message: expect.stringMatching(/^item 1 of `publishEvents`: /) });
  });

  it("in a transaction is named too", async () => {
    const error = await refused((host) => host.startWorkflows([good, { definition: later, data: {} }], { tx: {} }));
    expect(error.message).toMatch(/^item 1 of `startWorkflows`: .*asynchronous/);
  });
});
