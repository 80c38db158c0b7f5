import { isDeepStrictEqual, types } from "node:util";
import { runInNewContext } from "node:vm";
import { describe, expect, it, vi } from "vitest";
import { copy, decode, encode, sizeOf } from "../../src/codec/index.ts";
import { InvalidOptionError, LimitExceededError } from "../../src/errors.ts";

describe("copy", () => {
  it("does not see changes made afterwards to what was given", () => {
    const given = {
      list: [1],
      inner: { a: 1 },
      when: new Date(5),
      map: new Map([["a", [1]]]),
      bytes: new Uint8Array([1]),
    };
    const owned = copy(given);
    given.list.push(2);
    given.inner.a = 2;
    given.when.setTime(6);
    given.map.get("a")!.push(2);
    given.bytes[0] = 2;
    expect(owned).toStrictEqual({
      list: [1],
      inner: { a: 1 },
      when: new Date(5),
      map: new Map([["a", [1]]]),
      bytes: new Uint8Array([1]),
    });
  });

  it("gives an owned value back as it is, whole or as a part of something new", () => {
    const owned = copy({ list: [{ a: 1 }] }) as { list: object[] };
    expect(copy(owned)).toBe(owned);
    const next = copy([...owned.list, { b: 2 }]) as object[];
    expect(next[0]).toBe(owned.list[0]);
    expect(copy({ ...owned, c: 1 })).toHaveProperty("list", owned.list);
  });

  it("copies what occurs twice once", () => {
    const shared = { a: 1 };
    const owned = copy([shared, { shared }, new Map([[shared, shared]])]) as [
      object,
      { shared: object },
      Map<object, object>,
    ];
    expect(owned[1].shared).toBe(owned[0]);
    expect([...owned[2]]).toStrictEqual([[shared, shared]]);
    expect([...owned[2]][0]![0]).toBe(owned[0]);
  });

  it("makes an ordinary object of one without prototype, and of one of another realm", () => {
    const bare: Record<string, unknown> = Object.create(null);
    bare["a"] = 1;
    expect(copy(bare)).toStrictEqual({ a: 1 });
    const foreign: unknown = runInNewContext(
      "({ list: [1, { a: 1 }], when: new Date(5), map: new Map([[1, new Set([2])]]), bytes: new Uint8Array([7]), error: new TypeError('x') })",
    );
    const owned = copy(foreign) as { error: Error };
    expect(owned).toMatchObject({
      list: [1, { a: 1 }],
      when: new Date(5),
      map: new Map([[1, new Set([2])]]),
      bytes: new Uint8Array([7]),
    });
    expect(owned.error).toBeInstanceOf(TypeError);
  });

  it("makes a Uint8Array of its own of a Buffer", () => {
    const owned = copy(Buffer.from("abc")) as Uint8Array;
    expect(owned).toStrictEqual(new Uint8Array([97, 98, 99]));
    expect(Object.getPrototypeOf(owned)).toBe(Uint8Array.prototype);
    expect(owned.buffer.byteLength).toBe(3);
  });

  it("keeps an invalid date, and dates at both ends of time", () => {
    for (const time of [Number.NaN, 8.64e15, -8.64e15, 0, -1]) {
      expect(decode(encode(copy(new Date(time))))).toStrictEqual(new Date(time));
    }
  });

  it("takes dates made under fake timers", () => {
    vi.useFakeTimers({ now: 1234 });
    try {
      expect(encode(copy({ at: new Date() }))).toBe(encode(copy({ at: new Date(1234) })));
    } finally {
      vi.useRealTimers();
    }
  });

  it("keeps keys with undefined, and undefined in arrays", () => {
    expect(copy({ a: undefined, b: [undefined] })).toStrictEqual({ a: undefined, b: [undefined] });
  });

  it("reads a Proxy of an object or array as what it shows", () => {
    const shown = new Proxy({ a: 1 }, { get: () => new Proxy([1, 2], {}) });
    expect(copy({ shown })).toStrictEqual({ shown: { a: [1, 2] } });
    expect(types.isProxy((copy({ shown }) as { shown: unknown }).shown)).toBe(false);
  });

  it("reads a Proxy once: what was checked is what is stored", () => {
    let reads = 0;
    const shifty = new Proxy({ a: 1 }, { get: () => (reads++ === 0 ? 1 : () => 1) });
    expect(copy([shifty])).toStrictEqual([{ a: 1 }]);
  });
});

