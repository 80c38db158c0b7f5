import { retry, workflow } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

describe.each(stores)("retryWorkflow on $name", (store) => {
  it("goes on from the step that failed, under the same key and with the same input", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const keys: string[] = [];
    const attempts: number[] = [];
    const definition = workflow()
      .then(step("a"))
      .then(
        (input: { n: number }, ctx) => {
          ran.push(`b ${input.n}`);
          keys.push(ctx.idempotencyKey);
          attempts.push(ctx.step.attempt);
          if (keys.length < 2) throw new Error("broken");
          return "mended";
        },
        () => ({ n: ran.length }),
      )
      .as("b")
      .then(step("c"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await expect(handle.result()).rejects.toMatchObject({ code: "WORKFLOW_FAILED" });
    await (await host.as("ann").retryWorkflow(handle.id)).applied();
    expect(await handle.result()).toEqual({ b: "mended" });
    expect(ran).toEqual(["a", "b 1", "b 1", "c"]);
    expect(keys[1]).toBe(keys[0]);
    expect(attempts).toEqual([1, 2]);
    expect(await handle.get()).toMatchObject({ status: "completed", error: undefined });
    expect((await historyOf(host, handle.id)).find(({ kind }) => kind === "workflow-retried")).toMatchObject({
      actor: "ann",
    });
  });

  it("gives the step its retries anew", async () => {
    await using world = new World(store);
    const { failing, count } = recorder();
    const definition = workflow()
      .then(failing("bad", 5))
      .onError(retry({ interval: "1s", maxRetries: 2 }))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    expect((await world.ended(handle)).status).toBe("failed");
    expect(count("bad")).toBe(3);
    await host.retryWorkflow(handle.id);
    await world.settle();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(count("bad")).toBe(6);
  });

  it("goes back to an earlier step with `from`", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .then(() => ran.push("a"))
      .id("a")
      .as("a")
      .then(step("b"))
      .id("b")
      .then(failing("c", 1))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    expect((await world.ended(handle)).status).toBe("failed");
    await (await host.retryWorkflow(handle.id, { from: "b" })).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran).toEqual(["a", "b", "c", "b", "c"]);
  });

  it("begins at the earliest undone step after undoing, with new keys, and refuses a later one", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const keys: string[] = [];
    const attempts: number[] = [];
    const definition = workflow()
      .then(step("before"))
      .then((_, ctx) => {
        ran.push("a");
        keys.push(ctx.idempotencyKey);
        attempts.push(ctx.step.attempt);
      })
      .id("a")
      .compensateWith(step("undo a"))
      .then(step("b"))
      .id("b")
      .compensateWith(step("undo b"))
      .then(failing("c", 1))
      .id("c")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    expect((await world.ended(handle)).status).toBe("failed");
    for (const from of ["b", "c"]) {
      await expect((await host.retryWorkflow(handle.id, { from })).applied()).rejects.toMatchObject({
        code: "REFUSED",
        message: expect.stringContaining("undone"),
      });
    }
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran).toEqual(["before", "a", "b", "c", "undo b", "undo a", "a", "b", "c"]);
    expect(keys[1]).not.toBe(keys[0]);
    expect(attempts).toEqual([1, 1]);
  });

  it("undoes again, everything and once, when it fails again", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .then(failing("b"))
      .compensateWith(step("undo b"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.ended(handle);
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("failed");
    const once = ["a", "b", "undo b", "undo a"];
    expect(ran).toEqual([...once, ...once]);
  });

  it("goes on inside loops, items, branches and sagas", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    let broken = true;
    const definition = workflow()
      .parallel((p) =>
        p
          .branch((b) => b.then(step("left")))
          .branch((b) =>
            b.forEach(
              () => [1, 2, 3],
              (i) =>
                i.saga((s) =>
                  s.then((_, ctx) => {
                    ran.push(`item ${ctx.item}`);
                    if (broken && ctx.item === 2) throw new Error("broken");
                  }),
                ),
              { concurrency: 1 },
            ),
          ),
      )
      .then(step("tail"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    expect((await world.ended(handle)).status).toBe("failed");
    broken = false;
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran).toEqual(["left", "item 1", "item 2", "item 2", "item 3", "tail"]);
  });

  it("resumes a workflow that an error suspended", async () => {
    await using world = new World(store);
    const { failing, count } = recorder();
    const definition = workflow().then(failing("bad", 1)).onError("suspend").build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    expect((await world.ended(handle)).status).toBe("suspended");
    await (await host.retryWorkflow(handle.id)).applied();
    await handle.result();
    expect(count("bad")).toBe(2);
  });

  it("is refused for a running workflow, and for steps that are not there or not reached", async () => {
    await using world = new World(store);
    const { failing, step } = recorder();
    const definition = workflow<{ wait: boolean }>()
      .ifDo(
        (data) => data.wait,
        (b) => b.waitFor("never", ""),
      )
      .then(failing("bad"))
      .then(step("later"))
      .id("later")
      .build("w", 1);
    const host = await world.start([definition]);
    const running = await host.startWorkflow(definition, { wait: true });
    const failed = await host.startWorkflow(definition, { wait: false });
    await world.ended(failed);
    await expect((await host.retryWorkflow(running.id)).applied()).rejects.toMatchObject({ code: "REFUSED" });
    await expect((await host.retryWorkflow(failed.id, { from: "nowhere" })).applied()).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining("nowhere"),
    });
    await expect((await host.retryWorkflow(failed.id, { from: "later" })).applied()).rejects.toMatchObject({
      code: "REFUSED",
    });
    expect((await failed.get())?.status).toBe("failed");
  });

  it("does not give an event twice to what is run again", async () => {
    await using world = new World(store);
    const { ran } = recorder();
    const definition = workflow()
      .waitFor<number>("e", "")
      .as("n")
      .then((data) => {
        ran.push(`got ${data.n}`);
        if (data.n < 2) throw new Error("not yet");
      })
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent("e", "", 1);
    await host.publishEvent("e", "", 2);
    await world.settle();
    const wait = (await handle.get())?.steps[0]?.id ?? "";
    await (await host.retryWorkflow(handle.id, { from: wait })).applied();
    expect(await handle.result()).toEqual({ n: 2 });
    expect(ran).toEqual(["got 1", "got 2"]);
  });

  it("terminated workflows can be retried too", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow().then(step("a")).waitFor<string>("e", "").as("got").build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    await (await host.terminateWorkflow(handle.id)).applied();
    await (await host.retryWorkflow(handle.id)).applied();
    await host.publishEvent("e", "", "hello");
    expect(await handle.result()).toEqual({ got: "hello" });
    expect(ran).toEqual(["a"]);
  });
});

