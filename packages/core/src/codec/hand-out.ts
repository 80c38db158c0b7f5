import { copy } from "./copy.ts";
import { immutableMap, immutableSet, putInMap, putInSet } from "./immutable.ts";
import { unlimited } from "./limits.ts";
import { infoOf } from "./owned.ts";
import { buildError, errorFields, errorPartKeys, errorParts } from "./stored-error.ts";

/**
 * What user code receives of an owned value: the value itself, as nobody can change it, unless it holds bytes.
 *
 * Bytes cannot be frozen, so they are copied each time. What contains them is rebuilt and frozen, and is not owned: given
 * back to `copy`, it is copied. The rest is shared. A value that is not owned is copied first, without limits.
 */
export function handOut(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return withFreshBytes(infoOf(value) === undefined ? copy(value, unlimited) : value);
}

function withFreshBytes(value: unknown): unknown {
  if (typeof value !== "object" || value === null || infoOf(value)?.bytes !== true) return value;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  return Object.freeze(rebuilt(value));
}

function rebuilt(value: object): object {
  if (Array.isArray(value)) return value.map(withFreshBytes);
  if (value instanceof Map) {
    const result = immutableMap();
    for (const [key, member] of value) putInMap(result, withFreshBytes(key), withFreshBytes(member));
    return result;
  }
  if (value instanceof Set) {
    const result = immutableSet();
    for (const member of value) putInSet(result, withFreshBytes(member));
    return result;
  }
  if (value instanceof Error) return rebuiltError(value);
  const result: Record<string, unknown> = { ...value };
  // Every key is an own property already, so that `__proto__` is one as any other.
  for (const key of Object.keys(result)) result[key] = withFreshBytes(result[key]);
  return result;
}

function rebuiltError(error: Error): Error {
  const parts = errorParts(error);
  for (const key of errorPartKeys) {
    if (key in parts) Object.assign(parts, { [key]: withFreshBytes(parts[key]) });
  }
  const fields = errorFields(error).map(([key, field]) => [key, withFreshBytes(field)] as const);
  return buildError(parts, fields) as Error;
}
