import { workflow } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

describe.each(stores)("calls for many workflows, on $name", (store) => {
  it("count what they would do, do it to what matches alone, and are on record", async () => {
    await using world = new World(store);
    let broken = true;
    const definition = workflow<{ n: number }>()
      .then((data) => {
        if (broken && data.n % 2 === 0) throw new Error("even");
      })
      .build("w", 1);
    const other = workflow()
      .then(() => {
        if (broken) throw new Error("other");
      })
      .build("other", 1);
    const host = await world.start([definition, other]);
    for (let n = 0; n < 10; n++)
      await host.startWorkflow(definition, { n }, { id: `w-${n}`, tags: [n < 5 ? "low" : "high"] });
    await host.startWorkflow(other, {}, { id: "other" });
    await world.clock.advance("1s");
    broken = false;
    const filter = { definitionId: "w" };
    expect(await host.retryWorkflows(filter, { preview: true })).toEqual({ matched: 5, accepted: 0, skipped: [] });
    expect(await host.countWorkflows({ status: "failed" })).toBe(6);
    expect(await host.as("ann").retryWorkflows({ ...filter, tag: "low" })).toMatchObject({ matched: 3, accepted: 3 });
    await world.settle();
    expect(await host.countWorkflows({ status: "failed" })).toBe(3);
    expect((await historyOf(host, "w-0")).find(({ kind }) => kind === "workflow-retried")).toMatchObject({
      actor: "ann",
    });
    expect(await host.retryWorkflows(filter, { limit: 1 })).toMatchObject({ matched: 1 });
    await expect(host.retryWorkflows({})).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(host.retryWorkflows({ definitionID: "w" } as never)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    const unknown = { dryRun: true } as never;
    for (const call of [
      host.retryWorkflows(filter, unknown),
      host.suspendWorkflows(filter, unknown),
      host.resumeWorkflows(filter, unknown),
      host.terminateWorkflows(filter, unknown),
      host.setDataOf(filter, { seen: true }, unknown),
      host.migrateWorkflows(filter, 2, unknown),
    ])
      await expect(call).rejects.toMatchObject({
        code: "INVALID_OPTION",
        message: expect.stringContaining("`dryRun`"),
      });
  });

  it("suspend, resume and terminate", async () => {
    await using world = new World(store);
    const definition = workflow().waitFor("never", "").build("w", 1);
    const host = await world.start([definition]);
    for (let n = 0; n < 4; n++) await host.startWorkflow(definition, {}, { id: `w-${n}` });
    await world.settle();
    const filter = { definitionId: "w" };
    expect(await host.suspendWorkflows(filter, { reason: "maintenance" })).toMatchObject({ accepted: 4 });
    await world.settle();
    expect(await host.countWorkflows({ status: "suspended" })).toBe(4);
    expect((await host.getWorkflow("w-0"))?.reason).toBe("maintenance");
    expect(await host.resumeWorkflows(filter, { limit: 2 })).toMatchObject({ accepted: 2 });
    await world.settle();
    expect(await host.countWorkflows({ status: "waiting" })).toBe(2);
    expect(await host.setDataOf(filter, { seen: true })).toMatchObject({ accepted: 4 });
    expect(await host.terminateWorkflows(filter, { reason: "enough" })).toMatchObject({ accepted: 4 });
    await world.settle();
    expect(await host.countWorkflows({ status: "terminated" })).toBe(4);
    expect((await host.getWorkflow("w-1"))?.data).toEqual({ seen: true });
  });
});

describe.each(stores)("another version, on $name", (store) => {
  const v1 = workflow()
    .then(() => 1)
    .id("charge")
    .as("charge")
    .saga((s) =>
      s
        .waitFor("e", "k")
        .id("approval")
        .then(() => 2)
        .id("ship")
        .as("ship"),
    )
    .id("trip")
    .build("w", 1);

  it("is checked for what it would strand, and takes what it does not", async () => {
    await using world = new World(store);
    const { step } = recorder();
    const gone = workflow()
      .then(step("charge"))
      .id("charge")
      .saga((s) => s.then(step("ship")).id("ship"))
      .id("trip")
      .build("w", 2);
    const otherKind = workflow()
      .saga((s) => s.delay("1h").id("approval"))
      .id("trip")
      .build("w", 2);
    const moved = workflow()
      .waitFor("e", "k")
      .id("approval")
      .saga((s) => s.then(step("ship")))
      .id("trip")
      .build("w", 2);
    const fine = workflow()
      .saga((s) => s.waitFor("e", "k").id("approval").then(step("two")))
      .id("trip")
      .then(step("more"))
      .build("w", 2);
    const host = await world.start([v1, fine]);
    for (let n = 0; n < 3; n++) await host.startWorkflow(v1, {}, { id: `w-${n}`, version: 1 });
    const done = await host.startWorkflow(workflow().then(step("x")).build("y", 1), {}).catch(() => undefined);
    expect(done).toBeUndefined();
    await world.settle();
    const words = { gone: "does not have", otherKind: "of kind wait now", moved: "stands in" };
    for (const [name, definition] of Object.entries({ gone, otherKind, moved })) {
      const result = await host.check([definition]);
      expect(result, name).toMatchObject({ live: 3, stranded: 3 });
      expect(result.workflows[0]?.reason, name).toContain(words[name as keyof typeof words]);
    }
    expect(await host.check([gone], { limit: 1 })).toMatchObject({
      stranded: 3,
      workflows: [{ status: "waiting", toVersion: 2 }],
    });
    expect(await host.check([fine])).toEqual({ live: 3, stranded: 0, workflows: [] });
    expect(await host.check([v1, gone])).toMatchObject({ live: 3, stranded: 0 });
    expect(await host.migrateWorkflows({ definitionId: "w" }, 2)).toMatchObject({ accepted: 3 });
    await host.publishEvent("e", "k", 1);
    await world.settle();
    expect(await host.countWorkflows({ definitionId: "w", version: 2, status: "completed" })).toBe(3);
  });

  it("takes over steps under new names, also to undo and to retry them", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const before = workflow()
      .then(step("a"))
      .id("a")
      .compensateWith(step("undo a"))
      .parallel((p) =>
        p.branch((b) => b.waitFor("e", "k").id("approval")).branch((b) => b.then(step("side")).id("side")),
      )
      .id("both")
      .build("w", 1);
    const after = workflow()
      .then(step("a"))
      .id("first")
      .compensateWith(step("undo first"))
      .parallel((p) =>
        p.branch((b) => b.waitFor("e", "k").id("release")).branch((b) => b.then(step("side")).id("side")),
      )
      .id("joint")
      .then(failing("last", 1))
      .id("last")
      .build("w", 2);
    const host = await world.start([before, after]);
    const handle = await host.startWorkflow(before, {}, { version: 1 });
    await world.settle();
    const steps = { a: "first", approval: "release", both: "joint" };
    expect(await host.check([after])).toMatchObject({ stranded: 1 });
    expect(await host.check([after], { steps })).toMatchObject({ live: 1, stranded: 0 });
    for (const wrong of [{}, { a: "nowhere" }, { nowhere: "first" }, { approval: "release" }]) {
      await expect(
        (await host.migrateWorkflow(handle.id, 2, { steps: wrong as never })).applied(),
      ).rejects.toMatchObject({ code: "REFUSED" });
    }
    await (await host.as("ann").migrateWorkflow(handle.id, 2, { steps })).applied();
    await host.publishEvent("e", "k", 1);
    expect((await world.ended(handle)).status).toBe("failed");
    expect(ran).toEqual(["a", "side", "last", "undo first"]);
    await (await host.retryWorkflow(handle.id)).applied();
    await world.settle();
    await host.publishEvent("e", "k", 2);
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran.slice(4)).toEqual(["a", "side", "last"]);
    expect((await historyOf(host, handle.id)).find(({ kind }) => kind === "workflow-migrated")).toMatchObject({
      steps,
      version: 2,
      actor: "ann",
    });
  });

  it("is refused where it lacks the compensation of what has been done", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const build = (version: number, { a, inner }: { readonly a: boolean; readonly inner?: string }) => {
      const first = workflow().then(step("a")).id("a");
      const start = a ? first.compensateWith(step("undo a")) : first;
      return start
        .saga((b) => {
          const done = b.then(step("in")).id(inner ?? "in");
          return inner === undefined ? done : done.compensateWith(step("undo in"));
        })
        .id("saga")
        .waitFor("e", "k")
        .id("e")
        .then(failing("b"))
        .id("b")
        .build("w", version);
    };
    const v1 = build(1, { a: true, inner: "in" });
    const withoutA = build(2, { a: false, inner: "in" });
    const withoutInner = build(3, { a: true });
    const renamed = build(4, { a: true, inner: "within" });
    const host = await world.start([v1, withoutA, withoutInner, renamed]);
    const handle = await host.startWorkflow(v1, {}, { version: 1 });
    await world.settle();
    const steps = { in: "within" };
    const lacking = { 2: [withoutA, "a"], 3: [withoutInner, "in"], 4: [renamed, "in"] } as const;
    for (const [version, [definition, lacks]] of Object.entries(lacking)) {
      const reason = expect.stringContaining(
        `step \`${lacks}\` has been done and would be undone after a failure, and version ${version} has no compensation`,
      );
      expect(await host.check([definition])).toMatchObject({ live: 1, stranded: 1, workflows: [{ reason }] });
      const call = await host.migrateWorkflow(handle.id, Number(version));
      const refused = expect(call.applied()).rejects.toMatchObject({ code: "REFUSED", message: reason });
      await world.settle();
      await refused;
    }
    expect(await host.check([renamed], { steps })).toMatchObject({ live: 1, stranded: 0 });
    await (await host.migrateWorkflow(handle.id, 4, { steps })).applied();
    await host.publishEvent("e", "k", 1);
    expect((await world.ended(handle)).error).toMatchObject({ stepId: "b" });
    expect(ran).toEqual(["a", "in", "b", "undo in", "undo a"]);
  });

  it("takes over an undoing that is under way, which can be repeated there", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const refund = failing("refund", 1);
    const build = (version: number, id: string) =>
      workflow()
        .then(step("a"))
        .id(id)
        .compensateWithSequence((b) => b.waitFor("e", "k").id("e").then(refund).id("refund"))
        .then(failing("b"))
        .id("b")
        .build("w", version);
    const host = await world.start([build(1, "a"), build(2, "first")]);
    const handle = await host.startWorkflow("w", {}, { version: 1 });
    await world.settle();
    await (await host.migrateWorkflow(handle.id, 2, { steps: { a: "first" } })).applied();
    await host.publishEvent("e", "k", 1);
    expect((await world.ended(handle)).error).toMatchObject({ code: "COMPENSATION_FAILED", stepId: "first" });
    await (await host.retryWorkflow(handle.id)).applied();
    await host.publishEvent("e", "k", 2);
    expect((await world.ended(handle)).error).toMatchObject({ stepId: "b" });
    expect(ran).toEqual(["a", "b", "refund", "refund"]);
  });

  it("may take away the compensation of what has not been done", async () => {
    await using world = new World(store);
    const { step } = recorder();
    const before = workflow().waitFor("e", "k").id("e").then(step("a")).id("a").compensateWith(step("undo a"));
    const after = workflow().waitFor("e", "k").id("e").then(step("a")).id("a");
    const host = await world.start([before.build("w", 1), after.build("w", 2)]);
    const { id } = await host.startWorkflow("w", {}, { version: 1 });
    await world.settle();
    expect(await host.check([after.build("w", 2)])).toMatchObject({ live: 1, stranded: 0 });
    await (await host.migrateWorkflow(id, 2)).applied();
    expect((await host.getWorkflow(id))?.version).toBe(2);
  });

  it("is counted once, however many are checked", async () => {
    await using world = new World(store);
    const build = (version: number, id: string) => workflow().waitFor("e", "k").id(id).build("w", version);
    const [one, two, three] = [build(1, "e"), build(2, "e"), build(3, "other")] as const;
    const host = await world.start([one, two]);
    for (let n = 0; n < 3; n++) await host.startWorkflow("w", {}, { version: 1, id: `w-${n}` });
    await host.startWorkflow("w", {}, { version: 2, id: "w-3" });
    await world.settle();
    const both = await host.check([two, three]);
    expect(both).toMatchObject({ live: 4, stranded: 3 });
    expect(both.workflows.map(({ id, toVersion }) => [id, toVersion]).toSorted()).toEqual([
      ["w-0", 3],
      ["w-1", 3],
      ["w-2", 3],
    ]);
    expect(await host.check([three, three])).toMatchObject({ live: 4, stranded: 4, workflows: { length: 4 } });
    await expect(host.check([build(3, "another"), three])).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});
