import { workflow, type Accepted } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

const answered = async (accepted: Promise<Accepted>): Promise<void> => (await accepted).applied();

describe.each(stores)("a call about a step that stands, on $name", (store) => {
  it("lets a child that failed as it ended, and retries that of another branch", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const first = workflow().then(failing("first")).build("first", 1);
    const second = workflow().delay("1h").then(step("second")).build("second", 1);
    const parent = workflow()
      .parallel((p) =>
        p
          .branch((b) =>
            b
              .runWorkflow("first", () => ({}))
              .id("run first")
              .as("got"),
          )
          .branch((b) => b.runWorkflow("second", () => ({})).id("run second")),
      )
      .then(step("after"))
      .build("parent", 1);
    const host = await world.start([first, second, parent]);
    const handle = await host.startWorkflow(parent, {}, { id: "p" });
    await world.ended(handle);
    expect(ran).toEqual(["first"]);
    await answered(host.skipStep("p", "run first", { by: "hand" }));
    await world.settle();
    await world.clock.advance("2h");
    await world.settle();
    expect(await handle.get()).toMatchObject({ status: "completed", data: { got: { by: "hand" } } });
    expect(ran).toEqual(["first", "second", "after"]);
    const { items } = await host.listWorkflows({ definitionId: "first" });
    expect(items.map(({ status }) => status)).toEqual(["failed"]);
  });

  it("keeps the output of what has something under way, and says so", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow()
      .waitFor("approved", "k", { remind: { every: "1h", do: (b) => b.delay("1w").then(step("reminded")) } })
      .id("approval")
      .as("approval")
      .then(step("after"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await world.clock.advance("2h");
    await world.settle();
    await answered(host.suspendWorkflow(handle.id));
    await answered(host.as("ann").skipStep(handle.id, "approval", { by: "ann" }));
    await world.settle();
    expect(await handle.get()).toMatchObject({ status: "suspended", data: { approval: { by: "ann" } } });
    expect(ran).toEqual([]);
    await answered(host.resumeWorkflow(handle.id));
    const { status, steps } = await world.ended(handle);
    expect(status).toBe("completed");
    expect(steps.find(({ id }) => id === "approval")?.status).toBe("skipped");
    expect(ran).toEqual(["after"]);
  });

  it("ends a workflow that an error suspended in its `ensure` by one call", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .then(step("a"))
      .ensure((b) => b.then(failing("close")).onError("suspend"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    expect((await handle.get())?.status).toBe("suspended");
    await answered(host.terminateWorkflow(handle.id));
    expect((await world.ended(handle)).status).toBe("terminated");
    expect(ran).toEqual(["a", "close"]);
  });
});