describe.each(stores)("skipStep on $name", (store) => {
  it("gives a failed step its output by hand, and goes on", async () => {
    await using world = new World(store);
    const definition = workflow()
      .then((): { id: string } => {
        throw new Error("broken");
      })
      .id("charge")
      .as("charge")
      .then((data) => data.charge.id)
      .as("seen")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.ended(handle);
    await (await host.as("ann").skipStep(handle.id, "charge", { id: "by hand" })).applied();
    expect(await handle.result()).toEqual({ charge: { id: "by hand" }, seen: "by hand" });
    expect((await handle.get())?.steps[0]).toMatchObject({ id: "charge", status: "skipped" });
    expect((await historyOf(host, handle.id)).find(({ kind }) => kind === "step-skipped")).toMatchObject({
      stepId: "charge",
      actor: "ann",
    });
  });

  it("skips steps that wait, sleep, run or were suspended by their error", async () => {
    const { gated, failing } = recorder();
    const shapes = {
      wait: workflow().waitFor<string>("never", "").id("it").as("got").build("w", 1),
      delay: workflow().delay("1w").id("it").build("w", 1),
      running: workflow().then(gated("never opened")).id("it").build("w", 1),
      pause: workflow()
        .then(failing("shaky"))
        .id("it")
        .onError(retry({ interval: "1w" }))
        .build("w", 1),
      held: workflow().then(failing("held")).id("it").onError("suspend").build("w", 1),
      child: workflow()
        .runWorkflow("child", () => ({}))
        .id("it")
        .as("got")
        .build("w", 1),
    };
    const child = workflow().waitFor("never", "").build("child", 1);
    for (const [name, definition] of Object.entries(shapes)) {
      await using world = new World(store);
      const host = await world.start([definition, child]);
      const handle = await host.startWorkflow(definition, {});
      await world.settle();
      await (await host.skipStep(handle.id, "it", "by hand")).applied();
      const { status, data } = await world.ended(handle);
      expect(status, name).toBe("completed");
      expect(data, name).toEqual(name === "wait" || name === "child" ? { got: "by hand" } : {});
    }
  });

  it("is refused for a step that is not live", async () => {
    await using world = new World(store);
    const { step } = recorder();
    const definition = workflow().then(step("a")).waitFor("never", "").then(step("b")).build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await world.settle();
    for (const stepId of ["a", "b", "nowhere"]) {
      await expect((await host.skipStep(id, stepId, 1)).applied()).rejects.toMatchObject({ code: "REFUSED" });
    }
  });
});

