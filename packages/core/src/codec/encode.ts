import { copy } from "./copy.ts";
import { unlimited } from "./limits.ts";
import { isPlainNumber } from "./measure.ts";
import { infoOf } from "./owned.ts";
import { errorFields, errorPartKeys, errorParts } from "./stored-error.ts";
import { isPlainKey, type Tag, tagKey } from "./tags.ts";

/**
 * The JSON text of a value that can be stored; `decode` gives an equal value back.
 *
 * Takes owned values, and records of the engine's around them: plain objects, arrays, maps. Only what is not owned is walked
 * to find out whether it is plain JSON; if all is, the text is that of one `JSON.stringify`. Lone surrogates and NUL are
 * escaped in it. Throws what `copy` throws for a record that holds something else.
 */
export function encode(value: unknown): string {
  try {
    return JSON.stringify(isRich(value) ? tagged(value) : value);
  } catch (error) {
    // Rare and a mistake of ours, so the second walk, which finds the path, costs nobody anything.
    copy(value, { ...unlimited, path: "record" });
    throw error;
  }
}

/** Whether it holds anything that plain JSON cannot say. */
function isRich(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return false;
    case "number":
      return !isPlainNumber(value);
    case "object":
      return value !== null && isRichObject(value);
    case "undefined":
    case "bigint":
    case "function":
    case "symbol":
      break;
  }
  return true;
}

function isRichObject(value: object): boolean {
  const info = infoOf(value);
  if (info !== undefined) return info.rich;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (isRich(value[i])) return true;
    }
    return false;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return true;
  const keys = Object.keys(value);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    if (!isPlainKey(key) || isRich((value as Record<string, unknown>)[key])) return true;
  }
  return false;
}

/** The same value with tags in place of what plain JSON cannot say. Shares every part that needs none. */
function tagged(value: unknown): unknown {
  switch (typeof value) {
    case "number":
      return isPlainNumber(value) ? value : tag("number", Object.is(value, -0) ? "-0" : String(value));
    case "bigint":
      return tag("bigint", bigintText(value));
    case "undefined":
      return tag("undefined");
    case "object":
      return value === null ? value : taggedObject(value);
    case "function":
    case "symbol":
      return copy(value);
    case "string":
    case "boolean":
      break;
  }
  return value;
}

function taggedObject(value: object): unknown {
  const info = infoOf(value);
  if (info !== undefined && !info.rich) return value;
  if (Array.isArray(value)) return taggedList(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return taggedPlain(value as Record<string, unknown>);
  // Of the engine's own containers only objects and arrays are many; a map is made owned first, which is shallow.
  if (info === undefined) return tagged(copy(value, unlimited));
  if (value instanceof Map) return tag("map", taggedList([...value].flat(1)));
  if (value instanceof Set) return tag("set", taggedList([...value]));
  if (value instanceof Uint8Array) {
    return tag("bytes", Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64"));
  }
  if (value instanceof Date) return tag("date", Number.isNaN(value.getTime()) ? null : value.toISOString());
  return tag("error", taggedError(value as Error));
}

function taggedList(list: readonly unknown[]): unknown[] {
  const result: unknown[] = [];
  for (let i = 0; i < list.length; i++) result.push(tagged(list[i]));
  return result;
}

function taggedPlain(value: Record<string, unknown>): unknown {
  const keys = Object.keys(value);
  if (!keys.every(isPlainKey)) return tag("object", taggedList(Object.entries(value).flat(1)));
  const result: Record<string, unknown> = { ...value };
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const member = result[key];
    const replacement = tagged(member);
    // Safe for `__proto__` too: it is an own property of `result` already.
    if (replacement !== member) result[key] = replacement;
  }
  return result;
}

function taggedError(error: Error): Record<string, unknown> {
  const parts = errorParts(error);
  const result: Record<string, unknown> = {};
  for (const key of errorPartKeys) {
    if (key in parts) result[key] = tagged(parts[key]);
  }
  // A list of pairs in turn, as in a map: the order of keys that look like numbers is kept.
  const fields = errorFields(error);
  if (fields.length > 0) result["fields"] = taggedList(fields.flat(1));
  return result;
}

function tag(kind: Tag, v?: unknown): Record<string, unknown> {
  return v === undefined ? { [tagKey]: kind } : { [tagKey]: kind, v };
}

function bigintText(value: bigint): string {
  // Decimal digits take quadratic time, hexadecimal ones linear.
  const hex = (value < 0n ? -value : value).toString(16);
  return hex.length <= 1000 ? value.toString() : `${value < 0n ? "-" : ""}0x${hex}`;
}
