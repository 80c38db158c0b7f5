import { describe, expect, it } from "vitest";
import { copy } from "../../src/codec/index.ts";
import type { InvalidValueError } from "../../src/errors.ts";

function refuseCall(): void {
  expect.fail("called");
}

class User {
  name = "ann";
}

const cyclic: Record<string, unknown> = { list: [{ a: 1 }] };
(cyclic["list"] as Record<string, unknown>[])[0]!["back"] = cyclic;

const cyclicMap = new Map<string, unknown>();
cyclicMap.set("self", cyclicMap);

const extraOnMap = Object.assign(new Map(), { extra: 1 });
const hidden = Object.defineProperty({}, "secret", { value: 1, enumerable: false });
const accessorInArray = Object.defineProperty([1, 2], 1, { get: () => expect.fail("called"), enumerable: true });
const setterInArray = Object.defineProperty([1, 2], 0, { set: refuseCall, enumerable: true });
const sparseWithExtra = Object.assign([, 1], { extra: 2 });
const sparseUndefined = Object.assign([, undefined], { extra: undefined });

const cases: readonly (readonly [title: string, value: unknown, path: string, message: RegExp])[] = [
  ["a function", { items: [0, 1, 2, { onDone: () => 1 }] }, "data.items[3].onDone", /is a function/],
  ["a function at the top", () => 1, "data", /is a function/],
  ["a class", { C: User }, "data.C", /is a function/],
  ["a symbol", { "weird key": Symbol("s") }, 'data["weird key"]', /is a symbol/],
  ["a symbol key", { a: { [Symbol("s")]: 1 } }, "data.a[Symbol(s)]", /key is a symbol/],
  [
    "a symbol key of an array",
    { a: Object.assign([1], { [Symbol.iterator]: 1 }) },
    "data.a[Symbol(Symbol.iterator)]",
    /key is a symbol/,
  ],
  ["an instance of a class", { user: new User() }, "data.user", /an instance of `User`.*\{ \.\.\.value \}/],
  ["an instance of a class at the top", new User(), "data", /an instance of `User`/],
  ["an object with a prototype of its own", [Object.create({ a: 1 })], "data[0]", /a prototype of its own/],
  ["a subclass of Map", { m: new (class Registry extends Map {})() }, "data.m", /an instance of `Registry`/],
  ["a subclass of Date", { m: new (class Day extends Date {})() }, "data.m", /an instance of `Day`/],
  ["a subclass of Array", { m: new (class Stack extends Array {})() }, "data.m", /an instance of `Stack`/],
  ["a subclass of Uint8Array", { m: new (class Hash extends Uint8Array {})() }, "data.m", /`?Hash`?/],
  ["something that only inherits from Map", { m: Object.create(Map.prototype) }, "data.m", /an instance of `Map`/],
  ["a value in a map", new Map([["x", { f: () => 1 }]]), 'data.get("x").f', /is a function/],
  ["a value under a number in a map", { map: new Map([[1, () => 1]]) }, "data.map.get(1)", /is a function/],
  ["a value under a bigint in a map", { map: new Map([[1n, () => 1]]) }, "data.map.get(1n)", /is a function/],
  [
    "a value under an object in a map",
    {
      map: new Map<unknown, unknown>([
        [1, 1],
        [{}, () => 1],
      ]),
    },
    "data.map.values()[1]",
    /is a function/,
  ],
  ["a key of a map", { map: new Map([[() => 1, 1]]) }, "data.map.keys()[0]", /is a function/],
  ["a member of a set", { set: new Set([1, Symbol("s")]) }, "data.set.values()[1]", /is a symbol/],
  ["a cycle", cyclic, "data.list[0].back", /the same object as `data`, which contains it/],
  ["an inner cycle", { a: { cyclic } }, "data.a.cyclic.list[0].back", /the same object as `data\.a\.cyclic`/],
  ["a cycle of a map", { m: cyclicMap }, 'data.m.get("self")', /the same object as `data\.m`/],
  [
    "a getter",
    {
      a: {
        get b(): number {
          return expect.fail("called");
        },
      },
    },
    "data.a.b",
    /an accessor/,
  ],
  ["a setter", { a: Object.defineProperty({}, "b", { set: refuseCall, enumerable: true }) }, "data.a.b", /an accessor/],
  ["a getter in an array", { a: accessorInArray }, "data.a[1]", /an accessor/],
  ["a setter in an array", { a: setterInArray }, "data.a[0]", /an accessor/],
  ["a property that is not enumerable", { hidden }, "data.hidden.secret", /not enumerable/],
  ["a hole", { a: [1, , 3] }, "data.a[1]", /a hole in an array/],
  ["a hole at the end", { a: Array.from({ length: 1 }).concat(Array(1)) }, "data.a[1]", /a hole in an array/],
  ["an array that is all holes", { a: Array(100_000) }, "data.a[0]", /a hole in an array/],
  ["a hole made up for by a named property", { a: sparseWithExtra }, "data.a[0]", /a hole in an array/],
  ["a hole made up for by undefined", { a: sparseUndefined }, "data.a[0]", /a hole in an array/],
  ["a named property of an array", { match: "a".match(/a/) }, "data.match.index", /a named property of an array/],
  ["a named property of a map", { m: extraOnMap }, "data.m.extra", /a named property of a Map/],
  ["a promise", { p: Promise.resolve() }, "data.p", /a Promise.*`await` it first/],
  ["a WeakMap", { w: new WeakMap() }, "data.w", /an instance of `WeakMap`/],
  ["a WeakRef", { w: new WeakRef({}) }, "data.w", /an instance of `WeakRef`/],
  ["a Float64Array", { a: new Float64Array(1) }, "data.a", /a Float64Array/],
  ["a DataView", { a: new DataView(new ArrayBuffer(1)) }, "data.a", /a DataView/],
  ["a Uint8ClampedArray", { a: new Uint8ClampedArray(1) }, "data.a", /a Uint8ClampedArray/],
  ["an ArrayBuffer", { a: new ArrayBuffer(1) }, "data.a", /an? ArrayBuffer.*new Uint8Array/],
  ["a RegExp", { a: /x/ }, "data.a", /a RegExp/],
  ["a URL", { a: new URL("http://x.test") }, "data.a", /a URL.*`href`/],
  ["a boxed number", { a: Object(1) }, "data.a", /a Number object/],
  ["a boxed string", { a: Object("x") }, "data.a", /a String object/],
  ["a boxed boolean", { a: Object(true) }, "data.a", /a Boolean object/],
  ["a boxed bigint", { a: Object(1n) }, "data.a", /a BigInt object/],
  ["a boxed symbol", { a: Object(Symbol("s")) }, "data.a", /a Symbol object/],
  ["an arguments object", { a: argumentsOf(1) }, "data.a.length", /which cannot be stored/],
  [
    "a generator",
    {
      a: (function* generate() {
        yield 1;
      })(),
    },
    "data.a",
    /which cannot be stored/,
  ],
  ["an odd key", { "a.b": { "": () => 1 } }, 'data["a.b"][""]', /is a function/],
  ["a key in another script", { größe: { "0": () => 1 } }, 'data.größe["0"]', /is a function/],
  ["a key that needs escapes", { 'a"\n\u0000': () => 1 }, 'data["a\\"\\n\\u0000"]', /is a function/],
];

describe("what cannot be stored is refused with its path", () => {
  it.each(cases)("%s", (_, value, path, message) => {
    const error = refusal(value);
    expect(error).toMatchObject({ code: "INVALID_VALUE", path });
    expect(error.message).toMatch(message);
    expect(error.message).toContain(`\`${path}\``);
  });

  it("with a path of bounded length in the message, and keys of bounded length", () => {
    const error = refusal({ ["k".repeat(1_000_000)]: { ["a b".repeat(1000)]: () => 1 } });
    expect(error.message.length).toBeLessThan(1000);
    expect((error as InvalidValueError).path!.length).toBeLessThan(1000);
  });
});

function refusal(value: unknown): Error {
  try {
    copy(value, { path: "data" });
  } catch (error) {
    return error as Error;
  }
  return expect.fail("nothing was thrown");
}

function argumentsOf(..._given: unknown[]): unknown {
  return arguments;
}