describe("an owned value", () => {
  const owned = copy({
    list: [1],
    when: new Date(5),
    map: new Map([["a", 1]]),
    set: new Set([1]),
    error: new Error("x"),
  }) as { list: number[]; when: Date; map: Map<string, number>; set: Set<number>; error: Error & { extra?: number } };

  it("throws when it is changed", () => {
    "use strict";
    expect(() => owned.list.push(2)).toThrow(TypeError);
    expect(() => Object.assign(owned, { list: [] })).toThrow(TypeError);
    expect(() => Object.assign(owned.error, { extra: 1 })).toThrow(TypeError);
    expect(() => Object.assign(owned.map, { extra: 1 })).toThrow(TypeError);
  });

  it("says what to do when a date, map or set is changed", () => {
    expect(() => owned.map.set("b", 2)).toThrow(/belongs to the workflow.*return it from the step or in a patch/s);
    expect(() => owned.map.delete("a")).toThrow(TypeError);
    expect(() => owned.map.clear()).toThrow(TypeError);
    expect(() => owned.set.add(2)).toThrow(TypeError);
    expect(() => owned.set.delete(1)).toThrow(TypeError);
    expect(() => owned.set.clear()).toThrow(TypeError);
    const setters = Object.getOwnPropertyNames(Date.prototype).filter((method) => method.startsWith("set"));
    expect(setters.length).toBeGreaterThanOrEqual(15);
    for (const setter of setters) {
      expect(() => (owned.when as unknown as Record<string, (value: number) => void>)[setter]!(1)).toThrow(TypeError);
    }
    expect(owned).toMatchObject({ list: [1], when: new Date(5), map: new Map([["a", 1]]), set: new Set([1]) });
  });

  it("looks like an ordinary one to everyone else", () => {
    const ordinary = { when: new Date(5), map: new Map([["a", 1]]), set: new Set([1]) };
    const { when, map, set } = owned;
    expect({ when, map, set }).toEqual(ordinary);
    expect({ when, map, set }).toStrictEqual(ordinary);
    expect(ordinary).toStrictEqual({ when, map, set });
    expect(isDeepStrictEqual({ when, map, set }, ordinary)).toBe(true);
    expect(isDeepStrictEqual(ordinary, { when, map, set })).toBe(true);
    expect(structuredClone({ when, map, set })).toStrictEqual(ordinary);
    expect(when instanceof Date && map instanceof Map && set instanceof Set).toBe(true);
    expect(new Map(map).set("b", 2).size).toBe(2);
    expect(new Date(when).setTime(9)).toBe(9);
    expect(JSON.stringify(when)).toBe(JSON.stringify(new Date(5)));
  });
});

