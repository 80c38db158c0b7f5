import { describe, expect, it } from "vitest";
import { workflow, type WorkflowDefinition } from "../../packages/core/src/index.ts";
import { decodeEntries, type Delivery } from "../../packages/core/src/engine/index.ts";
import { replayTurns } from "../../packages/core/src/engine/replay.ts";
import { Driver } from "../../packages/core/test/engine/driver.ts";

/** What is called from outside, one after the other, and whether each is to be refused. */
interface Called {
  readonly definition: WorkflowDefinition<any, any>;
  readonly data?: unknown;
  readonly calls: readonly (readonly ["applied" | "refused", Delivery])[];
}

const nothing = (): void => {};
const fails = (): never => {
  throw new Error("no");
};

const waits = workflow().then(nothing).id("first").waitFor("never", "k").id("wait").then(nothing).build("waits", 1);

/** Three items wait at the same time. */
const items = workflow<{ readonly list: readonly number[] }>()
  .forEach(
    (data) => data.list,
    (b) => b.waitFor("never", "k").id("wait").then(nothing).id("then"),
    { as: "got" },
  )
  .id("each")
  .build("items", 1);

const holds = workflow()
  .parallel((p) =>
    p
      .branch((b) => b.then(fails).id("a").onError("suspend"))
      .branch((b) => b.then(fails).id("b").onError("suspend"))
      .branch((b) => b.waitFor("never", "k").id("wait")),
  )
  .build("holds", 1);

const parent = workflow()
  .runWorkflow("child", () => ({}))
  .id("run child")
  .build("parent", 1);

const undoes = workflow()
  .then(nothing)
  .id("one")
  .compensateWith(nothing)
  .then(nothing)
  .id("two")
  .compensateWith(fails)
  .then(fails)
  .id("three")
  .build("undoes", 1);

const list = { list: [1, 2, 3] };
const large = "x".repeat(2 * 1024 * 1024);

const cases: Readonly<Record<string, Called>> = {
  "suspends twice": {
    definition: waits,
    calls: [
      ["applied", { kind: "suspend", reason: "lunch" }],
      ["refused", { kind: "suspend" }],
      ["applied", { kind: "resume", actor: "ann" }],
      ["refused", { kind: "resume" }],
    ],
  },
  "sets data to what it is, to something else, and to too much": {
    definition: waits,
    data: { a: 1, many: [1] },
    calls: [
      ["applied", { kind: "set-data", patch: { a: 1 } }],
      ["applied", { kind: "set-data", patch: {} }],
      ["applied", { kind: "set-data", patch: { a: undefined, b: { c: [new Date(0)] }, many: [1, 2, 3] } }],
      ["refused", { kind: "set-data", patch: { all: Array.from({ length: 5 }, () => large) } }],
    ],
  },
  "skips what waits in one item": {
    definition: items,
    data: list,
    calls: [
      ["applied", { kind: "skip-step", stepId: "wait", item: [2], output: "by hand" }],
      ["applied", { kind: "skip-step", stepId: "wait", item: [0], actor: "ann" }],
      ["refused", { kind: "skip-step", stepId: "wait", item: [7] }],
      ["refused", { kind: "skip-step", stepId: "nowhere" }],
      ["refused", { kind: "skip-step", stepId: "wait", output: large }],
    ],
  },
  "skips a container": {
    definition: items,
    data: list,
    calls: [["applied", { kind: "skip-step", stepId: "each", output: [{ by: "hand" }] }]],
  },
  "skips while suspended": {
    definition: waits,
    calls: [
      ["applied", { kind: "suspend" }],
      ["applied", { kind: "skip-step", stepId: "wait", output: { ok: true } }],
    ],
  },
  "skips one of two that are held": {
    definition: holds,
    calls: [
      ["applied", { kind: "skip-step", stepId: "b" }],
      ["applied", { kind: "skip-step", stepId: "a" }],
      ["applied", { kind: "skip-step", stepId: "wait" }],
    ],
  },
  "retries what is held": {
    definition: holds,
    calls: [
      ["applied", { kind: "retry" }],
      ["applied", { kind: "resume" }],
      ["applied", { kind: "retry", actor: "ann" }],
      ["applied", { kind: "terminate", reason: "enough" }],
    ],
  },
  "sets items, and such that are not there": {
    definition: items,
    data: list,
    calls: [
      ["applied", { kind: "set-item", stepId: "each", index: 1, item: 1 }],
      ["applied", { kind: "set-item", stepId: "each", index: 1, item: { n: 7 } }],
      ["refused", { kind: "set-item", stepId: "each", index: 9, item: 1 }],
      ["refused", { kind: "set-item", stepId: "wait", index: 0, item: 1 }],
      ["refused", { kind: "set-item", stepId: "each", index: 0, item: large }],
    ],
  },
  "migrates to where it cannot": {
    definition: waits,
    calls: [
      ["refused", { kind: "migrate", version: 7 }],
      ["applied", { kind: "suspend" }],
      ["refused", { kind: "migrate", version: 7, actor: "ann" }],
    ],
  },
  "hears of a child that is retried, while it waits for it": {
    definition: parent,
    calls: [
      ["refused", { kind: "child-retried", pointer: 77, childId: "w/x" }],
      ["refused", { kind: "retry" }],
      ["applied", { kind: "retry", byParent: true }],
    ],
  },
  "terminates what is undone, and what is stuck in it": {
    definition: undoes,
    calls: [
      ["refused", { kind: "retry", from: "one" }],
      ["applied", { kind: "retry" }],
      ["applied", { kind: "terminate", compensate: true, reason: "leave it" }],
      ["refused", { kind: "terminate" }],
    ],
  },
  "hears of the end of a child that it does not wait for": {
    definition: waits,
    calls: [["applied", { kind: "child-ended", pointer: 4711, childId: "w/9", status: "completed", data: {} }]],
  },
};

