import { types } from "node:util";
import { InvalidOptionError, InvalidValueError, LimitExceededError, type WfeError } from "../errors.ts";
import { leaveUnheardInside } from "../thenable.ts";
import { immutableDate, immutableMap, immutableSet, putInMap, putInSet } from "./immutable.ts";
import { defaultMaxBytes, defaultMaxDepth, greatestMaxDepth } from "./limits.ts";
import {
  bracketSize,
  isRichPrimitive,
  memberSize,
  sizeOfBytes,
  sizeOfPrimitive,
  sizeOfString,
  tagSize,
} from "./measure.ts";
import { absorb, type Info, infoOf, newInfo, own, ownBytes } from "./owned.ts";
import { formatPath, type Segment, shorten } from "./path.ts";
import { snapshotArray, snapshotObject } from "./snapshot.ts";
import { buildError, errorFields, errorPartKeys, errorParts, type ErrorParts, isError } from "./stored-error.ts";
import { isPlainKey } from "./tags.ts";
import { isOrdinary, Unstorable, unstorableObject } from "./unstorable.ts";

export interface CopyOptions {
  /** What the value is called in errors. Default: `value`. */
  readonly path?: string;
  /** The size limit, as `sizeOf` counts. Default: 1 MiB. */
  readonly maxBytes?: number;
  /** How deep the value may be nested. Default: 200; at most 500. */
  readonly maxDepth?: number;
}

/**
 * Checks that a value can be stored, and gives our own copy of it: deep, frozen, never changed by anyone.
 *
 * Values are JSON, undefined, NaN, the infinities, -0, BigInt, Date (an invalid one too), Map, Set, Uint8Array (a Buffer
 * becomes one) and Error (see `stored-error.ts`). An object without prototype comes back as an ordinary one. `__proto__` and
 * the like are keys as any other. What occurs twice is copied once, and counts twice towards the size. A Proxy of an object
 * or array is read like one. What is owned already is given back as it is, without a walk.
 *
 * Throws `InvalidValueError` with the path of what cannot be stored: functions, symbols, instances of classes, cycles,
 * accessors (they are not called), properties that are not enumerable, holes in arrays, and named properties of arrays,
 * maps, sets and dates. Throws `LimitExceededError` beyond a limit. Named properties of byte arrays are not looked for.
 */
export function copy(value: unknown, options?: CopyOptions): unknown {
  switch (typeof value) {
    case "undefined":
    case "boolean":
    case "number":
      return value;
    case "string":
      // A UTF-16 unit takes at most three bytes.
      if (value.length * 3 + bracketSize <= (options?.maxBytes ?? defaultMaxBytes)) return value;
      break;
    case "object": {
      if (value === null) return value;
      const info = options === undefined ? infoOf(value) : undefined;
      if (info !== undefined && info.size <= defaultMaxBytes && info.depth <= defaultMaxDepth) return value;
      break;
    }
    case "bigint":
    case "function":
    case "symbol":
      break;
  }
  return new Walk(options).run(value);
}

const leftOut: unique symbol = Symbol("left out");

/** One call of `copy`: where it is, and what it has counted. */
class Walk {
  private readonly root: string;
  private readonly maxBytes: number;
  private readonly maxDepth: number;
  private total = 0;
  /** How many containers are open; for each of them, itself and which of its members is being read. */
  private depth = 0;
  private readonly containers: object[] = [];
  private readonly segments: Segment[] = [];
  /** The copies of inner containers made so far, by what they were made from. */
  private copies: Map<object, object> | undefined;
  /** The size of what was read for fields of errors and then left out. */
  private wasted = 0;

  constructor(options: CopyOptions | undefined) {
    this.root = options?.path ?? "value";
    this.maxBytes = options?.maxBytes ?? defaultMaxBytes;
    this.maxDepth = options?.maxDepth ?? defaultMaxDepth;
    if (this.maxDepth > greatestMaxDepth) {
      throw new InvalidOptionError(`\`maxDepth\` must be at most ${greatestMaxDepth}, got ${this.maxDepth}`);
    }
  }

  run(value: unknown): unknown {
    try {
      return this.value(value, newInfo());
    } catch (error) {
      // Where one of several promises is refused, the others go with it.
      leaveUnheardInside(value);
      throw this.explain(error);
    }
  }

