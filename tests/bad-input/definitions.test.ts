import { event, retry, workflow, WorkflowHost } from "@wfe/core";
import { memory } from "@wfe/core/testing";
import { sqlite } from "@wfe/sqlite";
import { describe, expect, it, vi } from "vitest";
import { quiet } from "../crash/quiet.ts";
import { StoreFile } from "../processes/support/store-file.ts";
import { until } from "../processes/support/until.ts";
import { expectRefused, thrownBy } from "./says.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** As a caller without types, or with `any`, can say it. */
type Untyped = any;
const step = (): number => 1;
const untyped = (): Untyped => workflow();

describe("a definition that is wrong", () => {
  const wrong: readonly [string, () => unknown, RegExp][] = [
    ["nothing in it", () => untyped().build("empty", 1), /step/],
    ["an id twice", () => untyped().then(step).id("a").then(step).id("a").build("twice", 1), /`a`/],
    [
      "a cycle in a graph",
      () =>
        untyped()
          .graph((g: Untyped) => g.node("a", step, { needs: ["b"] }).node("b", step, { needs: ["a"] }))
          .build("cycle", 1),
      /`a`.*`b`|`b`.*`a`/s,
    ],
    [
      "a node that needs itself",
      () =>
        untyped()
          .graph((g: Untyped) => g.node("a", step, { needs: ["a"] }))
          .build("self", 1),
      /`a`/,
    ],
    [
      "a node that needs what is not there",
      () =>
        untyped()
          .graph((g: Untyped) => g.node("a", step, { needs: ["zzz"] }))
          .build("missing", 1),
      /zzz/,
    ],
    [
      "a key that two branches set",
      () =>
        untyped()
          .parallel((p: Untyped) =>
            p.branch((b: Untyped) => b.then(step).as("k")).branch((b: Untyped) => b.then(step).as("k")),
          )
          .build("key", 1),
      /two branches set `data\.k`/,
    ],
    [
      "a parallel without branches",
      () =>
        untyped()
          .parallel((p: Untyped) => p)
          .build("none", 1),
      /branch/,
    ],
    ["a step that is no function", () => untyped().then("step").build("text", 1), /function/],
    ["a delay that is no duration", () => untyped().delay("a while").build("delay", 1), /duration/],
    ["a time-out of nothing", () => untyped().then(step).timeout("soon").build("timeout", 1), /duration/],
    [
      "a concurrency of none",
      () =>
        untyped()
          .forEach(
            () => [],
            (b: Untyped) => b.then(step),
            { concurrency: 0 },
          )
          .build("each", 1),
      /concurrency/,
    ],
    [
      "an error behavior that does not exist",
      () => untyped().then(step).onError("explode").build("onError", 1),
      /explode/,
    ],
    [
      "a crash behavior that does not exist",
      () => untyped().then(step).onCrash("explode").build("onCrash", 1),
      /explode/,
    ],
    [
      "retries that are no number",
      () =>
        untyped()
          .then(step)
          .onError(retry({ maxRetries: -1 } as Untyped))
          .build("retries", 1),
      /maxRetries/,
    ],
    [
      "a modifier that has no effect there",
      () => untyped().delay("1s").as("x").build("modifier", 1),
      /as|modifier|not a function/,
    ],
    ["a blank id", () => untyped().then(step).build("", 1), /id/],
    ["a version that is none", () => untyped().then(step).build("version", 0), /version/],
    ["a version that is a text", () => untyped().then(step).build("version", "1"), /version/],
    [
      "a loop whose body gives nothing",
      () =>
        untyped()
          .whileDo(
            () => true,
            () => undefined,
          )
          .build("loop", 1),
      /body|builder|give/,
    ],
    ["a cancellation without a condition", () => untyped().then(step).cancelWhen(true).build("cancel", 1), /function/],
    ["an event without a name", () => untyped().waitFor("", "k").build("wait", 1), /name/],
    ["something that is no event", () => untyped().waitFor(5, "k").build("wait", 1), /event/],
  ];
  it.each(wrong)("is refused when it has %s", async (_, build, says) => {
    const error = await thrownBy(build);
    expect(error).toMatchObject({ code: expect.stringMatching(/^INVALID_(DEFINITION|OPTION)$/) as string });
    expect((error as Error).message).toMatch(says);
  });

  it("is told all that is wrong with it at once", async () => {
    const error = await thrownBy(() =>
      untyped().then(step).id("a").then(step).id("a").then(step).id("b").then(step).id("b").build("wrong", 1),
    );
    expect(error).toMatchObject({ code: "INVALID_DEFINITION", definitionId: "wrong", version: 1 });
    expect((error as { problems: readonly unknown[] }).problems.length).toBeGreaterThanOrEqual(2);
  });

  it("is not mistaken for a promise", async () => {
    await expectRefused(async () => await untyped().then(step), {
      code: expect.anything() as string,
      says: /not a promise/,
    });
    expect(() => event("")).toThrow(/name/);
  });
});

