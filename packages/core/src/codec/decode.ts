import { CorruptedRecordError } from "../errors.ts";
import { immutableDate, immutableMap, immutableSet, putInMap, putInSet } from "./immutable.ts";
import { greatestRecordDepth } from "./limits.ts";
import {
  bracketSize,
  isRichPrimitive,
  memberSize,
  sizeOfBytes,
  sizeOfPrimitive,
  sizeOfString,
  tagSize,
} from "./measure.ts";
import { absorb, type Info, newInfo, own, ownBytes } from "./owned.ts";
import { put } from "./put.ts";
import { buildError, errorPartKeys, type ErrorParts } from "./stored-error.ts";
import { tagKey } from "./tags.ts";

/**
 * The value of a text made by `encode`: deeply frozen and owned, so that what is read from a journal is never copied again.
 *
 * Throws `CorruptedRecordError` for any other text.
 */
export function decode(text: string): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw corrupted("it is not JSON", cause);
  }
  return new Decoding().value(parsed, newInfo());
}

/** One call of `decode`. The parsed objects are ours, so they are completed and frozen in place. */
class Decoding {
  private total = 0;
  private depth = 0;

  value(value: unknown, container: Info): unknown {
    if (typeof value === "object" && value !== null) return this.object(value, container);
    // Only `-0`, which `encode` never writes like this, but JSON allows.
    if (isRichPrimitive(value)) container.rich = true;
    this.total += sizeOfPrimitive(value);
    return value;
  }

  private object(value: object, container: Info): unknown {
    if (!Array.isArray(value)) {
      const tag: unknown = (value as Record<string, unknown>)[tagKey];
      if (tag !== undefined) return this.tagged(tag, value as Record<string, unknown>, container);
    }
    const before = this.enter();
    const info = newInfo();
    if (Array.isArray(value)) this.completeList(value, info);
    else this.completePlain(value as Record<string, unknown>, info);
    return this.leave(value, info, container, before);
  }

  private enter(): number {
    if (++this.depth > greatestRecordDepth) throw corrupted(`it is nested deeper than ${greatestRecordDepth} levels`);
    return this.total;
  }

  private leave<Value extends object>(value: Value, info: Info, container: Info, before: number): Value {
    this.depth--;
    info.size = this.total - before;
    absorb(container, info);
    return own(value, info);
  }

  private completeList(list: unknown[], info: Info): void {
    this.total += bracketSize + list.length * memberSize;
    for (let i = 0; i < list.length; i++) {
      const value = list[i];
      const completed = this.value(value, info);
      if (completed !== value) list[i] = completed;
    }
  }

