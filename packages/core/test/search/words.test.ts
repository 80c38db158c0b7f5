import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byCodePoints, clean } from "../../src/search/terms.ts";
import { longestWord, wordsOf } from "../../src/search/words.ts";

describe("words", () => {
  it.for([
    ["the quick, brown FOX", ["the", "quick", "brown", "fox"]],
    ["a1b2 3.14 -5 1e21", ["a1b2", "3", "14", "5", "1e21"]],
    ["order_id=o-17", ["order", "id", "o", "17"]],
    ["Straße STRASSE STRAẞE ſee", ["strasse", "strasse", "strasse", "see"]],
    ["ΣΊΣΥΦΟΣ Σίσυφος σίσυφοσ", ["σίσυφος", "σίσυφος", "σίσυφος"]],
    ["ﬁn ２０２６ ①", ["fin", "2026", "1"]],
    ["cafe\u0301 café", ["café", "café"]],
    ["हिन्दी 李雷 مرحبا", ["हिन्दी", "李雷", "مرحبا"]],
    ["👩‍👩‍👧 \u0301 ... ", []],
    ["\ud800x\udc00", ["x"]],
  ] as const)("of %j are %j", ([text, words]) => {
    expect(wordsOf(text)).toEqual(words);
  });

  it("are the same however a text is written, and wherever they stand", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
        const words = wordsOf(text);
        expect(wordsOf(text.normalize("NFD"))).toEqual(words);
        expect(wordsOf(`(${text}),`)).toEqual(words);
        for (const word of words) expect(wordsOf(word)).toEqual([word]);
      }),
      { numRuns: 2_000 },
    );
  });

  it("that are too long are cut, and not within a character", () => {
    expect(wordsOf("x".repeat(5_000))).toEqual(["x".repeat(longestWord)]);
    const [word] = wordsOf(`x${"𝒳𐐨".repeat(500)}`);
    expect(word?.isWellFormed()).toBe(true);
    expect(word?.length).toBeLessThanOrEqual(longestWord);
  });
});

describe("texts", () => {
  it("are cleaned of what not every index can keep", () => {
    expect(clean("a\0b\ud800")).toBe("a\ufffdb\ufffd");
  });

  it("are compared as their bytes of UTF-8 are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 5 }), fc.string({ unit: "binary", maxLength: 5 }), (a, b) => {
        expect(Math.sign(byCodePoints(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 2_000 },
    );
    expect(byCodePoints("\uffe6", "\u{1f600}")).toBeLessThan(0);
  });
});
