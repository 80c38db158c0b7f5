import { retry, workflow, type WorkflowDefinition } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

interface Cart {
  readonly skus: readonly string[];
}

describe.each(stores)("what failed is retried, and nothing else, on $name", (store) => {
  it("keeps what other items did after the failure, and lets the failed one alone run again", async () => {
    await using world = new World(store);
    const { ran } = recorder();
    const broken = new Set([1]);
    const keys: string[] = [];
    const definition = workflow<Cart>()
      .forEach(
        (data) => data.skus,
        (b) =>
          b
            .delay((_, at) => at.index * 1000)
            .then((_, ctx) => {
              ran.push(`pack ${ctx.item}`);
              if (ctx.index === 1) keys.push(ctx.idempotencyKey);
              if (broken.has(ctx.index)) throw new Error(`no ${ctx.item}`);
              return `packed ${ctx.item}`;
            }),
        { concurrency: 2, as: "parcels", onFailure: "wait" },
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { skus: ["a", "b", "c", "d"] });
    expect((await world.ended(handle)).status).toBe("failed");
    expect(ran).toEqual(["pack a", "pack b", "pack c", "pack d"]);
    broken.clear();
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran.slice(4)).toEqual(["pack b"]);
    expect(keys[1]).toBe(keys[0]);
    expect(await handle.result()).toMatchObject({ parcels: ["packed a", "packed b", "packed c", "packed d"] });
  });

  it("gives a step that was done after the failure, in what ended with it, a new key when it runs again", async () => {
    await using world = new World(store);
    let broken = true;
    const keys: string[] = [];
    const tidying = Promise.withResolvers<void>();
    const failed = Promise.withResolvers<void>();
    const definition = workflow()
      .parallel((p) =>
        p
          .branch((b) =>
            b
              .then(() => {
                throw new Error("no label");
              })
              .onFailure((c) =>
                c.then(async (_, ctx) => {
                  keys.push(ctx.idempotencyKey);
                  tidying.resolve();
                  await failed.promise;
                }),
              )
              .onError("ignore"),
          )
          .branch((b) =>
            b.then(async () => {
              await tidying.promise;
              if (broken) throw new Error("no van");
            }),
          ),
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    host.on("step.failed", ({ error }) => (error?.message === "no van" ? failed.resolve() : undefined));
    expect((await world.ended(handle)).status).toBe("failed");
    expect(keys.length).toBe(1);
    broken = false;
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(keys.length).toBe(2);
    expect(keys[1]).not.toBe(keys[0]);
  });

  it("retries all that failed at once", async () => {
    await using world = new World(store);
    const { ran } = recorder();
    let broken = true;
    const definition = workflow()
      .forEach(
        () => [0, 1, 2, 3, 4],
        (b) =>
          b.then((_, ctx) => {
            ran.push(`${ctx.item}`);
            if (broken && ctx.index % 2 === 1) throw new Error("odd");
          }),
        { concurrency: 2, onFailure: "wait" },
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    expect((await world.ended(handle)).status).toBe("failed");
    broken = false;
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran.slice(5).toSorted()).toEqual(["1", "3"]);
  });

  it("retries one item alone; the other that failed waits for a decision of its own", async () => {
    await using world = new World(store);
    const { ran } = recorder();
    const broken = new Set([1, 3]);
    const definition = workflow()
      .forEach(
        () => ["a", "b", "c", "d"],
        (b) =>
          b
            .then((_, ctx) => {
              ran.push(ctx.item);
              if (broken.has(ctx.index)) throw new Error("broken");
              return ctx.index;
            })
            .id("pack"),
        { concurrency: 4, as: "done", onFailure: "wait" },
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.ended(handle);
    broken.clear();
    await (await host.retryWorkflow(handle.id, { from: "pack", item: 3 })).applied();
    expect(await world.ended(handle)).toMatchObject({
      status: "suspended",
      reason: expect.stringContaining("not retried"),
    });
    expect(ran.slice(4)).toEqual(["d"]);
    await (await host.skipStep(handle.id, "pack", "by hand", { item: 1 })).applied();
    await host.resumeWorkflow(handle.id);
    expect((await world.ended(handle)).data).toEqual({ done: [0, "by hand", 2, 3] });
    expect(ran.slice(4)).toEqual(["d"]);
  });

  it("takes an item by its number, without the step, and an execution by its id", async () => {
    await using world = new World(store);
    const { ran } = recorder();
    const broken = new Set(["1.0", "1.1"]);
    const definition = workflow()
      .forEach(
        () => [0, 1],
        (b) =>
          b
            .then((_, ctx) => ctx.index)
            .as("outer")
            .forEach(
              () => [0, 1],
              (c) =>
                c
                  .then((_, ctx) => {
                    ran.push(`${ctx.data.outer}.${ctx.index}`);
                    if (broken.has(`${ctx.data.outer}.${ctx.index}`)) throw new Error("broken");
                  })
                  .id("leaf"),
              { onFailure: "wait" },
            ),
        { onFailure: "wait" },
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.ended(handle);
    broken.clear();
    expect(ran.toSorted()).toEqual(["0.0", "0.1", "1.0", "1.1"]);
    await expect((await host.retryWorkflow(handle.id, { item: [0, 1] })).applied()).rejects.toMatchObject({
      message: expect.stringContaining("nothing has failed in item 0, 1"),
    });
    await (await host.retryWorkflow(handle.id, { item: [1, 1] })).applied();
    await world.ended(handle);
    expect(ran.slice(4)).toEqual(["1.1"]);
    const failed = (await historyOf(host, handle.id)).filter(
      ({ kind, stepId }) => kind === "step-failed" && stepId?.endsWith("leaf") === true,
    );
    await expect((await host.retryWorkflow(handle.id, { execution: "x.1" })).applied()).rejects.toMatchObject({
      message: expect.stringContaining("no execution `x.1`"),
    });
    await (await host.retryWorkflow(handle.id, { execution: failed[0]?.executionId ?? "" })).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran.slice(4)).toEqual(["1.1", "1.0"]);
  });

  it("leaves a parallel branch alone that went on after the failure", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .parallel(
        (p) =>
          p
            .branch((b) => b.then(failing("bad", 1)).then(step("after bad")))
            .branch((b) => b.delay("1s").then(step("one")).delay("1s").then(step("two"))),
        { onFailure: "wait" },
      )
      .then(step("tail"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    expect((await world.ended(handle)).status).toBe("failed");
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran).toEqual(["bad", "one", "two", "bad", "after bad", "tail"]);
  });

  it("goes back to an earlier step of one branch, and leaves the other branch as it is", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .parallel((p) =>
        p
          .branch((b) => b.then(step("a")).id("a").then(step("b")).id("b"))
          .branch((b) => b.delay("1s").then(step("other"))),
      )
      .then(failing("tail", 1))
      .id("tail")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.ended(handle);
    const a = (await handle.get())?.steps.find(({ id }) => id.endsWith("a"))?.id ?? "";
    await (await host.retryWorkflow(handle.id, { from: a })).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran).toEqual(["a", "b", "other", "tail", "a", "b", "tail"]);
  });

  it("begins a saga in an item at its earliest undone step, and leaves other items as they are", async () => {
    await using world = new World(store);
    const { ran } = recorder();
    const broken = new Set([0]);
    const definition = workflow()
      .forEach(
        () => ["x", "y", "z"],
        (b) =>
          b.saga((s) =>
            s
              .then((_, ctx) => void ran.push(`book ${ctx.item}`))
              .compensateWith((_, ctx) => void ran.push(`cancel ${ctx.item}`))
              .then((_, ctx) => {
                ran.push(`pay ${ctx.item}`);
                if (broken.has(ctx.index)) throw new Error("no money");
              }),
          ),
        { concurrency: 1, onFailure: "wait" },
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    await world.ended(handle);
    broken.clear();
    const first = ["book x", "pay x", "cancel x"];
    const others = ["book y", "pay y", "book z", "pay z"];
    // The workflow is a saga as well: what it had done and could undo has been undone with it.
    expect(ran.slice(0, 7)).toEqual([...first, ...others]);
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
  });

  it("does not undo twice what had failed and was retried, when it fails later", async () => {
    await using world = new World(store);
    const { ran, step } = recorder();
    let broken = true;
    let later = true;
    const definition = workflow()
      .forEach(
        () => ["x", "y"],
        (b) =>
          b
            .delay((_, at) => at.index * 1000)
            .then((_, ctx) => {
              ran.push(`do ${ctx.item}`);
              if (broken && ctx.index === 0) throw new Error("broken");
            })
            .onError("suspend")
            .compensateWith((_, ctx) => void ran.push(`undo ${ctx.item}`)),
      )
      .then(() => {
        if (later) throw new Error("later");
      })
      .compensateWith(step("undo tail"))
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    expect((await world.ended(handle)).status).toBe("suspended");
    broken = false;
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("failed");
    expect(ran).toEqual(["do x", "do x", "do y", "undo tail", "undo y", "undo x"]);
    later = false;
    await (await host.retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
  });

  it("ends again where a loop's condition, a collection or `fail` fails again, and goes on where it does not", async () => {
    for (const where of ["while", "items", "fail", "input"] as const) {
      await using world = new World(store);
      let broken = true;
      const check = (): void => {
        if (broken) throw new Error(`broken ${where}`);
      };
      const definition = workflow<{ n?: number; got?: number }>()
        .whileDo(
          (data) => {
            if (where === "while" && data.n === 2) check();
            return (data.n ?? 0) < 4;
          },
          (b) => b.then((data) => ((data as { n?: number }).n ?? 0) + 1).output((_, n) => ({ n: n as number })),
        )
        .forEach(
          () => {
            if (where === "items") check();
            return [1];
          },
          (b) => b.then(() => 1),
        )
        .ifDo(
          () => where === "fail" && broken,
          (b) => b.fail("says no"),
        )
        .then(
          (input: { n: number }) => input.n,
          () => {
            if (where === "input") check();
            return { n: 5 };
          },
        )
        .as("got")
        .build("w", 1);
      const host = await world.start([definition]);
      const handle = await host.startWorkflow(definition, {});
      expect((await world.ended(handle)).status, where).toBe("failed");
      await (await host.retryWorkflow(handle.id)).applied();
      expect((await world.ended(handle)).status, where).toBe("failed");
      broken = false;
      // `fail` stands where its branch was chosen: another choice is made further back.
      const steps = (await handle.get())?.steps ?? [];
      const choice = steps.find(({ kind }) => kind === "if")?.id ?? "";
      await (await host.retryWorkflow(handle.id, where === "fail" ? { from: choice } : {})).applied();
      const ended = await world.ended(handle);
      expect(ended.status, where).toBe("completed");
      expect(ended.data, where).toMatchObject({ n: 4, got: 5 });
    }
  });

  it("retries a second and a third time, also after undoing", async () => {
    await using world = new World(store);
    const { ran, step, failing } = recorder();
    const definition = workflow().then(step("a")).compensateWith(step("undo a")).then(failing("b", 3)).build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, {});
    for (let round = 0; round < 3; round++) {
      expect((await world.ended(handle)).status).toBe("failed");
      await (await host.retryWorkflow(handle.id)).applied();
    }
    expect((await world.ended(handle)).status).toBe("completed");
    const failed = ["a", "b", "undo a"];
    expect(ran).toEqual([...failed, ...failed, ...failed, "a", "b"]);
  });

  it("goes by the corrected data: inputs are made anew, and an item can be replaced", async () => {
    await using world = new World(store);
    const seen: string[] = [];
    const definition = workflow<{ rate: number; parcels: { to: string }[] }>()
      .forEach(
        (data) => data.parcels,
        (b) =>
          b
            .then(
              (input: { to: string; rate: number }) => {
                seen.push(`${input.to} ${input.rate}`);
                if (input.to === "" || input.rate < 0) throw new Error("refused");
              },
              (data, at) => ({ to: (at.item as { to: string }).to, rate: data.rate }),
            )
            .onError(retry({ interval: "1s", maxRetries: 1 })),
        { concurrency: 2 },
      )
      .id("parcels")
      .build("w", 1);
    const host = await world.start([definition]);
    const handle = await host.startWorkflow(definition, { rate: -1, parcels: [{ to: "here" }, { to: "" }] });
    expect((await world.ended(handle)).status).toBe("failed");
    seen.length = 0;
    await expect((await host.setItem(handle.id, "nowhere", 1, {})).applied()).rejects.toMatchObject({
      message: expect.stringContaining("no `forEach`"),
    });
    await expect((await host.setItem(handle.id, "parcels", 2, {})).applied()).rejects.toMatchObject({
      message: expect.stringContaining("`parcels` has 2 items, numbered from 0: there is no item 2"),
    });
    await host.as("ann").setData(handle.id, { rate: 2 });
    await host.as("ann").setItem(handle.id, "parcels", 1, { to: "there" });
    await (await host.as("ann").retryWorkflow(handle.id)).applied();
    expect((await world.ended(handle)).status).toBe("completed");
    expect(seen.toSorted()).toEqual(["here 2", "there 2"]);
    const item = (await historyOf(host, handle.id)).find(({ kind }) => kind === "item-set");
    expect(item).toMatchObject({ actor: "ann", index: 1, stepId: "parcels" });
  });

  it("replaces an item of nested for-eaches where it is meant, before and after the end of the workflow", async () => {
    await using world = new World(store);
    const seen: string[] = [];
    let bad: readonly string[] = ["a1", "b1"];
    const boxes = (name: string, then: "fail" | "suspend"): WorkflowDefinition =>
      workflow()
        .forEach(
          () => ["a", "b"],
          (outer) =>
            outer
              .forEach(
                (_, at) => [`${at.item}0`, `${at.item}1`],
                (inner) =>
                  inner
                    .then((_, at) => {
                      if (bad.includes(at.item)) throw new Error(`no ${at.item}`);
                      seen.push(at.item);
                    })
                    .onError(then),
              )
              .id("inner"),
          { onFailure: "wait", concurrency: 1 },
        )
        .build(name, 1);
    const [held, failed] = [boxes("held", "suspend"), boxes("failed", "fail")];
    const host = await world.start([held, failed]);
    const ids = [await host.startWorkflow(held, {}), await host.startWorkflow(failed, {})].map(({ id }) => id);
    const [heldId = "", failedId = ""] = ids;
    await world.settle();
    // One has come no further than its first box; the other has failed in both.
    await (await host.setItem(heldId, "inner", 1, "mended")).applied();
    await expect((await host.setItem(failedId, "inner", 1, "mended")).applied()).rejects.toMatchObject({
      message: expect.stringContaining("one of [0, 1], [1, 1]"),
    });
    await (await host.setItem(failedId, "inner", [1, 1], "mended")).applied();
    await (await host.setItem(failedId, "inner", [0, 1], "mended too")).applied();
    bad = [];
    for (const id of ids) await (await host.retryWorkflow(id)).applied();
    await world.settle();
    for (const id of ids) expect((await host.getWorkflow(id))?.status).toBe("completed");
    expect(seen.toSorted()).toEqual(["a0", "a0", "b0", "b0", "b1", "mended", "mended", "mended too"]);
  });
});
