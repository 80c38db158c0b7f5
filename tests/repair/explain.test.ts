import { ExecutionResult, retry, workflow, type Explanation, type WorkflowDefinition } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

const fails = (): never => {
  throw new Error("no answer");
};
const never = (): Promise<never> => new Promise(() => {});
const nothing = (): void => {};

/** Each kind of waiting, and what is said of it: what it waits for, and what somebody can do. */
const waits: Readonly<Record<string, { definition: WorkflowDefinition<any, any>; says: string[]; can: string[] }>> = {
  "an event that a body waits for": {
    definition: workflow()
      .then(() => ExecutionResult.waitForEvent("answer", "q-1"))
      .id("ask")
      .build("w", 1),
    says: ["`ask`: event `answer` with key `q-1`"],
    can: ["publishEvent", "skipStep", "suspendWorkflow", "terminateWorkflow"],
  },
  "a pause that a body asked for": {
    definition: workflow()
      .then(() => ExecutionResult.sleep("1h"))
      .id("poll")
      .build("w", 1),
    says: ["`poll`: time to pass, as its body asked"],
    can: ["skipStep", "suspendWorkflow", "terminateWorkflow"],
  },
  "a retry, with why the attempt before failed": {
    definition: workflow()
      .then(fails)
      .id("call")
      .onError(retry({ interval: "1h", maxRetries: 3 }))
      .build("w", 1),
    says: ["`call`: attempt 2, since it failed: no answer"],
    can: ["skipStep", "suspendWorkflow", "terminateWorkflow"],
  },
  "a retry of a saga": {
    definition: workflow()
      .saga((b) => b.then(fails).id("call"))
      .id("trip")
      .onError(retry({ interval: "1h", maxRetries: 3 }))
      .build("w", 1),
    says: ["`trip`: attempt 2, since it failed: no answer"],
    can: ["skipStep", "suspendWorkflow", "terminateWorkflow"],
  },
  "a body that was stopped and has not ended": {
    definition: workflow()
      .saga((b) =>
        b.parallel((p) =>
          p.branch((c) => c.then(never).id("slow").compensateWith(nothing)).branch((c) => c.then(fails)),
        ),
      )
      .build("w", 1),
    says: ["`slow`: what goes on though its time is over to end, before undoing goes on"],
    can: ["suspendWorkflow", "terminateWorkflow"],
  },
  "a body that runs": {
    definition: workflow().then(never).id("long").build("w", 1),
    says: ["`long`: attempt 1 to run and end"],
    can: ["suspendWorkflow", "terminateWorkflow"],
  },
  "more than can be named": {
    definition: workflow()
      .forEach(
        () => Array.from({ length: 23 }, (_, n) => n),
        (b) => b.waitFor("go", (_, at) => `k-${String(at.item)}`).id("wait"),
        { concurrency: 23 },
      )
      .build("w", 1),
    says: [
      ...Array.from({ length: 20 }, (_, n) => `\`wait\` (item ${n}): event \`go\` with key \`k-${n}\``),
      "(3 more)",
    ],
    can: ["publishEvent", "skipStep", "suspendWorkflow", "terminateWorkflow"],
  },
};

const [store] = stores;
if (store === undefined) throw new Error("there is no store");

describe("explain says of", () => {
  const calls = ({ actions }: Explanation): readonly string[] => actions.map(({ call }) => call);

  for (const [name, { definition, says, can }] of Object.entries(waits)) {
    it(`${name} what it is, and what can be done`, async () => {
      await using world = new World(store);
      const host = await world.start([definition]);
      const { id } = await host.startWorkflow(definition, {});
      await world.settle();
      const told = await host.explain(id);
      expect(told.waitsFor.map(({ text }) => text)).toEqual(says);
      expect(calls(told)).toEqual(can);
    });
  }

  it("a suspended workflow of which nothing failed that it can be resumed", async () => {
    await using world = new World(store);
    const definition = workflow().delay("1h").build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await world.settle();
    await host.suspendWorkflow(id, { reason: "lunch" });
    await world.settle();
    const told = await host.explain(id);
    expect(told.text).toContain("is suspended: lunch.");
    expect(calls(told)).toEqual(["resumeWorkflow", "terminateWorkflow"]);
  });

  it("an undoing that failed that it stands in the way, before what was undone for", async () => {
    await using world = new World(store);
    const definition = workflow()
      .then(nothing)
      .id("book")
      .compensateWith(() => {
        throw new Error("office is closed");
      })
      .then(fails)
      .id("pay")
      .build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await world.settle();
    const { failures } = await host.explain(id);
    expect(failures.map(({ stepId, error }) => [stepId, error.message])).toEqual([
      ["book", expect.stringContaining("undoing step `book` failed: office is closed")],
      ["pay", "no answer"],
    ]);
  });

  it("a workflow that no host has begun when it was created, and that it can be ended", async () => {
    await using world = new World(store);
    const definition = workflow().then(nothing).build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {}, { delay: "1d" });
    const told = await host.explain(id);
    expect(told.happened).toEqual([{ at: world.clock.now(), text: "created" }]);
    expect(told.waitsFor).toMatchObject([{ kind: "host", text: "its start", until: world.clock.now() + 86_400_000 }]);
    expect(calls(told)).toEqual(["suspendWorkflow", "terminateWorkflow"]);
  });
});
