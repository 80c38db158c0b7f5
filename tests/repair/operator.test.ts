import { CorruptedRecordError, workflow } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

describe.each(stores)("explain on $name", (store) => {
  it("says what a workflow waits for and until when", async () => {
    await using world = new World(store);
    const child = workflow().waitFor("never", "").build("child", 1);
    const waiting = workflow()
      .parallel((p) =>
        p
          .branch((b) => b.waitFor("paid", "o-1", { timeout: "5d" }).id("payment"))
          .branch((b) => b.delay("1h").id("pause"))
          .branch((b) => b.runWorkflow("child", () => ({})).id("ship")),
      )
      .build("w", 1);
    const host = await world.start([waiting, child]);
    const now = world.clock.now();
    const handle = await host.startWorkflow(waiting, {});
    await world.settle();
    const { waitsFor, text, actions, failures } = await host.explain(handle.id);
    expect(failures).toEqual([]);
    expect(waitsFor).toMatchObject([
      { kind: "event", stepId: "payment", until: now + 5 * 86_400_000 },
      { kind: "time", stepId: "pause", until: now + 3_600_000 },
      { kind: "child", stepId: "ship" },
    ]);
    expect(text).toContain("event `paid` with key `o-1`, until ");
    expect(actions.map(({ call, arguments: args }) => [call, ...args])).toEqual([
      ["publishEvent", "paid", "o-1"],
      ["explain", expect.stringContaining(`${handle.id}/`)],
      ["skipStep", handle.id, "payment"],
      ["suspendWorkflow", handle.id],
      ["terminateWorkflow", handle.id],
    ]);
  });

  it("says that nobody runs a workflow whose definition no host has", async () => {
    await using world = new World(store);
    const client = world.host();
    const definition = workflow().waitFor("never", "").build("w", 1);
    const { id } = await client.startWorkflow(definition, {});
    const { waitsFor } = await client.explain(id);
    expect(waitsFor).toMatchObject([
      { kind: "host", text: expect.stringContaining("`w` version 1, which this one has not") },
    ]);
    await expect(client.explain("nobody")).rejects.toMatchObject({ code: "WORKFLOW_NOT_FOUND" });
  });

  it("says why a parent failed: the item in its child's child", async () => {
    await using world = new World(store);
    const leaf = workflow()
      .forEach(
        () => ["a", "b"],
        (b) =>
          b
            .then((_, ctx) => {
              if (ctx.index === 1) throw new RangeError("no such shelf");
            })
            .id("pick"),
        { concurrency: 1 },
      )
      .build("leaf", 1);
    const middle = workflow()
      .runWorkflow("leaf", () => ({}))
      .build("middle", 1);
    const top = workflow()
      .runWorkflow("middle", () => ({}))
      .build("top", 1);
    const host = await world.start([leaf, middle, top]);
    const handle = await host.startWorkflow(top, {});
    await world.ended(handle);
    const { failures, actions, text } = await host.explain(handle.id);
    expect(failures).toMatchObject([{ stepId: expect.stringContaining("pick"), item: [1], attempt: 1 }]);
    expect(failures[0]?.error).toMatchObject({ name: "RangeError", message: "no such shelf" });
    expect(actions[0]).toMatchObject({ call: "explain", arguments: [failures[0]?.workflowId] });
    expect(text).toContain("RangeError: no such shelf");
    const inner = await host.explain(failures[0]?.workflowId ?? "");
    expect(inner.actions).toContainEqual(
      expect.objectContaining({
        call: "retryWorkflow",
        arguments: [inner.id, { from: failures[0]?.stepId, item: [1] }],
      }),
    );
  });
});

