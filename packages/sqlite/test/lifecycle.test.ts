import type { LifecycleEvent, LifecyclePublisher, Provider } from "@wfe/core/providers";
import { describe, expect, it } from "vitest";
import { connect, open, temporaryFile } from "./stage.ts";

function lifecycleOf(provider: Provider): LifecyclePublisher {
  if (provider.lifecycle === undefined) throw new Error("no lifecycle");
  return provider.lifecycle;
}

function told(workflowId: string, over: Partial<LifecycleEvent> = {}): LifecycleEvent {
  return {
    type: "step.completed",
    at: 1,
    host: "host-1",
    namespace: "default",
    workflowId,
    definitionId: "order",
    version: 1,
    ...over,
  };
}

const soon = { timeout: 10_000, interval: 5 };

async function twoProcesses() {
  const file = temporaryFile();
  const [one, two] = [await open(file), await open(file)];
  return { file, one: lifecycleOf(one.provider), two: lifecycleOf(two.provider), provider: two.provider };
}

describe("lifecycle", () => {
  it("hands events to the listeners of this process at once, in order", async () => {
    const { one } = await twoProcesses();
    const heard: string[] = [];
    one.subscribe(() => {
      throw new Error("the listener's own affair");
    });
    const end = one.subscribe((events) => heard.push(...events.map(({ workflowId }) => workflowId)));
    expect(one.hasListeners).toBe(true);
    one.publish([told("a"), told("b")]);
    one.publish([told("c")]);
    expect(heard).toEqual(["a", "b", "c"]);
    end();
    one.publish([told("d")]);
    expect(heard).toEqual(["a", "b", "c"]);
  });

  it("writes nothing while no other process listens", async () => {
    const { file, one } = await twoProcesses();
    expect(one.hasListeners).toBe(false);
    one.subscribe(() => undefined);
    one.publish([told("a")]);
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(connect(file).prepare("SELECT count(*) FROM wfe_lifecycle").pluck().get()).toBe(0);
  });

  it("reaches another process that listens, in order and with all kinds of values", async () => {
    const { one, two } = await twoProcesses();
    const heard: LifecycleEvent[] = [];
    two.subscribe((events) => heard.push(...events));
    await expect.poll(() => one.hasListeners, soon).toBe(true);
    const details = { when: new Date(5), amount: 7n, bytes: new Uint8Array([1]), set: new Set(["a"]), none: undefined };
    const sent = Array.from({ length: 100 }, (_, place) => told(`w-${place}`, { details }));
    for (const one_ of sent) one.publish([one_]);
    await expect.poll(() => heard.length, soon).toBe(100);
    expect(heard).toEqual(sent);
  });

  it("stops writing when nobody listens any more, and when the listener has died", async () => {
    const { file, one, two } = await twoProcesses();
    const end = two.subscribe(() => undefined);
    await expect.poll(() => one.hasListeners, soon).toBe(true);
    end();
    await expect.poll(() => one.hasListeners, soon).toBe(false);

    const application = connect(file);
    application.exec("INSERT INTO wfe_listeners VALUES ('dead', 1)");
    one.publish([told("a")]);
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(one.hasListeners).toBe(false);
    expect(application.prepare("SELECT count(*) FROM wfe_lifecycle").pluck().get()).toBe(0);
  });

  it("keeps no more than a bounded number of batches", async () => {
    const { file, one, two } = await twoProcesses();
    two.subscribe(() => undefined);
    await expect.poll(() => one.hasListeners, soon).toBe(true);
    const application = connect(file);
    application.exec(`
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
      INSERT INTO wfe_lifecycle (source, at, events) SELECT 'x', 0, x'' FROM n`);
    one.publish([told("a")]);
    const count = application.prepare("SELECT count(*) FROM wfe_lifecycle").pluck();
    await expect.poll(() => count.get(), soon).toBeLessThanOrEqual(1_000);
  });

  it("drops what cannot be sent, without a word", async () => {
    const { one, two } = await twoProcesses();
    const heard: string[] = [];
    two.subscribe((events) => heard.push(...events.map(({ workflowId }) => workflowId)));
    await expect.poll(() => one.hasListeners, soon).toBe(true);
    one.publish([told("a", { details: () => undefined })]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    one.publish([told("b")]);
    await expect.poll(() => heard, soon).toEqual(["b"]);
  });

  it("tells nobody of itself after it is closed", async () => {
    const { file, one, two, provider } = await twoProcesses();
    two.subscribe(() => undefined);
    await expect.poll(() => one.hasListeners, soon).toBe(true);
    await provider.close();
    expect(connect(file).prepare("SELECT count(*) FROM wfe_listeners").pluck().get()).toBe(0);
  });
});
