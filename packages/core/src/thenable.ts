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

/** So many members are looked at: what is refused may be of any size. */
const mostMembers = 10_000;

/** The same for all promises inside a value that is refused as a whole. Nothing of the user's is called: no accessor, no Proxy. */
export function leaveUnheardInside(value: unknown): void {
  const found = new Set<unknown>([value]);
  let left = mostMembers;
  // A set gives also what is added while it is walked.
  for (const each of found) {
    if (typeof each !== "object" || each === null || types.isProxy(each)) continue;
    if (types.isPromise(each)) leaveUnheard(each);
    else {
      for (const member of membersOf(each)) {
        if (left-- === 0) return;
        if (typeof member === "object" && member !== null) found.add(member);
      }
    }
  }
}

function* membersOf(of: object): Generator<unknown> {
  if (types.isMap(of)) {
    for (const [key, member] of Map.prototype.entries.call(of)) yield* [key, member];
  } else if (types.isSet(of)) yield* Set.prototype.values.call(of);
  else if (Array.isArray(of)) {
    for (let index = 0; index < of.length; index++) yield Object.getOwnPropertyDescriptor(of, index)?.value;
  } else if (!ArrayBuffer.isView(of)) {
    for (const key of Object.keys(of)) yield Object.getOwnPropertyDescriptor(of, key)?.value;
  }
}

function ignore(): void {}
