import { workflow, type WorkflowHost } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

/** The workflows that others have started, newest first. */
async function childrenOf(host: WorkflowHost, definitionId: string): Promise<readonly string[]> {
  return (await host.listWorkflows({ definitionId })).items.map(({ id }) => id);
}

describe.each(stores)("a child that failed, on $name", (store) => {
  it("is retried inside when its parent is, and nothing that it had done is repeated", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const child = workflow()
      .then(step("a"))
      .then(failing("b", 1))
      .then(() => 7)
      .as("seven")
      .build("child", 1);
    const parent = workflow()
      .then(step("before"))
      .runWorkflow("child", () => ({}))
      .as("child")
      .then(step("after"))
      .build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    expect((await world.ended(handle)).status).toBe("failed");
    await (await host.as("ann").retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).data).toEqual({ child: { seven: 7 } });
    expect(ran).toEqual(["before", "a", "b", "b", "after"]);
    const [childId = ""] = await childrenOf(host, "child");
    expect(await childrenOf(host, "child")).toEqual([childId]);
    const retried = (await historyOf(host, childId)).find(({ kind }) => kind === "workflow-retried");
    expect(retried).toMatchObject({ actor: "ann" });
  });

  it("brings its parents back when it is retried itself, however many there are", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const leaf = workflow().then(step("a")).then(failing("b", 1)).build("leaf", 1);
    const middle = workflow()
      .runWorkflow("leaf", () => ({}))
      .then(step("middle"))
      .build("middle", 1);
    const top = workflow()
      .runWorkflow("middle", () => ({}))
      .then(step("top"))
      .build("top", 1);
    const host = await world.start([top, middle, leaf]);
    const handle = await host.startWorkflow(top, {});
    expect((await world.ended(handle)).status).toBe("failed");
    const [leafId = ""] = await childrenOf(host, "leaf");
    await (await host.as("ann").retryWorkflow(leafId)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran).toEqual(["a", "b", "b", "middle", "top"]);
    const told = (await historyOf(host, handle.id)).find(({ call }) => call === "child-retried");
    expect(told).toMatchObject({ kind: "delivery-applied", actor: "ann" });
  });

  it("brings back a parent that its failure has suspended", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const child = workflow().then(failing("b", 2)).build("child", 1);
    const parent = workflow()
      .saga((s) =>
        s
          .then(step("reserve"))
          .compensateWith(step("release"))
          .runWorkflow("child", () => ({}))
          .onError("suspend"),
      )
      .then(step("after"))
      .build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    expect((await world.ended(handle)).status).toBe("suspended");
    const [childId = ""] = await childrenOf(host, "child");
    await (await host.retryWorkflow(childId)).applied();
    expect((await world.ended(handle)).status).toBe("suspended");
    // From above it is the same.
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran).toEqual(["reserve", "b", "b", "b", "after"]);
  });

  it("is skipped inside, and its parent goes on", async () => {
    await using world = new World(store);
    const { failing, step, ran } = recorder();
    const child = workflow().then(failing("b")).id("b").as("b").build("child", 1);
    const parent = workflow()
      .runWorkflow("child", () => ({}))
      .as("child")
      .then(step("after"))
      .build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    await world.ended(handle);
    const [childId = ""] = await childrenOf(host, "child");
    await (await host.skipStep(childId, "b", "by hand")).applied();
    expect((await world.ended(handle)).data).toEqual({ child: { b: "by hand" } });
    expect(ran).toEqual(["b", "after"]);
  });

  it("is not retried for nothing: refused where its parent was undone, has ended otherwise or went on", async () => {
    const { failing, step } = recorder();
    const child = workflow().then(failing("b")).build("child", 1);
    const run = (): ReturnType<ReturnType<typeof workflow>["runWorkflow"]> =>
      workflow().runWorkflow("child", () => ({})) as never;
    const parents = {
      undone: workflow()
        .saga((s) =>
          s
            .then(step("reserve"))
            .id("reserve")
            .compensateWith(step("release"))
            .runWorkflow("child", () => ({})),
        )
        .build("parent", 1),
      completed: run().onError("ignore").build("parent", 1),
      waiting: run().onError("ignore").waitFor("never", "").build("parent", 1),
    };
    const words = { undone: "`reserve` was undone: retry the parent", completed: "gone on", waiting: "gone on" };
    for (const [name, parent] of Object.entries(parents)) {
      await using world = new World(store);
      const host = await world.start([parent, child]);
      const handle = await host.startWorkflow(parent, {});
      const before = await world.ended(handle);
      const [childId = ""] = await childrenOf(host, "child");
      await expect((await host.retryWorkflow(childId)).applied(), name).rejects.toMatchObject({
        code: "REFUSED",
        message: expect.stringContaining(words[name as keyof typeof words]),
      });
      expect((await handle.get())?.seq, name).toBe(before.seq);
    }
  });

  it("is another child where the parent goes back to before it, or to it by name", async () => {
    await using world = new World(store);
    const { failing, ran } = recorder();
    const child = workflow().then(failing("b", 1)).build("child", 1);
    const parent = workflow()
      .runWorkflow("child", () => ({}))
      .id("run")
      .build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    await world.ended(handle);
    await (await host.retryWorkflow(handle.id, { from: "run" })).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran).toEqual(["b", "b"]);
    const ids = await childrenOf(host, "child");
    expect(ids.length).toBeLessThanOrEqual(2);
  });

  it("fails its parent again when it fails again, and can be retried once more", async () => {
    await using world = new World(store);
    const { failing, ran } = recorder();
    const child = workflow().then(failing("b", 3)).build("child", 1);
    const parent = workflow()
      .parallel(
        (p) =>
          p
            .branch((b) => b.runWorkflow("child", () => ({})))
            .branch((b) => b.runWorkflow("child", () => ({ second: true }))),
        { onFailure: "wait" },
      )
      .build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    expect((await world.ended(handle)).status).toBe("failed");
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("failed");
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran.length).toBe(5);
    expect((await childrenOf(host, "child")).length).toBe(2);
  });

  it("leaves its parent waiting for the other child that failed too", async () => {
    await using world = new World(store);
    let broken = true;
    const child = workflow()
      .then(() => {
        if (broken) throw new Error("broken");
      })
      .build("child", 1);
    const parent = workflow()
      .forEach(
        () => [0, 1],
        (b) => b.runWorkflow("child", () => ({})),
        { onFailure: "wait" },
      )
      .build("parent", 1);
    const host = await world.start([parent, child]);
    const handle = await host.startWorkflow(parent, {});
    expect((await world.ended(handle)).status).toBe("failed");
    broken = false;
    const [one = "", other = ""] = await childrenOf(host, "child");
    await (await host.retryWorkflow(one)).applied();
    expect((await world.ended(handle)).status).toBe("suspended");
    await (await host.retryWorkflow(other)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
  });
});
