import { workflow, WorkflowHost } from "@wfe/core";
import { memory } from "@wfe/core/testing";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

describe.each(stores)("versions of a definition on $name", (store) => {
  const versions = (r: ReturnType<typeof recorder>) => ({
    v1: workflow().then(r.step("a")).waitFor("go", "").then(r.step("v1 tail")).build("w", 1),
    v2: workflow().then(r.step("a")).waitFor("go", "").then(r.step("b")).then(r.step("v2 tail")).build("w", 2),
  });

  it("run side by side, each workflow on the one it was started with", async () => {
    await using world = new World(store);
    const r = recorder();
    const { v1, v2 } = versions(r);
    const host = await world.start([v1, v2]);
    const first = await host.startWorkflow(v1, {});
    const second = await host.startWorkflow(v2, {});
    const latest = await host.startWorkflow("w", {});
    const chosen = await host.startWorkflow("w", {}, { version: 1 });
    await host.publishEvent("go", "", undefined);
    for (const handle of [first, second, latest, chosen]) await handle.result();
    const ran = await Promise.all([first, second, latest, chosen].map(async (handle) => (await handle.get())?.version));
    expect(ran).toEqual([1, 2, 2, 1]);
    expect(r.counts()).toEqual({ a: 4, "v1 tail": 2, b: 2, "v2 tail": 2 });
  });

  it("refuse a start of a definition or version that is not registered", async () => {
    await using world = new World(store);
    const { v1, v2 } = versions(recorder());
    const host = await world.start([v1]);
    await expect(host.startWorkflow("nowhere", {})).rejects.toMatchObject({
      name: "DefinitionNotFoundError",
      code: "DEFINITION_NOT_FOUND",
      definitionId: "nowhere",
    });
    await expect(host.startWorkflow("w", {}, { version: 2 })).rejects.toMatchObject({
      code: "DEFINITION_NOT_FOUND",
      definitionId: "w",
      version: 2,
    });
    await expect(host.startWorkflow(v2, {})).rejects.toMatchObject({ code: "DEFINITION_NOT_FOUND" });
  });

  it("refuse another structure under the same id and version, but not other functions", () => {
    const one = workflow()
      .then(() => 1)
      .id("a")
      .build("w", 1);
    const same = workflow()
      .then(() => 2)
      .id("a")
      .build("w", 1);
    const other = workflow()
      .then(() => 1)
      .id("b")
      .build("w", 1);
    expect(same.hash).toBe(one.hash);
    expect(other.hash).not.toBe(one.hash);
    expect(() => new WorkflowHost({ providers: [memory()], workflows: [one, same] })).not.toThrow();
    expect(() => new WorkflowHost({ providers: [memory()], workflows: [one, other] })).toThrow(
      expect.objectContaining({ code: "DEFINITION_CONFLICT" }),
    );
    expect(
      () => new WorkflowHost({ providers: [memory()], workflows: [one, other], allowRedefine: true }),
    ).not.toThrow();
  });

  it("leave workflows of a definition that a host lacks to one that has it", async () => {
    await using world = new World(store);
    const r = recorder();
    const { v1, v2 } = versions(r);
    const old = await world.start([v1]);
    const client = world.host([v1, v2]);
    const handle = await client.startWorkflow(v2, {});
    await world.clock.advance("10m");
    expect((await old.getWorkflow(handle.id))?.status).toBe("runnable");
    expect(r.ran).toEqual([]);
    const both = await world.start([v1, v2]);
    await both.publishEvent("go", "", undefined);
    await world.clock.advance("10s");
    expect((await old.getWorkflow(handle.id))?.status).toBe("completed");
    expect(r.ran).toEqual(["a", "b", "v2 tail"]);
  });

  it("take up workflows when a definition is registered later", async () => {
    await using world = new World(store);
    const r = recorder();
    const { v1 } = versions(r);
    const { id } = await world.host([v1]).startWorkflow(v1, {});
    const host = await world.start([]);
    await world.clock.advance("1m");
    expect(r.ran).toEqual([]);
    host.register(v1);
    await world.clock.advance("10s");
    expect(r.ran).toEqual(["a"]);
    expect((await host.getWorkflow(id))?.status).toBe("waiting");
  });
});

describe.each(stores)("migrateWorkflow on $name", (store) => {
  it("goes on with the new version from the step where it stands", async () => {
    await using world = new World(store);
    const r = recorder();
    const v1 = workflow()
      .then(r.step("a"))
      .id("a")
      .waitFor("go", "")
      .id("wait")
      .then(r.step("old tail"))
      .id("tail")
      .build("w", 1);
    const v2 = workflow()
      .then(r.step("a"))
      .id("a")
      .waitFor("go", "")
      .id("wait")
      .then(r.step("inserted"))
      .id("inserted")
      .then(r.step("new tail"))
      .id("tail")
      .build("w", 2);
    const host = await world.start([v1, v2]);
    const handle = await host.startWorkflow(v1, {});
    await world.settle();
    await (await host.as("ann").migrateWorkflow(handle.id, 2)).applied();
    expect(await handle.get()).toMatchObject({ version: 2, status: "waiting" });
    await host.publishEvent("go", "", undefined);
    await handle.result();
    expect(r.ran).toEqual(["a", "inserted", "new tail"]);
    expect((await historyOf(host, handle.id)).find(({ kind }) => kind === "workflow-migrated")).toMatchObject({
      version: 2,
      actor: "ann",
    });
  });

  it("is refused where the new version lacks the step where it stands, and for unknown versions", async () => {
    await using world = new World(store);
    const v1 = workflow().waitFor("go", "").id("wait").build("w", 1);
    const v2 = workflow().waitFor("go", "").id("another wait").build("w", 2);
    const host = await world.start([v1, v2]);
    const handle = await host.startWorkflow(v1, {});
    await world.settle();
    await expect((await host.migrateWorkflow(handle.id, 2)).applied()).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining("wait"),
    });
    await expect(host.migrateWorkflow(handle.id, 3).then((accepted) => accepted.applied())).rejects.toMatchObject({
      code: expect.stringMatching(/REFUSED|DEFINITION_NOT_FOUND/),
    });
    expect(await handle.get()).toMatchObject({ version: 1, status: "waiting" });
  });

  it("moves a failed workflow, which a retry then runs", async () => {
    await using world = new World(store);
    const r = recorder();
    const v1 = workflow().then(r.failing("broken")).id("step").build("w", 1);
    const v2 = workflow().then(r.step("mended")).id("step").then(r.step("tail")).build("w", 2);
    const host = await world.start([v1, v2]);
    const handle = await host.startWorkflow(v1, {});
    await world.ended(handle);
    await (await host.migrateWorkflow(handle.id, 2)).applied();
    await (await host.retryWorkflow(handle.id)).applied();
    await handle.result();
    expect(r.ran).toEqual(["broken", "mended", "tail"]);
  });
});
