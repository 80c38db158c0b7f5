import { describe, expect, it } from "vitest";
import { copy, decode, encode } from "../../src/codec/index.ts";
import { CorruptedRecordError, InvalidValueError } from "../../src/errors.ts";

describe("encode", () => {
  it("writes plain JSON as it is", () => {
    const value = { id: "o-1", items: [{ qty: 1, gift: false }], note: null };
    expect(encode(copy(value))).toBe(JSON.stringify(value));
    expect(encode({ kind: "k", value: copy(value) })).toBe(JSON.stringify({ kind: "k", value }));
  });

  it("writes tags for the rest, readably", () => {
    const value = copy({
      at: new Date(0),
      n: 12n,
      bytes: new Uint8Array([1, 2]),
      map: new Map([["a", 1]]),
      set: new Set([1]),
      none: undefined,
      nan: Number.NaN,
      odd: { $wfe: 0, a: 1 },
    });
    expect(JSON.parse(encode(value))).toStrictEqual({
      at: { $wfe: "date", v: "1970-01-01T00:00:00.000Z" },
      n: { $wfe: "bigint", v: "12" },
      bytes: { $wfe: "bytes", v: "AQI=" },
      map: { $wfe: "map", v: ["a", 1] },
      set: { $wfe: "set", v: [1] },
      none: { $wfe: "undefined" },
      nan: { $wfe: "number", v: "NaN" },
      odd: { $wfe: "object", v: ["$wfe", 0, "a", 1] },
    });
  });

  it("keeps objects that look like tags", () => {
    for (const value of [
      { $wfe: "date", v: "1970" },
      { $wfe: "undefined" },
      { $wfe: { $wfe: "object", v: {} } },
      [{ a: { $wfe: null } }],
      { $wfe: undefined },
    ]) {
      expect(decode(encode(copy(value)))).toStrictEqual(value);
      expect(decode(encode(value))).toStrictEqual(value);
      expect(decode(encode(new Error("x", { cause: value })))).toHaveProperty("cause", value);
    }
  });

  it("takes records that are not owned, of every kind", () => {
    const record = {
      at: new Date(1),
      pointers: new Map([[1, { status: "running", due: undefined }]]),
      data: copy({ n: -0 }),
      bare: Object.assign(Object.create(null), { a: 1n }),
    };
    expect(decode(encode(record))).toStrictEqual({ ...record, bare: { a: 1n } });
    expect(decode(encode([new Set([copy([1n])]), Buffer.from("x")]))).toStrictEqual([
      new Set([[1n]]),
      new Uint8Array([120]),
    ]);
    expect(decode(encode(undefined))).toBeUndefined();
    expect(decode(encode(null))).toBeNull();
  });

  it("names the path of what a record must not hold", () => {
    expect(() => encode({ entries: [{ run: () => 1 }] })).toThrow(/`record\.entries\[0\]\.run` is a function/);
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    expect(() => encode(cyclic)).toThrow(InvalidValueError);
  });
});

describe("decode", () => {
  it.each([
    "",
    "{",
    "undefined",
    '{"$wfe":"regexp","v":"x"}',
    '{"$wfe":null}',
    '{"$wfe":1}',
    '{"$wfe":{"a":1}}',
    '{"$wfe":"undefined","v":1}',
    '{"$wfe":"number","v":"1"}',
    '{"$wfe":"number"}',
    '{"$wfe":"bigint","v":"1.5"}',
    '{"$wfe":"bigint","v":""}',
    '{"$wfe":"bigint","v":12}',
    '{"$wfe":"date","v":"yesterday"}',
    '{"$wfe":"date"}',
    '{"$wfe":"bytes","v":"A"}',
    '{"$wfe":"bytes","v":"****"}',
    '{"$wfe":"map","v":[1]}',
    '{"$wfe":"map","v":[1,1,1,2]}',
    '{"$wfe":"map","v":{}}',
    '{"$wfe":"set","v":[1,1]}',
    '{"$wfe":"set","v":null}',
    '{"$wfe":"error","v":null}',
    '{"$wfe":"error","v":{"class":"Function"}}',
    '{"$wfe":"error","v":{"class":"__proto__"}}',
    '{"$wfe":"error","v":{"class":5}}',
    '{"$wfe":"error","v":{"class":"Error","fields":["a"]}}',
    '{"$wfe":"error","v":{"class":"Error","fields":[1,2]}}',
    '{"$wfe":"object","v":["a"]}',
    '{"$wfe":"object","v":["a",1,"a",2]}',
    '{"$wfe":"object","v":[1,2]}',
    '{"$wfe":"object","v":{}}',
    '{"$wfe":"object"}',
    '[{"a":{"$wfe":"toString","v":1}}]',
    '{"$wfe":"__proto__","v":1}',
  ])("refuses %s", (text) => {
    expect(() => decode(text)).toThrow(CorruptedRecordError);
    expect(() => decode(text)).toThrow(/cannot be read.*restore it from a backup/s);
  });

  it("gives values that are owned and frozen, plain ones too", () => {
    const value = decode('{"a":[{"b":1}]}') as { a: { b: number }[] };
    expect(copy(value)).toBe(value);
    expect(copy(value.a[0])).toBe(value.a[0]);
    expect(() => (value.a[0]!.b = 2)).toThrow(TypeError);
  });

  it("keeps `-0` written as a number", () => {
    expect(encode(decode("[-0]"))).toBe('[{"$wfe":"number","v":"-0"}]');
  });
});
