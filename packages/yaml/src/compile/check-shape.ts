import type { StandardSchema } from "@wfe/core";
import * as z from "zod";
import { at, keyOf, plainOf, type Located, type LocatedMap, type LocatedScalar } from "../source/located.ts";
import { nearest, suggestion } from "../source/nearest.ts";
import type { Problems } from "../source/problem.ts";
import { short } from "../source/read.ts";

/**
 * The same for a map, which is gone on with: without the keys that do not fit, so that what is wrong with the others is told
 * as well. Undefined where keys are missing that nothing goes without.
 */
export function checkMap<Schema extends z.ZodType>(
  schema: Schema,
  located: LocatedMap,
  problems: Problems,
): { readonly value: z.output<Schema>; readonly located: LocatedMap } | undefined {
  const result = parseLeniently(schema, located);
  if (result.success) return { value: result.data, located };
  const wrong = new Set<string>();
  for (const issue of flat(result.error.issues)) {
    report(issue, located, problems);
    const keys = issue.code === "unrecognized_keys" && issue.path.length === 0 ? issue.keys : issue.path.slice(0, 1);
    for (const key of keys) wrong.add(String(key));
  }
  const entries = new Map([...located.entries].filter(([key]) => !wrong.has(key)));
  const rest = { ...located, entries };
  const again = schema.safeParse(plainOf(rest));
  return again.success ? { value: again.data, located: rest } : undefined;
}

/** Checks a value of the file against a schema; undefined where it does not fit, which is reported key by key. */
export function checkShape<Schema extends z.ZodType>(
  schema: Schema,
  located: Located,
  problems: Problems,
): z.output<Schema> | undefined {
  const result = parseLeniently(schema, located);
  if (result.success) return result.data;
  for (const issue of flat(result.error.issues)) report(issue, located, problems);
  return undefined;
}

/**
 * A variable's text in a place where a number or truth value is wanted is taken for one, as YAML would have read it:
 * on a command line every value is text.
 */
function parseLeniently<Schema extends z.ZodType>(
  schema: Schema,
  located: Located,
): z.ZodSafeParseResult<z.output<Schema>> {
  const plain = plainOf(located);
  const first = schema.safeParse(plain, { error: describe });
  if (first.success) return first;
  let changed = false;
  for (const { path } of flat(first.error.issues)) {
    const scalar = at(located, path);
    const value = scalar.kind === "scalar" && scalar.plain ? unquoted(scalar) : undefined;
    if (value !== undefined) changed = set(plain, path, value) || changed;
  }
  return changed ? schema.safeParse(plain, { error: describe }) : first;
}

function unquoted({ value, source, start, end }: LocatedScalar): number | boolean | undefined {
  if (typeof value !== "string" || !/^\s*\$\{\{/.test(source.text.slice(start, end))) return undefined;
  if (value === "true" || value === "false") return value === "true";
  return /^[-+]?(\d+|\d*\.\d+)(e[-+]?\d+)?$/i.test(value) ? Number(value) : undefined;
}

function set(plain: unknown, path: readonly PropertyKey[], value: unknown): boolean {
  const last = path.at(-1);
  let here = plain;
  for (const key of path.slice(0, -1)) here = (here as Record<PropertyKey, unknown> | undefined)?.[key];
  if (last === undefined || typeof here !== "object" || here === null) return false;
  (here as Record<PropertyKey, unknown>)[last] = value;
  return true;
}

/** Of the forms that a value may have, the one that was meant: what is wrong is within it, not that it is none of them. */
function flat(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== "invalid_union") return [issue];
    const meant = issue.errors.find(
      (branch) =>
        branch.length > 0 && branch.every(({ path, code }) => path.length > 0 || code === "unrecognized_keys"),
    );
    if (meant === undefined) return [issue];
    return flat(meant.map((each) => ({ ...each, path: [...issue.path, ...each.path] })));
  });
}

function report(issue: z.core.$ZodIssue, located: Located, problems: Problems): void {
  const place = at(located, issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = issue.message.split("\0");
    for (const key of issue.keys) {
      const hint = suggestion(key, known);
      problems.add("unknown-key", keyOf(place, key), `there is no key \`${short(key)}\` here`, hint);
    }
    return;
  }
  const last = issue.path.at(-1);
  const missing = last !== undefined && !exists(located, issue.path);
  if (missing) {
    problems.add("missing-key", headOf(place), `\`${String(last)}\` is missing: ${issue.message}`);
    return;
  }
  const [message = "", hint] = issue.message.split("\0");
  const got = message.startsWith("expected") ? `, got ${shown(place)}` : "";
  const word = place.kind === "scalar" && typeof place.value === "string" ? place.value : undefined;
  const near = hint === undefined || word === undefined ? undefined : nearest(word, hint.split("\u0001"));
  problems.add(
    "wrong-value",
    headOf(place),
    message + got,
    near === undefined ? undefined : `did you mean \`${near}\`?`,
  );
}

