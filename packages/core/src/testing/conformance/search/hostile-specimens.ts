import { hostileTexts } from "../persistence/hostile.ts";
import type { Specimen } from "./corpus.ts";

const texts: readonly string[] = [
  ...Object.values(hostileTexts),
  "a\0b",
  "\ud800 alone",
  "\udc00",
  "x".repeat(40_000),
  "İıſßŉǰΐ",
  "क्षि นี่ ﷺ ｆｕｌｌ ①②",
  '"; DROP TABLE wfe_search; --',
  "a=b status=failed data=x",
  "2026-13-45",
  "1e400",
  "_id",
  "\u001f",
];
const keys: readonly string[] = [
  "__proto__",
  "constructor",
  "_id",
  "_source",
  "a.b",
  "",
  " ",
  "toString",
  "\0",
  "ü",
  "$where",
  "a",
  "b",
];
const names = texts.filter(
  (text) => text.trim() !== "" && text.length <= 128 && !text.includes("\0") && text.isWellFormed(),
);

/**
 * Workflows whose data is what no index is made for: a field of its own for every document, one field in every type, texts of all
 * kinds, deep and wide. The same for the same count. Each has a word that it alone has.
 */
export function hostileSpecimens(count: number): readonly Specimen[] {
  const random = generator(count);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;

  const value = (depth: number): unknown => {
    switch (Math.floor(random() * (depth > 0 ? 13 : 9))) {
      case 0:
        return pick(texts);
      case 1:
        return (random() - 0.5) * 10 ** Math.floor(random() * 40);
      case 2:
        return pick([Number.NaN, Number.POSITIVE_INFINITY, -0, Number.MAX_VALUE, Number.MIN_VALUE, 2 ** 53 + 1]);
      case 3:
        return pick([true, false, null, undefined]);
      case 4:
        return BigInt(`${random() < 0.5 ? "-" : ""}${"9".repeat(1 + Math.floor(random() * 400))}`);
      case 5:
        return new Date(pick([0, -8.64e15, 8.64e15, Number.NaN, 1e12 * random()]));
      case 6:
        return new Uint8Array(Math.floor(random() * 100));
      case 7:
        return new Error(pick(texts), { cause: pick(texts) });
      case 8:
        return pick(names);
      case 9:
        return Array.from({ length: Math.floor(random() * 6) }, () => value(depth - 1));
      case 10:
        return new Map<unknown, unknown>([
          [pick(texts), value(depth - 1)],
          [value(0), value(depth - 1)],
        ]);
      case 11:
        return new Set([value(depth - 1), value(0)]);
      default: {
        const object: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
        const width = random() < 0.05 ? 300 : 5;
        for (let i = 0; i < width * random(); i++)
          object[random() < 0.5 ? pick(keys) : `field-${Math.floor(random() * 1e9)}`] = value(depth - 1);
        return object;
      }
    }
  };

  return Array.from({ length: count }, (_, n) => ({
    run: n + 1,
    namespace: "default",
    id: n < names.length ? (names[n] as string) : `h-${n}`,
    definitionId: pick(names),
    version: Math.floor(random() * 1e9),
    status: pick(["runnable", "waiting", "failed"] as const),
    tags: random() < 0.7 ? [pick(names)] : [],
    createdAt: pick([0, 1, 1e12, 4e12, 8.64e15, -5]) + Math.floor(random() * 10),
    completedAt: random() < 0.5 ? null : Math.floor(random() * 1e13),
    data: {
      only: `only${n + 1}x`,
      clash: value(0),
      [`field-${n}`]: value(4),
      deep: nested(Math.floor(random() * 400)),
    },
    errorMessage: random() < 0.3 ? pick(texts) : undefined,
    steps: [{ id: pick(names), status: "failed" as const, attempt: 1, runs: 1 }],
    waitingFor: random() < 0.3 ? [{ event: pick(names), key: pick(names) }] : [],
  }));
}

function nested(depth: number): unknown {
  let value: unknown = "bottom";
  for (let n = 0; n < depth; n++) value = n % 2 === 0 ? { d: value } : [value];
  return value;
}

/** mulberry32: the same numbers in every run, and on every machine. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
