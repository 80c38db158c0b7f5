import { describe, expect, it } from "vitest";
import { indexDefinition } from "../../src/definition/index-definition.ts";
import { ExecutionResult } from "../../src/definition/execution-result.ts";
import type { WorkflowDefinition } from "../../src/definition/definition.ts";
import type { Block, DefinitionNode, NodeBase, SagaNode, StepNode, WaitNode } from "../../src/definition/nodes.ts";
import type { RetryBehavior } from "../../src/definition/error-behavior.ts";
import { decodeEntries, evolveTurn, forkState } from "../../src/engine/index.ts";
import { Driver, log } from "./driver.ts";

/** What random programs found, each in its smallest form. Nodes are written down as data: some of these no builder would make. */
function define(...nodes: DefinitionNode[]): WorkflowDefinition {
  const body = { nodes };
  return {
    id: "w",
    version: 1,
    hash: "hash",
    body,
    index: indexDefinition(body),
    toMermaid: () => "",
    toJSON: () => ({}),
  };
}

type More<Node> = Partial<Omit<Node, "kind" | "id">>;

const block = (...nodes: DefinitionNode[]): Block => ({ nodes });
const named = (id: string): Pick<NodeBase, "id" | "name"> => ({ id, name: id });
const step = (id: string, body: StepNode["body"], more: More<StepNode> = {}): StepNode => ({
  ...named(id),
  kind: "step",
  body,
  isClass: false,
  ...more,
});
const saga = (id: string, body: Block, more: More<SagaNode> = {}): SagaNode => ({
  ...named(id),
  kind: "saga",
  body,
  ...more,
});
const wait = (id: string, more: More<WaitNode> = {}): WaitNode => ({
  ...named(id),
  kind: "wait",
  mode: "one",
  events: [{ label: "", name: id, key: "k" }],
  asOf: "start",
  ...more,
});
const parallel = (id: string, ...branches: Block[]): DefinitionNode => ({
  ...named(id),
  kind: "parallel",
  branches,
  onBranchFailure: "cancel",
});
const end = (id: string): DefinitionNode => ({ ...named(id), kind: "end" });
const delay = (id: string, duration: number): DefinitionNode => ({ ...named(id), kind: "delay", duration });
const child = (id: string, more: Partial<NodeBase> = {}): DefinitionNode => ({
  ...named(id),
  ...more,
  kind: "run-workflow",
  definitionId: "child",
});
const retry = (maxRetries: number): RetryBehavior => ({
  kind: "retry",
  intervalMs: 1000,
  maxRetries,
  backoff: 1,
  maxIntervalMs: 1000,
  jitter: false,
  then: "fail",
});
const fails = (): never => {
  throw new Error("no");
};

function childFails(driver: Driver): void {
  const { pointer, childId } = driver.children.at(-1)!;
  driver.deliver({ kind: "child-ended", pointer, childId, status: "failed" });
}

describe("the end of the workflow, from inside a hook", () => {
  it("completes the workflow from onFailure, and ends the hook there", async () => {
    const { ran, step: note } = log();
    const driver = new Driver(
      define(
        step("a", fails, {
          onFailure: block(parallel("p", block(end("end")), block(delay("long", 1000))), step("never", note("never"))),
          ensure: block(step("ensure", note("ensure"))),
        }),
      ),
    ).start();
    expect((await driver.run()).phase).toBe("completed");
    expect(ran).toEqual(["ensure"]);
  });

  it("fails the workflow from ensure", async () => {
    const message = "told so";
    const driver = new Driver(
      define(step("a", () => 1, { ensure: block({ ...named("fail"), kind: "fail", message }) })),
    ).start();
    const state = await driver.run();
    expect(state).toMatchObject({ phase: "failed", error: { message } });
  });

  it("terminates from a hook and from an undoing whose step has onError terminate", async () => {
    const gone = step("gone", fails, { onError: "terminate" });
    for (const definition of [
      define(step("a", fails, { onFailure: block(gone) })),
      define(
        step("a", () => 1, { compensation: block(gone) }),
        step("b", fails),
      ),
    ])
      expect((await new Driver(definition).start().run()).phase).toBe("terminated");
  });

  it("terminates from a saga whose scope was ending already", async () => {
    const undone = step("a", () => 1, { compensation: block(wait("undo")) });
    const failing = saga("s", block(undone, step("b", fails)), { onError: "terminate" });
    const driver = new Driver(define(parallel("p", block(failing), block(wait("go"), step("c", fails))))).start();
    await driver.run();
    driver.publish("go", "k", 1);
    await driver.run();
    driver.publish("undo", "k", 1);
    expect((await driver.run()).phase).toBe("terminated");
  });
});

