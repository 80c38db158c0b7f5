/**
 * Terms of documents and queries. A word stands for itself; everything else has its kind in front, and a `=`, which no word has:
 * so a word never finds a status, nor a tag a step.
 */
export const terms = {
  definition: (id: string): string => `definition=${clean(id)}`,
  version: (version: number): string => `version=${version}`,
  status: (status: string): string => `status=${status}`,
  tag: (tag: string): string => `tag=${clean(tag)}`,
  step: (id: string): string => `step=${clean(id)}`,
  stepWith: (id: string, status: string): string => `step=${clean(id)}${between}${status}`,
  event: (name: string): string => `event=${clean(name)}`,
  eventWith: (name: string, key: string): string => `event=${clean(name)}${between}${clean(key)}`,
  eventKey: (key: string): string => `key=${clean(key)}`,
  /** No document has it. */
  nothing: "nothing=",
  data: (path: string, value: string): string => `data=${clean(path)}${between}${clean(value)}`,
} as const;

/** The unit separator: nobody's text has it, and who writes it all the same finds a little more. */
const between = "\u001f";

/** Longer values of data, or paths, are found by their words only. */
export const longestExact = 200;

/** What every index can keep: well-formed, and without NUL. */
export function clean(text: string): string {
  const whole = text.toWellFormed();
  return whole.includes("\0") ? whole.replaceAll("\0", "\ufffd") : whole;
}

/** A value of data as text, whatever its type: the number 7 and the text "7" are found alike. undefined: it has none. */
export function exactText(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return Object.is(value, -0) ? "0" : String(value);
    case "boolean":
    case "bigint":
      return String(value);
    default:
      if (value === null) return "null";
      return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : undefined;
  }
}

/** Compares texts by code points, as UTF-8 compares byte for byte. */
export function byCodePoints(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const one = a.charCodeAt(i);
    const other = b.charCodeAt(i);
    // Surrogates stand for code points above all that a single unit can say.
    if (one !== other) return rank(one) - rank(other);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
