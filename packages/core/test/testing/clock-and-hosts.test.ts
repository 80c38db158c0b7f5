import { expect, it } from "vitest";
import { WorkflowHost } from "../../src/host/workflow-host.ts";
import { memory, TestClock } from "../../src/testing/index.ts";
import { define, delay, step } from "./definitions.ts";

it("lets hosts keep their leases, and their steps go on, over a leap of a month", async () => {
  const clock = new TestClock();
  const store = memory();
  const aborted: string[] = [];
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const definition = define("long", [
    step("work", async (data, ctx) => {
      ctx.signal.addEventListener("abort", () => aborted.push(data.name));
      await finished;
      return data.name;
    }),
  ]);
  const hosts = ["a", "b", "c"].map(
    (name) => new WorkflowHost({ providers: [store], workflows: [definition], clock, concurrency: 1, name }),
  );
  for (const host of hosts) await host.start();
  const handles = [];
  for (const [place, host] of hosts.entries()) {
    handles.push(await host.startWorkflow(definition, { name: `workflow ${place}` }));
    await clock.settle();
  }
  await clock.advance("30d");
  await clock.advance("15s");
  finish();
  for (const [place, handle] of handles.entries()) {
    expect(await handle.result()).toMatchObject({ work: `workflow ${place}` });
    const { items } = await handle.history();
    expect(items.map(({ kind }) => kind)).not.toContain("taken-over");
  }
  expect(aborted).toEqual([]);
  for (const host of hosts) await host.stop();
});

it("runs 1,000 workflows that sleep for a month in bounded time", async () => {
  const clock = new TestClock();
  const definition = define("sleeper", [delay("pause", "30d"), step("a", () => "done")]);
  const host = new WorkflowHost({ providers: [memory()], workflows: [definition], clock });
  await host.start();
  const handles = await host.startWorkflows(Array.from({ length: 500 }, () => ({ definition, data: {}, options: {} })));
  const more = await host.startWorkflows(Array.from({ length: 500 }, () => ({ definition, data: {}, options: {} })));
  await clock.advance("30d");
  for (const handle of [...handles, ...more]) expect(await handle.result()).toEqual({ a: "done" });
  await host.stop();
}, 60_000);