describe("errors", () => {
  it("keep class, name, message, stack, cause, code and fields", () => {
    const error = Object.assign(new TypeError("bad", { cause: new RangeError("inner") }), {
      code: "E_BAD",
      details: { at: new Date(1) },
    });
    for (const owned of [copy(error), decode(encode(copy(error)))]) {
      expect(owned).toBeInstanceOf(TypeError);
      expect(owned).toStrictEqual(error);
      expect((owned as Error).stack).toBe(error.stack);
      expect((owned as Error).cause).toBeInstanceOf(RangeError);
      expect(owned).toMatchObject({ code: "E_BAD", details: { at: new Date(1) } });
      expect(Object.keys(owned as Error)).toStrictEqual(["code", "details"]);
    }
  });

  it("come back as the standard class they extend, with the name of their own", () => {
    class PaymentRefused extends RangeError {}
    class Named extends Error {
      override name = "Other";
    }
    const [first, second] = decode(encode(copy([new PaymentRefused("x"), new Named("y")]))) as [Error, Error];
    expect(first).toBeInstanceOf(RangeError);
    expect(first).not.toBeInstanceOf(PaymentRefused);
    expect(first.name).toBe("PaymentRefused");
    expect(second.name).toBe("Other");
    expect(Object.getPrototypeOf(second)).toBe(Error.prototype);
  });

  it("keep the errors of an AggregateError, and a DOMException's name and code", () => {
    const aggregate = decode(encode(copy(new AggregateError([new Error("a"), 1], "both")))) as AggregateError;
    expect(aggregate).toBeInstanceOf(AggregateError);
    expect(aggregate.message).toBe("both");
    expect(aggregate.errors).toStrictEqual([new Error("a"), 1]);
    const aborted = decode(encode(copy(new DOMException("stop", "AbortError")))) as Error & { code: number };
    expect(aborted).toBeInstanceOf(Error);
    expect([aborted.name, aborted.message, aborted.code]).toStrictEqual(["AbortError", "stop", 20]);
  });

  it("leave out what cannot be stored, and what would be too large", () => {
    const error = Object.assign(new Error("x"), {
      socket: new WeakMap(),
      retry: () => 1,
      body: "b".repeat(2_000_000),
      status: 500,
    });
    error.cause = error;
    Object.defineProperty(error, "getter", { enumerable: true, get: () => expect.fail("called") });
    const owned = copy({ error }) as { error: Error };
    expect(Object.keys(owned.error)).toStrictEqual(["status"]);
    expect(owned.error.message).toBe("x");
    expect("cause" in owned.error).toBe(false);
  });

  it("with many fields that fail only after much work are copied soon", () => {
    const large: unknown[] = Array.from({ length: 100_000 }, () => "x");
    large.push(() => 1);
    const fields = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`field${index}`, { large }]));
    const start = performance.now();
    expect(Object.keys(copy(Object.assign(new Error("x"), fields)) as Error)).toHaveLength(0);
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

describe("limits", () => {
  it("name the path at which the size was reached, the limit, and what to do", () => {
    const error = thrown(() => copy({ a: [1, { blob: "x".repeat(200) }] }, { path: "data", maxBytes: 100 }));
    expect(error).toBeInstanceOf(LimitExceededError);
    expect(error).toMatchObject({ path: "data.a[1].blob", limit: 100 });
    expect(error.message).toMatch(/`data\.a\[1\]\.blob` is beyond the limit of 100 bytes.*store a reference/);
  });

  it("count what is owned already", () => {
    const owned = copy(Array.from({ length: 300 }, () => "x".repeat(2000)));
    expect(() => copy([owned, owned], { path: "data" })).toThrow(LimitExceededError);
    expect(() => copy(owned, { maxBytes: 1000 })).toThrow(LimitExceededError);
    expect(copy(copy("y".repeat(900_000)))).toHaveLength(900_000);
    const large = copy("z".repeat(1_500_000), { maxBytes: 2_000_000 });
    expect(() => copy(large)).toThrow(LimitExceededError);
    expect(() => copy(copy([large], { maxBytes: 2_000_000 }))).toThrow(LimitExceededError);
  });

  it("hold for primitives too", () => {
    expect(() => copy("x".repeat(2_000_000))).toThrow(LimitExceededError);
    expect(() => copy("€".repeat(400_000))).toThrow(LimitExceededError);
    expect(() => copy(1n << 10_000_000n)).toThrow(LimitExceededError);
  });

  it("bound the depth, of what is owned too", () => {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });
    expect(sizeOf(copy(nested(200)))).toBeGreaterThan(200);
    const error = thrown(() => copy(nested(201), { path: "d" }));
    expect(error).toMatchObject({ code: "LIMIT_EXCEEDED", limit: 200, path: `d${".a".repeat(200)}` });
    expect(() => copy({ a: copy(nested(200)) })).toThrow(LimitExceededError);
    expect(() => copy(copy(nested(10)), { maxDepth: 9 })).toThrow(LimitExceededError);
    expect(() => copy([], { maxDepth: 100_000 })).toThrow(InvalidOptionError);
    const deepest = copy(nested(500), { maxDepth: 500 });
    expect(encode(decode(encode({ record: [deepest] })))).toBe(encode({ record: [deepest] }));
  });
});

describe("sizeOf", () => {
  it("is near the length of the text", () => {
    const value = copy({
      id: "order-1",
      items: Array.from({ length: 50 }, (_, index) => ({ sku: `sku-${index}`, price: 1234.5 })),
    });
    const ratio = sizeOf(value) / encode(value).length;
    expect(ratio).toBeGreaterThan(0.7);
    expect(ratio).toBeLessThan(1.4);
    expect(sizeOf({ not: "owned" })).toBe('{"not":"owned"}'.length);
    expect(sizeOf("€")).toBe(5);
    expect(sizeOf("€".repeat(40))).toBe(122);
  });
});

function thrown(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  return expect.fail("nothing was thrown");
}
