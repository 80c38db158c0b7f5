import { asText } from "../expressions/template.ts";
import { compileTemplate, type Template } from "../expressions/template.ts";
import type { KnownNames } from "../expressions/names.ts";
import type { DataType } from "../schema/data-types.ts";
import { isPlaceholder } from "../schema/values.ts";
import { keyOf, type Located, type LocatedMap } from "../source/located.ts";
import { suggestion } from "../source/nearest.ts";
import type { Problems } from "../source/problem.ts";
import { headOf } from "./check-shape.ts";

/** A condition, ready to be asked. Throws what its expressions throw. */
export type Condition = (scope: Record<string, unknown>) => boolean;

/** The fields that comparisons may read. */
export interface KnownFields {
  /** Declared; undefined where the workflow declares none: then any start data may be read. */
  readonly inputs: ReadonlyMap<string, DataType> | undefined;
  /** Declared or produced, with the type if it is declared; undefined where more may be produced than the file tells. */
  readonly outputs: ReadonlyMap<string, DataType | undefined>;
  readonly outputsAreOpen: boolean;
}

export const operators = [
  "equals",
  "not_equals",
  "gt",
  "gte",
  "lt",
  "lte",
  "contains",
  "is_null",
  "is_not_null",
] as const;
export const combinators = ["all", "any", "none", "one_of", "not"] as const;
type Operator = (typeof operators)[number];

const never: Condition = () => false;

/** Reads a condition: `${{ }}`, a comparison, or a combination of conditions. What is wrong with it is reported. */
export function compileCondition(
  located: Located,
  fields: KnownFields,
  names: KnownNames,
  problems: Problems,
): Condition {
  const again = (inner: Located): Condition => compileCondition(inner, fields, names, problems);
  if (located.kind === "scalar") {
    if (typeof located.value === "boolean") {
      const { value } = located;
      return () => value;
    }
    if (isPlaceholder(located.value)) {
      const template = compileTemplate(located, names, problems);
      return (scope) => truth(template.evaluate(scope));
    }
  }
  if (located.kind !== "map") {
    problems.add(
      "wrong-value",
      headOf(located),
      "expected a condition: `{ field: .inputs.x, equals: ... }`, one of `all`, `any`, `none`, `one_of`, `not`, or `${{ }}`",
    );
    return never;
  }
  if (located.entries.has("field")) return compileComparison(located, fields, names, problems);
  const [combinator, ...more] = [...located.entries.keys()];
  if (combinator === undefined || !(combinators as readonly string[]).includes(combinator)) {
    const place = combinator === undefined ? headOf(located) : keyOf(located, combinator);
    problems.add(
      "unknown-key",
      place,
      "expected `field` with a comparison, or one of `all`, `any`, `none`, `one_of`, `not`",
      combinator === undefined ? undefined : suggestion(combinator, [...combinators, "field"]),
    );
    return never;
  }
  for (const key of more)
    problems.add("conflict", keyOf(located, key), `a condition has one of these: \`${combinator}\` is there already`);
  const inner = located.entries.get(combinator)?.value ?? located;
  if (combinator === "not") {
    const condition = again(inner);
    return (scope) => !condition(scope);
  }
  if (inner.kind !== "list" || inner.items.length === 0) {
    problems.add("wrong-value", headOf(inner), `\`${combinator}\` takes a list of conditions`);
    return never;
  }
  const conditions = inner.items.map(again);
  switch (combinator as Exclude<(typeof combinators)[number], "not">) {
    case "all":
      return (scope) => conditions.every((condition) => condition(scope));
    case "any":
      return (scope) => conditions.some((condition) => condition(scope));
    case "none":
      return (scope) => !conditions.some((condition) => condition(scope));
    case "one_of":
      return (scope) => conditions.filter((condition) => condition(scope)).length === 1;
  }
}

/** Only `true` and what a shell calls true: a text such as "false" is a frequent output. */
function truth(value: unknown): boolean {
  if (typeof value === "string") return value !== "" && value !== "false" && value !== "0";
  return value !== undefined && value !== null && value !== false && value !== 0;
}

function compileComparison(map: LocatedMap, fields: KnownFields, names: KnownNames, problems: Problems): Condition {
  const found = [...map.entries.keys()].filter((key) => key !== "field");
  for (const key of found) {
    if (!(operators as readonly string[]).includes(key)) {
      problems.add("unknown-key", keyOf(map, key), `there is no comparison \`${key}\``, suggestion(key, operators));
    }
  }
  const [operator, second] = found.filter((key) => (operators as readonly string[]).includes(key)) as Operator[];
  if (operator === undefined) {
    if (found.length === 0)
      problems.add(
        "missing-key",
        headOf(map),
        `a comparison needs one of ${operators.map((each) => `\`${each}\``).join(", ")}`,
      );
    return never;
  }
  if (second !== undefined) {
    problems.add(
      "conflict",
      keyOf(map, second),
      `a comparison is one: \`${operator}\` is there already`,
      "combine them with `all`",
    );
  }
  const field = map.entries.get("field")?.value;
  const operand = map.entries.get(operator)?.value;
  if (field === undefined || operand === undefined) return never;
  const known = readField(field, fields, problems);
  if (known === undefined) return never;
  checkOperand(operator, operand, known.type, keyOf(map, operator), problems);
  const template = compileTemplate(operand, names, problems);
  return (scope) => compare(operator, valueAt(scope[known.root], known.path), template, scope);
}

