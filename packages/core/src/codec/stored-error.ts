/**
 * How errors are taken apart and put together again.
 *
 * The standard classes come back as themselves. Every other error (a subclass, a DOMException) comes back as the standard
 * class it extends, with its name. Kept are message, stack, cause, code, an AggregateError's errors, and the own enumerable
 * fields that can be stored; the rest, and what would not fit, is left out, since an error that carries a socket or a whole
 * response must still reach the journal.
 */

import { types } from "node:util";

const standardErrors: ReadonlyMap<string, new () => Error> = new Map<string, new () => Error>([
  ["Error", Error],
  ["EvalError", EvalError],
  ["RangeError", RangeError],
  ["ReferenceError", ReferenceError],
  ["SyntaxError", SyntaxError],
  ["TypeError", TypeError],
  ["URIError", URIError],
  ["AggregateError", AggregateError.bind(undefined, []) as unknown as new () => Error],
]);

/** The parts of an error that are not among its enumerable fields. Absent ones are absent. */
export interface ErrorParts {
  /** The standard class it is an instance of. */
  class?: string;
  /** Only where it is not the class's. */
  name?: string;
  message?: string;
  stack?: string;
  cause?: unknown;
  errors?: unknown;
  code?: unknown;
}

export const errorPartKeys: readonly (keyof ErrorParts)[] = [
  "class",
  "name",
  "message",
  "stack",
  "cause",
  "errors",
  "code",
];

/** Reads the parts. The getters of the error's class are called (a DOMException's name is one), so it may throw what they throw. */
export function errorParts(error: Error): ErrorParts {
  const base = standardClassOf(error);
  const parts: ErrorParts = { class: base };
  const name = nameOf(error, base);
  if (name !== base && !isEnumerable(error, "name")) parts.name = name;
  if (!isEnumerable(error, "message")) {
    const message: unknown = error.message;
    if (message !== "" || Object.hasOwn(error, "message")) parts.message = textOf(message);
  }
  if (!isEnumerable(error, "stack")) {
    const stack: unknown = error.stack;
    if (typeof stack === "string") parts.stack = stack;
  }
  if ("cause" in error && !isEnumerable(error, "cause")) parts.cause = error.cause;
  if (base === "AggregateError" && !isEnumerable(error, "errors")) parts.errors = (error as AggregateError).errors;
  if ("code" in error && !isEnumerable(error, "code")) parts.code = error.code;
  return parts;
}

/** The inverse; `fields` are its own enumerable fields as pairs. Undefined for a class that is not a standard one. */
export function buildError(parts: ErrorParts, fields: readonly (readonly [string, unknown])[]): Error | undefined {
  const StandardError = standardErrors.get(parts.class ?? "Error");
  if (StandardError === undefined) return undefined;
  const error = new StandardError();
  for (const key of errorPartKeys) {
    if (key === "class" || (key !== "stack" && !(key in parts))) continue;
    Object.defineProperty(error, key, { value: parts[key], writable: true, configurable: true, enumerable: false });
  }
  for (const [key, value] of fields) {
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: true });
  }
  return error;
}

/** The own enumerable fields, without accessors, which are not called. */
export function errorFields(error: Error): [string, unknown][] {
  const fields: [string, unknown][] = [];
  for (const key of Object.keys(error)) {
    const property = Object.getOwnPropertyDescriptor(error, key);
    if (property !== undefined && "value" in property) fields.push([key, property.value]);
  }
  return fields;
}

/** Whether it is an error of any realm or way of making: native, or an object that inherits from `Error.prototype`. */
export function isError(value: object): value is Error {
  return types.isNativeError(value) || prototypesOf(value).includes(Error.prototype);
}

function standardClassOf(error: Error): string {
  // By name and not by identity: an error of another realm has other classes.
  for (const prototype of prototypesOf(error)) {
    const name = constructorNameOf(prototype);
    if (name !== undefined && standardErrors.has(name)) return name;
  }
  return "Error";
}

/** Its chain of prototypes, cut where no class hierarchy reaches: a Proxy can make one without end. */
function prototypesOf(value: object): object[] {
  const prototypes: object[] = [];
  let prototype: unknown = Object.getPrototypeOf(value);
  while (typeof prototype === "object" && prototype !== null && prototypes.length < 100) {
    prototypes.push(prototype);
    prototype = Object.getPrototypeOf(prototype);
  }
  return prototypes;
}

function constructorNameOf(prototype: object): string | undefined {
  const constructor: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  if (typeof constructor !== "function") return undefined;
  const name: unknown = Object.getOwnPropertyDescriptor(constructor, "name")?.value;
  return typeof name === "string" ? name : undefined;
}

/** Its `name`; and the name of its class where nobody gave it one, as in `class PaymentRefused extends Error {}`. */
function nameOf(error: Error, base: string): string {
  const name = textOf(error.name);
  if (name !== base || Object.hasOwn(error, "name")) return name;
  const className = constructorNameOf(Object.getPrototypeOf(error) as object);
  return className === undefined || className === "" ? name : className;
}

function isEnumerable(error: Error, key: string): boolean {
  return Object.prototype.propertyIsEnumerable.call(error, key);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : String(value);
}
