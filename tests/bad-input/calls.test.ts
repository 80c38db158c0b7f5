import { type StepContext, workflow, WorkflowHost, type WorkflowHostOptions } from "@wfe/core";
import { memory } from "@wfe/core/testing";
import { sqlite } from "@wfe/sqlite";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { quiet } from "../crash/quiet.ts";
import { StoreFile } from "../processes/support/store-file.ts";
import { expectRefused } from "./says.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const greet = workflow<{ name: string }>()
  .startWith(({ name }: { name: string }) => `hello ${name}`)
  .as("greeting")
  .build("greet", 1);
const other = workflow<{ name: string }>()
  .startWith(() => 1)
  .build("other", 1);

/** As a caller without types, or with `any`, can say it. */
type Untyped = any;

describe("options of a host", () => {
  const wrong: readonly [string, Untyped, string | RegExp][] = [
    ["no options", undefined, /must be an object/],
    ["no providers", {}, /`providers` must be an array with at least one provider, such as/],
    ["an empty list of providers", { providers: [] }, /an empty array/],
    ["a provider that was not called", { providers: [sqlite] }, /call it, as in `sqlite\(\.\.\.\)`/],
    ["something else as a provider", { providers: [{ name: "x" }] }, /`providers\[0\]` must be a provider/],
    ["an option that does not exist", { concurency: 5 }, /did you mean `concurrency`\?/],
    ["a concurrency of none", { concurrency: 0 }, /`concurrency` must be a whole number from 1/],
    ["a broken concurrency", { concurrency: 1.5 }, /whole number/],
    ["a lease that is no duration", { lease: "ten seconds" }, /`lease` must be a duration/],
    ["a lease that is too short", { lease: "1ms" }, /`lease` must be from 100/],
    ["a negative lease", { lease: -1 }, /not negative/],
    ["middleware that is no function", { middleware: [5] }, /`middleware\[0\]` must be a function/],
    ["createStep that is no function", { createStep: "new" }, /`createStep` must be a function/],
    ["workflows that are no array", { workflows: greet }, /`workflows` must be an array/],
    ["a workflow that was not built", { workflows: [workflow().startWith(() => 1)] }, /\.build\(id, version\)/],
    ["something else as a workflow", { workflows: ["greet"] }, /a workflow definition is expected/],
    ["a blank namespace", { namespace: " " }, /`namespace` must not be blank/],
    ["a namespace with NUL", { namespace: "a\0" }, /NUL/],
    ["retention of something else", { retention: { workflow: "1d" } }, /did you mean `workflows`\?/],
    ["a limit that does not exist", { limits: { valueByte: 1 } }, /did you mean `valueBytes`\?/],
    ["a limit that is no number", { limits: { valueBytes: "1MiB" } }, /`limits.valueBytes` must be a whole number/],
    ["allowRedefine that is no boolean", { allowRedefine: "yes" }, /`allowRedefine` must be true or false/],
    ["a log without methods", { log: () => {} }, /`log` must have/],
    ["a clock without methods", { clock: {} }, /`clock` must have/],
    ["a name that is too long", { name: "x".repeat(600) }, /at most 512 bytes/],
    ["deaths of none", { maxDeaths: 0 }, /`maxDeaths` must be a whole number/],
  ];
  it.each(wrong)("refuses %s", async (_, options: Untyped, says) => {
    const whole =
      options === undefined || "providers" in options || Object.keys(options).length === 0
        ? options
        : { providers: [memory()], ...options };
    await expectRefused(() => new WorkflowHost(whole as WorkflowHostOptions), { code: "INVALID_OPTION", says });
  });

  it("refuses two structures under one id and version, and says how to go on", async () => {
    const changed = workflow()
      .startWith(() => 1)
      .then(() => 2)
      .build("greet", 1);
    await expectRefused(() => new WorkflowHost({ providers: [memory()], workflows: [greet, changed] }), {
      code: "DEFINITION_CONFLICT",
      says: /raise the version/,
      fields: { definitionId: "greet", version: 1 },
    });
  });
});

describe("arguments of sqlite()", () => {
  const wrong: readonly [string, Untyped, Untyped, RegExp][] = [
    ["no file", "", undefined, /give a path, or ":memory:"/],
    ["a number", 5, undefined, /takes the path of a file or a Database/],
    ["nothing", undefined, undefined, /takes the path of a file or a Database/],
    ["a synchronous that does not exist", "app.db", { synchronous: "off" }, /`synchronous` must be "full" or "normal"/],
  ];
  it.each(wrong)("refuses %s", async (_, file, options, says) => {
    await expectRefused(() => sqlite(file as string, options as object), { code: "INVALID_OPTION", says });
  });
});

