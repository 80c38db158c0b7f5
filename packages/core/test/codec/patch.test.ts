import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyPatch, copy, decode, diffPatch, encode, sizeOf, type StoredPatch } from "../../src/codec/index.ts";
import { CorruptedRecordError } from "../../src/errors.ts";
import { storable } from "./storable.ts";

type Data = Readonly<Record<string, unknown>>;

describe("a patch", { timeout: 60_000 }, () => {
  it("merged after storing gives what merging gives, with the right size", () => {
    const record = fc.dictionary(
      fc.constantFrom("a", "b", "c", "__proto__", "$wfe", "constructor"),
      fc.oneof(storable, fc.array(storable, { maxLength: 3 })),
    );
    fc.assert(
      fc.property(record, record, fc.array(storable, { maxLength: 3 }), (before, after, added) => {
        const data = copy(before) as Data;
        const patch = copy(after) as Data;
        const first = Object.values(data)[0];
        const extended = Array.isArray(first)
          ? (copy({ ...patch, [Object.keys(data)[0]!]: [...first, ...added] }) as Data)
          : patch;
        const stored = decode(encode(diffPatch(data, extended))) as StoredPatch;
        const next = applyPatch(data, stored);
        const expected = merged(data, extended);
        expect(isDeepStrictEqual(next, expected)).toBe(true);
        expect(copy(next)).toBe(next);
        expect(sizeOf(next)).toBe(sizeOf(copy(expected)));
        expect(isDeepStrictEqual(decode(encode(next)), expected)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("stores what was added to an array, and not the array", () => {
    const data = copy({ list: [{ id: 1 }, "two", Number.NaN] }) as { list: unknown[] };
    const patch = copy({ list: [...data.list, { id: 4 }] }) as Data;
    expect(diffPatch(data, patch)).toStrictEqual([{ key: "list", append: [{ id: 4 }] }]);
    const next = applyPatch(data, diffPatch(data, patch));
    expect(next).toStrictEqual(patch);
    expect((next as typeof data).list[0]).toBe(data.list[0]);
    expect((next as typeof data).list[3]).toBe((patch as typeof data).list[3]);
  });

  it("stores the whole array where an element was replaced, moved or removed", () => {
    const data = copy({ list: [{ id: 1 }, 0] }) as { list: unknown[] };
    for (const list of [[{ id: 1 }, 0, 2], [data.list[0], -0], [data.list[0]], [0, data.list[0]], []]) {
      expect(diffPatch(data, copy({ list }) as Data)).toStrictEqual([{ key: "list", value: list }]);
    }
  });

  it("stores nothing for what stays the same", () => {
    const data = copy({ a: { b: 1 }, list: [1, 2], n: Number.NaN, u: undefined }) as { a: object };
    expect(diffPatch(data, copy({ a: data.a, list: [1, 2], n: Number.NaN, u: undefined }) as Data)).toStrictEqual([]);
  });

  it("sets a key to undefined and keeps it", () => {
    const data = copy({ a: 1 }) as Data;
    const stored = decode(encode(diffPatch(data, { a: undefined, b: undefined }))) as StoredPatch;
    expect(applyPatch(data, stored)).toStrictEqual({ a: undefined, b: undefined });
  });

  it("leaves the data it is merged into as it was, and shares what did not change", () => {
    const data = copy({ a: { b: 1 }, c: 1 }) as { a: object };
    const next = applyPatch(data, [{ key: "c", value: 2 }]);
    expect(data).toStrictEqual({ a: { b: 1 }, c: 1 });
    expect((next as typeof data).a).toBe(data.a);
    expect(Object.isFrozen(next)).toBe(true);
  });

  it("says so when the array it extends is not there", () => {
    expect(() => applyPatch({}, [{ key: "list", append: [1] }])).toThrow(CorruptedRecordError);
    expect(() => applyPatch({}, [{ key: "toString", append: [1] }])).toThrow(CorruptedRecordError);
    expect(() => applyPatch(copy({ list: "x" }) as Data, [{ key: "list", append: [1] }])).toThrow(/not an array/);
  });

  it("costs no more than the length of the array it extends", () => {
    let data = copy({ list: [] }) as { list: readonly number[] };
    const start = performance.now();
    for (let i = 0; i < 1000; i++) {
      data = applyPatch(data, diffPatch(data, copy({ list: [...data.list, i] }) as Data)) as typeof data;
    }
    expect(data.list).toHaveLength(1000);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

function merged(data: Data, patch: Data): Data {
  const result = { ...data };
  for (const [key, value] of Object.entries(patch)) {
    Object.defineProperty(result, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return result;
}