function exists(located: Located, path: readonly PropertyKey[]): boolean {
  let here: Located | undefined = located;
  for (const key of path) {
    here =
      here.kind === "map"
        ? here.entries.get(String(key))?.value
        : here.kind === "list"
          ? here.items[Number(key)]
          : undefined;
    if (here === undefined) return false;
  }
  return true;
}

/** Of something long, its first line: that is where one looks. */
export function headOf(place: Located): Located {
  if (place.kind === "scalar") return place;
  const line = place.source.text.indexOf("\n", place.start);
  return line === -1 || line >= place.end ? place : { ...place, end: line };
}

function shown(place: Located): string {
  if (place.kind !== "scalar") return place.kind === "map" ? "a map" : "a list";
  return typeof place.value === "string" ? `the text ${JSON.stringify(short(place.value))}` : String(place.value);
}

/** The message of an issue; names that would have been right follow, for a suggestion. */
function describe(issue: z.core.$ZodRawIssue): string {
  const { inst } = issue;
  if (issue.code === "unrecognized_keys") return inst instanceof z.ZodObject ? Object.keys(inst.shape).join("\0") : "";
  const meta = inst instanceof z.ZodType ? z.globalRegistry.get(inst) : undefined;
  const words = issue.code === "invalid_value" ? `\0${issue.values.map(String).join("\u0001")}` : "";
  if (typeof meta?.expected === "string") return `expected ${meta.expected}${words}`;
  switch (issue.code) {
    case "invalid_type":
      return `expected ${kindNames[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `expected ${issue.values.map((value) => `\`${String(value)}\``).join(" or ")}${words}`;
    case "too_small":
      if (issue.origin === "array") return `expected a list of at least ${issue.minimum}`;
      return issue.origin === "string" ? "expected text that is not empty" : `expected at least ${issue.minimum}`;
    case "too_big":
      return `expected at most ${issue.maximum}`;
    case "custom":
      return issue.message ?? "is not allowed";
    default:
      return issue.message ?? "is not what is expected here";
  }
}

const kindNames: Readonly<Record<string, string>> = {
  string: "text",
  object: "a map",
  record: "a map",
  array: "a list",
  boolean: "true or false",
  number: "a number",
  int: "a whole number",
};

/** Whether what a path leads to is known at run time only. What is missing in a map is missing, whatever its neighbours are. */
function isOpen(located: Located, path: readonly PropertyKey[]): boolean {
  const place = at(located, path);
  return hasPlaceholder(place) && (place.kind === "scalar" || exists(located, path));
}

function hasPlaceholder(located: Located): boolean {
  switch (located.kind) {
    case "scalar":
      return typeof located.value === "string" && located.value.includes("${{");
    case "list":
      return located.items.some(hasPlaceholder);
    case "map":
      return [...located.entries.values()].some(({ value }) => hasPlaceholder(value));
  }
}

/** What is known at load of a config: what the schema made of it, that it must wait for the run, or that it is wrong. */
export type CheckedConfig = { readonly value: unknown } | "open" | "wrong";

/** Checks a config against any Standard Schema, so far as it is known: where placeholders are, it is not. */
export function checkConfig(schema: StandardSchema, located: Located, problems: Problems): CheckedConfig {
  if (schema instanceof z.ZodType) {
    const result = parseLeniently(schema, located);
    if (result.success) return { value: result.data };
    const known = flat(result.error.issues).filter((issue) => !isOpen(located, issuePath(issue)));
    for (const issue of known) report(issue, located, problems);
    return known.length === 0 ? "open" : "wrong";
  }
  const result = schema["~standard"].validate(plainOf(located));
  if (result instanceof Promise) {
    result.catch(() => undefined);
    return "open";
  }
  if (result.issues === undefined) return { value: result.value };
  let checked: CheckedConfig = "open";
  for (const { message, path = [] } of result.issues) {
    const keys = path.map((part) => (typeof part === "object" ? part.key : part));
    if (isOpen(located, keys)) continue;
    const last = keys.at(-1);
    const missing = last !== undefined && !exists(located, keys);
    problems.add(
      "wrong-value",
      headOf(at(located, keys)),
      missing ? `\`${String(last)}\` is missing: ${message}` : message,
    );
    checked = "wrong";
  }
  return checked;
}

/** An unknown key is known to be unknown, whatever placeholders its neighbours have. */
function issuePath(issue: z.core.$ZodIssue): readonly PropertyKey[] {
  const [key] = issue.code === "unrecognized_keys" ? issue.keys : [];
  return key === undefined ? issue.path : [...issue.path, key];
}
