import { CorruptedRecordError } from "../errors.ts";
import { copy } from "./copy.ts";
import { unlimited } from "./limits.ts";
import { bracketSize, isRichPrimitive, memberSize, sizeOfPrimitive, sizeOfString } from "./measure.ts";
import { absorb, type Info, infoOf, newInfo, own } from "./owned.ts";
import { put } from "./put.ts";
import { isPlainKey } from "./tags.ts";

/** A change of one key of a workflow's data: its new value, or what was added at the end of the array it has. */
export type PatchEntry =
  | { readonly key: string; readonly value: unknown }
  | { readonly key: string; readonly append: readonly unknown[] };

/** What a journal entry says of a change of the data: shallow, by top-level key, in the order in which it is applied. */
export type StoredPatch = readonly PatchEntry[];

/**
 * What has to be stored for `patch` to be merged into `before`. Both have owned members.
 *
 * Keys that keep their value are left out. An array that begins with all elements of the one it replaces (the same owned
 * objects, or equal primitives) is stored as an append. A key set to undefined is kept with the value undefined, as
 * `{ ...before, ...patch }` would: nothing removes a key. Costs the keys of the patch and the lengths of its arrays.
 */
export function diffPatch(
  before: Readonly<Record<string, unknown>>,
  patch: Readonly<Record<string, unknown>>,
): StoredPatch {
  const stored: PatchEntry[] = [];
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (!Object.hasOwn(before, key)) {
      stored.push({ key, value });
      continue;
    }
    const old = before[key];
    if (Object.is(old, value)) continue;
    const append = addedTo(old, value);
    if (append === undefined) stored.push({ key, value });
    else if (append.length > 0) stored.push({ key, append });
  }
  return stored;
}

/**
 * The data with a stored patch merged in: a new frozen object, owned, that shares everything but the keys and arrays that
 * changed. `__proto__` is a key as any other. Costs the number of keys and the lengths of the extended arrays.
 */
export function applyPatch(
  data: Readonly<Record<string, unknown>>,
  stored: StoredPatch,
): Readonly<Record<string, unknown>> {
  const next: Record<string, unknown> = { ...data };
  for (const entry of stored) {
    const value =
      "append" in entry ? extended(Object.hasOwn(next, entry.key) ? next[entry.key] : undefined, entry) : entry.value;
    put(next, entry.key, owned(value));
  }
  const info = newInfo();
  info.size = bracketSize;
  for (const key of Object.keys(next)) {
    if (!isPlainKey(key)) info.rich = true;
    info.size += sizeOfString(key) + 2 * memberSize;
    const value = owned(next[key]);
    if (value !== next[key]) next[key] = value;
    include(info, value);
  }
  return own(next, info);
}

/** What an array has beyond the one it replaces; undefined if it does not extend that one. */
function addedTo(old: unknown, value: unknown): readonly unknown[] | undefined {
  if (!Array.isArray(old) || !Array.isArray(value) || value.length < old.length) return undefined;
  for (let i = 0; i < old.length; i++) {
    if (!Object.is(old[i], value[i])) return undefined;
  }
  return value.slice(old.length);
}

function extended(
  old: unknown,
  { key, append }: { readonly key: string; readonly append: readonly unknown[] },
): unknown {
  if (!Array.isArray(old)) {
    throw new CorruptedRecordError(
      `a stored patch appends to \`${key}\`, which is not an array: an earlier entry is missing or damaged; restore it from a backup`,
    );
  }
  const array = owned(old) as readonly unknown[];
  const added = append.map(owned);
  const info: Info = { ...(infoOf(array) as Info) };
  for (const value of added) {
    info.size += memberSize;
    include(info, value);
  }
  return own([...array, ...added], info);
}

/** Takes an owned value into what is known about its container, its size too. */
function include(container: Info, value: unknown): void {
  if (typeof value === "object" && value !== null) {
    const info = infoOf(value) as Info;
    container.size += info.size;
    absorb(container, info);
  } else {
    container.size += sizeOfPrimitive(value);
    if (isRichPrimitive(value)) container.rich = true;
  }
}

function owned(value: unknown): unknown {
  return typeof value === "object" && value !== null && infoOf(value) === undefined ? copy(value, unlimited) : value;
}
