import { describe, expect, it } from "vitest";
import { event } from "../../src/builder/event.ts";
import { retry } from "../../src/builder/retry.ts";
import { InvalidOptionError } from "../../src/errors.ts";

describe("retry", () => {
  it("tries three times more, a second apart, and then fails", () => {
    expect(retry()).toEqual({
      kind: "retry",
      intervalMs: 1000,
      maxRetries: 3,
      backoff: 1,
      maxIntervalMs: 3_600_000,
      jitter: false,
      then: "fail",
    });
    expect(Object.isFrozen(retry())).toBe(true);
  });

  it("takes what it is given", () => {
    const when = (error: unknown): boolean => error instanceof TypeError;
    expect(
      retry({ interval: 10, maxRetries: 0, backoff: 1.5, maxInterval: "1m", jitter: true, then: "ignore", when }),
    ).toEqual({
      kind: "retry",
      intervalMs: 10,
      maxRetries: 0,
      backoff: 1.5,
      maxIntervalMs: 60_000,
      jitter: true,
      then: "ignore",
      when,
    });
    expect(retry({ maxRetries: Infinity }).maxRetries).toBe(Infinity);
  });

  it("waits as long as its interval says, also where that is longer than the longest pause", () => {
    expect(retry({ interval: "1d" }).maxIntervalMs).toBe(86_400_000);
  });

  it.for([
    { options: { interval: "soon" }, words: "`interval` must be a duration" },
    { options: { interval: -1 }, words: "`interval` must be a duration" },
    { options: { maxInterval: "x" }, words: "`maxInterval` must be a duration" },
    { options: { interval: "1h", maxInterval: "1m" }, words: "`maxInterval` must not be shorter than `interval`" },
    { options: { maxRetries: -1 }, words: "`maxRetries` must be a whole number from 0, or Infinity, got -1" },
    { options: { maxRetries: 1.5 }, words: "`maxRetries` must be a whole number" },
    { options: { maxRetries: "3" }, words: '`maxRetries` must be a whole number from 0, or Infinity, got "3"' },
    { options: { backoff: 0.5 }, words: "`backoff` must be a number from 1" },
    { options: { backoff: Infinity }, words: "`backoff` must be a number from 1" },
    { options: { jitter: 1 }, words: "`jitter` must be true or false" },
    { options: { then: "retry" }, words: "`then` must be one of" },
    { options: { when: true }, words: "`when` must be a function" },
    { options: { when: async () => true }, words: "not a promise" },
    { options: { maxRetrys: 3 }, words: "`retry` has no option `maxRetrys`" },
    { options: null, words: "the options of `retry` must be an object" },
  ])("refuses $options", ({ options, words }) => {
    const make = (): unknown => retry(options as never);
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(words);
  });
});

describe("event", () => {
  it("has its name, and its schema", () => {
    const schema = { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } } as const;
    expect(event("order.approved")).toEqual({ name: "order.approved" });
    expect(event("order.approved", schema)).toEqual({ name: "order.approved", schema });
    expect(Object.isFrozen(event("e"))).toBe(true);
  });

  it("refuses a name or a schema that is none", () => {
    for (const name of ["", " ", "a\0b", "x".repeat(513), 1, undefined])
      expect(() => event(name as string)).toThrow(InvalidOptionError);
    expect(() => event("e", {} as never)).toThrow("must be a Standard Schema");
    expect(() => event("e", null as never)).toThrow("must be a Standard Schema");
  });
});
