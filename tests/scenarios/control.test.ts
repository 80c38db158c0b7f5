import { retry, workflow } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder, untilStopped } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

describe.each(stores)("suspend and resume on $name", (store) => {
  it("holds what comes next, and goes on with it", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow().then(step("a")).delay("1h").then(step("b")).build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await (await host.suspendWorkflow(handle.id, { reason: "audit" })).applied();
    expect(await handle.get()).toMatchObject({ status: "suspended", reason: "audit" });
    await world.clock.advance("1d");
    expect(ran).toEqual(["a"]);
    await (await host.resumeWorkflow(handle.id)).applied();
    // The time has passed meanwhile.
    await handle.result();
    expect(ran).toEqual(["a", "b"]);
    expect((await handle.get())?.reason).toBeUndefined();
  });

  it("keeps events that come meanwhile", async () => {
    await using world = new World(store);
    const definition = workflow().waitFor<number>("e", "").as("got").build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await (await host.suspendWorkflow(handle.id)).applied();
    await host.publishEvent("e", "", 7);
    await world.clock.advance("1m");
    expect((await handle.get())?.data).toEqual({});
    await host.resumeWorkflow(handle.id);
    expect(await handle.result()).toEqual({ got: 7 });
  });

  it("stops a running body by its signal, and runs it again under the same key", async () => {
    await using world = new World(store);
    const keys: string[] = [];
    const attempts: number[] = [];
    const reasons: unknown[] = [];
    const definition = workflow()
      .then(async (_, ctx) => {
        keys.push(ctx.idempotencyKey);
        attempts.push(ctx.step.attempt);
        if (keys.length > 1) return "done";
        ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
        return untilStopped(_, ctx);
      })
      .as("result")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    const { applied } = await host.suspendWorkflow(handle.id);
    await world.settle();
    await applied();
    expect(reasons).toMatchObject([{ code: "STEP_ABORTED", reason: "suspended" }]);
    expect((await handle.get())?.status).toBe("suspended");
    expect((await historyOf(host, handle.id)).map(({ kind }) => kind)).not.toContain("step-failed");
    await host.resumeWorkflow(handle.id);
    expect(await handle.result()).toEqual({ result: "done" });
    expect(keys[1]).toBe(keys[0]);
    expect(attempts[0]).toBe(1);
  });

  it("is accepted at once while a body that does not listen goes on; what it returns counts once", async () => {
    await using world = new World(store);
    const { gated, step, ran } = recorder();
    const deaf = gated("deaf");
    const definition = workflow().then(deaf).then(step("next")).build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await host.suspendWorkflow(handle.id);
    await world.settle();
    deaf.open();
    await world.clock.advance("10s");
    expect((await handle.get())?.status).toBe("suspended");
    expect(ran).toEqual(["deaf", "deaf, ended"]);
    await host.resumeWorkflow(handle.id);
    await handle.result();
    expect(ran.filter((name) => name === "next")).toHaveLength(1);
    expect(
      (await historyOf(host, handle.id)).filter(({ kind, stepId }) => kind === "step-completed" && stepId === "deaf"),
    ).toHaveLength(1);
  });

  it("is possible before a workflow begins", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow().then(step("a")).build("w", 1);
    const client = world.host([definition]);
    const { id } = await client.startWorkflow(definition, {});
    await client.suspendWorkflow(id);
    const host = await world.start([definition]);
    await world.clock.advance("1m");
    expect((await host.getWorkflow(id))?.status).toBe("suspended");
    expect(ran).toEqual([]);
    await host.resumeWorkflow(id);
    await host.handle(id).result();
    expect(ran).toEqual(["a"]);
  });

  it("keeps the result pending", async () => {
    await using world = new World(store);
    const definition = workflow().delay("1s").build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await (await host.suspendWorkflow(handle.id)).applied();
    const waiting = handle.result({ timeout: "1h" });
    await world.clock.advance("2h");
    await expect(waiting).rejects.toMatchObject({ code: "RESULT_TIMEOUT" });
    await host.resumeWorkflow(handle.id);
    await handle.result();
  });

  it("suspends the pause before a retry too", async () => {
    await using world = new World(store);
    const { failing, count } = recorder();
    const definition = workflow()
      .then(failing("shaky", 1))
      .onError(retry({ interval: "1m" }))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await (await host.suspendWorkflow(handle.id)).applied();
    await world.clock.advance("1h");
    expect(count("shaky")).toBe(1);
    await host.resumeWorkflow(handle.id);
    await handle.result();
    expect(count("shaky")).toBe(2);
  });
});