interface Field {
  readonly root: "inputs" | "outputs";
  readonly path: readonly string[];
  readonly type: DataType | undefined;
}

function readField(field: Located, fields: KnownFields, problems: Problems): Field | undefined {
  const text = field.kind === "scalar" && typeof field.value === "string" ? field.value : "";
  const [root, name, ...deeper] = text.replace(/^\./, "").split(".");
  if ((root !== "inputs" && root !== "outputs") || name === undefined || name === "") {
    problems.add("wrong-value", headOf(field), "a field is `.inputs.<name>` or `.outputs.<name>`");
    return undefined;
  }
  const types = root === "inputs" ? fields.inputs : fields.outputs;
  const open = root === "inputs" ? fields.inputs === undefined : fields.outputsAreOpen;
  if (types?.has(name) !== true && !open) {
    const why = root === "inputs" ? "is not an input of this workflow" : "is not an output of any of its steps";
    problems.add("unknown-name", field, `\`${name}\` ${why}`, suggestion(name, types?.keys() ?? []));
    return undefined;
  }
  return { root, path: [name, ...deeper], type: deeper.length === 0 ? types?.get(name) : undefined };
}

function checkOperand(
  operator: Operator,
  operand: Located,
  type: DataType | undefined,
  key: { readonly source: Located["source"]; readonly start: number; readonly end: number },
  problems: Problems,
): void {
  const value = operand.kind === "scalar" ? operand.value : operand.kind === "list" ? [] : {};
  const kind = type?.kind ?? "any";
  const named = type === undefined ? "any" : type.kind;
  const isOrder = operator === "gt" || operator === "gte" || operator === "lt" || operator === "lte";
  if (isOrder && kind !== "number" && kind !== "integer" && kind !== "any") {
    return problems.add("wrong-value", key, `\`${operator}\` compares numbers, and this field is of type ${named}`);
  }
  if (operator === "contains" && kind !== "string" && kind !== "list" && kind !== "any") {
    return problems.add("wrong-value", key, `\`contains\` is for text and lists, and this field is of type ${named}`);
  }
  if (operator === "is_null" || operator === "is_not_null") {
    if (typeof value !== "boolean") problems.add("wrong-value", operand, `\`${operator}\` takes true or false`);
    else if (type !== undefined && !type.optional && kind !== "any") {
      problems.add("wrong-value", key, `this field is never null: its type is ${named}, not \`${named}?\``);
    }
    return;
  }
  if (isPlaceholder(value)) return;
  if (isOrder && typeof value !== "number")
    return problems.add("wrong-value", operand, `\`${operator}\` takes a number`);
  if (operator !== "equals" && operator !== "not_equals") return;
  const fits =
    kind === "any" ||
    (value === null && type?.optional === true) ||
    (kind === "string" && typeof value === "string") ||
    ((kind === "number" || kind === "integer") && typeof value === "number") ||
    (kind === "bool" && typeof value === "boolean") ||
    (kind === "list" && Array.isArray(value)) ||
    (kind === "map" && typeof value === "object" && !Array.isArray(value));
  if (!fits) problems.add("wrong-value", operand, `this field is of type ${named} and never equals such a value`);
}

function valueAt(root: unknown, path: readonly string[]): unknown {
  // A key may have dots of its own, as `build.stdout` has.
  const whole = path.join(".");
  if (typeof root === "object" && root !== null && Object.hasOwn(root, whole))
    return (root as Record<string, unknown>)[whole];
  let here = root;
  for (const key of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string, unknown>)[key];
  }
  return here;
}

function compare(operator: Operator, value: unknown, template: Template, scope: Record<string, unknown>): boolean {
  const operand = template.evaluate(scope);
  const isNull = value === undefined || value === null;
  switch (operator) {
    case "equals":
      return equal(value, operand);
    case "not_equals":
      return !equal(value, operand);
    case "is_null":
      return isNull === operand;
    case "is_not_null":
      return !isNull === operand;
    case "contains":
      if (typeof value === "string") return value.includes(asText(operand));
      return Array.isArray(value) && value.some((item) => equal(item, operand));
    default: {
      const isNumber = (each: unknown): each is number | bigint => typeof each === "number" || typeof each === "bigint";
      if (!isNumber(value) || !isNumber(operand)) return false;
      if (operator === "gt") return value > operand;
      if (operator === "gte") return value >= operand;
      return operator === "lt" ? value < operand : value <= operand;
    }
  }
}

/** As JSON: maps regardless of order, a missing value as null. */
function equal(a: unknown, b: unknown): boolean {
  const left = a ?? null;
  const right = b ?? null;
  if (left === right) return true;
  if (typeof left === "bigint" || typeof right === "bigint") return asText(left) === asText(right);
  if (Array.isArray(left) || Array.isArray(right)) {
    return (
      Array.isArray(left) &&
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((item, index) => equal(item, right[index]))
    );
  }
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every(
      (key) =>
        Object.hasOwn(right, key) &&
        equal((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]),
    )
  );
}
