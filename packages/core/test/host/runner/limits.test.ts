import { describe, expect, it } from "vitest";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, delay, forEach, parallel, step, wait } from "./definitions.ts";
import { faulty } from "./faulty.ts";
import { hostOf } from "./hosts.ts";

describe("bounds of a host", () => {
  it("has no more workflows in hand than it may, and runs all of them", async () => {
    let running = 0;
    let most = 0;
    const clock = new TestClock();
    const definition = define("busy", [
      step("a", async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => clock.setTimer(100, resolve));
        running -= 1;
      }),
    ]);
    const { host } = await hostOf([definition], { clock, concurrency: 5 });
    const handles = await host.startWorkflows(Array.from({ length: 43 }, () => ({ definition, data: {} })));
    await clock.advance("5s");
    for (const handle of handles) await handle.result();
    expect(most).toBe(5);
  });

  it("runs no more bodies at once than it may, and runs all of them", async () => {
    let running = 0;
    let most = 0;
    const clock = new TestClock();
    const body = async (): Promise<number> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => clock.setTimer(100, resolve));
      running -= 1;
      return 1;
    };
    const definition = define("fan", [
      forEach("each", () => Array.from({ length: 50 }, () => 0), [step("x", body)], { concurrency: 50, as: "out" }),
    ]);
    const { host } = await hostOf([definition], { clock, maxBodies: 7 });
    const handle = await host.startWorkflow(definition, {});
    await clock.advance("5s");
    expect(((await handle.result()) as { out: number[] }).out.length).toBe(50);
    expect(most).toBe(7);
  });

  it("does not ask again and again for work that it cannot take", async () => {
    const clock = new TestClock();
    const store = memory({ clock });
    const theirs = define("theirs", [step("a", () => 1)]);
    const ours = define("ours", [step("a", () => 1)]);
    const client = await hostOf([theirs], { store, clock });
    await client.host.stop();
    const counted = faulty(store);
    const { host } = await hostOf([ours], { store: counted, clock });
    await host.startWorkflow(theirs, {}, {}).catch(() => undefined);
    const run = await store.persistence!.create([
      {
        namespace: "default",
        id: "t",
        uid: "t",
        definitionId: "theirs",
        version: 1,
        definitionHash: "",
        priority: 0,
        tags: [],
        startAt: null,
        startText: "{}",
        parent: null,
        firstTurn: null,
      },
    ]);
    expect(run[0]?.created).toBe(true);
    await clock.advance("10s");
    const before = counted.calls.get("claim") ?? 0;
    await clock.advance("10s");
    expect((counted.calls.get("claim") ?? 0) - before).toBeLessThan(30);
    expect((await host.health()).inHand).toBe(0);
  });

  it("waits in hand for a body and hears a timer of another branch meanwhile", async () => {
    const clock = new TestClock();
    const seen: string[] = [];
    const definition = define("beside", [
      parallel("p", [
        [step("long", () => new Promise((resolve) => clock.setTimer(3_600_000, () => resolve("long"))))],
        [delay("d", "10m"), step("b", () => void seen.push("timer"))],
        [wait("w", "go", "k"), step("c", () => void seen.push("event"))],
      ]),
    ]);
    const { host } = await hostOf([definition], { clock });
    const handle = await host.startWorkflow(definition, {});
    await clock.advance("5m");
    await host.publishEvent("go", "k", 1);
    await clock.settle();
    expect(seen).toEqual(["event"]);
    await clock.advance("6m");
    expect(seen).toEqual(["event", "timer"]);
    await clock.advance("1h");
    expect(await handle.result()).toMatchObject({ long: "long", w: 1 });
  });
});

describe("the journal", () => {
  it("is not read from its beginning for ever: a checkpoint is written when it has outgrown the last one", async () => {
    const clock = new TestClock();
    const store = memory({ clock });
    const definition = define("long", [
      ...Array.from({ length: 150 }, (_, index) => step(`s${index}`, () => index, { as: "n" })),
      delay("d", "1h"),
      step("end", () => "end"),
    ]);
    const { host } = await hostOf([definition], { store, clock });
    const handle = await host.startWorkflow(definition, {}, { id: "w" });
    await clock.advance("30m");
    const [row] = await store.persistence!.find("default", ["w"]);
    const [loaded] = await store.persistence!.load([row!.run]);
    expect(loaded?.checkpoint?.seq).toBeGreaterThan(60);
    expect(loaded?.turns.length).toBeLessThan(100);
    await clock.advance("1h");
    expect(await handle.result()).toEqual({ n: 149, end: "end" });
    const view = await host.getWorkflow("w");
    expect(view?.steps.filter(({ status }) => status === "completed").length).toBe(152);
  });
});