describe.each(stores)("setData on $name", (store) => {
  it("corrects the data of a failed workflow before a retry", async () => {
    await using world = new World(store);
    const definition = workflow<{ amount: number; note?: string }>()
      .then((data) => {
        if (data.amount < 0) throw new Error("negative");
        return data.amount * 2;
      })
      .as("double")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { amount: -1 });
    await world.ended(handle);
    await (await host.as("ann").setData(handle.id, { amount: 4, note: "corrected" })).applied();
    expect((await handle.get())?.data).toEqual({ amount: 4, note: "corrected" });
    await host.retryWorkflow(handle.id);
    await world.settle();
    expect(await handle.result()).toEqual({ amount: 4, note: "corrected", double: 8 });
    expect((await historyOf(host, handle.id)).find(({ kind }) => kind === "data-set")).toMatchObject({ actor: "ann" });
  });

  it("changes the data of a waiting workflow, and what depends on it", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow<{ stop: boolean }>()
      .waitFor("never", "")
      .cancelWhen((data) => data.stop, { proceed: true })
      .then(step("after"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { stop: false });
    await world.settle();
    await (await host.setData(handle.id, { stop: true })).applied();
    await handle.result();
    expect(ran).toEqual(["after"]);
  });

  it("refuses what cannot be stored, with the path", async () => {
    await using world = new World(store);
    const definition = workflow().waitFor("never", "").build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await expect(host.setData(id, { a: [{ b: () => 1 }] })).rejects.toMatchObject({
      code: "INVALID_VALUE",
      path: "patch.a[0].b",
    });
  });
});

