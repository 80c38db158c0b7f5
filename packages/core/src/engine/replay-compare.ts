import { encode } from "../codec/index.ts";
import type { Entry } from "./entries.ts";

/** The history has the time of a commit, not of the decision: times that follow from it may differ by so much. */
const toleranceMs = 2_000;

/** Fields that hold a time, or a time and something else. */
const times: ReadonlySet<string> = new Set(["dueAt", "until", "remindAt", "nextAt", "deadlineAt", "completedAt"]);

/** What is from the year 2000 on, in milliseconds since the epoch, is taken for a time. */
const earliest = Date.UTC(2000, 0);

/** Whether what would be decided now is what the history has. `least` and `most`: with the shortest and longest pauses. */
export function sameEntry(recorded: Entry, least: Entry, most: Entry): boolean {
  return same(recorded, least, most);
}

function same(recorded: unknown, least: unknown, most: unknown): boolean {
  if (Object.is(recorded, least) || sameTime(recorded, least)) return true;
  if (!isRecord(recorded) || !isRecord(least))
    return plain(recorded) && plain(least) && encode(recorded) === encode(least);
  if (Array.isArray(recorded) !== Array.isArray(least)) return false;
  if (recorded instanceof Error && least instanceof Error)
    return recorded.name === least.name && recorded.message === least.message;
  if (!isPlain(recorded) || !isPlain(least)) return encode(recorded) === encode(least);
  const other = isRecord(most) ? most : least;
  const keys = new Set([...Object.keys(recorded), ...Object.keys(least)]);
  for (const key of keys) {
    // Where it was thrown from says nothing of where it goes.
    if (key === "stack" || key === "attempt") continue;
    if (recorded[key] === undefined && least[key] === undefined) continue;
    if (times.has(key) && between(recorded[key], least[key], other[key])) continue;
    if (!same(recorded[key], least[key], other[key])) return false;
  }
  return true;
}

/** Times that a definition's own functions have made of `at.now`, which is the time of the decision. */
function sameTime(recorded: unknown, now: unknown): boolean {
  const [one, other] = [timeOf(recorded), timeOf(now)];
  return one !== undefined && other !== undefined && Math.abs(one - other) <= toleranceMs;
}

function timeOf(value: unknown): number | undefined {
  if (typeof value === "number") return value >= earliest ? value : undefined;
  if (value instanceof Date) return value.getTime();
  if (typeof value !== "string" || !isoTime.test(value)) return undefined;
  return Date.parse(value);
}

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

function between(recorded: unknown, least: unknown, most: unknown): boolean {
  if (typeof recorded !== "number" || typeof least !== "number" || typeof most !== "number") return false;
  return recorded >= Math.min(least, most) - toleranceMs && recorded <= Math.max(least, most) + toleranceMs;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Without a meaning of its own, as a Date or a Map has. */
function isPlain(value: object): boolean {
  return Array.isArray(value) || Object.prototype.toString.call(value) === "[object Object]";
}

function plain(value: unknown): boolean {
  return typeof value !== "function" && typeof value !== "symbol";
}
