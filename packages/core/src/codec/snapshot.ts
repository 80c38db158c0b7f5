/**
 * Reads what user code gave, once and without running any of it, into an object or array of ours: what is checked is then
 * what is stored. Only the traps of a Proxy are run, since there is no other way to read one; and a getter under a name on
 * an array, which is then refused.
 */

import { types } from "node:util";
import { Unstorable } from "./unstorable.ts";

const accessorAdvice = "store its current value instead";
// Its method is the quickest way to ask whether an element is an accessor, by a factor of six.
const objectPrototype = Object.prototype as unknown as { __lookupGetter__(this: object, key: number): unknown };

/** A shallow copy of a plain object, and its keys and values in order: asking for them again is what would cost. */
export interface ObjectSnapshot {
  readonly object: Record<string, unknown>;
  readonly keys: readonly string[];
  readonly values: readonly unknown[];
}

/** Reads a plain object. Throws `Unstorable` for accessors, symbols and hidden properties. */
export function snapshotObject(source: object): ObjectSnapshot {
  if (types.isProxy(source)) return snapshotObject(snapshotProxyObject(source));
  const keys = Object.getOwnPropertyNames(source);
  const values: unknown[] = [];
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const property = Object.getOwnPropertyDescriptor(source, key) as PropertyDescriptor;
    checkProperty(property, key);
    values.push(property.value);
  }
  checkSymbols(source);
  return { object: { ...source }, keys, values };
}

/** A shallow copy of an array. Throws `Unstorable` for holes, named properties, accessors and symbols. */
export function snapshotArray(source: readonly unknown[]): unknown[] {
  if (types.isProxy(source)) return snapshotProxyArray(source);
  const length = source.length;
  if (length > 0 && !Object.hasOwn(source, length - 1)) throw irregularity(source);
  checkSymbols(source);
  for (let i = 0; i < length; i++) {
    if (objectPrototype.__lookupGetter__.call(source, i) !== undefined) throw irregularity(source);
  }
  // The quickest way to see a named property or a hole: there is then one value too many or too few. One of each is seen
  // by a value that moved.
  const snapshot = Object.values(source);
  if (snapshot.length !== length) throw irregularity(source);
  for (let i = 0; i < length; i++) {
    const element = snapshot[i];
    if (element === undefined ? !isDataElement(source, i) : !Object.is(element, source[i])) throw irregularity(source);
  }
  return snapshot;
}

function snapshotProxyObject(source: object): Record<string, unknown> {
  const snapshot: Record<string, unknown> = {};
  for (const key of Reflect.ownKeys(source)) {
    if (typeof key === "symbol") throw symbolKey(key);
    const property = Reflect.getOwnPropertyDescriptor(source, key);
    if (property === undefined) continue;
    checkProperty(property, key);
    const value: unknown = Reflect.get(source, key);
    Object.defineProperty(snapshot, key, { value, writable: true, configurable: true, enumerable: true });
  }
  return snapshot;
}

function snapshotProxyArray(source: readonly unknown[]): unknown[] {
  const keys = Reflect.ownKeys(source);
  const snapshot: unknown[] = [];
  // Every array has a key `length` besides its elements.
  for (let i = 0; i < keys.length - 1; i++) {
    const property = Reflect.getOwnPropertyDescriptor(source, i);
    if (property === undefined) throw irregularity(source);
    checkProperty(property, i);
    snapshot.push(Reflect.get(source, i));
  }
  if (snapshot.length !== source.length) throw irregularity(source);
  return snapshot;
}

function checkProperty(property: PropertyDescriptor, key: string | number): void {
  if (property.get !== undefined || property.set !== undefined) {
    throw new Unstorable("an accessor (a getter or setter)", accessorAdvice, { segment: key });
  }
  if (property.enumerable !== true) {
    throw new Unstorable("a property that is not enumerable", "leave it out, or define it as an ordinary property", {
      segment: key,
    });
  }
}

function checkSymbols(source: object): void {
  const symbols = Object.getOwnPropertySymbols(source);
  if (symbols.length > 0) throw symbolKey(symbols[0] as symbol);
}

function symbolKey(key: symbol): Unstorable {
  return new Unstorable("a property whose key is a symbol", "use a string as its key", { segment: key });
}

function isDataElement(source: readonly unknown[], index: number): boolean {
  const property = Object.getOwnPropertyDescriptor(source, index);
  return property !== undefined && property.set === undefined;
}

/** What is wrong with an array that is not a plain one, looked for slowly. */
function irregularity(source: readonly unknown[]): Unstorable {
  for (let i = 0; i < source.length; i++) {
    const property = Object.getOwnPropertyDescriptor(source, i);
    if (property === undefined) {
      return new Unstorable("a hole in an array", "fill it, for example with null or undefined", { segment: i });
    }
    if (property.get !== undefined || property.set !== undefined) {
      return new Unstorable("an accessor (a getter or setter)", accessorAdvice, { segment: i });
    }
    if (property.enumerable !== true) {
      return new Unstorable("an element that is not enumerable", "define it as an ordinary element", { segment: i });
    }
  }
  const name = Object.keys(source).find((key, index) => key !== String(index)) ?? "length";
  return new Unstorable("a named property of an array", "store an object, or copy the elements: `[...value]`", {
    segment: name,
  });
}
