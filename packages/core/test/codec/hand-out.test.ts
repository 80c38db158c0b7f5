import { describe, expect, it } from "vitest";
import { copy, handOut } from "../../src/codec/index.ts";

describe("handOut", () => {
  it("gives the owned value itself where nobody can change it", () => {
    const owned = copy({ a: [new Date(1), new Map([[1, 2]])] });
    expect(handOut(owned)).toBe(owned);
    expect(handOut(5)).toBe(5);
    expect(handOut(undefined)).toBeUndefined();
  });

  it("gives fresh bytes each time, wherever they are", () => {
    const bytes = new Uint8Array([1, 2]);
    const error = Object.assign(new Error("x", { cause: bytes }), { bytes });
    const given = {
      bytes,
      list: [bytes],
      map: new Map<unknown, unknown>([
        ["b", bytes],
        [bytes, 1],
      ]),
      set: new Set([bytes]),
      error,
      rest: { a: 1 },
    };
    const owned = copy(given) as typeof given;
    const first = handOut(owned) as typeof given;
    expect(first).toStrictEqual(given);
    first.bytes[0] = 9;
    first.list[0]![0] = 9;
    (first.map.get("b") as Uint8Array)[0] = 9;
    [...first.set][0]![0] = 9;
    (first.error.cause as Uint8Array)[0] = 9;
    first.error.bytes[0] = 9;
    expect(owned).toStrictEqual(given);
    expect(handOut(owned)).toStrictEqual(given);
  });

  it("shares the rest and freezes what it rebuilt", () => {
    const owned = copy({ bytes: new Uint8Array(1), rest: { a: 1 }, map: new Map([["b", new Uint8Array(1)]]) }) as {
      rest: object;
      map: Map<string, unknown>;
    };
    const handed = handOut(owned) as typeof owned;
    expect(handed.rest).toBe(owned.rest);
    expect(Object.isFrozen(handed)).toBe(true);
    expect(() => handed.map.clear()).toThrow(/belongs to the workflow/);
  });

  it("takes back what was changed in handed out bytes as a new value", () => {
    const handed = handOut(copy({ bytes: new Uint8Array([1]) })) as { bytes: Uint8Array };
    handed.bytes[0] = 2;
    expect(copy(handed)).toStrictEqual({ bytes: new Uint8Array([2]) });
  });
});
