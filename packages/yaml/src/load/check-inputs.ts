import type { StandardSchema } from "@wfe/core";
import { misfit, type DataType } from "../schema/data-types.ts";

/** Checks start data against declared inputs. Other keys are allowed, and kept. */
export function inputsSchema(inputs: ReadonlyMap<string, DataType>): StandardSchema {
  return {
    "~standard": {
      version: 1,
      vendor: "wfe",
      validate(value) {
        if (typeof value !== "object" || value === null || Array.isArray(value)) {
          return { issues: [{ message: "must be a map of inputs" }] };
        }
        const issues = [...inputs].flatMap(([name, type]) => {
          const given = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
          const found = misfit(given, type, [name]);
          return found === undefined ? [] : [{ message: found.message, path: [...found.path] }];
        });
        return issues.length > 0 ? { issues } : { value };
      },
    },
  };
}
