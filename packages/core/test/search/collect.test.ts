import { describe, expect, it } from "vitest";
import { TermCollector } from "../../src/search/collect.ts";

function collected(data: unknown): TermCollector {
  const collector = new TermCollector();
  collector.data(data);
  return collector;
}

const pair = (path: string, value: string): string => `data=${path}\u001f${value}`;

describe("the terms of data", () => {
  it("are its words, and its values by path", () => {
    const data = { name: "Ann Lee", order: { id: 17, open: true, none: null }, items: [{ sku: "a-1" }, { sku: "b" }] };
    expect(new Set(collected(data).terms)).toEqual(
      new Set([
        ...["ann", "lee", "17", "true", "null", "a", "1", "b"],
        pair("name", "Ann Lee"),
        pair("order.id", "17"),
        pair("order.open", "true"),
        pair("order.none", "null"),
        pair("items.sku", "a-1"),
        pair("items.sku", "b"),
      ]),
    );
  });

  it("are those of rich values too", () => {
    const at = new Date(Date.UTC(2026, 0, 31));
    const data = {
      at,
      big: 12345678901234567890n,
      map: new Map<unknown, unknown>([
        ["key", "inner"],
        [5, "five"],
      ]),
      set: new Set(["member"]),
      error: new TypeError("went wrong", { cause: new Error("deeper") }),
      bytes: new Uint8Array(3),
      odd: [Number.NaN, -0, undefined],
    };
    const { terms, values } = collected(data);
    for (const word of [
      "inner",
      "5",
      "five",
      "member",
      "typeerror",
      "went",
      "deeper",
      "nan",
      "31t00",
      "12345678901234567890",
    ])
      expect(terms).toContain(word);
    expect(terms).toContain(pair("map.key", "inner"));
    expect(terms).toContain(pair("at", "2026-01-31T00:00:00.000Z"));
    expect(terms).toContain(pair("odd", "0"));
    expect(values).toContainEqual({ path: "at", value: at.getTime() });
    expect(values).toContainEqual({ path: "odd", value: 0 });
    expect(values.every(({ value }) => Number.isFinite(value))).toBe(true);
  });

  it("are bounded, however large data is, and made in bounded time", () => {
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`key-${n}`, `value-${n} ${n}`]));
    const texts = [wide, "word ".repeat(400_000), Array.from({ length: 300_000 }, (_, n) => `w${n}`).join(" ")];
    for (const data of [...texts.map((text) => ({ text })), { many: Array.from({ length: 200_000 }, (_, n) => n) }]) {
      const begun = performance.now();
      const { terms, values } = collected(data);
      expect(performance.now() - begun).toBeLessThan(3_000);
      expect(terms.length).toBeLessThanOrEqual(10_000);
      expect(terms.reduce((sum, term) => sum + Buffer.byteLength(term), 0)).toBeLessThanOrEqual(256 * 1024);
      expect(values.length).toBeLessThanOrEqual(100);
    }
  });

  it("do not depend on how deep it is", () => {
    let deep: unknown = "bottom";
    for (let n = 0; n < 20_000; n++) deep = n % 2 === 0 ? { d: deep } : [deep];
    expect(collected(deep).terms).toEqual(["bottom"]);
  });

  it("leave out as pairs what is too long to be compared", () => {
    const { terms } = collected({ text: "x".repeat(201), ["k".repeat(201)]: "short", fits: "x".repeat(200) });
    expect(terms.filter((term) => term.startsWith("data="))).toEqual([pair("fits", "x".repeat(200))]);
    expect(terms).toContain("short");
  });
});
