import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidOptionError } from "../../src/index.ts";
import { parseSearch } from "../../src/search/parse.ts";
import { cursorOf, placeOf } from "../../src/search/place.ts";
import { indexQuery } from "../../src/search/query.ts";

describe("a search as it is typed", () => {
  it.for([
    ["", {}],
    ["quick fox", { words: "quick fox" }],
    ["status:failed quick", { status: ["failed"], words: "quick" }],
    ["status:failed,waiting", { status: ["failed", "waiting"] }],
    ['tag:"big spender" tag:vip', { tag: ["big spender", "vip"] }],
    ['definition:"say \\"hi\\" \\\\" version:12', { definitionId: 'say "hi" \\', version: 12 }],
    ["step:charge step-status:failed", { step: "charge", stepStatus: "failed" }],
    ["waiting:order.approved key:o-1", { waitingForEvent: "order.approved", waitingForKey: "o-1" }],
    ["created>2026-01-31", { createdAfter: Date.UTC(2026, 0, 31) }],
    ["created>2028-02-29", { createdAfter: Date.UTC(2028, 1, 29) }],
    ["created<2026-01-31T18:00", { createdBefore: Date.UTC(2026, 0, 31, 18) }],
    ["completed>2026-01-31T18:00:30+02:00", { completedAfter: Date.UTC(2026, 0, 31, 16, 0, 30) }],
    ["data.customer.id:17 data.größe:XL", { data: { "customer.id": "17", größe: "XL" } }],
    ["data.__proto__:x", { data: JSON.parse('{"__proto__":"x"}') }],
    ["sort:oldest", { sort: "oldest" }],
    // Whatever is no filter is words.
    ["12:30 http://host:80/x?a=b", { words: "12:30 http://host:80/x?a=b" }],
    ['"status:failed" stauts:failed', { words: "status:failed stauts:failed" }],
    ['status: tag:"open', { words: 'status: tag:"open' }],
    ["status > created>", { words: "status > created>" }],
  ] as const)("%j is %j", ([text, query]) => {
    expect(parseSearch(text)).toEqual(query);
  });

  it.for([
    ["version:two", /`version:` takes a whole number/],
    ["created>yesterday", /`created` takes a time such as/],
    ["created>2026-13-45", /takes a time such as/],
    ["created>2030-02-31", /takes a time such as/],
    ["completed<2026-04-31T12:00", /takes a time such as/],
    ["created>2030-02-29T12:00+02:00", /takes a time such as/],
    ["status:failed status:waiting", /says `status` twice/],
    ["data.a:1 data.a:2", /says `data.a` twice/],
    ["x".repeat(10_001), /at most 10000 characters/],
  ] as const)("%j is refused", ([text, message]) => {
    expect(() => parseSearch(text)).toThrow(InvalidOptionError);
    expect(() => parseSearch(text)).toThrow(message);
  });

  it("is read in no time, whatever it is", () => {
    for (const piece of ['"', '\\"', 'a:"', 'a:"\\', "a:", '" ', "data.", "\u00fc:", '"\\" ']) {
      const begun = performance.now();
      expect(() => parseSearch(piece.repeat(Math.floor(10_000 / piece.length)))).not.toThrow(RangeError);
      expect(performance.now() - begun).toBeLessThan(1_000);
    }
  });

  it("never fails but for an option", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        try {
          indexQuery("default", parseSearch(text));
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidOptionError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("what an index is asked", () => {
  it("has each term once", () => {
    const query = indexQuery("n", { words: "fox FOX dog", status: ["failed", "failed"], tag: ["a", "a"] });
    expect(query).toEqual({
      namespace: "n",
      all: ["fox", "dog", "tag=a", "status=failed"],
      any: [],
      createdAt: {},
      completedAt: {},
      values: [],
    });
  });

  it.for([
    [{ stepStatus: "failed" }, /say which step is meant/],
    [
      { words: Array.from({ length: 101 }, (_, n) => `w${n}`).join(" ") },
      /at most 100 words and conditions, this one has 101/,
    ],
    [{ data: { a: "x".repeat(201) } }, /values are compared up to 200/],
    [{ data: { ["x".repeat(201)]: 1 } }, /a path of `data` has 1 to 200 characters/],
    [{ data: { "": 1 } }, /a path of `data` has 1 to 200 characters/],
    [{ data: { a: {} } }, /a range without ends/],
    [{ data: { a: { form: 1 } as object } }, /there is no `form`/],
    [{ data: { a: { from: Number.NaN } } }, /must be a finite number or a valid date/],
    [{ data: { a: new Date(Number.NaN) } }, /must be a text, a number, a boolean, null or a valid date/],
  ] as const)("is refused: %j", ([query, message]) => {
    expect(() => indexQuery("n", query)).toThrow(InvalidOptionError);
    expect(() => indexQuery("n", query)).toThrow(message);
  });
});

describe("a cursor", () => {
  it("is the place it was made of", () => {
    for (const id of ["a", "x.y", "\u{1f600} ü", "q\"'\\"]) {
      for (const createdAt of [0, -5, 1_700_000_000_000, 8.64e15])
        expect(placeOf(cursorOf({ createdAt, id }))).toEqual({ createdAt, id });
    }
  });

  it.for(["", "1", "x.y", "1.", "1.ä", ".YQ"])("is refused where no search has given it: %j", (cursor) => {
    expect(() => placeOf(cursor)).toThrow(/not one that a search has given/);
  });
});
