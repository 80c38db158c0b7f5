import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock, systemRuntime } from "../../src/runtime/system-runtime.ts";

const dayMs = 24 * 60 * 60 * 1000;

describe("a timer of the system's clock", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  it("fires once, after 40 days and not before, though `setTimeout` would fire at once", () => {
    const fired = vi.fn();
    systemClock.setTimer(40 * dayMs, fired);
    vi.advanceTimersByTime(40 * dayMs - 1000);
    expect(fired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1000);
    expect(fired).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(40 * dayMs);
    expect(fired).toHaveBeenCalledOnce();
  });

  it("does not fire when it has been cancelled on its way", () => {
    const fired = vi.fn();
    const timer = systemClock.setTimer(40 * dayMs, fired);
    vi.advanceTimersByTime(20 * dayMs);
    timer.cancel();
    vi.advanceTimersByTime(40 * dayMs);
    expect(fired).not.toHaveBeenCalled();
  });
});

it("gives ids that differ, however many are asked for", () => {
  const { randomId } = systemRuntime();
  const ids = new Set(Array.from({ length: 2000 }, () => randomId()));
  expect(ids.size).toBe(2000);
  expect([...ids].every((id) => /^[\w-]{22}$/.test(id))).toBe(true);
});
