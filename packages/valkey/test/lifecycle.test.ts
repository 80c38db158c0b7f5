import type { LifecycleEvent, LifecyclePublisher, Provider } from "@wfe/core/providers";
import { systemRuntime } from "@wfe/core/providers";
import { describe, expect, it, onTestFinished } from "vitest";
import { findValkey, type ValkeyServer } from "../../../tests/services/valkey.ts";
import { valkey } from "../src/index.ts";

const found = await findValkey();
const soon = { timeout: 15_000, interval: 10 };

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

async function serverAnd(processes: number): Promise<readonly [ValkeyServer, ...LifecyclePublisher[]]> {
  const server = await found.service!.start();
  onTestFinished(() => server[Symbol.asyncDispose]());
  const lifecycles: LifecyclePublisher[] = [];
  for (let process = 0; process < processes; process += 1) lifecycles.push((await open(server.url)).lifecycle!);
  return [server, ...lifecycles];
}

async function open(url: string, prefix = "test"): Promise<Provider> {
  const provider = valkey(url, { prefix });
  await provider.open({ runtime: systemRuntime() });
  onTestFinished(() => provider.close());
  return provider;
}

describe.skipIf(!found.available)(`lifecycle ${found.reason}`, () => {
  it("hands events to the listeners of this process at once, in order, also where one of them throws", async () => {
    const [, one] = await serverAnd(1);
    const heard: string[] = [];
    one!.subscribe(() => {
      throw new Error("the listener's own affair");
    });
    const end = one!.subscribe((events) => heard.push(...events.map(({ workflowId }) => workflowId)));
    expect(one!.hasListeners).toBe(true);
    one!.publish([told("a"), told("b")]);
    one!.publish([told("c")]);
    expect(heard).toEqual(["a", "b", "c"]);
    end();
    one!.publish([told("d")]);
    expect(heard).toEqual(["a", "b", "c"]);
  });

  it("reaches another process that listens, in order, each once and with all kinds of values", async () => {
    const [, one, two] = await serverAnd(2);
    expect(one!.hasListeners).toBe(false);
    const heard: LifecycleEvent[] = [];
    const end = two!.subscribe((events) => heard.push(...events));
    await expect.poll(() => one!.hasListeners, soon).toBe(true);
    const details = { when: new Date(5), big: 10n ** 20n, map: new Map([["a", 1]]), none: undefined };
    for (let n = 0; n < 500; n += 1) one!.publish([told(`w-${n}`, n === 0 ? { details } : {})]);
    await expect.poll(() => heard.length, soon).toBe(500);
    expect(heard.map(({ workflowId }) => workflowId)).toEqual(Array.from({ length: 500 }, (_, n) => `w-${n}`));
    expect(heard[0]?.details).toEqual(details);
    end();
    await expect.poll(() => one!.hasListeners, soon).toBe(false);
    two!.publish([told("own")]);
    expect(heard.length).toBe(500);
  });

  it("does not cross from one prefix to another", async () => {
    const [server, one] = await serverAnd(1);
    const other = (await open(server.url, "other")).lifecycle!;
    const heard: unknown[] = [];
    other.subscribe((events) => heard.push(...events));
    one!.subscribe((events) => heard.push(...events));
    await new Promise((resolve) => setTimeout(resolve, 100));
    one!.publish([told("a")]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(heard).toHaveLength(1);
  });

  it("goes on when the server has been away, and publishing meanwhile throws nothing", async () => {
    const [server, one, two] = await serverAnd(2);
    const heard: string[] = [];
    two!.subscribe((events) => heard.push(...events.map(({ workflowId }) => workflowId)));
    await expect.poll(() => one!.hasListeners, soon).toBe(true);
    await server.stop("SIGKILL");
    for (let n = 0; n < 100; n += 1) one!.publish([told("lost")]);
    await server.start();
    await expect
      .poll(() => {
        one!.publish([told("later")]);
        return heard.includes("later");
      }, soon)
      .toBe(true);
  });

  it("is bounded: what is too much is dropped, and the rest comes", async () => {
    const [, one, two] = await serverAnd(2);
    let heard = 0;
    two!.subscribe((events) => {
      heard += events.length;
    });
    await expect.poll(() => one!.hasListeners, soon).toBe(true);
    one!.publish(Array.from({ length: 20_000 }, (_, n) => told(`w-${n}`)));
    await expect.poll(() => heard, soon).toBe(5_000);
  });
});