describe("hooks", () => {
  it("fails where ensure fails, also after a failure that was to be ignored", async () => {
    const driver = new Driver(
      define(
        step("a", fails, { onError: "ignore", ensure: block(step("e", fails)) }),
        step("tail", () => 1),
      ),
    ).start();
    expect(await driver.run()).toMatchObject({ phase: "failed", error: { stepId: "e" } });
  });

  it("reads on, in the hook of a parallel, from where its branches had read", async () => {
    const driver = new Driver(
      define({
        ...parallel("p", block(wait("e", { as: "first" }))),
        ensure: block({ ...wait("e2"), events: [{ label: "", name: "e", key: "k" }], as: "second" }),
      } as DefinitionNode),
    ).start();
    driver.publish("e", "k", 1);
    driver.publish("e", "k", 2);
    expect((await driver.run()).data).toEqual({ first: 1, second: 2 });
  });

  it("undoes what a saga's own hooks did with the saga around it", async () => {
    const { ran, step: note } = log();
    const hooked = saga("s", block(step("a", () => 1)), {
      ensure: block(step("e", () => 1, { compensation: block(step("u", note("undo e"))) })),
    });
    expect((await new Driver(define(hooked, step("b", fails))).start().run()).phase).toBe("failed");
    expect(ran).toEqual(["undo e"]);
  });
});

describe("undoing", () => {
  it("does not undo a saga again that was stopped before it began again", async () => {
    const { ran, step: note } = log();
    const inner = saga("s", block(step("a", fails)), {
      onError: retry(1),
      compensation: block(step("own", note("own"))),
    });
    const driver = new Driver(define(parallel("p", block(inner), block(delay("d", 100), step("b", fails))))).start();
    expect((await driver.run({ time: true })).phase).toBe("failed");
    expect(ran).toEqual(["own"]);
  });

  it("gives a compensation what all items around its step had set", async () => {
    const seen: unknown[] = [];
    const items = (id: string, ...nodes: DefinitionNode[]): DefinitionNode => ({
      ...named(id),
      kind: "for-each",
      items: () => [0],
      body: block(...nodes),
      concurrency: 1,
      onBranchFailure: "cancel",
    });
    const undo = step("u", (input: object) => void seen.push({ ...input }));
    const inner = items(
      "inner",
      step("b", () => "b", { as: "b", compensation: block(undo) }),
    );
    await new Driver(
      define(
        items(
          "outer",
          step("a", () => "a", { as: "a" }),
          inner,
        ),
        step("c", fails),
      ),
    )
      .start()
      .run();
    expect(seen).toEqual([{ a: "a", b: "b" }]);
  });

  it("stops a reminder when the wait times out, and undoes it", async () => {
    const { ran, step: note } = log();
    const remind = block(
      step("r", () => ExecutionResult.sleep("1h"), { compensation: block(step("u", note("undo r"))) }),
    );
    const driver = new Driver(
      define(wait("e", { timeout: 1000, remind: { every: 700, do: remind }, onTimeout: block(step("t", fails)) })),
    ).start();
    expect((await driver.run({ time: true })).phase).toBe("failed");
    expect(ran).toEqual(["undo r"]);
  });

  it("waits for a body that was stopped in a saga that went on and completed", async () => {
    const stopped = step("a", () => 1, { cancelWhen: { condition: (data) => data.stop === true, proceed: true } });
    const driver = new Driver(
      define(saga("s", block(stopped, wait("e")), { compensation: block(step("u", () => 1)) }), step("b", fails)),
    ).start();
    driver.deliver({ kind: "set-data", patch: { stop: true } });
    driver.publish("e", "k", 1);
    driver.readEvents();
    await driver.run({ only: (id) => id === "b" });
    expect(driver.kinds().indexOf("straggler-ended")).toBeGreaterThan(driver.kinds().indexOf("undo-started"));
  });

  it("stands still while the workflow is suspended", async () => {
    const { ran, step: note } = log();
    const undone = step("a", () => 1, { compensation: block(step("u", note("undo a"))) });
    const driver = new Driver(define(undone, step("b", fails))).start();
    await driver.run({ only: (id) => id === "a" });
    const body = driver.attempt([...driver.state.pointers.keys()].at(-1)!);
    driver.deliver({ kind: "suspend" });
    driver.feed(await body);
    expect((await driver.run()).phase).toBe("suspended");
    expect(ran).toEqual([]);
    driver.deliver({ kind: "resume" });
    expect((await driver.run()).phase).toBe("failed");
    expect(ran).toEqual(["undo a"]);
  });
});

