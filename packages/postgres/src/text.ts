import { InvalidOptionError } from "@wfe/core/providers";

/** The longest id, name or key, in bytes. */
const maxBytes = 512;

/** Refuses a text that PostgreSQL cannot hold: it stores UTF-8 without NUL, and half a surrogate pair has none. */
export function checkText(text: string, what: string): void {
  if (typeof text !== "string") throw new InvalidOptionError(`${what} must be a string, got ${typeof text}`);
  if (!text.isWellFormed()) {
    throw new InvalidOptionError(
      `${what} has half a surrogate pair in it: use toWellFormed() on it, or other characters`,
    );
  }
  if (text.includes("\0")) throw new InvalidOptionError(`${what} has a NUL character in it: leave it out`);
}

/** The same for ids, names and keys, which have limits in every store. */
export function checkName(name: string, what: string): void {
  checkText(name, what);
  if (name.length > maxBytes / 3 && Buffer.byteLength(name) > maxBytes) {
    throw new InvalidOptionError(`${what} is longer than ${maxBytes} bytes: shorten it, or use a hash of it`);
  }
}
