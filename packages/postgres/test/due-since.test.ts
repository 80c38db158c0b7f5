import { describe, expect, it } from "vitest";
import { DueSince } from "../src/due-since.ts";

const definitions = [{ id: "order", version: 1 }];

describe("the time since when work is looked for", () => {
  it("is a little before all that was left, and unknown at first and for other definitions", () => {
    const since = new DueSince();
    expect(since.of(definitions, 0)).toBeNull();
    since.claimed(definitions, null, 100_000, 0);
    expect(since.of(definitions, 1)).toBe(99_000);
    since.claimed(definitions, 99_000, 101_000, 1);
    expect(since.of(definitions, 2)).toBe(100_000);
    expect(since.of([...definitions], 2)).toBeNull();
  });

  it("is forgotten when something older was seen, also while a claim was under way that had not looked at it", () => {
    const since = new DueSince();
    since.claimed(definitions, null, 100_000, 0);
    since.saw(99_000);
    expect(since.of(definitions, 1)).toBe(99_000);
    since.saw(98_999);
    since.claimed(definitions, 99_000, 101_000, 1);
    expect(since.of(definitions, 2)).toBeNull();
    since.claimed(definitions, null, 101_000, 3);
    expect(since.of(definitions, 4)).toBe(100_000);
  });

  it("is forgotten from time to time", () => {
    const since = new DueSince();
    since.claimed(definitions, null, 100_000, 0);
    since.claimed(definitions, 99_000, 129_000, 29_000);
    expect(since.of(definitions, 29_999)).toBe(128_000);
    expect(since.of(definitions, 30_000)).toBeNull();
  });
});