describe.each(stores)("forkWorkflow and stateAt on $name", (store) => {
  it("shows the workflow as it was after each turn", async () => {
    await using world = new World(store);
    const definition = workflow<{ n: number }>()
      .then((data) => data.n + 1)
      .as("a")
      .delay("1h")
      .then((data) => data.a + 1)
      .as("b")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { n: 1 });
    await world.clock.advance("2h");
    await handle.result();
    const details = await handle.get();
    const states = await Promise.all(
      Array.from({ length: (details?.seq ?? 0) + 1 }, (_, seq) => host.stateAt(handle.id, seq)),
    );
    expect(states[0]?.data).toEqual({ n: 1 });
    expect(states.at(-1)).toMatchObject({ status: "completed", data: { n: 1, a: 2, b: 3 } });
    const sizes = states.map((state) => Object.keys(state.data).length);
    expect(sizes).toEqual(sizes.toSorted());
    const sleeping = states.find(({ steps }) => steps.some(({ status }) => status === "sleeping"));
    expect(sleeping).toMatchObject({ data: { n: 1, a: 2 }, status: "waiting" });
    await expect(host.stateAt(handle.id, 1_000)).rejects.toThrow();
    await expect(host.stateAt(handle.id, -1)).rejects.toThrow();
  });

  it("forks a workflow from a point of its history, and leaves the original alone", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow<{ n: number }>()
      .then((data) => {
        ran.push("a");
        return data.n + 1;
      })
      .as("a")
      .waitFor<string>("e", (_, at) => at.workflow.id)
      .as("got")
      .then(step("tail"))
      .build("w", 1);
    const host = await world.start([definition]);
    const original = await host.startWorkflow(definition, { n: 1 });
    await world.settle();
    const { seq } = (await original.get()) ?? { seq: -1 };
    await host.publishEvent("e", original.id, "for the original");
    await original.result();

    const fork = await host.as("ann").forkWorkflow(original.id, { at: seq });
    expect(fork.id).not.toBe(original.id);
    await world.settle();
    expect(await fork.get()).toMatchObject({ status: "waiting", data: { n: 1, a: 2 } });
    await world.until(async () => ((await fork.get())?.waitingFor.length ?? 0) > 0);
    const key = (await fork.get())?.waitingFor[0]?.key ?? "";
    await host.publishEvent("e", key, "for the fork");
    expect(await fork.result()).toMatchObject({ n: 1, a: 2, got: "for the fork" });
    expect(await original.result()).toMatchObject({ got: "for the original" });
    expect(ran).toEqual(["a", "tail", "tail"]);
    const [first] = await historyOf(host, fork.id);
    expect(first).toMatchObject({
      kind: "workflow-forked",
      seq: 0,
      actor: "ann",
      forkedFrom: { workflowId: original.id, seq },
    });
  });

  it("begins anew in a fork what was between two attempts, with all its retries", async () => {
    await using world = new World(store);
    const { failing, count } = recorder();
    const child = workflow().then(failing("bad")).build("child", 1);
    const definition = workflow()
      .runWorkflow(child)
      .onError(retry({ maxRetries: 1, interval: "1h" }))
      .build("w", 1);
    const host = await world.start([definition, child]);
    const original = await host.startWorkflow(definition, {});
    await world.clock.advance("1m");
    expect(count("bad")).toBe(1);
    const fork = await host.forkWorkflow(original.id, { at: (await original.get())?.seq ?? -1 });
    await world.settle();
    expect(count("bad")).toBe(2);
    await host.terminateWorkflow(original.id);
    expect((await world.ended(fork)).status).toBe("failed");
    expect(count("bad")).toBe(3);
  });

  it("does not undo in a fork what was done before it", async () => {
    await using world = new World(store);
    const { step, failing, ran, clear } = recorder();
    const definition = workflow()
      .then(step("a"))
      .compensateWith(step("undo a"))
      .delay("1m")
      .then(step("b"))
      .compensateWith(step("undo b"))
      .then(failing("c"))
      .build("w", 1);
    const host = await world.start([definition]);
    const original = await host.startWorkflow(definition, {});
    await world.settle();
    const { seq } = (await original.get()) ?? { seq: -1 };
    expect((await world.ended(original)).status).toBe("failed");
    clear();
    const fork = await host.forkWorkflow(original.id, { at: seq });
    expect((await world.ended(fork)).status).toBe("failed");
    expect(ran).toEqual(["b", "c", "undo b"]);
  });

  it("is refused where the workflow had ended, and for a seq that is not there", async () => {
    await using world = new World(store);
    const definition = workflow()
      .then(() => 1)
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await handle.result();
    const { seq } = (await handle.get()) ?? { seq: -1 };
    await expect(host.forkWorkflow(handle.id, { at: seq })).rejects.toThrow();
    await expect(host.forkWorkflow(handle.id, { at: seq + 5 })).rejects.toThrow();
  });
});
