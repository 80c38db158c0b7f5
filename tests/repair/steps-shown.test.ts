import { retry, workflow, type StepContext, type WorkflowHost } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

/** A body that goes on until it is stopped. */
async function untilStopped(_: unknown, { signal }: StepContext): Promise<never> {
  const stopped = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => stopped.resolve());
  if (!signal.aborted) await stopped.promise;
  throw signal.reason as Error;
}

/** Each step's status, and where it is more than one, its attempt and runs. */
async function shown(host: WorkflowHost, id: string): Promise<Record<string, string>> {
  const steps = (await host.getWorkflow(id))?.steps ?? [];
  return Object.fromEntries(
    steps.map(({ id: step, status, attempt, runs }) => [
      step,
      `${status}${attempt > 1 ? ` at ${attempt}` : ""}${runs > 1 ? ` x${runs}` : ""}`,
    ]),
  );
}

describe.each(stores)("the steps of a workflow that went back, on $name", (store) => {
  it("run or sleep again where it was terminated, and are not shown as cancelled", async () => {
    await using world = new World(store);
    const definition = workflow()
      .parallel((p) =>
        p
          .branch((b) => b.then(untilStopped).id("body"))
          .branch((b) => b.delay("1h").id("nap"))
          .branch((b) => b.waitFor("go", "k").id("go"))
          .branch((b) => b.then(() => 1).id("quick")),
      )
      .id("all")
      .then(() => 2)
      .id("after")
      .build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await world.settle();
    await (await host.terminateWorkflow(id)).applied();
    await world.settle();
    expect(await shown(host, id)).toMatchObject({ all: "cancelled", nap: "cancelled", after: "pending" });
    await (await host.retryWorkflow(id)).applied();
    await world.settle();
    expect(await shown(host, id)).toEqual({
      all: "running",
      body: "running at 2",
      nap: "sleeping",
      go: "waiting at 2",
      quick: "completed",
      after: "pending",
    });
    expect((await host.explain(id)).text).not.toContain("``");
    expect((await host.explain(id)).happened.map(({ text }) => text)).toContain("retried");
    await host.terminateWorkflow(id);
    await world.settle();
  });

  it("are to come again where a graph failed before them", async () => {
    await using world = new World(store);
    let broken = true;
    const definition = workflow()
      .graph((g) =>
        g
          .node("a", () => {
            if (broken) throw new Error("no a");
            return 1;
          })
          .node("b", untilStopped)
          .node("c", () => 1, { needs: ["a", "b"] })
          .node("d", () => 1, { needs: ["a"] }),
      )
      .id("g")
      .build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await world.settle();
    expect(await shown(host, id)).toMatchObject({ g: "failed", a: "failed", b: "cancelled", c: "skipped" });
    broken = false;
    await (await host.retryWorkflow(id)).applied();
    await world.settle();
    expect(await shown(host, id)).toMatchObject({
      g: "running",
      a: "completed at 2",
      b: "running at 2",
      c: "pending",
      d: "completed",
    });
    await host.terminateWorkflow(id);
    await world.settle();
  });

  it("that are to run again are pending until they do, and what was done before stays done", async () => {
    await using world = new World(store);
    let broken = true;
    const definition = workflow()
      .then(() => 1)
      .id("a")
      .then(() => 1)
      .id("b")
      .then(() => 1)
      .id("c")
      .then(() => {
        if (broken) throw new Error("no d");
      })
      .id("d")
      .build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await world.settle();
    await (await host.retryWorkflow(id, { from: "b" })).applied();
    const { items } = await host.history(id);
    const seq = items.find(({ kind }) => kind === "workflow-retried")?.seq ?? -1;
    await world.settle();
    const fork = await host.forkWorkflow(id, { at: seq });
    expect(await shown(host, fork.id)).toMatchObject({ a: "completed", c: "pending", d: "pending" });
    broken = false;
    await (await host.retryWorkflow(id)).applied();
    await world.settle();
    expect(await shown(host, id)).toMatchObject({ a: "completed", c: "completed", d: "completed at 2" });
  });

  it("are done in a fork where the original had done them", async () => {
    await using world = new World(store);
    const definition = workflow()
      .then(() => 1)
      .id("a")
      .ifDo(
        () => true,
        (b) => b.then(() => 1).id("inner"),
        (b) => b.then(() => 1).id("other"),
      )
      .id("choice")
      .waitFor("go", "k")
      .id("go")
      .build("w", 1);
    const host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await world.settle();
    const { items } = await host.history(id);
    const fork = await host.forkWorkflow(id, { at: items.at(-1)?.seq ?? 0 });
    await world.settle();
    expect(await shown(host, fork.id)).toEqual({
      a: "completed",
      choice: "completed",
      inner: "completed",
      other: "skipped",
      go: "waiting",
    });
  });

  it("show at which attempt they are held, or run", async () => {
    await using world = new World(store);
    const definition = workflow()
      .then(() => {
        throw new Error("no");
      })
      .id("held")
      .onError(retry({ interval: "1s", maxRetries: 2, then: "suspend" }))
      .build("w", 1);
    let tries = 0;
    const slow = workflow()
      .then((_, ctx) => {
        tries += 1;
        if (tries < 2) throw new Error("no");
        return untilStopped(_, ctx);
      })
      .id("slow")
      .onError(retry({ interval: "1s", maxRetries: 2 }))
      .build("slow", 1);
    const host = await world.start([definition, slow]);
    const [one, other] = [await host.startWorkflow(definition, {}), await host.startWorkflow(slow, {})];
    await world.settle();
    await world.clock.advance("10s");
    await world.settle();
    expect(await shown(host, one.id)).toEqual({ held: "failed at 3" });
    expect(await shown(host, other.id)).toEqual({ slow: "running at 2" });
    await host.terminateWorkflow(other.id);
    await world.settle();
  });

  it("that ended the workflow have done so: they were not cancelled", async () => {
    await using world = new World(store);
    const ends = workflow()
      .parallel((p) => p.branch((b) => b.delay("1h").id("nap")).branch((b) => b.endWorkflow().id("end")))
      .build("ends", 1);
    const fails = workflow()
      .parallel((p) => p.branch((b) => b.delay("1h").id("nap")).branch((b) => b.fail(() => "no").id("fail")))
      .build("fails", 1);
    const host = await world.start([ends, fails]);
    const [one, other] = [await host.startWorkflow(ends, {}), await host.startWorkflow(fails, {})];
    await world.settle();
    expect(await shown(host, one.id)).toMatchObject({ nap: "cancelled", end: "completed" });
    expect(await shown(host, other.id)).toMatchObject({ nap: "cancelled", fail: "failed" });
  });

  it("keep what was done under their new names", async () => {
    await using world = new World(store);
    const v1 = workflow()
      .then(() => 1)
      .id("old")
      .waitFor("go", "k")
      .id("wait")
      .build("w", 1);
    const v2 = workflow()
      .then(() => 1)
      .id("new")
      .waitFor("go", "k")
      .id("pause")
      .build("w", 2);
    const host = await world.start([v1, v2]);
    const { id } = await host.startWorkflow(v1, {});
    await world.settle();
    await (await host.migrateWorkflow(id, 2, { steps: { old: "new", wait: "pause" } })).applied();
    expect(await shown(host, id)).toEqual({ new: "completed", pause: "waiting" });
  });
});