describe.each(stores)("terminate on $name", (store) => {
  it("ends a workflow where it stands, with the reason, undoing nothing", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow().then(step("a")).compensateWith(step("undo a")).waitFor("never", "").build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await (await host.terminateWorkflow(handle.id, { reason: "customer left" })).applied();
    expect(await handle.get()).toMatchObject({ status: "terminated", reason: "customer left", waitingFor: [] });
    await expect(handle.result()).rejects.toMatchObject({
      name: "WorkflowTerminatedError",
      code: "WORKFLOW_TERMINATED",
      workflowId: handle.id,
      message: expect.stringContaining("customer left"),
    });
    expect(ran).toEqual(["a"]);
  });

  it("stops a running body by its signal, and refuses what it still returns", async () => {
    await using world = new World(store);
    const reasons: unknown[] = [];
    const late = Promise.withResolvers<string>();
    const definition = workflow()
      .then(async (_, ctx) => {
        ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
        return late.promise;
      })
      .as("result")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await host.terminateWorkflow(handle.id);
    await world.settle();
    expect(reasons).toMatchObject([{ code: "STEP_ABORTED", reason: "terminated" }]);
    expect((await handle.get())?.status).toBe("terminated");
    late.resolve("late");
    await world.settle();
    expect(await handle.get()).toMatchObject({ status: "terminated", data: {} });
  });

  it("undoes with `compensate`, also what was running", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .then(untilStopped)
      .compensateWith(step("undo running"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await host.terminateWorkflow(handle.id, { compensate: true });
    expect((await world.ended(handle)).status).toBe("terminated");
    expect(ran).toEqual(["a", "undo running", "undo a"]);
  });

  it("ends a suspended workflow", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow().then(step("a")).compensateWith(step("undo a")).delay("1h").build("w", 1);
    const host = await world.start([definition]);
    for (const compensate of [false, true]) {
      const handle = await host.startWorkflow(definition, {});
      await world.settle();
      await (await host.suspendWorkflow(handle.id)).applied();
      await host.terminateWorkflow(handle.id, { compensate });
      expect((await world.ended(handle)).status).toBe("terminated");
    }
    expect(ran).toEqual(["a", "a", "undo a"]);
  });

  it("does not begin a workflow before its time, whatever is called meanwhile", async () => {
    await using world = new World(store);
    const definition = workflow<{ n: number }>()
      .then((data: { n: number }) => data.n)
      .as("seen")
      .build("w", 1);
    const host = await world.start([definition]);
    const start = async (id: string) => host.startWorkflow(definition, { n: 1 }, { id, delay: "1h" });
    const [resumed, corrected, refused, skipped] = [
      await start("resumed"),
      await start("corrected"),
      await start("refused"),
      await start("skipped"),
    ];
    await (await host.suspendWorkflow(resumed.id)).applied();
    expect(await resumed.get()).toMatchObject({ status: "suspended" });
    await (await host.resumeWorkflow(resumed.id)).applied();
    await (await host.setData(corrected.id, { n: 2 })).applied();
    await expect((await host.retryWorkflow(refused.id)).applied()).rejects.toMatchObject({ code: "REFUSED" });
    await expect((await host.skipStep(skipped.id, "step", 7)).applied()).rejects.toMatchObject({ code: "REFUSED" });
    await world.clock.advance("59m");
    for (const handle of [resumed, corrected, refused, skipped]) {
      expect(await handle.get()).toMatchObject({ status: "waiting", steps: [{ status: "pending" }] });
      const [wait] = (await host.explain(handle.id)).waitsFor;
      expect(wait).toMatchObject({ kind: "time", text: "its start" });
    }
    await world.clock.advance("2m");
    for (const handle of [resumed, refused, skipped]) expect(await handle.result()).toEqual({ n: 1, seen: 1 });
    expect(await corrected.result()).toEqual({ n: 2, seen: 2 });
    // Kept in what a replay makes of the journal.
    expect((await host.history(resumed.id)).items.map(({ kind }) => kind)).toContain("start-time-came");
  });

  it("ends a workflow that has not begun", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow().then(step("a")).build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {}, { delay: "1d" });
    await host.terminateWorkflow(handle.id);
    await world.clock.advance("2d");
    expect((await handle.get())?.status).toBe("terminated");
    expect(ran).toEqual([]);
  });
});

