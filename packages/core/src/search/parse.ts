import type { StepStatus } from "../engine/step-summary.ts";
import { InvalidOptionError } from "../errors.ts";
import type { WorkflowStatus } from "../providers/records.ts";
import type { SearchQuery } from "./query.ts";

/** Longer ones are nobody's own. */
const longestText = 10_000;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** `name:value` with blanks quoted, a quoted phrase, or anything without blanks. */
const parts = /([\p{L}_][^\s:<>"]*)([:<>])(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?=\s|$)|"((?:[^"\\]|\\.)*)"|\S+/gsu;

/**
 * Reads a search as people type it: words, and filters such as
 * `status:failed definition:order tag:"big spender" step:charge created>2026-01-31 data.customer.id:17 declined`.
 *
 * Whatever is no filter is words, and so is everything in quotes: `12:30` and `"status:failed"` are looked for as text.
 */
export function parseSearch(text: string): SearchQuery {
  if (text.length > longestText)
    throw new InvalidOptionError(`a search has at most ${longestText} characters, this one has ${text.length}`);
  const query: Mutable<SearchQuery> = {};
  const words: string[] = [];
  const tags: string[] = [];
  const data: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [whole, name, sign, quoted, plain, phrase] of text.matchAll(parts)) {
    const value = quoted === undefined ? (plain ?? "") : unescape(quoted);
    if (name === undefined || sign === undefined) words.push(phrase === undefined ? whole : unescape(phrase));
    else if (sign === ":" && name === "tag") tags.push(value);
    else if (sign === ":" && name.startsWith("data.")) once(data, name.slice("data.".length), value, name);
    else if (!filter(query, name, sign, value)) words.push(whole);
  }
  if (words.length > 0) query.words = words.join(" ");
  if (tags.length > 0) query.tag = tags;
  if (Object.keys(data).length > 0) query.data = data;
  return query;
}

/** False where it is none. */
function filter(query: Mutable<SearchQuery>, name: string, sign: string, value: string): boolean {
  switch (`${name}${sign}`) {
    case "definition:":
      once(query, "definitionId", value, name);
      return true;
    case "version:":
      once(query, "version", whole(name, value), name);
      return true;
    case "status:":
      // Checked with the rest of the query.
      once(query, "status", value.split(",") as WorkflowStatus[], name);
      return true;
    case "step:":
      once(query, "step", value, name);
      return true;
    case "step-status:":
      once(query, "stepStatus", value as StepStatus, name);
      return true;
    case "waiting:":
      once(query, "waitingForEvent", value, name);
      return true;
    case "key:":
      once(query, "waitingForKey", value, name);
      return true;
    case "created>":
      once(query, "createdAfter", time(name, value), `${name}${sign}`);
      return true;
    case "created<":
      once(query, "createdBefore", time(name, value), `${name}${sign}`);
      return true;
    case "completed>":
      once(query, "completedAfter", time(name, value), `${name}${sign}`);
      return true;
    case "completed<":
      once(query, "completedBefore", time(name, value), `${name}${sign}`);
      return true;
    case "sort:":
      once(query, "sort", value as "newest", name);
      return true;
    default:
      return false;
  }
}

/** A second one would silently win. */
function once<Target extends object, Key extends keyof Target>(
  target: Target,
  key: Key,
  value: Target[Key],
  name: string,
): void {
  if (Object.hasOwn(target, key))
    throw new InvalidOptionError(`the search says \`${name}\` twice: a workflow has one, so leave one of them out`);
  Object.assign(target, { [key]: value });
}

function whole(name: string, value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw new InvalidOptionError(
    `\`${name}:\` takes a whole number, got "${value}": put it in quotes to look for the text`,
  );
}

/** A day, or a day and a time: without a zone, UTC, whatever machine asks. */
const timeText = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

function time(name: string, value: string): number {
  const match = timeText.exec(value);
  const text = match === null || match[1] !== undefined || !value.includes("T") ? value : `${value}Z`;
  const at = match === null || !isOfCalendar(value) ? Number.NaN : Date.parse(text);
  if (!Number.isNaN(at)) return at;
  throw new InvalidOptionError(
    `\`${name}\` takes a time such as 2026-01-31 or 2026-01-31T18:00Z, got "${value}": put it in quotes to look for the text`,
  );
}

/** `Date` takes the 31st of February, and makes a day of March of it. */
function isOfCalendar(text: string): boolean {
  const day = text.slice(0, "2026-01-31".length);
  const at = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day);
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/gsu, "$1");
}