describe("arguments of calls", () => {
  const store = new StoreFile();
  let host: WorkflowHost;
  let stopped: WorkflowHost;

  beforeAll(async () => {
    host = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [greet, other], log: quiet() });
    await host.startWorkflow(greet, { name: "ann" }, { id: "there" });
    stopped = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [greet], log: quiet() });
    await stopped.stop();
  });
  afterAll(async () => {
    await host.stop();
    store[Symbol.dispose]();
  });

  type Call = (untyped: Untyped) => unknown;
  const invalid = "INVALID_OPTION";
  const wrong: readonly [string, Call, string, RegExp][] = [
    // Starting
    ["a start of nothing", (h) => h.startWorkflow(undefined, {}), invalid, /a workflow definition is expected/],
    ["a start of an unbuilt workflow", (h) => h.startWorkflow(workflow(), {}), invalid, /\.build\(id, version\)/],
    ["a start by an unknown id", (h) => h.startWorkflow("gret", {}), "DEFINITION_NOT_FOUND", /did you mean `greet`\?/],
    [
      "a start of an unknown version",
      (h) => h.startWorkflow("greet", {}, { version: 7 }),
      "DEFINITION_NOT_FOUND",
      /there is version 1/,
    ],
    [
      "another version than the definition's",
      (h) => h.startWorkflow(greet, {}, { version: 2 }),
      invalid,
      /leave `version` out/,
    ],
    [
      "data that is no object",
      (h) => h.startWorkflow(greet, "ann"),
      invalid,
      /must be an object.*put the value under a key/,
    ],
    ["data that is an array", (h) => h.startWorkflow(greet, []), invalid, /must be an object/],
    ["data with a function in it", (h) => h.startWorkflow(greet, { a: { b: () => 1 } }), "INVALID_VALUE", /data\.a\.b/],
    ["data with a cycle", (h) => h.startWorkflow(greet, cyclic()), "INVALID_VALUE", /data\.self/],
    [
      "data with a class instance",
      (h) => h.startWorkflow(greet, { at: new URL("http://a") }),
      "INVALID_VALUE",
      /data\.at/,
    ],
    [
      "data that is too large",
      (h) => h.startWorkflow(greet, { a: "x".repeat(9 * 1024 * 1024) }),
      "LIMIT_EXCEEDED",
      /data/,
    ],
    ["data that is too deep", (h) => h.startWorkflow(greet, deep(300)), "LIMIT_EXCEEDED", /deep|depth/],
    ["a blank id", (h) => h.startWorkflow(greet, {}, { id: "  " }), invalid, /must not be blank/],
    ["an id that is a number", (h) => h.startWorkflow(greet, {}, { id: 5 }), invalid, /must be a string/],
    ["an id with NUL", (h) => h.startWorkflow(greet, {}, { id: "a\0b" }), invalid, /NUL/],
    ["an id with half a character", (h) => h.startWorkflow(greet, {}, { id: "\ud800" }), invalid, /surrogate/],
    [
      "an id that is too long",
      (h) => h.startWorkflow(greet, {}, { id: "é".repeat(300) }),
      invalid,
      /at most 512 bytes, got 600/,
    ],
    [
      "the id of another definition's workflow",
      (h) => h.startWorkflow(other, {}, { id: "there" }),
      "WORKFLOW_ID_CONFLICT",
      /choose another id/,
    ],
    [
      "a priority that is no number",
      (h) => h.startWorkflow(greet, {}, { priority: "high" }),
      invalid,
      /`priority` must be a whole number/,
    ],
    ["tags that are no list", (h) => h.startWorkflow(greet, {}, { tags: "a" }), invalid, /`tags` must be an array/],
    ["a blank tag", (h) => h.startWorkflow(greet, {}, { tags: [""] }), invalid, /a tag must not be blank/],
    [
      "a delay and a time",
      (h) => h.startWorkflow(greet, {}, { delay: "1s", startAt: new Date() }),
      invalid,
      /give one/,
    ],
    [
      "a delay that is no duration",
      (h) => h.startWorkflow(greet, {}, { delay: "soon" }),
      invalid,
      /`delay` must be a duration/,
    ],
    [
      "a time that is none",
      (h) => h.startWorkflow(greet, {}, { startAt: new Date("x") }),
      invalid,
      /`startAt` must be a valid date/,
    ],
    [
      "an option that does not exist",
      (h) => h.startWorkflow(greet, {}, { tag: ["a"] }),
      invalid,
      /did you mean `tags`\?/,
    ],
    ["options that are none", (h) => h.startWorkflow(greet, {}, "id"), invalid, /must be an object/],
    ["a `tx` of null", (h) => h.startWorkflow(greet, {}, { tx: null }), invalid, /leave it out/],
    ["a batch that is none", (h) => h.startWorkflows({}), invalid, /takes an array/],
    [
      "a batch that is too large",
      (h) => h.startWorkflows(Array.from({ length: 501 }, () => ({ definition: greet, data: {} }))),
      "LIMIT_EXCEEDED",
      /at most 500.*several times/,
    ],
    ["a batch with something else in it", (h) => h.startWorkflows([5]), invalid, /item 0/],

    // Publishing
    ["an event without a name", (h) => h.publishEvent(undefined, "k", 1), invalid, /an event is expected/],
    ["an event with a blank name", (h) => h.publishEvent("", "k", 1), invalid, /name of an event/],
    ["an event without a key", (h) => h.publishEvent("e", undefined, 1), invalid, /key of an event must be a string/],
    [
      "an event with a key that is too long",
      (h) => h.publishEvent("e", "k".repeat(513), 1),
      invalid,
      /at most 512 bytes/,
    ],
    ["a payload with a symbol", (h) => h.publishEvent("e", "k", { s: Symbol("s") }), "INVALID_VALUE", /payload\.s/],
    [
      "a payload that is too large",
      (h) => h.publishEvent("e", "k", "x".repeat(1024 * 1024 + 1)),
      "LIMIT_EXCEEDED",
      /payload/,
    ],
    [
      "a time of effect that is none",
      (h) => h.publishEvent("e", "k", 1, { effectiveAt: "noon" }),
      invalid,
      /`effectiveAt`/,
    ],
    [
      "an option of a publish that does not exist",
      (h) => h.publishEvent("e", "k", 1, { ids: "1" }),
      invalid,
      /did you mean `id`\?/,
    ],
    [
      "too many events",
      (h) => h.publishEvents(Array.from({ length: 501 }, () => ({ event: "e", key: "k", payload: 1 }))),
      "LIMIT_EXCEEDED",
      /at most 500/,
    ],

    // Looking
    ["a handle without an id", (h) => h.handle(undefined), invalid, /id of a workflow/],
    ["a handle of a definition without an id", (h) => h.handle(greet), invalid, /id of a workflow/],
    [
      "a result of a workflow that is not there",
      (h) => h.handle("nobody").result(),
      "WORKFLOW_NOT_FOUND",
      /check the id/,
    ],
    [
      "a time-out that is no duration",
      (h) => h.handle("there").result({ timeout: "soon" }),
      invalid,
      /`timeout` must be a duration/,
    ],
    ["a signal that is none", (h) => h.handle("there").result({ signal: {} }), invalid, /AbortSignal/],
    [
      "a result that takes too long",
      (h) => h.handle("there").result({ timeout: 20 }),
      "RESULT_TIMEOUT",
      /it goes on: ask/,
    ],
    ["a history of a workflow that is not there", (h) => h.history("nobody"), "WORKFLOW_NOT_FOUND", /check the id/],
    ["a page of none", (h) => h.history("there", { limit: 0 }), invalid, /`limit` must be a whole number from 1/],
    ["a page that is too large", (h) => h.listWorkflows({ limit: 100_000 }), invalid, /`limit` must be/],
    ["a cursor of something else", (h) => h.history("there", { cursor: "abc" }), invalid, /`cursor`/],
    ["a cursor of a list that is none", (h) => h.listWorkflows({ cursor: "abc" }), invalid, /cursor/],
    ["a filter that does not exist", (h) => h.listWorkflows({ state: "failed" }), invalid, /did you mean `status`\?/],
    ["a status that does not exist", (h) => h.listWorkflows({ status: "done" }), invalid, /must be one or several of/],
    ["a count of something else", (h) => h.countWorkflows("all"), invalid, /must be an object/],
    ["an id that is none", (h) => h.getWorkflow(5), invalid, /must be a string/],
    ["a state of a turn that is none", (h) => h.stateAt("there", -1), invalid, /`seq` must be a whole number/],
    ["a state of a turn that is not there", (h) => h.stateAt("there", 99), invalid, /no turn 99 yet/],
    ["a listener that is none", (h) => h.on("step.completed", "log"), invalid, /must be a function/],
    ["a lifecycle event that does not exist", (h) => h.on("step.done", () => {}), invalid, /there is "\*"/],

    // Controlling and repairing
    [
      "a suspension of a workflow that is not there",
      (h) => h.suspendWorkflow("nobody"),
      "WORKFLOW_NOT_FOUND",
      /check the id/,
    ],
    [
      "a resumption of a workflow that is not there",
      (h) => h.resumeWorkflow("nobody"),
      "WORKFLOW_NOT_FOUND",
      /check the id/,
    ],
    [
      "a termination of a workflow that is not there",
      (h) => h.terminateWorkflow("nobody"),
      "WORKFLOW_NOT_FOUND",
      /check the id/,
    ],
    ["a reason that is none", (h) => h.suspendWorkflow("there", { reason: 5 }), invalid, /`reason` must be a text/],
    [
      "an option of a termination that does not exist",
      (h) => h.terminateWorkflow("there", { undo: true }),
      invalid,
      /there is no `undo`/,
    ],
    [
      "a `compensate` that is none",
      (h) => h.terminateWorkflow("there", { compensate: "yes" }),
      invalid,
      /`compensate` must be true or false/,
    ],
    [
      "a retry from a step that is none",
      (h) => h.retryWorkflow("there", { from: 5 }),
      invalid,
      /must be the id of a step/,
    ],
    ["a skip without a step", (h) => h.skipStep("there"), invalid, /must be the id of a step/],
    [
      "a skip with an output that cannot be stored",
      (h) => h.skipStep("there", "s", () => 1),
      "INVALID_VALUE",
      /output/,
    ],
    ["a patch that is none", (h) => h.setData("there", [1]), invalid, /must be an object/],
    ["a patch that cannot be stored", (h) => h.setData("there", { f: () => 1 }), "INVALID_VALUE", /patch\.f/],
    ["a version that is none", (h) => h.migrateWorkflow("there", "2"), invalid, /must be the number of a version/],
    ["a fork without a place", (h) => h.forkWorkflow("there", {}), invalid, /`at` must be a whole number/],
    ["a fork without options", (h) => h.forkWorkflow("there"), invalid, /must be an object/],
    [
      "a fork of a workflow that is not there",
      (h) => h.forkWorkflow("nobody", { at: 0 }),
      "WORKFLOW_NOT_FOUND",
      /check the id/,
    ],
    ["an actor that is none", (h) => h.as(""), invalid, /must not be blank/],
    ["a namespace that is none", (h) => h.in(5), invalid, /must be a string/],
    ["a stop with something else", (h) => h.stop({ time: 5 }), invalid, /did you mean `timeout`\?/],
    ["a stop for no duration", (h) => h.stop({ timeout: "soon" }), invalid, /`timeout` must be a duration/],
    ["a registration of nothing", (h) => h.register(null), invalid, /a workflow definition is expected/],
  ];
  it.each(wrong)("refuses %s", async (_, call, code, says) => {
    await expectRefused(() => call(host), { code, says });
  });

  it("is in order afterwards: nothing of what was refused is there", async () => {
    expect(await host.countWorkflows()).toBe(1);
    expect(store.query("SELECT count(*) AS n FROM wfe_events")).toEqual([{ n: 0 }]);
    expect(store.query("SELECT count(*) AS n FROM wfe_deliveries")).toEqual([{ n: 0 }]);
  });

  it.each<[string, Call]>([
    ["start", (h) => h.start()],
    ["startWorkflow", (h) => h.startWorkflow(greet, { name: "x" })],
    ["publishEvent", (h) => h.publishEvent("e", "k", 1)],
    ["getWorkflow", (h) => h.getWorkflow("there")],
    ["result", (h) => h.handle("there").result()],
    ["suspendWorkflow", (h) => h.suspendWorkflow("there")],
  ])("refuses %s on a host that was stopped", async (_, call) => {
    await expectRefused(() => call(stopped), { code: "HOST_STOPPED", says: /make a new `WorkflowHost`/ });
  });
});

describe("what a body does with its context", () => {
  it.each<[string, (ctx: StepContext) => unknown, RegExp]>([
    ["a progress that is no number", (ctx) => (ctx as Untyped).progress("half"), /percent/],
    ["`undoing` outside of a compensation", (ctx) => ctx.undoing, /compensat/],
  ])("refuses %s", async (_, use, says) => {
    const misuse = workflow()
      .startWith(async (_input: object, ctx) => void (await use(ctx)))
      .build("misuse", 1);
    await using host = new WorkflowHost({ providers: [memory()], workflows: [misuse], log: quiet() });
    await host.start();
    const handle = await host.startWorkflow(misuse, {});
    const failed = await handle.result({ timeout: "10s" }).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: "WORKFLOW_FAILED",
      cause: { message: expect.stringMatching(says) as string },
    });
  });
});

function cyclic(): object {
  const data: { self?: object } = {};
  data.self = data;
  return data;
}

function deep(depth: number): object {
  let data: object = {};
  for (let level = 0; level < depth; level += 1) data = { data };
  return data;
}