  private value(value: unknown, container: Info): unknown {
    switch (typeof value) {
      case "object":
        if (value !== null) return this.container(value, container);
        break;
      case "function":
        throw new Unstorable("a function", "leave it out, or store what it returns");
      case "symbol":
        throw new Unstorable("a symbol", "store a string instead");
      case "undefined":
      case "boolean":
      case "number":
      case "bigint":
      case "string":
        break;
    }
    if (isRichPrimitive(value)) container.rich = true;
    this.count(sizeOfPrimitive(value));
    return value;
  }

  private container(source: object, container: Info): object {
    const known = infoOf(source);
    if (known !== undefined) return this.share(source, known, container);
    const copied = this.copies?.get(source);
    if (copied !== undefined) return this.share(copied, infoOf(copied) as Info, container);
    this.checkCycle(source);
    if (this.depth >= this.maxDepth) throw this.tooDeep();

    this.containers[this.depth] = source;
    const before = this.total;
    const info = newInfo();
    const result = this.copyOf(source, info);
    info.size = this.total - before;
    absorb(container, info);
    // The outermost one cannot occur again without being a cycle.
    if (this.depth > 0) (this.copies ??= new Map()).set(source, result);
    return result instanceof Uint8Array ? ownBytes(result, info) : own(result, info);
  }

  /** Takes what is owned already. Its size and depth count as if it were walked, which also bounds what sharing can expand to. */
  private share(value: object, info: Info, container: Info): object {
    if (this.depth + info.depth > this.maxDepth) throw this.tooDeep();
    this.count(info.size);
    absorb(container, info);
    return value;
  }

  private copyOf(source: object, info: Info): object {
    if (Array.isArray(source)) {
      if (Object.getPrototypeOf(source) !== Array.prototype && !isOrdinary(source, "Array"))
        throw unstorableObject(source);
      return this.array(source, info);
    }
    const prototype: unknown = Object.getPrototypeOf(source);
    if (prototype === Object.prototype || prototype === null) return this.object(source, info);
    if (types.isDate(source) && isOrdinary(source, "Date")) return this.date(source, info);
    if (types.isMap(source) && isOrdinary(source, "Map")) return this.map(source, info);
    if (types.isSet(source) && isOrdinary(source, "Set")) return this.set(source, info);
    if (types.isUint8Array(source) && (isOrdinary(source, "Uint8Array") || Buffer.isBuffer(source))) {
      return this.bytes(source, info);
    }
    if (isError(source)) return this.error(source, info);
    if (isObjectPrototype(prototype as object)) return this.object(source, info);
    throw unstorableObject(source);
  }

