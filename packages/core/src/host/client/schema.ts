import type { StandardResult, StandardSchema } from "../../definition/standard-schema.ts";
import { ValidationError, type ErrorFields } from "../../errors.ts";

/** What `validated` is told for its errors: how the value is called, and where it belongs. */
export interface Validated extends ErrorFields {
  readonly what: string;
}

/**
 * The value as its schema gives it back: at once where the schema is synchronous, else a promise of it.
 *
 * Throws, or rejects with, a `ValidationError` that lists every issue with its path.
 */
export function validated(schema: StandardSchema<any, any> | undefined, value: unknown, where: Validated): unknown {
  if (schema === undefined) return value;
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then((later) => accepted(later, where)) : accepted(result, where);
}

function accepted(result: StandardResult<unknown>, { what, ...fields }: Validated): unknown {
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map((issue) => {
    const path = (issue.path ?? [])
      .map((segment) => String(typeof segment === "object" ? segment.key : segment))
      .join(".");
    return path === "" ? { message: issue.message } : { message: issue.message, path };
  });
  const list = issues.map((issue) => `\n  - ${"path" in issue ? `${issue.path}: ` : ""}${issue.message}`).join("");
  throw new ValidationError(`${what} does not fit the schema:${list}`, issues, fields);
}
