import { types } from "node:util";

/** Whether a value is a promise, or an object that `await` would take for one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/**
 * For a promise that is refused: whoever gave it is told so by an error, and nobody hears of its own end. A rejection that nobody
 * hears of ends the process, with everything else that is at work there.
 *
 * Of other thenables `then` is not called: a query that waits for it would run.
 */
export function leaveUnheard(value: unknown): void {
  if (!types.isPromise(value)) return;
  try {
    // Not its own `then`, which a subclass may have replaced.
    void Promise.prototype.then.call(value, undefined, ignore);
  } catch {
    // A subclass that cannot be constructed like a promise.
  }
}

/** So many objects are looked at: what is refused may be of any size. */
const mostObjects = 100_000;

/** The same for all promises inside a value that is refused as a whole. Accessors are not called. */
export function leaveUnheardInside(value: unknown): void {
  const found = new Set<unknown>([value]);
  // A set gives also what is added while it is walked.
  for (const each of found) {
    if (typeof each !== "object" || each === null) continue;
    if (types.isPromise(each)) leaveUnheard(each);
    else addMembers(each, found);
  }
}

function addMembers(of: object, found: Set<unknown>): void {
  const add = (member: unknown): void => {
    if (typeof member === "object" && member !== null && found.size < mostObjects) found.add(member);
  };
  try {
    if (types.isMap(of)) Map.prototype.forEach.call(of, (member, key) => [key, member].forEach(add));
    else if (types.isSet(of)) Set.prototype.forEach.call(of, add);
    else if (!ArrayBuffer.isView(of)) {
      for (const key of Object.keys(of)) add(Object.getOwnPropertyDescriptor(of, key)?.value);
    }
  } catch {
    // A Proxy may throw when it is looked at.
  }
}

function ignore(): void {}