  private object(source: object, info: Info): object {
    const { object: result, keys, values } = snapshotObject(source);
    this.count(bracketSize);
    const depth = this.depth++;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      this.segments[depth] = key;
      if (!isPlainKey(key)) info.rich = true;
      this.count(sizeOfString(key) + 2 * memberSize);
      const value = values[i];
      const copied = this.value(value, info);
      // Safe for `__proto__` too: it is an own property of `result` already, so this does not reach the setter.
      if (copied !== value) result[key] = copied;
    }
    this.depth = depth;
    return result;
  }

  private array(source: readonly unknown[], info: Info): object {
    this.count(bracketSize + source.length * memberSize);
    const result = snapshotArray(source);
    const depth = this.depth++;
    for (let i = 0; i < result.length; i++) {
      this.segments[depth] = i;
      const value = result[i];
      const copied = this.value(value, info);
      if (copied !== value) result[i] = copied;
    }
    this.depth = depth;
    return result;
  }

  private date(source: Date, info: Info): object {
    checkNoProperties(source, "Date");
    info.rich = true;
    this.count(tagSize);
    return immutableDate(Date.prototype.getTime.call(source));
  }

  private map(source: Map<unknown, unknown>, info: Info): object {
    checkNoProperties(source, "Map");
    info.rich = true;
    this.count(tagSize);
    const result = immutableMap();
    const depth = this.depth++;
    let index = 0;
    Map.prototype.forEach.call(source, (value, key) => {
      this.count(2 * memberSize);
      this.segments[depth] = { of: "map-key", key, index };
      const copiedKey = this.value(key, info);
      this.segments[depth] = { of: "map-value", key, index };
      putInMap(result, copiedKey, this.value(value, info));
      index++;
    });
    this.depth = depth;
    return result;
  }

  private set(source: Set<unknown>, info: Info): object {
    checkNoProperties(source, "Set");
    info.rich = true;
    this.count(tagSize);
    const result = immutableSet();
    const depth = this.depth++;
    let index = 0;
    Set.prototype.forEach.call(source, (value) => {
      this.count(memberSize);
      this.segments[depth] = { of: "set", key: value, index };
      putInSet(result, this.value(value, info));
      index++;
    });
    this.depth = depth;
    return result;
  }

  private bytes(source: Uint8Array, info: Info): object {
    info.rich = true;
    info.bytes = true;
    this.count(sizeOfBytes(source.byteLength));
    return new Uint8Array(source);
  }

  private error(source: Error, info: Info): object {
    const read = errorParts(source);
    info.rich = true;
    this.count(tagSize);
    const depth = this.depth++;
    const parts: ErrorParts = {};
    for (const key of errorPartKeys) {
      if (!(key in read)) continue;
      const part = this.attempt(key, read[key], info);
      if (part !== leftOut) Object.assign(parts, { [key]: part });
    }
    const fields: [string, unknown][] = [];
    for (const [key, value] of errorFields(source)) {
      const field = this.attempt(key, value, info);
      if (field !== leftOut) fields.push([key, field]);
    }
    this.depth = depth;
    return buildError(parts, fields) as Error;
  }

  /** Copies a part or field of an error, or leaves it out if it cannot be stored. */
  private attempt(key: string, value: unknown, info: Info): unknown {
    // What fails after much work must not be tried again and again: an error may have any number of fields.
    if (this.wasted > this.maxBytes && typeof value === "object") return leftOut;
    const depth = this.depth;
    const total = this.total;
    this.segments[depth - 1] = key;
    try {
      this.count(sizeOfString(key) + 2 * memberSize);
      return this.value(value, info);
    } catch {
      this.wasted += this.total - total + 100;
      this.depth = depth;
      this.total = total;
      return leftOut;
    }
  }

  private count(size: number): void {
    if (this.total + size > this.maxBytes) {
      throw new Unstorable(
        `beyond the limit of ${this.maxBytes} bytes for one value`,
        "keep what is large elsewhere and store a reference to it, or raise the limit",
        { limit: this.maxBytes },
      );
    }
    this.total += size;
  }

  private tooDeep(): Unstorable {
    return new Unstorable(
      `nested deeper than the limit of ${this.maxDepth} levels`,
      "flatten the value, or raise the limit",
      {
        limit: this.maxDepth,
      },
    );
  }

  private checkCycle(source: object): void {
    for (let i = 0; i < this.depth; i++) {
      if (this.containers[i] === source) {
        const ancestor = shorten(formatPath(this.root, this.segments.slice(0, i)));
        throw new Unstorable(
          `the same object as \`${ancestor}\`, which contains it`,
          "store an id instead of the reference back",
        );
      }
    }
  }

  private explain(error: unknown): WfeError {
    const segments = this.segments.slice(0, this.depth);
    if (error instanceof Unstorable) {
      if (error.segment !== undefined) segments.push(error.segment);
      const path = formatPath(this.root, segments);
      if (error.limit !== undefined) {
        return new LimitExceededError(`\`${shorten(path)}\` is ${error.what}: ${error.advice}`, {
          path,
          limit: error.limit,
        });
      }
      return new InvalidValueError(`\`${shorten(path)}\` is ${error.what}, which cannot be stored: ${error.advice}`, {
        path,
      });
    }
    // Only a Proxy or the getters of an error's class run code of the user's.
    const path = formatPath(this.root, segments);
    const message = `\`${shorten(path)}\` threw an error when it was read and cannot be stored: store a plain value instead`;
    return new InvalidValueError(message, { path, cause: error });
  }
}

function checkNoProperties(source: object, type: string): void {
  const [key] = Object.keys(source);
  if (key !== undefined)
    throw new Unstorable(`a named property of a ${type}`, "store an object that has both", { segment: key });
}

/** Whether it is the `Object.prototype` of another realm. */
function isObjectPrototype(prototype: object): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf");
}
