/**
 * The approximate sizes behind `sizeOf` and the size limits. Quick to count, the same whether a value was copied or decoded,
 * and never needing the text itself.
 */

/** What the separators, colons and quotes of a member cost, roughly. */
export const memberSize = 1;
/** `{}`, `[]`. */
export const bracketSize = 2;
/** `{"$wfe":"map","v":...}`, roughly. */
export const tagSize = 22;

const numberSize = 8;
const booleanSize = 5;
const nullSize = 4;

/** UTF-8 bytes and quotes; escapes are not counted, so a text of control characters may take six times as much. */
export function sizeOfString(text: string): number {
  const length = text.length;
  // A native call costs more than a short loop.
  if (length > 32) return Buffer.byteLength(text) + 2;
  let size = length + 2;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 127) size += unit > 2047 ? 2 : 1;
  }
  return size;
}

export function sizeOfBytes(length: number): number {
  return tagSize + Math.ceil(length / 3) * 4;
}

function sizeOfNumber(value: number): number {
  return isPlainNumber(value) ? numberSize : tagSize + numberSize;
}

/** Whether JSON keeps it: not NaN, an infinity or -0. */
export function isPlainNumber(value: number): boolean {
  return value === 0 ? 1 / value > 0 : value - value === 0;
}

function sizeOfBigint(value: bigint): number {
  return tagSize + (BigInt.asIntN(64, value) === value ? 20 : value.toString(16).length);
}

/** Of null and everything else that is not an object or function. */
export function sizeOfPrimitive(value: unknown): number {
  switch (typeof value) {
    case "string":
      return sizeOfString(value);
    case "number":
      return sizeOfNumber(value);
    case "boolean":
      return booleanSize;
    case "bigint":
      return sizeOfBigint(value);
    case "undefined":
      return tagSize;
    case "object":
    case "function":
    case "symbol":
      break;
  }
  return nullSize;
}

/** Whether a primitive needs a tag. */
export function isRichPrimitive(value: unknown): boolean {
  return typeof value === "number" ? !isPlainNumber(value) : value === undefined || typeof value === "bigint";
}
