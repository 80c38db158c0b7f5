import type { StoreHint } from "@wfe/core/providers";
import { describe, expect, it } from "vitest";
import {
  connect,
  delivery,
  event,
  open,
  row,
  runtime,
  type Stage,
  startChild,
  temporaryFile,
  turn,
  workflow,
} from "./stage.ts";

function collect({ store }: Stage): StoreHint[] {
  const hints: StoreHint[] = [];
  store.hints((hint) => hints.push(hint));
  return hints;
}

const soon = { timeout: 10_000, interval: 5 };

describe("hints", () => {
  it("name what this process has woken", async () => {
    const stage = await open();
    const { store, hold } = stage;
    const hints = collect(stage);
    const [a = 0, b = 0] = await hold(2);
    await store.commit([
      turn(a, 0, { subscribe: [{ pointer: 1, name: "paid", key: "o-1", after: 0 }], row: row() }),
      turn(b, 0, { deliver: [delivery(a)] }),
    ]);
    await store.publish([event()]);
    await store.orphan(["lease-1"], 10);
    await Promise.resolve();
    expect(hints.map((hint) => hint.runs)).toEqual([[a, b], [a], [a], [b]]);
  });

  it("come after the call that made them, not within it", async () => {
    const { store } = await open();
    let within = true;
    const heard: boolean[] = [];
    store.hints(() => heard.push(within));
    const created = store.create([workflow()]);
    within = false;
    await created;
    await Promise.resolve();
    expect(heard).toEqual([false]);
  });

  it("reach every listener until it ends, whatever the others do", async () => {
    const { store } = await open();
    const heard: string[] = [];
    store.hints(() => {
      throw new Error("the listener's own affair");
    });
    const end = store.hints(() => heard.push("a"));
    store.hints(() => heard.push("b"));
    await store.create([workflow()]);
    await Promise.resolve();
    end();
    await store.create([workflow()]);
    await Promise.resolve();
    expect(heard).toEqual(["a", "b", "b"]);
  });

  it("tell within a moment of what another provider on the file has done", async () => {
    const file = temporaryFile();
    const [one, two] = [await open(file), await open(file)];
    const hints = collect(two);
    let queue = 0;
    two.provider.queue?.hints(() => (queue += 1));
    const since = performance.now();
    await one.store.create([workflow({ id: "a" })]);
    await expect.poll(() => hints, soon).toContainEqual({});
    expect(performance.now() - since).toBeLessThan(2_000);
    expect(queue).toBeGreaterThan(0);
    expect((await two.claim("lease-2")).map((claimed) => claimed.row.id)).toEqual(["a"]);
    expect(await one.claim()).toEqual([]);
  });

  it("tell of what another process has done", { timeout: 60_000 }, async () => {
    const file = temporaryFile();
    const stage = await open(file);
    const hints = collect(stage);
    await startChild(new URL("./children/open-and-create.ts", import.meta.url), file).ended;
    await expect.poll(() => hints.length, soon).toBeGreaterThan(0);
    expect(await stage.claim()).toHaveLength(1);
  });

  it("are silent while nothing happens, and about one's own commits", async () => {
    const file = temporaryFile();
    const stage = await open(file);
    await stage.hold(1);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const hints = collect(stage);
    const [run = 0] = await stage.hold(1);
    await stage.store.commit([turn(run, 0)]);
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(hints).toEqual([{ runs: [run] }]);
    connect(file).exec("CREATE TABLE orders (id TEXT)");
    await expect.poll(() => hints.length, soon).toBe(2);
  });

  it("of the queue follow a push", async () => {
    const { provider } = await open();
    let heard = 0;
    provider.queue?.hints(() => (heard += 1));
    await provider.queue?.push([{ run: 1, priority: 0, dueAt: runtime.clock.now() }]);
    await provider.queue?.push([]);
    await Promise.resolve();
    expect(heard).toBe(1);
  });
});
