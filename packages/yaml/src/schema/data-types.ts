/** A type of a workflow's input or output. */
export type DataType =
  | { readonly kind: "string" | "number" | "integer" | "bool" | "any"; readonly optional: boolean }
  | { readonly kind: "list" | "map"; readonly of: DataType; readonly optional: boolean };

const simple = ["string", "number", "integer", "bool", "any"] as const;
/** Words of other languages for the same, for hints. */
export const typeNames: readonly string[] = [...simple, "list<string>", "map<string>"];

/** Reads `list<string>?`; undefined for what is no type. */
export function parseDataType(text: string): DataType | undefined {
  const trimmed = text.trim();
  const optional = trimmed.endsWith("?");
  const name = optional ? trimmed.slice(0, -1).trimEnd() : trimmed;
  const known = simple.find((each) => each === name);
  if (known !== undefined) return { kind: known, optional };
  const match = /^(list|map)\s*<(.*)>$/.exec(name);
  if (match === null || name.length > 200) return undefined;
  const of = parseDataType(match[2] ?? "");
  return of === undefined ? undefined : { kind: match[1] as "list" | "map", of, optional };
}

/** What is wrong with a value of this type, with its path below `path`; undefined when nothing is. */
export function misfit(value: unknown, type: DataType, path: readonly (string | number)[]): Misfit | undefined {
  if (value === undefined || value === null) {
    if (type.optional || (type.kind === "any" && value === null)) return undefined;
    return {
      path,
      isMissing: value === undefined,
      message: value === undefined ? "is missing" : `must be ${describeType(type)}, got null`,
    };
  }
  switch (type.kind) {
    case "any":
      return undefined;
    case "string":
      return typeof value === "string" ? undefined : wrong(value, type, path);
    case "number":
      return typeof value === "number" || typeof value === "bigint" ? undefined : wrong(value, type, path);
    case "integer":
      return Number.isInteger(value) || typeof value === "bigint" ? undefined : wrong(value, type, path);
    case "bool":
      return typeof value === "boolean" ? undefined : wrong(value, type, path);
    case "list": {
      if (!Array.isArray(value)) return wrong(value, type, path);
      for (const [index, item] of value.entries()) {
        const found = misfit(item, type.of, [...path, index]);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    case "map": {
      if (typeof value !== "object" || Array.isArray(value)) return wrong(value, type, path);
      const entries: Iterable<[unknown, unknown]> = value instanceof Map ? value : Object.entries(value);
      for (const [key, item] of entries) {
        const found = misfit(item, type.of, [...path, String(key)]);
        if (found !== undefined) return found;
      }
      return undefined;
    }
  }
}

export interface Misfit {
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** There is no value at all. */
  readonly isMissing: boolean;
}

function wrong(value: unknown, type: DataType, path: readonly (string | number)[]): Misfit {
  const got = Array.isArray(value) ? "a list" : typeof value === "object" ? "a map" : `a ${typeof value}`;
  return { path, isMissing: false, message: `must be ${describeType(type)}, got ${got}` };
}

/** As it is written, without the mark of what may be missing. */
export function describeType(type: DataType): string {
  if (type.kind === "list" || type.kind === "map") return `${type.kind}<${describeType(type.of)}>`;
  return type.kind;
}