describe("what is held by an error", () => {
  it("begins again with a new count of retries and, for a child, another child", async () => {
    const driver = new Driver(define(child("c", { onError: { ...retry(1), then: "suspend" } }))).start();
    childFails(driver);
    await driver.run({ time: true });
    childFails(driver);
    expect(driver.state.phase).toBe("suspended");
    driver.deliver({ kind: "resume" });
    childFails(driver);
    await driver.run({ time: true });
    expect(driver.state.phase).toBe("active");
    const ids = driver.children.map((one) => one.childId);
    expect(new Set(ids).size).toBe(4);
  });

  it("counts an input map that throws on resuming as the first failure of a new count", async () => {
    const input = fails;
    const driver = new Driver(define(step("a", () => 1, { input, onError: { ...retry(1), then: "suspend" } }))).start();
    expect((await driver.run({ time: true })).phase).toBe("suspended");
    driver.deliver({ kind: "resume" });
    expect(driver.state.phase).toBe("active");
  });

  it("gets another child from retryWorkflow", () => {
    const driver = new Driver(define(child("c"))).start();
    childFails(driver);
    expect(driver.state.phase).toBe("failed");
    driver.deliver({ kind: "retry" });
    const [first, second] = driver.children.map((one) => one.childId);
    expect(second).not.toBe(first);
  });

  it("has failed when the workflow is terminated, and its hooks run", async () => {
    for (const compensate of [false, true]) {
      const { ran, failing, step: note } = log();
      const holds = step("h", failing("h"), { onError: "suspend", ensure: block(step("last", note("last"))) });
      const driver = new Driver(
        define(
          step("a", () => 1, {
            compensation: block(step("undo", note("undo"))),
            ensure: block(holds, step("never", note("never"))),
          }),
        ),
      ).start();
      expect((await driver.run()).phase).toBe("suspended");
      driver.deliver({ kind: "terminate", compensate });
      expect((await driver.run()).phase).toBe("terminated");
      expect(ran).toEqual(["h", "last", ...(compensate ? ["undo"] : [])]);
    }
  });

  it("is repeated in an undoing when the workflow is terminated", async () => {
    const { ran, failing } = log();
    const undo = step("undo", failing("undo", 1), { onError: "suspend" });
    const driver = new Driver(
      define(
        step("a", () => 1, { compensation: block(undo) }),
        step("b", fails),
      ),
    ).start();
    expect((await driver.run()).phase).toBe("suspended");
    driver.deliver({ kind: "terminate", compensate: true });
    expect((await driver.run()).phase).toBe("failed");
    expect(ran).toEqual(["undo", "undo"]);
  });

  it("begins again when another is skipped", async () => {
    const held = (id: string): StepNode => step(id, fails, { onError: "suspend" });
    const two = new Driver(define(parallel("p", block(held("x")), block(held("y"))))).start();
    await two.run();
    two.deliver({ kind: "skip-step", stepId: "x" });
    expect(two.state.phase).toBe("suspended");
    two.deliver({ kind: "skip-step", stepId: "y" });
    expect((await two.run()).phase).toBe("completed");
  });

  it("lets one failed undoing stop the others that the same crash struck", async () => {
    const undo = (id: string): Block => block(step(id, () => 1, { onCrash: "fail" }));
    const one = (id: string): Block =>
      block(saga(id, block(step(`${id} a`, fails)), { onError: "ignore", compensation: undo(`${id} undo`) }));
    const driver = new Driver(define(parallel("p", one("x"), one("y")))).start();
    await driver.run({ only: (id) => id.endsWith(" a") });
    for (const [id, pointer] of driver.state.pointers)
      if (pointer.kind === "step") driver.feed({ kind: "begin", pointer: id });
    driver.state = evolveTurn(driver.state, { seq: driver.state.seq + 1, entries: [{ kind: "taken-over" }] });
    driver.journal.push({ seq: driver.state.seq, text: "[]" });
    driver.feed({ kind: "continue" });
    expect(driver.kinds().filter((kind) => kind === "undo-failed")).toHaveLength(1);
    for (let tries = 0; tries < 2; tries++) {
      driver.deliver({ kind: "retry" });
      await driver.run();
    }
    expect(driver.state).toMatchObject({ phase: "failed", stuckUndo: null });
    expect(driver.kinds().filter((kind) => kind === "undo-completed")).toHaveLength(2);
  });
});

