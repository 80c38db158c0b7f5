import { partOf, type Located, type LocatedScalar } from "../source/located.ts";
import type { Problems } from "../source/problem.ts";
import { compileExpression, type Expression } from "./expression.ts";
import type { KnownNames } from "./names.ts";
import { findPlaceholders } from "./placeholders.ts";

/** A value in which placeholders are filled in when it is needed. */
export interface Template {
  /** Whether it has no placeholder: then `evaluate` always gives the same value. */
  readonly constant: boolean;
  /** Secrets that it reads. */
  readonly secrets: ReadonlySet<string>;
  /** Throws `ExpressionError`. */
  evaluate(scope: Record<string, unknown>): unknown;
}

const none: ReadonlySet<string> = new Set();

function constantTemplate(value: unknown): Template {
  return { constant: true, secrets: none, evaluate: () => value };
}

/**
 * Makes a template of a value, as deep as it is. A text that is one placeholder becomes what that comes to; in a longer text
 * a value becomes text, other things than scalars as JSON.
 */
export function compileTemplate(located: Located, names: KnownNames, problems: Problems): Template {
  switch (located.kind) {
    case "scalar":
      return typeof located.value === "string" && located.value.includes("${{")
        ? compileText(located, located.value, names, problems)
        : constantTemplate(located.value);
    case "list": {
      const items = located.items.map((item) => compileTemplate(item, names, problems));
      return combine(items, (values) => values);
    }
    case "map": {
      const keys = [...located.entries.keys()];
      const values = [...located.entries.values()].map(({ value }) => compileTemplate(value, names, problems));
      return combine(values, (made) => recordOf(keys, made));
    }
  }
}

function recordOf(keys: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  for (const [index, key] of keys.entries()) record[key] = values[index];
  return record;
}

function combine(parts: readonly Template[], make: (values: unknown[]) => unknown): Template {
  const constant = parts.every((part) => part.constant);
  return {
    constant,
    secrets: constant ? none : new Set(parts.flatMap(({ secrets }) => [...secrets])),
    evaluate: (scope) => make(parts.map((part) => part.evaluate(scope))),
  };
}

function compileText(scalar: LocatedScalar, text: string, names: KnownNames, problems: Problems): Template {
  const { placeholders, open } = findPlaceholders(text);
  if (open !== undefined) {
    problems.add("expression", partOf(scalar, open.start, 3), "this `${{` is never closed", "add `}}`");
  }
  const parts: (string | Expression)[] = [];
  let last = 0;
  for (const { start, end, expression: inside, expressionStart } of placeholders) {
    const made = compileExpression(inside, names);
    if ("problems" in made) {
      for (const each of made.problems) {
        const span = partOf(scalar, expressionStart + each.start, Math.max(1, each.end - each.start));
        problems.add("expression", span, each.message, each.hint);
      }
      continue;
    }
    parts.push(text.slice(last, start), made.expression);
    last = end;
  }
  parts.push(text.slice(last));
  const [before, only, after] = parts;
  const secrets = new Set(parts.flatMap((part) => (typeof part === "string" ? [] : [...part.secrets])));
  if (parts.length === 3 && typeof only === "object" && `${before as string}${after as string}`.trim() === "") {
    return { constant: false, secrets, evaluate: (scope) => only.evaluate(scope) };
  }
  return {
    constant: secrets.size === 0 && parts.every((part) => typeof part === "string"),
    secrets,
    evaluate: (scope) => parts.map((part) => (typeof part === "string" ? part : asText(part.evaluate(scope)))).join(""),
  };
}

/** A value within a text. */
export function asText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  return JSON.stringify(value) ?? "";
}
