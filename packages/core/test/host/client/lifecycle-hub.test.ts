import { describe, expect, it, vi } from "vitest";
import { EventStream } from "../../../src/host/client/event-stream.ts";
import { HostLifecycle } from "../../../src/host/lifecycle-hub.ts";
import type { LifecycleEvent, LifecyclePublisher } from "../../../src/providers/index.ts";

type Told = Omit<LifecycleEvent, "at" | "host">;

function told(type: LifecycleEvent["type"], workflowId = "w"): Told {
  return { type, namespace: "default", workflowId, definitionId: "d", version: 1 };
}

function hub(host = "h1") {
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: vi.fn() };
  return { hub: new HostLifecycle({ host, now: () => 7, log }), log };
}

/** Carries events between hosts, and back to their sender, as a message broker does. */
function broker(): LifecyclePublisher & { published: LifecycleEvent[] } {
  const listeners = new Set<(events: readonly LifecycleEvent[]) => void>();
  const published: LifecycleEvent[] = [];
  return {
    published,
    publish: (events) => {
      published.push(...events);
      for (const listener of listeners) listener(structuredClone(events) as LifecycleEvent[]);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    get hasListeners() {
      return listeners.size > 0;
    },
  };
}

describe("the lifecycle of a host", () => {
  it("is active only while someone listens", () => {
    const { hub: lifecycle } = hub();
    expect(lifecycle.active).toBe(false);
    const end = lifecycle.subscribe(() => {});
    expect(lifecycle.active).toBe(true);
    end();
    expect(lifecycle.active).toBe(false);
  });

  it("is active while another host listens, and not for its own subscription's sake", () => {
    const provider = broker();
    const { hub: one } = hub("h1");
    const { hub: two } = hub("h2");
    one.connect(provider);
    two.connect(provider);
    expect(one.active).toBe(false);
    const end = two.subscribe(() => {});
    expect(one.active).toBe(true);
    end();
    expect(one.active).toBe(false);
  });

  it("tells every listener at once, with time and host", () => {
    const { hub: lifecycle } = hub();
    const heard: LifecycleEvent[] = [];
    lifecycle.subscribe((event) => heard.push(event));
    lifecycle.emit(told("step.completed"));
    expect(heard).toEqual([{ ...told("step.completed"), at: 7, host: "h1" }]);
  });

  it("lets a listener that throws or rejects harm nobody, and logs it", async () => {
    const { hub: lifecycle, log } = hub();
    const heard: string[] = [];
    lifecycle.subscribe(() => {
      throw new Error("first");
    });
    lifecycle.subscribe(async () => {
      throw new Error("second");
    });
    lifecycle.subscribe((event) => heard.push(event.type));
    lifecycle.emit(told("step.started"));
    await Promise.resolve();
    await Promise.resolve();
    expect(heard).toEqual(["step.started"]);
    expect(log.error).toHaveBeenCalledTimes(2);
  });

  it("passes events to other hosts, once, and takes theirs without hearing its own again", async () => {
    const provider = broker();
    const { hub: one } = hub("h1");
    const { hub: two } = hub("h2");
    one.connect(provider);
    two.connect(provider);
    const heardOne: string[] = [];
    const heardTwo: string[] = [];
    one.subscribe(({ host, type }) => heardOne.push(`${host} ${type}`));
    two.subscribe(({ host, type }) => heardTwo.push(`${host} ${type}`));
    one.emit(told("step.started"));
    one.emit(told("step.completed"));
    two.emit(told("workflow.failed"));
    await Promise.resolve();
    expect(provider.published.length).toBe(3);
    expect(heardOne).toEqual(["h1 step.started", "h1 step.completed", "h2 workflow.failed"]);
    expect(heardTwo).toEqual(["h2 workflow.failed", "h1 step.started", "h1 step.completed"]);
  });

  it("hands over what is still to be told when it disconnects", () => {
    const provider = broker();
    const { hub: lifecycle } = hub();
    lifecycle.connect(provider);
    lifecycle.emit(told("workflow.completed"));
    lifecycle.disconnect();
    expect(provider.published.map(({ type }) => type)).toEqual(["workflow.completed"]);
    expect(provider.hasListeners).toBe(false);
  });

  it("allows subscribing and unsubscribing while an event is told", () => {
    const { hub: lifecycle } = hub();
    const heard: string[] = [];
    const end = lifecycle.subscribe(() => {
      heard.push("first");
      end();
      lifecycle.subscribe(() => heard.push("later"));
    });
    lifecycle.subscribe(() => heard.push("second"));
    lifecycle.emit(told("step.started"));
    expect(heard).toEqual(["first", "second"]);
    lifecycle.emit(told("step.started"));
    expect(heard).toEqual(["first", "second", "second", "later"]);
  });
});

describe("a stream of events", () => {
  const event = (index: number): LifecycleEvent => ({ ...told("step.output"), at: index, host: "h" });

  it("buffers between reads, and ends after what is left was read", async () => {
    const onEnd = vi.fn();
    const stream = new EventStream(onEnd);
    stream.push(event(1));
    stream.push(event(2));
    stream.end();
    expect(onEnd).toHaveBeenCalledTimes(1);
    const read: number[] = [];
    for await (const { at } of stream) read.push(at);
    expect(read).toEqual([1, 2]);
  });

  it("keeps the newest when its reader is too slow, and says how many are gone", async () => {
    const stream = new EventStream(() => {});
    for (let index = 0; index < 12_345; index++) stream.push(event(index));
    stream.end();
    const read: number[] = [];
    for await (const { at } of stream) read.push(at);
    expect(read.length).toBe(10_000);
    expect(stream.dropped).toBe(2_345);
    expect(read[0]).toBe(2_345);
    expect(read.at(-1)).toBe(12_344);
  });

  it("ends when its reader breaks off", async () => {
    const onEnd = vi.fn();
    const stream = new EventStream(onEnd);
    stream.push(event(1));
    for await (const { at } of stream) {
      expect(at).toBe(1);
      break;
    }
    expect(onEnd).toHaveBeenCalledTimes(1);
    stream.push(event(2));
    expect(await stream.next()).toEqual({ value: undefined, done: true });
  });

  it("wakes a waiting reader, also by its end and by an error", async () => {
    const stream = new EventStream(() => {});
    const first = stream.next();
    const second = stream.next();
    stream.push(event(1));
    stream.end();
    expect((await first).value?.at).toBe(1);
    expect((await second).done).toBe(true);

    const failing = new EventStream(() => {});
    const read = failing.next();
    failing.end(new Error("gone"));
    await expect(read).rejects.toThrow("gone");
  });
});
