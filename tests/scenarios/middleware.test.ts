import { retry, workflow, type WorkflowHostOptions } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

type Middleware = NonNullable<WorkflowHostOptions["middleware"]>[number];

describe.each(stores)("middleware around attempts on $name", (store) => {
  it("begins in the order of registration, ends in reverse, and has the body inside", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const layer =
      (name: string): Middleware =>
      async (ctx, next) => {
        ran.push(`${name} before ${ctx.step.id}`);
        await new Promise((resolve) => setImmediate(resolve));
        const result = await next();
        await new Promise((resolve) => setImmediate(resolve));
        ran.push(`${name} after ${ctx.step.id}`);
        return result;
      };
    const definition = workflow().then(step("body")).build("w", 1);
    await world.run(definition, {}, { middleware: [layer("1"), layer("2"), layer("3")] });
    expect(ran).toEqual([
      "1 before body",
      "2 before body",
      "3 before body",
      "body",
      "3 after body",
      "2 after body",
      "1 after body",
    ]);
  });

  it("surrounds every attempt of every step: retries, items, compensations, hooks", async () => {
    await using world = new World(store);
    const { failing, step } = recorder();
    const seen: string[] = [];
    const counting: Middleware = async (ctx, next) => {
      seen.push(`${ctx.step.name} ${ctx.step.attempt}`);
      return next();
    };
    const definition = workflow()
      .then(failing("shaky", 1))
      .onError(retry({ interval: "1s" }))
      .compensateWith(step("undo"))
      .ensure((b) => b.then(step("ensure")))
      .forEach(
        () => [1, 2],
        (b) => b.then(step("item")),
        { concurrency: 1 },
      )
      .then(failing("bad"))
      .build("w", 1);
    await world.run(definition, {}, { middleware: [counting] });
    expect(seen).toEqual(["shaky 1", "shaky 2", "ensure 1", "item 1", "item 1", "bad 1", "undo 1"]);
  });

  it("gives the attempt's result, or fails it", async () => {
    await using world = new World(store);
    const replacing: Middleware = async (ctx, next) => {
      const result = await next();
      if (ctx.step.id === "refused") throw new Error("not allowed");
      return ctx.step.id === "changed" ? `${String(result)}, changed` : result;
    };
    const definition = workflow()
      .then(() => "output")
      .id("changed")
      .as("first")
      .then(() => "fine")
      .id("refused")
      .as("second")
      .onError("ignore")
      .build("w", 1);
    expect((await world.run(definition, {}, { middleware: [replacing] })).data).toEqual({ first: "output, changed" });
  });

  it("may leave the body out, or see what it threw and mend it", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const mending: Middleware = async (ctx, next) => {
      if (ctx.step.id === "cached") return "from the cache";
      return next().catch(() => "mended");
    };
    const definition = workflow().then(step("cached", "x")).as("first").then(failing("bad")).as("second").build("w", 1);
    expect((await world.run(definition, {}, { middleware: [mending] })).data).toEqual({
      first: "from the cache",
      second: "mended",
    });
    expect(ran).toEqual(["bad"]);
  });

  it("runs a body once, within the attempt: a second or late `next` is refused, and one that is not awaited harms nobody", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    let late: (() => Promise<unknown>) | undefined;
    const rude: Middleware = async (ctx, next) => {
      if (ctx.step.id === "twice") await next();
      if (ctx.step.id === "bad") void next();
      else if (ctx.step.id !== "late") return next();
      late = next;
      return "without it";
    };
    const definition = workflow()
      .then(step("twice"))
      .onError("ignore")
      .then(failing("bad"))
      .as("bad")
      .then(step("late"))
      .as("late")
      .build("w", 1);
    const { data } = await world.run(definition, {}, { middleware: [rude] });
    expect(data).toEqual({ bad: "without it", late: "without it" });
    await expect(late?.()).rejects.toThrow(/when the attempt was over/);
    expect(ran).toEqual(["twice", "bad"]);
  });

  it("fails an attempt by its own throw, which is retried", async () => {
    await using world = new World(store);
    const { step, count } = recorder();
    const shaky: Middleware = async (ctx, next) => {
      if (ctx.step.attempt < 3) throw new Error("not yet");
      return next();
    };
    const definition = workflow()
      .then(step("a"))
      .onError(retry({ interval: "1s" }))
      .build("w", 1);
    expect((await world.run(definition, {}, { middleware: [shaky] })).status).toBe("completed");
    expect(count("a")).toBe(1);
  });
});
