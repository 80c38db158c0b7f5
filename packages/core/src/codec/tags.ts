/**
 * How what plain JSON cannot say is written: `{"$wfe":"date","v":"2026-01-02T03:04:05.006Z"}`.
 *
 * | tag | `v` |
 * | --- | --- |
 * | `undefined` | absent |
 * | `number` | `"NaN"`, `"Infinity"`, `"-Infinity"`, `"-0"` |
 * | `bigint` | decimal digits, or past 1,000 hexadecimal digits `"0x..."`, with a sign before |
 * | `date` | ISO 8601, or null for an invalid date |
 * | `bytes` | base64 |
 * | `map` | keys and values in turn: `[key, value, key, value]` |
 * | `set` | the members |
 * | `error` | the parts of the error, and its own enumerable fields under `fields` |
 * | `object` | a plain object with a key that `isPlainKey` refuses, as keys and values in turn |
 */
export type Tag = "undefined" | "number" | "bigint" | "date" | "bytes" | "map" | "set" | "error" | "object";

/** The key that marks a tagged value. */
export const tagKey = "$wfe";

/**
 * Whether a plain object with this key may be written as it is.
 *
 * Not the tag's own key; and no key that JSON writes with an escape. V8 13 and 14 (Node 24 and 26) read such a key as
 * another one once an object with a backslash at the same place was read anywhere in the process: `JSON.parse` of
 * `{"a":1,"\\":1}`, then of `{"a":1,"\"":1}`, gives `\` for `"`. Texts that are values are safe, so the
 * keys of such an object are written as values.
 */
export function isPlainKey(key: string): boolean {
  let surrogates = false;
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    if (unit < 0x20 || unit === 0x22 || unit === 0x5c) return false;
    if (unit >= 0xd800 && unit <= 0xdfff) surrogates = true;
  }
  return key !== tagKey && (!surrogates || key.isWellFormed());
}
