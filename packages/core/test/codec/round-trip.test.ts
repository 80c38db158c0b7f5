import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  applyPatch,
  copy,
  decode,
  diffPatch,
  encode,
  handOut,
  sizeOf,
  type StoredPatch,
} from "../../src/codec/index.ts";
import { awkwardStrings, storable } from "./storable.ts";

const runs = { numRuns: 2000 };

describe("every value that can be stored", { timeout: 60_000 }, () => {
  it("is copied exactly", () => {
    fc.assert(
      fc.property(storable, (value) => {
        expect(isDeepStrictEqual(copy(value), value)).toBe(true);
      }),
      runs,
    );
  });

  it("comes back from its text exactly", () => {
    fc.assert(
      fc.property(storable, (value) => {
        const owned = copy(value);
        const decoded = decode(encode(owned));
        expect(isDeepStrictEqual(decoded, value)).toBe(true);
        expect(encode(decoded)).toBe(encode(owned));
        expect(sizeOf(decoded)).toBe(sizeOf(owned));
      }),
      runs,
    );
  });

  it("comes back exactly when the engine embeds it in a record without copying it", () => {
    fc.assert(
      fc.property(storable, storable, (first, second) => {
        const record = {
          kind: "step-completed",
          at: 1,
          first: copy(first),
          more: [{ second: copy(second) }],
          map: new Map([["k", copy(first)]]),
        };
        expect(isDeepStrictEqual(decode(encode(record)), record)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("is owned after decoding, and frozen at every level", () => {
    fc.assert(
      fc.property(storable, (value) => {
        for (const owned of [copy(value), decode(encode(copy(value)))]) {
          expect(copy(owned)).toBe(owned);
          expectFrozen(owned);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("is handed out unchanged, and accepted back", () => {
    fc.assert(
      fc.property(storable, (value) => {
        const handed = handOut(copy(value));
        expect(isDeepStrictEqual(handed, value)).toBe(true);
        expect(isDeepStrictEqual(copy(handed), value)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("survives structuredClone", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.date(),
          fc.uint8Array(),
          fc.array(fc.tuple(fc.string(), fc.integer())).map((all) => new Map(all)),
          fc.object(),
        ),
        (value) => {
          expect(structuredClone(copy(value))).toStrictEqual(structuredClone(value));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("text", () => {
  it.each(awkwardStrings.map((text) => [text]))("keeps %j as a value, a key, and a key of a map", (text) => {
    const value = { [text]: text, map: new Map([[text, [text]]]) };
    expect(decode(encode(copy(value)))).toStrictEqual(value);
  });

  it("has no lone surrogate and no NUL in its encoding", () => {
    const encoded = encode(copy([...awkwardStrings, new Error("\u0000\ud800"), new Map([["\udfff", "\u0000"]])]));
    expect(encoded.isWellFormed()).toBe(true);
    expect(encoded).not.toContain("\u0000");
  });
});

describe("keys that JSON writes with an escape", () => {
  it("come back, also where V8 would mistake them for another", () => {
    // Teaches V8 a shape with a backslash as its second key, which it then takes every escaped key there for.
    JSON.parse(String.raw`{"v8":1,"\\":1}`);
    JSON.parse(String.raw`{"v8":1,"a\\":1}`);
    for (const key of ['"', "\n", "\t", "\u0000", "\ud800", "\\", 'a"', "a\n", "a\\", "\\n", '\\"']) {
      for (const value of [
        { v8: 1, [key]: 1 },
        { v8: 1, [key]: 1n },
        { v8: 1, [key]: { v8: 1, [key]: 1 } },
      ]) {
        expect(Object.entries(decode(encode(copy(value))) as object)).toStrictEqual(Object.entries(value));
        expect(Object.entries(decode(encode(value)) as object)).toStrictEqual(Object.entries(value));
        expect(
          Object.entries(applyPatch({ v8: 0 }, decode(encode(diffPatch({}, value))) as StoredPatch)),
        ).toStrictEqual(Object.entries(value));
      }
    }
  });

  it("leave other keys readable", () => {
    const value = { größe: 1, "😀": 2, "a b": 3, "": 4, "\u2028": 5 };
    expect(encode(copy(value))).toBe(JSON.stringify(value));
  });
});

describe("numbers", () => {
  it.each([0, -0, Number.NaN, Infinity, -Infinity, 5e-324, Number.MAX_VALUE, 2 ** 53, 0.1 + 0.2])(
    "keeps %d",
    (number) => {
      expect(Object.is(decode(encode(number)), number)).toBe(true);
      expect(decode(encode(copy({ n: number })))).toStrictEqual({ n: number });
    },
  );

  it("keeps large bigints of either sign, in linear time", () => {
    for (const digits of [1, 16, 17, 999, 1000, 1001, 5000]) {
      const big = BigInt(`0x${"f".repeat(digits)}`);
      expect(decode(encode(copy([big, -big])))).toStrictEqual([big, -big]);
    }
    const huge = 1n << 4_000_000n;
    const start = performance.now();
    expect(decode(encode(copy(huge, { maxBytes: 2_000_000 }))) === huge).toBe(true);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

function expectFrozen(value: unknown): void {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  expect(Object.isFrozen(value)).toBe(true);
  if (value instanceof Map) for (const member of [...value].flat(1)) expectFrozen(member);
  if (value instanceof Set) for (const member of value) expectFrozen(member);
  if (value instanceof Error) expectFrozen(value.cause);
  for (const member of Object.values(value)) expectFrozen(member);
}
