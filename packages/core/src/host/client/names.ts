import { InvalidOptionError } from "../../errors.ts";

/** The longest id, name or key, in bytes of UTF-8: what every store can index. */
const longestName = 512;

/** Checks an id, tag, namespace or name: 1 to 512 bytes, not blank, no NUL, no half of a surrogate pair. */
export function checkName(what: string, value: unknown): string {
  const text = checkKey(what, value);
  if (text.trim() === "") throw new InvalidOptionError(`${what} must not be blank: give it a name`);
  return text;
}

/** Checks the id of a workflow. */
export function checkId(id: unknown): string {
  return checkName("the id of a workflow", id);
}

/** The same for the key of an event, which may be empty or blank. */
export function checkKey(what: string, value: unknown): string {
  if (typeof value !== "string") {
    throw new InvalidOptionError(`${what} must be a string, got ${describeValue(value)}`);
  }
  // Text of half the limit or less cannot be too long: no need to count its bytes.
  if (value.length * 3 > longestName && Buffer.byteLength(value) > longestName) {
    throw new InvalidOptionError(
      `${what} must have at most ${longestName} bytes, got ${Buffer.byteLength(value)}: shorten it, or use a hash of it`,
    );
  }
  if (value.includes("\0"))
    throw new InvalidOptionError(`${what} must not hold the character NUL: stores cannot keep it`);
  if (!value.isWellFormed()) {
    throw new InvalidOptionError(
      `${what} must be well-formed text, it holds half of a surrogate pair: do not cut text inside a character`,
    );
  }
  return value;
}

/** What a value is, in a few words for an error message. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === "function") return `a function${value.name === "" ? "" : ` (${value.name})`}`;
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) {
    const name: unknown = value.constructor?.name;
    return typeof name === "string" && name !== "Object" && name !== "" ? `a ${name}` : "an object";
  }
  return String(value);
}
