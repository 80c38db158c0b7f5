import { copy } from "../../codec/index.ts";
import { InvalidOptionError } from "../../errors.ts";
import type { HostLimits } from "../core/host-core.ts";
import { describeValue } from "./names.ts";

/**
 * Our own copy of an object that becomes, or changes, a workflow's data. `what` and `path` are how it is called in errors.
 *
 * Throws `InvalidOptionError` for what is no object of keys and values, `InvalidValueError` for what cannot be stored.
 */
export function copyRecord(
  what: string,
  path: string,
  value: unknown,
  limits: HostLimits,
): Readonly<Record<string, unknown>> {
  const copied = copy(value, { path, maxBytes: limits.dataBytes, maxDepth: limits.depth });
  // A date, a list or a map can be stored, but has no keys beside which others could stand.
  if (typeof copied === "object" && copied !== null && Object.getPrototypeOf(copied) === Object.prototype) {
    return copied as Readonly<Record<string, unknown>>;
  }
  throw new InvalidOptionError(`${what} must be an object, got ${describeValue(value)}: put the value under a key`);
}