describe.each(stores)("control calls on $name", (store) => {
  it("are refused where they make no sense, with the reason", async () => {
    await using world = new World(store);
    const definition = workflow<{ wait: boolean }>()
      .ifDo(
        (data) => data.wait,
        (b) => b.waitFor("never", ""),
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const waiting = await host.startWorkflow(definition, { wait: true });
    const done = await host.startWorkflow(definition, { wait: false });
    await done.result();

    const refused = { name: "RefusedError", code: "REFUSED" };
    await expect((await host.resumeWorkflow(waiting.id)).applied()).rejects.toMatchObject({
      ...refused,
      workflowId: waiting.id,
    });
    await (await host.suspendWorkflow(waiting.id)).applied();
    await expect((await host.suspendWorkflow(waiting.id)).applied()).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("suspended already"),
    });
    await (await host.terminateWorkflow(waiting.id)).applied();
    await expect((await host.terminateWorkflow(waiting.id)).applied()).rejects.toMatchObject(refused);
    for (const call of [
      () => host.suspendWorkflow(done.id),
      () => host.resumeWorkflow(done.id),
      () => host.terminateWorkflow(done.id),
      () => host.retryWorkflow(done.id),
      () => host.setData(done.id, { wait: true }),
    ]) {
      await expect((await call()).applied()).rejects.toMatchObject({
        ...refused,
        message: expect.stringContaining("completed"),
      });
    }
    expect((await done.get())?.status).toBe("completed");
    const calls = (await historyOf(host, done.id))
      .filter(({ kind }) => kind === "delivery-refused")
      .map(({ call }) => call);
    expect(calls).toEqual(["suspend", "resume", "terminate", "retry", "set-data"]);
  });

  it("reject for a workflow that is not there", async () => {
    await using world = new World(store);
    const host = await world.start([]);
    const missing = {
      name: "WorkflowNotFoundError",
      code: "WORKFLOW_NOT_FOUND",
      workflowId: "nobody",
      namespace: "default",
    };
    await expect(host.suspendWorkflow("nobody")).rejects.toMatchObject(missing);
    await expect(host.resumeWorkflow("nobody")).rejects.toMatchObject(missing);
    await expect(host.terminateWorkflow("nobody")).rejects.toMatchObject(missing);
    await expect(host.retryWorkflow("nobody")).rejects.toMatchObject(missing);
    await expect(host.setData("nobody", {})).rejects.toMatchObject(missing);
    await expect(host.skipStep("nobody", "a", 1)).rejects.toMatchObject(missing);
    await expect(host.history("nobody")).rejects.toMatchObject(missing);
    await expect(host.handle("nobody").result()).rejects.toMatchObject(missing);
    expect(await host.getWorkflow("nobody")).toBeUndefined();
  });

  it("reach a workflow of another host, by a client that runs nothing", async () => {
    await using world = new World(store);
    const definition = workflow().then(untilStopped).build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await world.settle();
    const client = world.host();
    const { applied } = await client.terminateWorkflow(id, { reason: "from afar" });
    const outcome = applied();
    await world.clock.advance("5s");
    await outcome;
    expect(await client.getWorkflow(id)).toMatchObject({ status: "terminated", reason: "from afar" });
  });

  it("are on record with who asked", async () => {
    await using world = new World(store);
    const definition = workflow().delay("1h").build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await (await host.as("ann").suspendWorkflow(id, { reason: "audit" })).applied();
    await (await host.as("bob").resumeWorkflow(id)).applied();
    await (await host.terminateWorkflow(id)).applied();
    const calls = (await historyOf(host, id)).filter(({ kind }) => kind === "delivery-applied");
    expect(calls.map(({ call, actor }) => [call, actor])).toEqual([
      ["suspend", "ann"],
      ["resume", "bob"],
      ["terminate", undefined],
    ]);
  });

  it("are read in the order in which they were made", async () => {
    await using world = new World(store);
    const definition = workflow().delay("1h").build("w", 1);
    const client = world.host([definition]);
    const { id } = await client.startWorkflow(definition, {});
    for (let round = 0; round < 5; round += 1) {
      await client.suspendWorkflow(id);
      await client.resumeWorkflow(id);
    }
    const host = await world.start([definition]);
    await world.settle();
    expect((await host.getWorkflow(id))?.status).toBe("waiting");
    const calls = (await historyOf(host, id)).filter(({ kind }) => kind.startsWith("delivery-"));
    expect(calls.map(({ kind }) => kind)).toEqual(Array.from({ length: 10 }, () => "delivery-applied"));
  });
});
