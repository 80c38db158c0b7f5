import { describe, expect, it } from "vitest";
import { applyPatch, copy, decode, diffPatch, encode, handOut } from "../../src/codec/index.ts";
import { CorruptedRecordError, InvalidValueError, LimitExceededError, WfeError } from "../../src/errors.ts";

const poisonedKeys = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "valueOf",
  "toJSON",
  "hasOwnProperty",
  "then",
  "__defineGetter__",
  "$wfe",
];
const poisonedValues = [
  '{"polluted":true}',
  "null",
  '[{"polluted":true}]',
  '{"__proto__":{"__proto__":{"polluted":true}}}',
];
const payloads = poisonedKeys.flatMap((key) =>
  poisonedValues.flatMap((value) => [
    `{${JSON.stringify(key)}:${value}}`,
    `{"a":[{${JSON.stringify(key)}:${value},"b":1}]}`,
  ]),
);

describe("`__proto__` and its like", () => {
  it.each(payloads)("are own keys as any other: %s", (text) => {
    const value: unknown = JSON.parse(text);
    const owned = copy(value);
    expect(JSON.stringify(owned)).toBe(text);
    expect(JSON.stringify(decode(encode(owned)))).toBe(text);
    expect(JSON.stringify(handOut(copy({ v: value, bytes: new Uint8Array(1) })))).toContain(text.slice(1, -1));
    const [beside] = decode(encode(copy([value, 1n]))) as [unknown];
    expect(JSON.stringify(beside)).toBe(text);
  });

  it.each(payloads)("are keys of a patch as any other: %s", (text) => {
    const patch = copy(JSON.parse(text)) as Record<string, unknown>;
    const stored = decode(encode(diffPatch({}, patch))) as ReturnType<typeof diffPatch>;
    const data = applyPatch(copy({ first: 1 }) as Record<string, unknown>, stored);
    expect(JSON.stringify(data)).toBe(JSON.stringify({ first: 1 }).replace("}", ",") + text.slice(1));
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect((data as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it("never reach a prototype", () => {
    for (const text of payloads) {
      for (const value of [copy(JSON.parse(text)), decode(encode(copy(JSON.parse(text))))]) {
        expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
        expect((value as { polluted?: unknown }).polluted).toBeUndefined();
      }
    }
    const fields = copy(
      Object.defineProperty(new Error("x"), "__proto__", { value: { polluted: true }, enumerable: true }),
    ) as Error;
    for (const error of [fields, decode(encode(fields)) as Error]) {
      expect(Object.getPrototypeOf(error)).toBe(Error.prototype);
      expect(Object.hasOwn(error, "__proto__")).toBe(true);
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe("size and shape", { timeout: 60_000 }, () => {
  it("50 MB are refused in less time than JSON takes to write them, as one text, as many, and as bytes", () => {
    const part = "x".repeat(1000);
    const values = ["x".repeat(50e6), Array.from({ length: 50_000 }, () => part), Array.from({ length: 5e6 }, () => 1)];
    const begun = performance.now();
    for (const value of values) expect(() => copy({ value })).toThrow(LimitExceededError);
    expect(() => copy({ value: new Uint8Array(50e6) })).toThrow(LimitExceededError);
    const refused = performance.now();
    for (const value of values) JSON.stringify(value);
    expect(refused - begun).toBeLessThan(performance.now() - refused);
  });

  it("50 MB come through where they are allowed", () => {
    const value = { text: "é".repeat(25e6), bytes: new Uint8Array(1e6).fill(7) };
    expect(decode(encode(copy(value, { maxBytes: 100e6 })))).toEqual(value);
  });

  it.each([10_000, 100_000])("%d levels give an error and no stack overflow", (levels) => {
    let list: unknown = 1;
    let object: unknown = 1;
    let map: unknown = 1;
    let error: unknown = 1;
    for (let i = 0; i < levels; i++) {
      list = [list];
      object = { a: object };
      map = new Map([["k", map]]);
      if (i < 10_000) error = new Error("x", { cause: error });
    }
    for (const value of [list, object, map]) {
      expect(() => copy(value)).toThrow(LimitExceededError);
      expect(() => copy(value, { maxDepth: 500 })).toThrow(LimitExceededError);
    }
    // What is too deep under an error is left out.
    expect(copy(error)).toBeInstanceOf(Error);
    expect(() => encode(list)).toThrow(WfeError);
    expect(() => decode("[".repeat(levels) + "]".repeat(levels))).toThrow(CorruptedRecordError);
    expect(() => decode('{"a":'.repeat(levels) + "1" + "}".repeat(levels))).toThrow(CorruptedRecordError);
    expect(() => decode('{"$wfe":"set","v":['.repeat(levels) + "]}".repeat(levels))).toThrow(CorruptedRecordError);
  });

  it("sharing that expands to 2^30 is refused quickly", () => {
    for (const join of [
      (v: unknown) => [v, v],
      (v: unknown) => ({ a: v, b: v }),
      (v: unknown) =>
        new Map([
          ["a", v],
          ["b", v],
        ]),
    ]) {
      let bomb: unknown = { leaf: "x" };
      for (let i = 0; i < 30; i++) bomb = join(bomb);
      const start = performance.now();
      expect(() => copy(bomb)).toThrow(LimitExceededError);
      expect(performance.now() - start).toBeLessThan(200);
    }
    let errors: Error = new Error("x");
    for (let i = 0; i < 100; i++) errors = Object.assign(new Error("x"), { a: errors, b: errors });
    const start = performance.now();
    expect(copy(errors)).toBeInstanceOf(Error);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it("a wide cycle is found", () => {
    const wide: Record<string, unknown> = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [`k${index}`, { index }]),
    );
    for (const key of Object.keys(wide)) (wide[key] as Record<string, unknown>)["up"] = wide;
    expect(() => copy(wide)).toThrow(InvalidValueError);
    const ring: Record<string, unknown>[] = Array.from({ length: 100 }, () => ({}));
    for (const [index, link] of ring.entries()) link["next"] = ring[(index + 1) % ring.length];
    expect(() => copy(ring)).toThrow(/the same object as `value\[0\]`/);
  });

  it("errors that refer to each other in every way are copied without what is cyclic", () => {
    const errors = Array.from({ length: 30 }, () => new Error("x") as Error & Record<string, unknown>);
    for (const error of errors) for (const [index, other] of errors.entries()) error[`e${index}`] = other;
    const start = performance.now();
    expect(copy(errors[0])).toBeInstanceOf(Error);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

describe("a hostile Proxy", () => {
  const fail = (): never => {
    throw new Error("from the trap");
  };
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const endless: object = new Proxy({}, { getPrototypeOf: () => endless });
  const growing = (): object => new Proxy({ a: 1 }, { get: growing });

  it.each([
    ["that is revoked", revoked],
    ["that throws in getPrototypeOf", new Proxy({}, { getPrototypeOf: fail })],
    ["that throws in ownKeys", new Proxy({}, { ownKeys: fail })],
    ["that throws in get", new Proxy({ a: 1 }, { get: fail })],
    ["that throws in getOwnPropertyDescriptor", new Proxy({ a: 1 }, { getOwnPropertyDescriptor: fail })],
    ["of an array that throws", new Proxy([1], { get: fail })],
    [
      "of an array that lies about its length",
      new Proxy([1], { get: (target, key) => (key === "length" ? 5 : Reflect.get(target, key)) }),
    ],
    ["with a prototype chain without end", endless],
    ["inherited by an object", Object.create(endless)],
    ["of a map", new Proxy(new Map(), {})],
    ["of a function", new Proxy(() => 1, {})],
    ["of a date", new Proxy(new Date(), {})],
    ["with a symbol key", new Proxy({ [Symbol("s")]: 1 }, {})],
    [
      "with an accessor",
      new Proxy(Object.defineProperty({}, "a", { get: fail, enumerable: true, configurable: true }), {}),
    ],
  ])("%s is refused with its path", (_, value) => {
    let error: unknown;
    try {
      copy({ list: [value] }, { path: "data" });
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(InvalidValueError);
    expect((error as InvalidValueError).path).toMatch(/^data\.list\[0\]/);
  });

  it("keeps the error of the trap as the cause", () => {
    expect(() => copy([new Proxy({}, { ownKeys: fail })])).toThrow(
      expect.objectContaining({ cause: new Error("from the trap") }),
    );
  });

  it("without end runs into a limit", () => {
    expect(() => copy(growing())).toThrow(LimitExceededError);
    const wide = new Proxy(
      {},
      {
        ownKeys: () => Array.from({ length: 100_000 }, (_, i) => `k${i}`),
        getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }),
        get: () => 1,
      },
    );
    expect(() => copy(wide)).toThrow(LimitExceededError);
  });

  it("cannot change what was already read of its parent", () => {
    const parent: Record<string, unknown> = {
      first: new Proxy({}, { ownKeys: () => ((parent["second"] = () => 1), []) }),
      second: 2,
    };
    expect(copy(parent)).toStrictEqual({ first: {}, second: 2 });
    const list: unknown[] = [new Proxy({}, { ownKeys: () => ((list[1] = () => 1), []) }), 2];
    expect(copy(list)).toStrictEqual([{}, 2]);
  });

  it("that copies while it is copied disturbs nothing", () => {
    const reentrant = new Proxy({ a: 1 }, { get: () => encode(copy({ deep: [{ er: 1 }] })) });
    expect(() => copy({ x: [reentrant, { f: () => 1 }] }, { path: "data" })).toThrow(/`data\.x\[1\]\.f`/);
  });
});

describe("a hostile error", () => {
  it("whose getters throw is refused with its path", () => {
    class Evil extends Error {
      override get message(): string {
        throw new RangeError("no");
      }
    }
    expect(() => copy({ a: new Evil() }, { path: "data" })).toThrow(/`data\.a` threw an error when it was read/);
  });

  it("whose message and name are no strings is told in words", () => {
    const odd = new Error("x");
    Object.defineProperty(odd, "message", { value: { toString: () => "odd" } });
    Object.defineProperty(odd, "name", { value: 5 });
    expect(decode(encode(copy(odd)))).toMatchObject({ message: "odd", name: "5" });
  });
});