describe("outputs and events", () => {
  it("decides by the outcome of the step before, not of an earlier one", async () => {
    const { ran, step: note } = log();
    const decide = (id: string): DefinitionNode => ({
      ...named(id),
      kind: "decide",
      cases: new Map([["x", block(step(`${id} x`, note(`${id} x`)))]]),
    });
    const ignored = step("b", fails, { onError: "ignore" });
    await new Driver(
      define(
        step("a", () => "x"),
        decide("one"),
        ignored,
        decide("two"),
      ),
    )
      .start()
      .run();
    expect(ran).toEqual(["one x"]);
  });

  it("gives the event that a body waited for to each of its attempts", async () => {
    const seen: unknown[] = [];
    const body: StepNode["body"] = (_, ctx) => {
      if (ctx.event === undefined && seen.length === 0) return ExecutionResult.waitForEvent("e", "k");
      seen.push(ctx.event?.payload);
      return seen.length < 2 ? fails() : "done";
    };
    const driver = new Driver(define(step("a", body, { onError: retry(2) }))).start();
    driver.publish("e", "k", 7);
    expect((await driver.run({ time: true })).phase).toBe("completed");
    expect(seen).toEqual([7, 7]);
  });

  it("terminates children that still run when the workflow is ended where it stands", async () => {
    const undone = step("a", () => 1, { compensation: block(child("c")) });
    const driver = new Driver(define(undone, step("b", fails))).start();
    await driver.run();
    driver.deliver({ kind: "terminate" });
    expect(driver.state.phase).toBe("terminated");
    expect(driver.stopped).toHaveLength(1);
  });

  it("gives no output of an item whose last step was cancelled before it began", async () => {
    const cancelled = step("b", () => 2, { cancelWhen: { condition: () => true, proceed: false } });
    const items: DefinitionNode = {
      ...named("each"),
      kind: "for-each",
      items: () => [1],
      body: block(
        step("a", () => 1),
        cancelled,
      ),
      concurrency: 1,
      onBranchFailure: "cancel",
      as: "results",
    };
    const driver = new Driver(define(items)).start();
    await driver.run();
    expect(driver.state.data).toEqual({ results: [undefined] });
  });

  it("decides by the step before, also where that was cancelled before it began", async () => {
    const { ran, step: body } = log();
    const decide: DefinitionNode = {
      ...named("decide"),
      kind: "decide",
      cases: new Map([["x", block(step("x", body("x")))]]),
      otherwise: block(step("none", body("none"))),
    };
    const cancelled = step("b", () => "y", { cancelWhen: { condition: () => true, proceed: true } });
    await new Driver(
      define(
        step("a", () => "x"),
        cancelled,
        decide,
      ),
    )
      .start()
      .run();
    expect(ran).toEqual(["none"]);
  });

  it("does not end the workflow where a branch beside it has stopped it in the same turn", async () => {
    const { ran, step: body } = log();
    const throwing: DefinitionNode = { ...named("delay"), kind: "delay", duration: fails };
    const beside = parallel("inner", block(end("end")), block(throwing));
    const outer = { ...parallel("outer", block(beside)), onFailure: block(step("hook", body("hook"))) };
    const driver = new Driver(define(outer)).start();
    expect((await driver.run()).phase).toBe("failed");
    expect(ran).toEqual(["hook"]);
  });
});

