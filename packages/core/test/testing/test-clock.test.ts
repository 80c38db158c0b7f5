import { setTimeout as realSleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { TestClock } from "../../src/testing/index.ts";

const start = Date.UTC(2030, 0, 1);

describe("TestClock", () => {
  it("stands still at its first time", async () => {
    const clock = new TestClock();
    await realSleep(5);
    expect([clock.now(), clock.monotonic()]).toEqual([start, 0]);
    expect(new TestClock(5_000).now()).toBe(5_000);
  });

  it("refuses a start that is no whole number", () => {
    expect(() => new TestClock(Number.NaN)).toThrow("`startMs` must be a whole number");
  });

  it("advances both times by a duration", async () => {
    const clock = new TestClock();
    await clock.advance("2d");
    await clock.advance(5);
    expect(clock.now()).toBe(start + 2 * 86_400_000 + 5);
    expect(clock.monotonic()).toBe(2 * 86_400_000 + 5);
  });

  it("refuses a negative duration", async () => {
    await expect(new TestClock().advance(-1)).rejects.toThrow();
  });

  it("jumps with the wall clock alone", () => {
    const clock = new TestClock();
    clock.jump(-3_600_000);
    expect([clock.now(), clock.monotonic()]).toEqual([start - 3_600_000, 0]);
  });

  it("runs timers in the order of their due times, each at its own time", async () => {
    const { clock, log, at } = recorded();
    at(300, "c");
    at(100, "a");
    at(200, "b");
    await clock.advance(250);
    expect(log).toEqual(["a@100", "b@200"]);
    await clock.advance(50);
    expect(log).toEqual(["a@100", "b@200", "c@300"]);
  });

  it("runs timers of one instant in the order in which they were set", async () => {
    const { clock, log, at } = recorded();
    for (const name of ["a", "b", "c", "d"]) at(100, name);
    await clock.advance(100);
    expect(log).toEqual(["a@100", "b@100", "c@100", "d@100"]);
  });

  it("runs a timer that another one sets within the distance", async () => {
    const { clock, log, at } = recorded();
    clock.setTimer(100, () => at(50, "second"));
    await clock.advance(1_000);
    expect(log).toEqual(["second@150"]);
  });

  it("runs a timer for the past at the current instant, without being advanced", async () => {
    const { clock, log, at } = recorded();
    await clock.advance(10);
    at(-5_000, "past");
    at(0, "now");
    await clock.settle();
    expect(log).toEqual(["past@10", "now@10"]);
  });

  it("does not run a cancelled timer, whenever it is cancelled", async () => {
    const { clock, log, at } = recorded();
    at(0, "at once").cancel();
    at(100, "early").cancel();
    clock.setTimer(200, () => late.cancel());
    const late = at(200, "late");
    await clock.advance(1_000);
    expect(log).toEqual([]);
  });

  it("leaves the time at the instant of a callback to what the callback makes ready", async () => {
    const { clock, log } = recorded();
    clock.setTimer(100, () => {
      void (async () => {
        for (let step = 0; step < 20; step += 1) await Promise.resolve();
        await clock.yield();
        await clock.yield();
        log.push(`chain@${clock.monotonic()}`);
        clock.setTimer(10, () => log.push(`next@${clock.monotonic()}`));
      })();
    });
    clock.setTimer(105, () => log.push(`other@${clock.monotonic()}`));
    await clock.advance(1_000);
    expect(log).toEqual(["chain@100", "other@105", "next@110"]);
  });

  it("does not advance while engine work is under way, however long it takes", async () => {
    const { clock, log, at } = recorded();
    clock.setTimer(
      100,
      () =>
        void clock.track(
          realSleep(80).then(() => at(1, "after work")),
          "engine",
        ),
    );
    at(200, "later");
    await clock.advance(1_000);
    expect(log).toEqual(["after work@101", "later@200"]);
  });

  it("gives tracked work back, also where it fails", async () => {
    const clock = new TestClock();
    await expect(clock.track(Promise.resolve(7), "engine")).resolves.toBe(7);
    await expect(clock.track(Promise.reject(new Error("no")), "body")).rejects.toThrow("no");
    await clock.settle();
  });

  it("waits for a body that gets on", async () => {
    const { clock, log, at } = recorded();
    void clock.track(
      (async () => {
        for (let step = 0; step < 5; step += 1) {
          await realSleep(5);
          await clock.yield();
        }
        at(1, "body's timer");
      })(),
      "body",
    );
    await clock.advance(1_000);
    expect(log).toEqual(["body's timer@1"]);
  });

  it("passes over a body that waits for a later timer", async () => {
    const clock = new TestClock();
    let done = false;
    const body = new Promise<void>((resolve) => clock.setTimer(86_400_000, resolve)).then(() => {
      done = true;
    });
    void clock.track(body, "body");
    await clock.advance("1d");
    expect(done).toBe(true);
  });

  it("pays once for a body that never ends", async () => {
    const clock = new TestClock();
    void clock.track(new Promise(() => undefined), "body");
    await clock.settle();
    for (let hour = 1; hour <= 400; hour += 1) clock.setTimer(hour * 3_600_000, () => undefined);
    const before = performance.now();
    await clock.advance("20d");
    expect(performance.now() - before).toBeLessThan(4_000);
  });

  it("is as patient with bodies as it is told", async () => {
    const clock = new TestClock(0, { patienceMs: 300 });
    let done = false;
    void clock.track(
      realSleep(100).then(() => void (done = true)),
      "body",
    );
    expect(clock.runningBodies).toBe(1);
    await clock.advance("1d");
    expect([done, clock.runningBodies]).toEqual([true, 0]);
    expect(() => new TestClock(0, { patienceMs: 0 })).toThrow("`patienceMs` must be a whole number from 1");
  });

  it("refuses a timer whose delay is not a number", () => {
    expect(() => new TestClock().setTimer(Number.NaN, () => undefined)).toThrow("got NaN");
  });

  it("stays at whole milliseconds", async () => {
    const clock = new TestClock();
    clock.setTimer(10_000 / 3, () => undefined);
    await clock.advanceToNextTimer();
    expect(clock.now()).toBe(start + 3_334);
  });

  it("runs upkeep at its own times over a short distance", async () => {
    const { clock, log, every } = recorded();
    every(3_000, "beat");
    await clock.advance("10s");
    expect(log).toEqual(["beat@3000", "beat@6000", "beat@9000"]);
  });

  it("runs upkeep once where it leaps, before what is due there", async () => {
    const { clock, log, at, every } = recorded();
    every(3_000, "beat");
    at(3_600_000, "timer");
    await clock.advance("2h");
    expect(log).toEqual(["beat@3600000", "timer@3600000", "beat@7200000"]);
  });

  it("starts upkeep of one period together where it leaps, the more frequent first", async () => {
    const { clock, log, every } = recorded();
    every(30_000, "sweep");
    every(3_000, "beat 1");
    every(3_300, "beat 2");
    await clock.advance("1d");
    expect(log).toEqual(["beat 1@86400000", "beat 2@86400000", "sweep@86400000"]);
  });

  it("ends the work of one period before it starts the next", async () => {
    const { clock, log } = recorded();
    const lost = clock.setTimer(6_600, () => log.push("lease lost"), { background: true });
    clock.setTimer(
      3_300,
      () =>
        void clock.track(
          realSleep(10).then(() => lost.cancel()),
          "engine",
        ),
      { background: true },
    );
    await clock.advance("1d");
    expect(log).toEqual([]);
  });

  it("advances 30 days past a heartbeat of 3 s in no time", async () => {
    const { clock, log, every } = recorded();
    every(3_000, "beat");
    const before = performance.now();
    await clock.advance("30d");
    expect(performance.now() - before).toBeLessThan(4_000);
    expect(log).toHaveLength(1);
  });

  it("refuses to be advanced twice at once, and goes on after that", async () => {
    const clock = new TestClock();
    const first = clock.advance(10);
    await expect(clock.advance(10)).rejects.toThrow("`advance` was called while `advance` is under way");
    await expect(clock.settle()).rejects.toThrow("`settle` was called while `advance` is under way");
    await first;
    await clock.advance(5);
    expect(clock.monotonic()).toBe(15);
  });

  it("rejects with what a callback throws, and can be advanced again", async () => {
    const clock = new TestClock();
    clock.setTimer(10, () => {
      throw new Error("broken timer");
    });
    await expect(clock.advance(20)).rejects.toThrow("broken timer");
    await clock.advance(10);
  });

  it("finds out that timers go round at one instant", async () => {
    const clock = new TestClock();
    let rounds = 0;
    const again = (): void => {
      rounds += 1;
      if (rounds < 150_000) clock.setTimer(0, again);
    };
    again();
    await expect(clock.advance(1)).rejects.toThrow("again and again");
  });

  it("advances to the next timer that is not upkeep, and says where there is none", async () => {
    const { clock, log, at, every } = recorded();
    every(1_000, "beat");
    at(2_500, "timer");
    await expect(clock.advanceToNextTimer()).resolves.toBe(true);
    expect(log).toEqual(["beat@1000", "beat@2000", "timer@2500"]);
    await expect(clock.advanceToNextTimer()).resolves.toBe(false);
    expect(clock.monotonic()).toBe(2_500);
  });
});

function recorded() {
  const clock = new TestClock();
  const log: string[] = [];
  const note = (name: string): void => void log.push(`${name}@${clock.monotonic()}`);
  const every = (periodMs: number, name: string): void => {
    const again = (): void => {
      note(name);
      clock.setTimer(periodMs, again, { background: true });
    };
    clock.setTimer(periodMs, again, { background: true });
  };
  return { clock, log, every, at: (delayMs: number, name: string) => clock.setTimer(delayMs, () => note(name)) };
}