describe.each(stores)("history on $name", (store) => {
  it("says how long an execution took, also where it began on another page", async () => {
    await using world = new World(store);
    const { step } = recorder();
    // What fails at once is opened, and ends, in one turn.
    const definition = workflow().delay("2s").id("pause").then(step("a")).fail("no").id("no").build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("2s");
    await world.ended(handle);
    const items = await historyOf(host, handle.id);
    const at = items.findIndex(({ kind, stepId }) => kind === "step-completed" && stepId === "pause");
    expect(items[at]).toMatchObject({ durationMs: 2_000 });
    expect(items.at(-1)).toMatchObject({ kind: "workflow-failed", durationMs: 2_000 });
    for (let cursor: string | undefined, index = 0; ; index++) {
      const page = await host.history(handle.id, { limit: 1, ...(cursor === undefined ? {} : { cursor }) });
      expect(page.items[0]).toEqual(items[index]);
      ({ cursor } = page);
      if (cursor === undefined) break;
    }
  });
});

describe.each(stores)("a workflow as a file, on $name", (store) => {
  const definition = workflow<{ n: number; when?: Date }>()
    .then(() => new Date(5))
    .as("when")
    .waitFor<string>("go", "k")
    .as("got")
    .then((data) => data.n + 1)
    .as("n")
    .build("w", 1);

  it("comes back with its history, in another store, and goes on there", async () => {
    await using here = new World(store);
    await using there = new World(store);
    const host = await here.start([definition]);
    await host.startWorkflow(definition, { n: 1 }, { id: "o-1", tags: ["blue"], priority: 3 });
    await host.publishEvent("go", "other", "x");
    await here.clock.advance("1h");
    const file = await host.exportWorkflow("o-1");

    await there.clock.advance("2h");
    const other = await there.start([definition]);
    await other.publishEvent("go", "k", "before the import");
    await there.clock.advance("1s");
    const moved = await other.as("ann").importWorkflow(file);
    expect(moved.id).toBe("o-1");
    expect(await moved.get()).toMatchObject({
      status: "suspended",
      priority: 3,
      tags: ["blue"],
      data: { n: 1, when: new Date(5) },
    });
    const before = await historyOf(host, "o-1");
    const after = await historyOf(other, "o-1");
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.slice(before.length)).toMatchObject([{ kind: "workflow-imported", actor: "ann" }]);
    expect(await other.stateAt("o-1", 1)).toEqual(await host.stateAt("o-1", 1));

    await (await other.resumeWorkflow("o-1")).applied();
    await other.publishEvent("go", "k", "now");
    expect(await moved.result()).toEqual({ n: 2, when: new Date(5), got: "now" });
  });

  it("comes back as it ended, and a second copy has another id", async () => {
    await using world = new World(store);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { n: 1 }, { id: "o-1" });
    await host.publishEvent("go", "k", "now");
    await handle.result();
    const file = await host.exportWorkflow("o-1");
    await expect(host.importWorkflow(file)).rejects.toMatchObject({ code: "WORKFLOW_ID_CONFLICT" });
    const copied = await host.importWorkflow(new TextEncoder().encode(file), { id: "o-2" });
    expect(await copied.result()).toEqual(await handle.result());
    expect(await host.exportWorkflow("o-2")).toContain('"kind":"workflow-imported"');
  });

  it("is refused where it is cut, changed, empty or newer, and nothing is stored", async () => {
    await using world = new World(store);
    const host = await world.start([definition]);
    await host.startWorkflow(definition, { n: 1 }, { id: "o-1" });
    await world.settle();
    const file = await host.exportWorkflow("o-1");
    const lines = file.trimEnd().split("\n");
    const broken = {
      cut: lines.slice(0, -1).join("\n"),
      "a turn short": [...lines.slice(0, -2), lines.at(-1)].join("\n"),
      "in the middle of a line": file.slice(0, -20),
      "another file": '{"a":1}\n',
      nothing: "",
      "another kind of turn": file.replace('"kind":"step-completed"', '"kind":"step-conpleted"'),
    };
    for (const [name, text] of Object.entries(broken))
      await expect(host.importWorkflow(text, { id: "copy" }), name).rejects.toThrow(CorruptedRecordError);
    await expect(host.importWorkflow(file.replace('"format":1', '"format":2'))).rejects.toMatchObject({
      code: "NEWER_FORMAT",
    });
    await expect(host.importWorkflow(5 as never)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    expect(await host.getWorkflow("copy")).toBeUndefined();
  });
});