describe("what random schedules found", () => {
  it("does not wait for the end of a child that the turn which stops it was to start", async () => {
    const driver = new Driver(
      define(
        saga("s", block(parallel("p", block(child("c", { onError: retry(1) })), block(wait("w", { timeout: 1_000 }))))),
      ),
    ).start();
    childFails(driver);
    // The pause before the second child and the wait's time end together.
    expect((await driver.run({ time: true })).phase).toBe("failed");
    expect(driver.children.length).toBe(1);
  });

  it("refuses a fork from where an undoing had failed for good", async () => {
    const stuck = saga("s", block(step("a", fails)), { compensation: block(step("u", fails)) });
    const driver = new Driver(define(stuck)).start();
    expect((await driver.run()).phase).toBe("failed");
    const turns = driver.journal.map(({ seq, text }) => ({ seq, entries: decodeEntries(text) }));
    expect(forkState(turns, driver.state.identity, undefined)).toMatchObject({
      refused: expect.stringContaining("had ended"),
    });
  });

  it("goes back behind all that was undone, also where one turn had opened several of it", async () => {
    const { ran, step: note } = log();
    let broken = true;
    const undoable = (id: string): Block =>
      block(step(id, note(id), { compensation: block(step(`-${id}`, note(`-${id}`))) }));
    const last = step("last", () => (broken ? fails() : note("last")()));
    const driver = new Driver(define(parallel("p", undoable("a"), undoable("b")), last)).start();
    expect((await driver.run()).phase).toBe("failed");
    expect(ran).toEqual(["a", "b", "-b", "-a"]);
    broken = false;
    driver.deliver({ kind: "retry" });
    expect((await driver.run()).phase).toBe("completed");
    expect(ran.slice(4)).toEqual(["a", "b", "last"]);
  });

  it("repeats an undoing that had failed for good, also where the workflow was terminated in between", async () => {
    let broken = true;
    const { ran, step: note } = log();
    const undo = block(step("u", () => (broken ? fails() : note("undo")())));
    const driver = new Driver(define(saga("s", block(step("a", fails, { compensation: undo }))))).start();
    expect((await driver.run()).phase).toBe("failed");
    driver.deliver({ kind: "terminate" });
    expect((await driver.run()).phase).toBe("terminated");
    broken = false;
    driver.deliver({ kind: "retry" });
    expect((await driver.run()).phase).toBe("failed");
    expect(ran).toEqual(["undo"]);
  });

  it("goes back to the beginning of a saga also where nodes in it came and went in one turn", async () => {
    let broken = true;
    const nothing: DefinitionNode = { ...named("d"), kind: "decide", cases: new Map(), value: () => "none" };
    const body = block(
      nothing,
      step("a", () => (broken ? fails() : 1)),
    );
    const driver = new Driver(define(saga("s", body, { compensation: block(step("u", () => 1)) }))).start();
    expect((await driver.run()).phase).toBe("failed");
    broken = false;
    driver.deliver({ kind: "retry" });
    expect((await driver.run()).phase).toBe("completed");
  });

  const later: Readonly<Record<string, DefinitionNode>> = {
    "a graph": {
      ...named("x"),
      kind: "graph",
      vertices: [{ node: step("v", () => 1), needs: [] }],
      concurrency: 1,
      onBranchFailure: "cancel",
    },
    "a parallel without branches": parallel("x"),
    "a branching that chooses nothing": { ...named("x"), kind: "decide", cases: new Map(), value: () => "none" },
    "a loop that has nothing to do": { ...named("x"), kind: "while", condition: () => false, body: block() },
    "a for-each without items": {
      ...named("x"),
      kind: "for-each",
      items: () => [],
      body: block(),
      concurrency: 1,
      onBranchFailure: "cancel",
    },
  };
  it.each(Object.entries(later))(
    "opens %s again that a turn had not come to where it goes back to",
    async (_, node) => {
      const { ran, step: note } = log();
      let broken = true;
      const undone = step("b", note("b"), { compensation: block(step("-b", note("-b"))) });
      const last = step("last", () => (broken ? fails() : note("last")()));
      const driver = new Driver(define(parallel("p", block(node), block(undone)), last)).start();
      expect((await driver.run()).phase).toBe("failed");
      broken = false;
      driver.deliver({ kind: "retry" });
      expect((await driver.run()).phase).toBe("completed");
      expect(ran).toEqual(["b", "-b", "b", "last"]);
    },
  );

  it("repeats a compensation that ended the workflow, and begins its saga again once that is undone", async () => {
    const { ran, failing, step: note } = log();
    const inner: SagaNode = { ...named("inner"), kind: "saga", body: block(step("a", failing("a", 1))) };
    const undo = step("undo", failing("undo", 2), { onError: "terminate" });
    const outer: SagaNode = { ...named("outer"), kind: "saga", body: block(inner), compensation: block(undo) };
    const driver = new Driver(define(outer, step("last", note("last")))).start();
    expect((await driver.run()).phase).toBe("terminated");
    driver.deliver({ kind: "retry" });
    expect((await driver.run()).phase).toBe("terminated");
    driver.deliver({ kind: "retry" });
    expect((await driver.run()).phase).toBe("failed");
    expect(ran).toEqual(["a", "undo", "undo", "undo"]);
    driver.deliver({ kind: "retry" });
    expect((await driver.run()).phase).toBe("completed");
    expect(ran.slice(4)).toEqual(["a", "last"]);
  });
});