describe("replay, where somebody", () => {
  for (const [name, { definition, data = {}, calls }] of Object.entries(cases)) {
    it(`${name}, finds no difference`, async () => {
      const driver = new Driver(definition).start(data);
      await driver.run();
      for (const [expected, delivery] of calls) {
        const { refused } = driver.deliver(delivery);
        expect(refused === undefined ? "applied" : "refused", `${delivery.kind}: ${refused}`).toBe(expected);
        await driver.run();
      }
      const turns = driver.journal.map(({ seq, text }) => ({ seq, at: driver.now, entries: decodeEntries(text) }));
      expect(replayTurns(definition, turns)).toEqual([]);
    });
  }

  it("retries a child that its parent still waits for, finds no difference", async () => {
    const driver = new Driver(parent).start();
    await driver.run();
    const [child] = driver.children;
    if (child === undefined) throw new Error("no child was started");
    const { pointer, childId } = child;
    expect(driver.deliver({ kind: "child-retried", pointer, childId, actor: "ann" })).toEqual({});
    driver.deliver({ kind: "child-ended", pointer, childId, status: "completed", data: { done: true } });
    await driver.run();
    expect(driver.state.phase).toBe("completed");
    const turns = driver.journal.map(({ seq, text }) => ({ seq, at: driver.now, entries: decodeEntries(text) }));
    expect(replayTurns(parent, turns)).toEqual([]);
  });
});

it("replay, where a turn was committed after it was decided, allows for that in what is made of the time", async () => {
  const definition = workflow()
    .then(nothing, (_, at) => ({ at: at.now, soon: new Date(at.now + 1), text: new Date(at.now).toISOString() }))
    .waitFor("never", "k", { asOf: "now" })
    .build("times", 1);
  const driver = new Driver(definition);
  driver.now = Date.UTC(2030, 0);
  await driver.start().run();
  const turns = driver.journal.map(({ seq, text }) => ({ seq, at: driver.now + 70, entries: decodeEntries(text) }));
  expect(replayTurns(definition, turns)).toEqual([]);
  const late = turns.map((turn) => ({ ...turn, at: turn.at + 3_600_000 }));
  expect(replayTurns(definition, late).map(({ seq }) => seq)).toEqual([0]);
});

it("replay, where a reminder was decided before its wait's deadline and committed after it, finds no difference", async () => {
  const definition = workflow()
    .waitFor("never", "k", { timeout: 100, remind: { every: 60, do: (b) => b.then(nothing) } })
    .build("reminds", 1);
  const driver = new Driver(definition).start();
  await driver.run();
  driver.now += 60;
  await driver.run();
  const turns = driver.journal.map(({ seq, text }) => ({
    seq,
    at: driver.now + (seq === 0 ? 0 : 70),
    entries: decodeEntries(text),
  }));
  expect(turns.flatMap(({ entries }) => entries.map(({ kind }) => kind))).toContain("reminder-due");
  expect(replayTurns(definition, turns)).toEqual([]);
});
