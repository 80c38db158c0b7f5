import { workflow, WorkflowHost, type LogLine } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

describe.each(stores)("logs on $name", (store) => {
  it("give back what a step writes, also while it runs, and of all its attempts in order", async () => {
    await using world = new World(store);
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const definition = workflow()
      .then(async (_, ctx) => {
        ctx.write("stdout", "hello");
        ctx.progress(50, "half");
        ctx.log.warn("careful", { card: "1234", fn: () => 1 });
        ctx.log.info("fine", { n: 1 });
        await gate;
        ctx.write("stderr", "bye");
      })
      .id("talk")
      .build("w", 1);
    const host = await world.start([definition]);
    const other = world.host();
    const handle = await host.startWorkflow(definition, {});
    await world.settle();
    const texts = (items: readonly LogLine[]): unknown[] =>
      items.map(({ kind, text, stream, level }) => [kind, stream ?? level, text]);
    const first = [
      ["output", "stdout", "hello"],
      ["progress", undefined, "half"],
      ["log", "warn", "careful"],
      ["log", "info", "fine"],
    ];
    expect(texts((await host.logs(handle.id)).items)).toEqual(first);
    // Another host sees it a moment later.
    await world.clock.advance("1s");
    const { items } = await other.logs(handle.id);
    expect(items[3]).toMatchObject({ stepId: "talk", attempt: 1, line: 4, fields: { n: 1 } });
    open();
    await world.clock.advance("1s");
    const page = await other.logs(handle.id, { limit: 4 });
    expect(texts((await other.logs(handle.id, { limit: 4, cursor: page.cursor ?? "" })).items)).toEqual([
      ["output", "stderr", "bye"],
    ]);
    await expect(other.logs("nobody")).rejects.toMatchObject({ code: "WORKFLOW_NOT_FOUND" });
    await expect(other.logs(handle.id, { cursor: "x" })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  it("have names of streams and messages that are bounded, as listeners get them too", async () => {
    await using world = new World(store);
    const definition = workflow()
      .then((_, ctx) => {
        ctx.write("é".repeat(1_000_000), "short");
        ctx.progress(50, "m".repeat(1_000_000));
      })
      .build("w", 1);
    const host = await world.start([definition]);
    const told: { readonly stream?: string; readonly message?: string }[] = [];
    host.on("step.output", (event) => void told.push(event));
    host.on("step.progress", (event) => void told.push(event));
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("1s");
    await handle.result();
    const { items } = await host.logs(handle.id);
    expect(Buffer.byteLength(items[0]?.stream ?? "")).toBeLessThanOrEqual(256);
    expect(items[0]).toMatchObject({ text: "short", stream: told[0]?.stream });
    expect(items[0]?.stream).toMatch(/^é+$/u);
    expect(Buffer.byteLength(told[1]?.message ?? "x".repeat(65_537))).toBeLessThanOrEqual(64 * 1024);
    expect(told[1]?.message).toBe(items[1]?.text);
  });

  it("are bounded, can be switched off, and outlive a flood", async () => {
    await using world = new World(store);
    const definition = workflow()
      .then((_, ctx) => {
        for (let n = 0; n < 30_000; n++) ctx.write("stdout", `${n}`);
      })
      .build("w", 1);
    const host = await world.start([definition], { limits: { logLines: 50 } });
    const handle = await host.startWorkflow(definition, {});
    await world.clock.advance("1s");
    await handle.result();
    const { items } = await host.logs(handle.id);
    expect(items.map(({ text }) => text)).toEqual(Array.from({ length: 50 }, (_, n) => `${29_950 + n}`));
    // The gap before the first of them can be seen.
    expect(items.map(({ line }) => line)).toEqual(Array.from({ length: 50 }, (_, n) => 29_951 + n));
    await world.stop(host);

    const quiet = await world.start([definition], { keepLogs: false });
    const second = await quiet.startWorkflow(definition, {});
    await second.result();
    expect((await quiet.logs(second.id)).items).toEqual([]);
  });
});

describe("a logger", () => {
  it("such as pino gets its fields first, errors as `err`, and the ids of the step", async () => {
    const lines: [string, object, string][] = [];
    const write = (level: string) => (fields: object, message: string) => void lines.push([level, fields, message]);
    const pino = {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: () => pino,
      bindings: () => ({}),
    };
    const { memory } = await import("@wfe/core/testing");
    const error = new Error("inner");
    const definition = workflow()
      .then((_, ctx) => ctx.log.error("oh", { error, card: 1 }))
      .id("talk")
      .build("w", 1);
    await using host = new WorkflowHost({ providers: [memory()], workflows: [definition], log: pino });
    await host.start();
    await (await host.startWorkflow(definition, {}, { id: "o-1" })).result();
    expect(lines).toContainEqual([
      "error",
      { workflowId: "o-1", stepId: "talk", attempt: 1, err: error, card: 1 },
      "oh",
    ]);
  });

  it.each([
    ["throws", () => undefined, (): never => fail()],
    ["rejects", () => undefined, async () => fail()],
    ["such as pino throws", () => ({}), (): never => fail()],
    ["such as pino rejects", () => ({}), async () => fail()],
  ])("that %s changes nothing, and the lines are kept", async (_, bindings, write) => {
    const { memory } = await import("@wfe/core/testing");
    const log = { debug: write, info: write, warn: write, error: write, child: () => log, bindings } as any;
    if (bindings() === undefined) delete log.bindings;
    const definition = workflow()
      .then((__, ctx) => {
        for (const level of ["debug", "info", "warn", "error"] as const) ctx.log[level](level, { level });
        return "done";
      })
      .as("said")
      .build("w", 1);
    await using host = new WorkflowHost({ providers: [memory()], workflows: [definition], log });
    await host.start();
    const handle = await host.startWorkflow(definition, {});
    expect(await handle.result()).toMatchObject({ said: "done" });
    const { items } = await host.logs(handle.id);
    expect(items.map(({ text }) => text)).toEqual(["debug", "info", "warn", "error"]);
  });
});

function fail(): never {
  throw new Error("the transport has exited");
}