describe("a definition that a host does not have", () => {
  const one = workflow<{ n: number }>()
    .startWith(({ n }: { n: number }) => n + 1)
    .as("sum")
    .build("one", 1);
  const two = workflow()
    .startWith(() => "two")
    .as("two")
    .build("two", 1);

  it("is refused where the host runs workflows and would never run this one", async () => {
    await using host = new WorkflowHost({ providers: [memory()], workflows: [two], log: quiet() });
    await host.start();
    await expectRefused(() => host.startWorkflow(one, { n: 1 }), {
      code: "DEFINITION_NOT_FOUND",
      says: /pass it in `workflows`, or call `host.register\(definition\)`/,
      fields: { definitionId: "one", version: 1 },
    });
  });

  it("lets its workflows wait, to be seen and untouched, for a host that has it", async () => {
    using store = new StoreFile();
    await using client = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [one, two], log: quiet() });
    const handle = await client.startWorkflow(one, { n: 1 }, { id: "waits" });
    await using without = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [two], log: quiet() });
    await without.start();
    // Others of that host run past it.
    for (let n = 0; n < 5; n += 1) await (await without.startWorkflow(two, {})).result({ timeout: "10s" });

    expect(await without.getWorkflow("waits")).toMatchObject({ status: "runnable", definitionId: "one", version: 1 });
    const untouched = "SELECT claim, owner FROM wfe_workflows WHERE id = 'waits'";
    expect(store.query(untouched)).toEqual([{ claim: 0, owner: null }]);

    without.register(one);
    expect(await handle.result({ timeout: "10s" })).toEqual({ n: 1, sum: 2 });
  });

  it("lets a workflow wait in the middle when the next host does not have its version", async () => {
    using store = new StoreFile();
    const go = event("go");
    const long = (version: number) =>
      workflow()
        .startWith(() => version)
        .as("by")
        .waitFor(go, "k")
        .then(() => version)
        .as("then")
        .build("long", version);
    await using first = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [long(1)], log: quiet() });
    await first.start();
    await first.startWorkflow("long", {}, { id: "long" });
    await until({ what: "it waits" }, async () => (await first.getWorkflow("long"))?.status === "waiting");
    await first.stop();

    await using second = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [long(2), two], log: quiet() });
    await second.start();
    await second.publishEvent(go, "k", undefined);
    await (await second.startWorkflow(two, {})).result({ timeout: "10s" });
    const claims = (): unknown => store.query("SELECT claim FROM wfe_workflows WHERE id = 'long'");
    const before = claims();
    await (await second.startWorkflow(two, {})).result({ timeout: "10s" });
    // It is not taken and put back, again and again.
    expect(claims()).toEqual(before);

    second.register(long(1));
    expect(await second.handle("long").result({ timeout: "10s" })).toEqual({ by: 1, then: 1 });
  });
});
