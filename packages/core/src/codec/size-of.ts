import { encode } from "./encode.ts";
import { sizeOfPrimitive } from "./measure.ts";
import { infoOf } from "./owned.ts";

/**
 * The approximate number of bytes that a value takes when encoded; what the size limits count.
 *
 * Texts count as UTF-8 without escapes, a number as 8, a Date, a Map... as 22 and their members, bytes as base64, something
 * that occurs twice as often as it occurs. Costs nothing for an owned value; any other object is encoded to be measured.
 */
export function sizeOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return sizeOfPrimitive(value);
  return infoOf(value)?.size ?? encode(value).length;
}