describe("a step that is skipped", () => {
  const note = (ran: string[], what: string) => (): void => void ran.push(what);
  const forEach = (id: string, items: () => unknown[], ...nodes: DefinitionNode[]): DefinitionNode => ({
    ...named(id),
    kind: "for-each",
    items,
    body: block(...nodes),
    concurrency: 9,
    onBranchFailure: "cancel",
    as: "out",
  });

  it.each<[string, (ran: string[]) => DefinitionNode]>([
    ["a wait that timed out", () => wait("s", { timeout: 1000 })],
    [
      "a wait that timed out while it reminded",
      (ran) =>
        wait("s", { timeout: 1500, remind: { every: 1000, do: block(delay("d", 9000), step("r", note(ran, "r"))) } }),
    ],
    [
      "a branching whose condition threw",
      (ran) => ({ ...named("s"), kind: "if", condition: fails, then: block(step("in", note(ran, "in"))) }),
    ],
    ["a for-each whose items threw", (ran) => forEach("s", fails, step("in", note(ran, "in")))],
    [
      "a for-each of which an item failed",
      (ran) => forEach("s", () => [1, 2], step("in", fails), step("on", note(ran, "on"))),
    ],
    ["a step whose input map throws", (ran) => step("s", note(ran, "s"), { input: fails })],
    ["a step that failed", () => step("s", fails)],
    ["a `fail`", () => ({ ...named("s"), kind: "fail", message: "no" })],
    [
      "a loop whose condition threw",
      (ran) => ({
        ...named("s"),
        kind: "while",
        condition: (_, at) => (at.index === 0 ? true : fails()),
        body: block(step("in", () => ran.length)),
      }),
    ],
    [
      "a saga that was undone",
      (ran) => saga("s", block(step("in", fails, { compensation: block(step("-in", () => ran.length)) }))),
    ],
  ])("is %s, of a workflow that failed: it does not run, and what is after it does", async (_, node) => {
    const ran: string[] = [];
    const driver = new Driver(define(node(ran), step("after", note(ran, "after")))).start();
    expect((await driver.run({ time: true })).phase).toBe("failed");
    expect(driver.deliver({ kind: "skip-step", stepId: "s", output: "by hand" })).toEqual({});
    expect((await driver.run({ time: true })).phase).toBe("completed");
    expect(ran).toEqual(["after"]);
    expect(driver.entries.filter(({ kind }) => kind === "step-skipped")).toMatchObject([
      { step: "s", output: "by hand" },
    ]);
  });

  it("leaves a child that failed as it ended, and retries that of another branch", async () => {
    const { ran, step: note } = log();
    const other = child("other");
    const driver = new Driver(
      define(parallel("p", block(child("c"), step("after", note("after"))), block(other))),
    ).start();
    const [first, second] = driver.children.map(({ pointer, childId }) => ({ pointer, childId }));
    driver.deliver({ kind: "child-ended", ...first!, status: "failed" });
    driver.deliver({ kind: "child-ended", ...second!, status: "terminated" });
    expect(driver.state.phase).toBe("failed");
    driver.deliver({ kind: "skip-step", stepId: "c", output: 1 }, [first!.childId, second!.childId]);
    await driver.run();
    expect(driver.retried).toEqual([second!.childId]);
    expect(driver.children).toHaveLength(2);
    expect(ran).toEqual(["after"]);
  });

  it("is the item that failed, and which one has to be said where several did", async () => {
    const fails1 = (_: unknown, { index }: { index?: number }): unknown => (index === 1 ? fails() : index);
    const one = new Driver(define(forEach("f", () => [1, 2, 3], step("pack", fails1)))).start();
    await one.run();
    one.deliver({ kind: "skip-step", stepId: "pack", output: "by hand" });
    expect((await one.run()).data).toEqual({ out: [0, "by hand", 2] });

    const many: DefinitionNode = {
      ...(forEach("f", () => [1, 2], step("pack", fails)) as any),
      onBranchFailure: "wait",
    };
    const two = new Driver(define(many)).start();
    expect((await two.run()).phase).toBe("failed");
    expect(two.deliver({ kind: "skip-step", stepId: "pack" }).refused).toContain("[0] and [1]");
    two.deliver({ kind: "skip-step", stepId: "pack", item: [0] });
    two.deliver({ kind: "skip-step", stepId: "pack", item: [1] });
    expect((await two.run()).phase).toBe("completed");
  });

  it.each<[string, DefinitionNode]>([
    ["a wait that reminds", wait("s", { as: "out", remind: { every: 1000, do: block(wait("long")) } })],
    ["a wait whose time-out is handled", wait("s", { as: "out", timeout: 1000, onTimeout: block(wait("long")) })],
    ["a for-each", forEach("s", () => [1, 2], wait("long"))],
    ["a saga", saga("s", block(wait("long")), { as: "out" })],
  ])("is %s with something under way in it: that is stopped, and the output is kept", async (_, node) => {
    const driver = new Driver(define(node)).start();
    await driver.run();
    driver.now += 1000;
    driver.feed({ kind: "due" });
    driver.deliver({ kind: "skip-step", stepId: "s", output: { by: "ann" }, actor: "ann" });
    expect((await driver.run()).data).toEqual({ out: { by: "ann" } });
    expect(driver.state.phase).toBe("completed");
    expect(driver.entries.find(({ kind }) => kind === "step-skipped")).toMatchObject({ step: "s", actor: "ann" });
  });

  it("is refused an output that it cannot take, live or failed", async () => {
    const output = (_: unknown, given: { n: number }): Record<string, unknown> => ({ n: given.n.toFixed() });
    for (const node of [wait("s", { output }), step("s", fails, { output })]) {
      const driver = new Driver(define(node)).start();
      const { phase } = await driver.run();
      expect(driver.deliver({ kind: "skip-step", stepId: "s" }).refused).toContain("`s` cannot take that output: ");
      expect(driver.state.phase).toBe(phase);
      driver.deliver({ kind: "skip-step", stepId: "s", output: { n: 1 } });
      expect((await driver.run()).data).toEqual({ n: "1" });
    }
  });

  it("leaves a workflow suspended that a person suspended, and goes on where its error had", async () => {
    const { ran, step: note } = log();
    const driver = new Driver(define(wait("w"), step("after", note("after")))).start();
    driver.deliver({ kind: "suspend", reason: "lunch" });
    driver.deliver({ kind: "skip-step", stepId: "w" });
    expect(await driver.run()).toMatchObject({ phase: "suspended", reason: "lunch" });
    expect(ran).toEqual([]);
    driver.deliver({ kind: "resume" });
    expect((await driver.run()).phase).toBe("completed");

    const held = new Driver(define(step("h", fails, { onError: "suspend" }))).start();
    await held.run();
    held.deliver({ kind: "skip-step", stepId: "h" });
    expect(held.state.phase).toBe("completed");
  });
});
