import type { StepStatus } from "../engine/step-summary.ts";
import { InvalidOptionError } from "../errors.ts";
import type { IndexQuery } from "../providers/search-index.ts";
import type { WorkflowStatus } from "../providers/records.ts";
import { exactText, longestExact, terms } from "./terms.ts";
import { wordsOf } from "./words.ts";

/** What workflows are looked for: those for which all that is given holds. */
export interface SearchQuery {
  /**
   * All of these words occur: in the id, data, errors, tags, step ids and names, or what it waits for. A text that has no word, such as
   * `---`, finds nothing; one of blanks asks for nothing.
   */
  readonly words?: string;
  readonly definitionId?: string;
  readonly version?: number;
  /** One status, or several of which one holds. */
  readonly status?: WorkflowStatus | readonly WorkflowStatus[];
  /** A tag it has, or several of which it has each. */
  readonly tag?: string | readonly string[];
  /** The id of a step that it has reached. */
  readonly step?: string;
  /** The status of that step's newest occurrence. */
  readonly stepStatus?: StepStatus;
  /** Waiting for an event of this name. */
  readonly waitingForEvent?: string;
  /** Waiting for an event of this key; with `waitingForEvent`, for that event of this key. */
  readonly waitingForKey?: string;
  /** Created later than this: a date, or milliseconds since the epoch. */
  readonly createdAfter?: Date | number;
  readonly createdBefore?: Date | number;
  /** Completed, failed or terminated later than this. */
  readonly completedAfter?: Date | number;
  readonly completedBefore?: Date | number;
  /**
   * Values in its data, by path: `{ "customer.id": 17, "items.sku": "a-1", amount: { from: 100 } }`. A list's members have the path
   * of the list. Values are compared as text, so 17 finds 17 and "17"; numbers and dates also between two ends, both included.
   */
  readonly data?: Readonly<Record<string, DataCondition>>;
  /** By creation, default `"newest"` first. Of equal times, the lowest id first. */
  readonly sort?: "newest" | "oldest";
}

export type DataCondition = string | number | bigint | boolean | null | Date | DataRange;

export interface DataRange {
  readonly from?: number | Date;
  readonly to?: number | Date;
}

/** The most terms of one query: more than anybody writes by hand, and few enough for every index. */
const mostTerms = 100;

/** What indexes are asked, of a query whose fields have been checked. */
export function indexQuery(namespace: string, query: SearchQuery): IndexQuery {
  const words = wordsOf(query.words ?? "");
  const all = new Set<string>(words);
  // Signs alone are a text as well: to leave them out would find everything, which is not what was asked for.
  if (words.length === 0 && (query.words ?? "").trim() !== "") all.add(terms.nothing);
  const any: (readonly string[])[] = [];
  if (query.definitionId !== undefined) all.add(terms.definition(query.definitionId));
  if (query.version !== undefined) all.add(terms.version(query.version));
  for (const tag of listOf(query.tag)) all.add(terms.tag(tag));
  addStep(all, query);
  addWait(all, query);
  const statuses = [...new Set(listOf(query.status))].map(terms.status);
  if (statuses.length === 1) all.add(statuses[0] as string);
  else if (statuses.length > 1) any.push(statuses);

  const values: { path: string; from: number; to: number }[] = [];
  for (const [path, condition] of Object.entries(query.data ?? {})) {
    if (isRange(condition)) values.push({ path: pathOf(path), ...endsOf(path, condition) });
    else all.add(terms.data(pathOf(path), valueOf(path, condition)));
  }
  const count = all.size + statuses.length + values.length;
  if (count > mostTerms)
    throw new InvalidOptionError(`a search has at most ${mostTerms} words and conditions, this one has ${count}`);
  return {
    namespace,
    all: [...all],
    any,
    createdAt: bounds(query.createdAfter, query.createdBefore),
    completedAt: bounds(query.completedAfter, query.completedBefore),
    values,
  };
}

function addStep(all: Set<string>, { step, stepStatus }: SearchQuery): void {
  if (step === undefined) {
    if (stepStatus !== undefined)
      throw new InvalidOptionError("`stepStatus` is the status of `step`: say which step is meant");
    return;
  }
  all.add(stepStatus === undefined ? terms.step(step) : terms.stepWith(step, stepStatus));
}

function addWait(all: Set<string>, { waitingForEvent: event, waitingForKey: key }: SearchQuery): void {
  if (event !== undefined) all.add(key === undefined ? terms.event(event) : terms.eventWith(event, key));
  else if (key !== undefined) all.add(terms.eventKey(key));
}

function listOf<Item>(value: Item | readonly Item[] | undefined): readonly Item[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly Item[]) : [value as Item];
}

function bounds(
  after: Date | number | undefined,
  before: Date | number | undefined,
): { readonly above?: number; readonly below?: number } {
  return {
    ...(after === undefined ? {} : { above: Number(after) }),
    ...(before === undefined ? {} : { below: Number(before) }),
  };
}

function isRange(condition: DataCondition): condition is DataRange {
  return typeof condition === "object" && condition !== null && !(condition instanceof Date);
}

function pathOf(path: string): string {
  if (path !== "" && path.length <= longestExact) return path;
  throw new InvalidOptionError(
    `a path of \`data\` has 1 to ${longestExact} characters, this one has ${path.length}: look for words instead`,
  );
}

function valueOf(path: string, condition: Exclude<DataCondition, DataRange>): string {
  const text = exactText(condition);
  if (text === undefined)
    throw new InvalidOptionError(`\`data["${path}"]\` must be a text, a number, a boolean, null or a valid date`);
  if (text.length <= longestExact) return text;
  throw new InvalidOptionError(
    `\`data["${path}"]\` has ${text.length} characters, and values are compared up to ${longestExact}: look for words instead`,
  );
}

function endsOf(path: string, range: DataRange): { readonly from: number; readonly to: number } {
  for (const key of Object.keys(range)) {
    if (key !== "from" && key !== "to")
      throw new InvalidOptionError(`\`data["${path}"]\`: there is no \`${key}\`, a range has \`from\` and \`to\``);
  }
  if (range.from === undefined && range.to === undefined)
    throw new InvalidOptionError(`\`data["${path}"]\` is a range without ends: give \`from\`, \`to\` or both`);
  const end = (name: "from" | "to", otherwise: number): number => {
    const value = range[name];
    if (value === undefined) return otherwise;
    const number = value instanceof Date ? value.getTime() : value;
    if (typeof number === "number" && Number.isFinite(number)) return number === 0 ? 0 : number;
    throw new InvalidOptionError(`\`data["${path}"].${name}\` must be a finite number or a valid date`);
  };
  return { from: end("from", -Number.MAX_VALUE), to: end("to", Number.MAX_VALUE) };
}
