import { workflow, type Accepted, type WorkflowHost } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

const answered = async (accepted: Promise<Accepted>): Promise<void> => (await accepted).applied();

describe.each(stores)("an imported workflow, on $name", (store) => {
  const child = workflow()
    .then(() => 1)
    .build("child", 1);
  const parent = workflow<{ n?: number }>()
    .runWorkflow("child", () => ({}))
    .waitFor<string>("go", "k")
    .as("got")
    .build("parent", 1);

  const moved = async (from: WorkflowHost, to: WorkflowHost): Promise<void> => {
    await to.importWorkflow(await from.exportWorkflow("o-1"));
  };

  it("hears the first call, however many the original had read", async () => {
    await using here = new World(store);
    await using there = new World(store);
    const host = await here.start([parent, child]);
    await host.startWorkflow(parent, {}, { id: "o-1" });
    await here.settle();
    await answered(host.suspendWorkflow("o-1"));
    await answered(host.setData("o-1", { n: 1 }));
    const other = await there.start([parent, child]);
    await moved(host, other);
    await answered(other.setData("o-1", { n: 2 }));
    await answered(other.resumeWorkflow("o-1"));
    await other.publishEvent("go", "k", "now");
    await there.settle();
    expect(await other.getWorkflow("o-1")).toMatchObject({ status: "completed", data: { n: 2, got: "now" } });
    expect((await other.history("o-1", { limit: 500 })).items.map(({ kind }) => kind)).toContain("workflow-resumed");
  });

  it("has not ended before it was created there", async () => {
    await using here = new World(store);
    await using there = new World(store);
    const host = await here.start([child]);
    await host.startWorkflow(child, {}, { id: "o-1" });
    await here.settle();
    await there.clock.advance("2h");
    const other = await there.start([child]);
    await moved(host, other);
    const { status, createdAt, completedAt } = (await other.getWorkflow("o-1"))!;
    expect(status).toBe("completed");
    expect(completedAt).toBeGreaterThanOrEqual(createdAt);
  });
});
