import { encode } from "../codec/index.ts";
import type { Entry } from "./entries.ts";

/** The history has the time of a commit, not of the decision: times that follow from it may differ by so much. */
const toleranceMs = 2_000;
/** What is made of the time of the decision is another at a time so far away. */
export const shiftMs: number = 2 * toleranceMs + 321;

/** The engine's fields that hold a time. */
const times: ReadonlySet<string> = new Set([
  "dueAt",
  "until",
  "remindAt",
  "nextAt",
  "deadlineAt",
  "completedAt",
  "startAt",
  "since",
]);

/** What is from the year 2000 on, in milliseconds since the epoch, is taken for a time where the engine has put it. */
const earliest = Date.UTC(2000, 0);

/** Where something of users begins: what it means is theirs. */
const ofUsers: ReadonlySet<string> = new Set([
  "data",
  "input",
  "output",
  "patch",
  "persisted",
  "payload",
  "items",
  "item",
  "local",
  "got",
  "fields",
]);

/** The engine's: where it was thrown from, and at which attempt, says nothing of where it goes. */
const leftOut: ReadonlySet<string> = new Set(["stack", "attempt"]);

/** What would be decided now. */
export interface DecidedEntry {
  /** With the shortest pauses, and with the longest. */
  readonly least: Entry;
  readonly most: Entry;
  /** At other times: a value that is another one there is made of the time. */
  readonly shifted: () => readonly unknown[];
}

/** The first place where two entries are not the same. */
export interface EntryDifference {
  /** Such as `patch.total` or `open[0].slot`. */
  readonly path: string;
  readonly recorded: unknown;
  readonly now: unknown;
}

/** Where what would be decided now is not what the history has; undefined: nowhere. */
export function differenceOf(recorded: Entry, { least, most, shifted }: DecidedEntry): EntryDifference | undefined {
  return compare({ recorded, least, most, shifted }, "", "engine");
}

type Owner = "engine" | "user";

/** The same place in the entries. */
interface Place {
  readonly recorded: unknown;
  readonly least: unknown;
  readonly most: unknown;
  readonly shifted: () => readonly unknown[];
}

function compare(place: Place, path: string, owner: Owner): EntryDifference | undefined {
  const { recorded, least } = place;
  if (Object.is(recorded, least)) return undefined;
  if (!isMembered(recorded) || !isMembered(least) || Array.isArray(recorded) !== Array.isArray(least))
    return sameValue(recorded, least) || sameTime(place, owner) ? undefined : { path, recorded, now: least };
  for (const key of new Set([...Object.keys(recorded), ...Object.keys(least)])) {
    if (recorded[key] === undefined && least[key] === undefined) continue;
    if (owner === "engine" && leftOut.has(key)) continue;
    const inner = at(place, key);
    if (owner === "engine" && times.has(key) && isBetween(inner)) continue;
    const found = compare(
      owner === "engine" && key === "patch" ? byKeys(inner) : inner,
      Array.isArray(recorded) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`,
      ofUsers.has(key) ? "user" : owner,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

function at(place: Place, key: string): Place {
  return map(place, (value) => (isMembered(value) && Object.hasOwn(value, key) ? value[key] : undefined));
}

/** A patch as what it is a patch of, so that a path in it is a path in the data. */
function byKeys(place: Place): Place {
  return map(place, (patch) => {
    if (!Array.isArray(patch)) return patch;
    return Object.fromEntries(
      (patch as { readonly key: string }[]).map(({ key, ...rest }) => [
        key,
        "value" in rest && Object.keys(rest).length === 1 ? rest.value : rest,
      ]),
    );
  });
}

function map({ recorded, least, most, shifted }: Place, of: (value: unknown) => unknown): Place {
  return { recorded: of(recorded), least: of(least), most: of(most), shifted: () => shifted().map(of) };
}

function sameValue(recorded: unknown, least: unknown): boolean {
  if (recorded instanceof Error && least instanceof Error)
    return recorded.name === least.name && recorded.message === least.message;
  return isPlain(recorded) && isPlain(least) && encode(recorded) === encode(least);
}

/** Times of the engine, and what a definition's own functions have made of `at.now`, the time of the decision. */
function sameTime({ recorded, least, shifted }: Place, owner: Owner): boolean {
  const [one, other] = [timeOf(recorded), timeOf(least)];
  if (one === undefined || other === undefined || typeof recorded !== typeof least) return false;
  if (Math.abs(one - other) > toleranceMs) return false;
  if (owner === "engine" && typeof recorded === "number" && one >= earliest) return true;
  return shifted().some((value) => value !== undefined && timeOf(value) !== other);
}

function timeOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (value instanceof Date) return value.getTime();
  if (typeof value !== "string" || !isoTime.test(value)) return undefined;
  return Date.parse(value);
}

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

function isBetween({ recorded, least, most = least }: Place): boolean {
  if (typeof recorded !== "number" || typeof least !== "number" || typeof most !== "number") return false;
  return recorded >= Math.min(least, most) - toleranceMs && recorded <= Math.max(least, most) + toleranceMs;
}

/** An array or object without a meaning of its own, as a Date or a Map has. */
function isMembered(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  return Array.isArray(value) || Object.prototype.toString.call(value) === "[object Object]";
}

function isPlain(value: unknown): boolean {
  return typeof value !== "function" && typeof value !== "symbol";
}

const longestShown = 80;

/** A value in a few words. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : encode(value);
  return text.length > longestShown ? `${text.slice(0, longestShown).replace(/[\uD800-\uDBFF]$/u, "")}…` : text;
}
