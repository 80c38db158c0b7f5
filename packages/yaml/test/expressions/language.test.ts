import { describe, expect, it } from "vitest";
import { parseExpression } from "../../src/expressions/language.ts";
import { findPlaceholders } from "../../src/expressions/placeholders.ts";

const evaluate = (text: string, scope: Record<string, unknown> = {}): unknown => parseExpression(text).evaluate(scope);

describe("expressions", () => {
  it.each<[string, Record<string, unknown>, unknown]>([
    ["1 + 2 * 3", {}, 7],
    ["a + 1", { a: 4 }, 5],
    ["a / 2", { a: 5 }, 2.5],
    ["a % 2 == 1", { a: 5 }, true],
    ["10 - a", { a: 2.5 }, 7.5],
    ["a > 1 ? 'big' : 'small'", { a: 2 }, "big"],
    ["a.b.c[0] + '!'", { a: { b: { c: ["x"] } } }, "x!"],
    ["l.filter(x, x > 1).map(x, { 'n': x })", { l: [1, 2, 3] }, [{ n: 2 }, { n: 3 }]],
    ["l.exists(x, x == 'a') && !l.all(x, x == 'a')", { l: ["a", "b"] }, true],
    ["size(l) + size(t) + l.size()", { l: [1], t: "abc" }, 5],
    ["string(a) + t", { a: 5, t: "x" }, "5x"],
    ["t.contains('b') && t.startsWith('a') && t.endsWith('c')", { t: "abc" }, true],
    ["has(a.b) || has(a.c)", { a: { c: 1 } }, true],
    ["'b' in l && 'k' in m", { l: ["b"], m: { k: 1 } }, true],
    ["l.join(', ')", { l: ["a", "b"] }, "a, b"],
    ["a == null", { a: null }, true],
    ["9007199254740993", {}, 9007199254740993n],
  ])("%s is computed", (text, scope, value) => {
    expect(evaluate(text, scope)).toEqual(value);
  });

  it("reach nothing but the data: no prototypes, no functions of JavaScript", () => {
    for (const text of [
      "a.constructor",
      "a.__proto__",
      "a['constructor']",
      "a.toString",
      "a.constructor.constructor('return 1')()",
      "globalThis",
      "process.env",
      "a.hasOwnProperty('b')",
      "t.replace('a', 'b')",
      "this",
    ]) {
      expect(() => evaluate(text, { a: { b: 1 }, t: "a" }), text).toThrow();
    }
  });

  it("have a cost that is bounded, whatever they loop over", () => {
    const l = Array.from({ length: 3000 }, (_, index) => index);
    const s = "x".repeat(100_000);
    const texts = [
      "l.map(x, l.map(y, x * y)).size()",
      "l.all(x, l.all(y, x + y >= 0))",
      "l.filter(x, x in l).size()",
      "l.map(x, s).join('').size()",
      "l.map(x, s + s).size()",
      "l.exists(x, l.exists(y, l.exists(z, z < 0)))",
      "l.filter(x, s.contains('y')).size()",
    ];
    for (const text of texts) {
      const begin = performance.now();
      expect(() => evaluate(text, { l, s }), text).toThrow(/visits more than 100000 elements/);
      expect(performance.now() - begin).toBeLessThan(5000);
    }
    expect(evaluate("l.filter(x, x % 2 == 0).size()", { l })).toBe(1500);
  });

  it("are refused when they are too large, or could take for ever", () => {
    expect(() => evaluate("(".repeat(200))).toThrow(/maxDepth/);
    expect(() => evaluate(`a${" + a".repeat(600)}`)).toThrow(/maxAstNodes|maxDepth/);
    expect(() => evaluate("x".repeat(5000))).toThrow("longer than 4000 characters");
    expect(() => evaluate("t.matches('(a+)+$')", { t: "" })).toThrow("there is no `matches`");
    expect(() => evaluate("__pay(1)")).toThrow("there is no function `__pay`");
    expect(() => evaluate("")).toThrow("the expression is empty");
  });
});

describe("placeholders", () => {
  it("end at their braces, not at those in texts and maps", () => {
    const text = "a ${{ x }} ${{ '}}' + \"}}\" }} ${{ {'a': {'b': 1}}.a }}${{ '\\'}}' }}";
    expect(findPlaceholders(text).placeholders.map(({ expression }) => expression)).toEqual([
      "x",
      "'}}' + \"}}\"",
      "{'a': {'b': 1}}.a",
      "'\\'}}'",
    ]);
  });

  it("know where they stand, and tell the first that is never closed", () => {
    expect(findPlaceholders("ab${{  xy }} ${{ z")).toEqual({
      placeholders: [{ start: 2, end: 12, expression: "xy", expressionStart: 7 }],
      open: { start: 13 },
    });
    expect(findPlaceholders("${{".repeat(100_000)).open).toEqual({ start: 0 });
  });
});
