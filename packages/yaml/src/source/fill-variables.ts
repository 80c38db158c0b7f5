import { findPlaceholders } from "../expressions/placeholders.ts";
import type { Located, LocatedEntry, LocatedScalar } from "./located.ts";
import { partOf } from "./located.ts";
import { suggestion } from "./nearest.ts";
import type { Problems } from "./problem.ts";
import { short } from "./read.ts";

/** What `${{ var.x }}` is filled in from: names with dots lead into nested values. */
export type Variables = Readonly<Record<string, unknown>>;

const variable = /^var((?:\.[A-Za-z_][\w-]*)+)$/;

/**
 * Fills in the variables of a file, at load. One that is a whole value keeps its type; within a text it becomes text.
 *
 * What it is filled in for is the one who loads the file: a value is never searched for placeholders, and must not have any.
 */
export function fillVariables(located: Located, variables: Variables, problems: Problems): Located {
  const done = new Map<Located, Located>();
  const fill = (node: Located): Located => {
    const known = done.get(node);
    if (known !== undefined) return known;
    const filled = fillOne(node);
    done.set(node, filled);
    return filled;
  };
  const fillOne = (node: Located): Located => {
    switch (node.kind) {
      case "scalar":
        return typeof node.value === "string" && node.value.includes("${{")
          ? fillText(node, variables, problems)
          : node;
      case "list":
        return { ...node, items: node.items.map(fill) };
      case "map": {
        const entries = new Map<string, LocatedEntry>();
        for (const [key, entry] of node.entries) entries.set(key, { key: entry.key, value: fill(entry.value) });
        return { ...node, entries };
      }
    }
  };
  return fill(located);
}

function fillText(node: LocatedScalar, variables: Variables, problems: Problems): Located {
  const raw = String(node.value);
  const parts: { start: number; end: number; rawStart: number; rawEnd: number }[] = [];
  let text = "";
  let last = 0;
  for (const { start, end, expression } of findPlaceholders(raw).placeholders) {
    const path = variable.exec(expression)?.[1];
    if (path === undefined) continue;
    const span = partOf(node, start, end - start);
    const found = findVariable(path.slice(1).split("."), variables);
    if ("missing" in found) {
      problems.add("unknown-variable", span, `there is no variable \`${short(expression.slice(4))}\``, found.hint);
      continue;
    }
    const { value } = found;
    if (holdsPlaceholder(value)) {
      problems.add(
        "unsafe",
        span,
        `the variable \`${short(expression.slice(4))}\` holds \`\${{\`: a variable's value is not an expression`,
      );
      continue;
    }
    const whole = start === 0 && end === raw.length;
    if (whole) return locate(value, node);
    text += raw.slice(last, start);
    const written = typeof value === "string" ? value : JSON.stringify(value);
    parts.push({ start: text.length, end: text.length + written.length, rawStart: start, rawEnd: end });
    text += written;
    last = end;
  }
  return parts.length === 0 ? node : { ...node, value: text + raw.slice(last), filled: { raw, parts } };
}

/** A variable by its path, or a hint at what it could have been. */
export function findVariable(
  path: readonly string[],
  variables: Variables,
): { value: unknown } | { missing: true; hint?: string } {
  let here: unknown = variables;
  for (const name of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, name)) {
      const names = typeof here === "object" && here !== null ? Object.keys(here) : [];
      const hint =
        suggestion(name, names) ??
        "give it a value: `wfe ... --var name=value`, in a program `loadWorkflow(file, { name: value })`";
      return { missing: true, hint };
    }
    here = (here as Record<string, unknown>)[name];
  }
  return here === undefined ? { missing: true } : { value: here };
}

function holdsPlaceholder(value: unknown): boolean {
  if (typeof value === "string") return value.includes("${{");
  return typeof value === "object" && value !== null && Object.values(value).some(holdsPlaceholder);
}

/** A value of the configuration, as if it stood in the file. */
function locate(value: unknown, at: LocatedScalar): Located {
  const { source, start, end, plain } = at;
  if (Array.isArray(value)) return { kind: "list", source, start, end, items: value.map((item) => locate(item, at)) };
  if (typeof value === "object" && value !== null) {
    const entries = new Map<string, LocatedEntry>();
    for (const [key, item] of Object.entries(value)) {
      if (key !== "__proto__") entries.set(key, { key: { source, start, end }, value: locate(item, at) });
    }
    return { kind: "map", source, start, end, entries };
  }
  if (typeof value === "string") return { kind: "scalar", source, start, end, value, plain };
  const scalar = typeof value === "number" || typeof value === "boolean" ? value : null;
  return { kind: "scalar", source, start, end, value: typeof value === "bigint" ? Number(value) : scalar, plain: true };
}