  private completePlain(plain: Record<string, unknown>, info: Info): void {
    this.total += bracketSize;
    const keys = Object.keys(plain);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      this.total += sizeOfString(key) + 2 * memberSize;
      const value = plain[key];
      const completed = this.value(value, info);
      // Safe for `__proto__` too: it is an own property already.
      if (completed !== value) plain[key] = completed;
    }
  }

  private tagged(tag: unknown, { v }: Record<string, unknown>, container: Info): unknown {
    container.rich = true;
    switch (tag) {
      case "undefined":
      case "number":
      case "bigint": {
        const value = primitive(tag, v);
        this.total += sizeOfPrimitive(value);
        return value;
      }
      case "bytes":
        return this.bytes(v, container);
      case "date":
      case "map":
      case "set":
      case "error":
      case "object": {
        const before = this.enter();
        const info = newInfo();
        info.rich = true;
        if (tag !== "object") this.total += tagSize;
        return this.leave(this.rich(tag, v, info), info, container, before);
      }
      default:
        throw corrupted(`it has the unknown tag ${JSON.stringify(tag).slice(0, 100)}`);
    }
  }

  private rich(tag: "date" | "map" | "set" | "error" | "object", v: unknown, info: Info): object {
    switch (tag) {
      case "date":
        return date(v);
      case "map":
        return this.map(listOf(v, tag), info);
      case "set":
        return this.set(listOf(v, tag), info);
      case "error":
        return this.error(objectOf(v, tag), info);
      case "object":
        break;
    }
    return this.plain(listOf(v, tag), info);
  }

  private bytes(v: unknown, container: Info): Uint8Array {
    const text = textOf(v, "bytes");
    const buffer = Buffer.from(text, "base64");
    // Node skips what is not base64, and would give other bytes in silence.
    if (buffer.toString("base64") !== text) throw malformed("bytes");
    const info: Info = { rich: true, bytes: true, size: sizeOfBytes(buffer.length), depth: 1 };
    this.total += info.size;
    absorb(container, info);
    return ownBytes(new Uint8Array(buffer), info);
  }

  private map(list: readonly unknown[], info: Info): Map<unknown, unknown> {
    const map = immutableMap();
    for (let i = 0; i < list.length; i += 2) {
      this.total += 2 * memberSize;
      putInMap(map, this.value(list[i], info), this.value(list[i + 1], info));
    }
    if (map.size * 2 !== list.length) throw malformed("map");
    return map;
  }

  /** A plain object written as keys and values in turn. */
  private plain(list: readonly unknown[], info: Info): Record<string, unknown> {
    this.total += bracketSize;
    const plain: Record<string, unknown> = {};
    for (let i = 0; i < list.length; i += 2) {
      const key = textOf(list[i], "object");
      if (Object.hasOwn(plain, key)) throw malformed("object");
      this.total += sizeOfString(key) + 2 * memberSize;
      put(plain, key, this.value(list[i + 1], info));
    }
    if (list.length % 2 !== 0) throw malformed("object");
    return plain;
  }

  private set(list: readonly unknown[], info: Info): Set<unknown> {
    const set = immutableSet();
    for (const member of list) {
      this.total += memberSize;
      putInSet(set, this.value(member, info));
    }
    if (set.size !== list.length) throw malformed("set");
    return set;
  }

  private error(v: Record<string, unknown>, info: Info): Error {
    const parts: ErrorParts = {};
    for (const key of errorPartKeys) {
      if (!Object.hasOwn(v, key)) continue;
      this.total += sizeOfString(key) + 2 * memberSize;
      Object.assign(parts, { [key]: this.value(v[key], info) });
    }
    const fields: [string, unknown][] = [];
    const list = Object.hasOwn(v, "fields") ? listOf(v["fields"], "error") : [];
    for (let i = 0; i < list.length; i += 2) {
      const key = textOf(list[i], "error");
      this.total += sizeOfString(key) + 2 * memberSize;
      fields.push([key, this.value(list[i + 1], info)]);
    }
    const error = buildError(parts, fields);
    if (error === undefined || list.length % 2 !== 0) throw malformed("error");
    return error;
  }
}

function primitive(tag: "undefined" | "number" | "bigint", v: unknown): unknown {
  switch (tag) {
    case "undefined":
      if (v !== undefined) throw malformed(tag);
      return undefined;
    case "number":
      return specialNumber(v);
    case "bigint":
      break;
  }
  return bigint(textOf(v, tag));
}

function specialNumber(v: unknown): number {
  switch (v) {
    case "NaN":
      return Number.NaN;
    case "Infinity":
      return Infinity;
    case "-Infinity":
      return -Infinity;
    case "-0":
      return -0;
    default:
      throw malformed("number");
  }
}

function bigint(text: string): bigint {
  if (!/^-?(0x[\da-f]+|\d+)$/.test(text)) throw malformed("bigint");
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
}

function date(v: unknown): Date {
  if (v === null) return immutableDate(Number.NaN);
  const time = Date.parse(textOf(v, "date"));
  if (Number.isNaN(time)) throw malformed("date");
  return immutableDate(time);
}

function textOf(v: unknown, tag: string): string {
  if (typeof v !== "string") throw malformed(tag);
  return v;
}

function listOf(v: unknown, tag: string): readonly unknown[] {
  if (!Array.isArray(v)) throw malformed(tag);
  return v;
}

function objectOf(v: unknown, tag: string): Record<string, unknown> {
  if (typeof v !== "object" || v === null || Array.isArray(v)) throw malformed(tag);
  return v as Record<string, unknown>;
}

function malformed(tag: string): CorruptedRecordError {
  return corrupted(`what it has under the tag "${tag}" is malformed`);
}

function corrupted(what: string, cause?: unknown): CorruptedRecordError {
  const message = `a stored record cannot be read, ${what}: it was damaged, or written by something else; restore it from a backup`;
  return new CorruptedRecordError(message, { cause });
}
