import { WfeError } from "@wfe/core";
import type { KnownNames } from "../expressions/names.ts";
import type { InputsKey } from "../schema/modifiers.ts";
import type { Located } from "../source/located.ts";
import type { WorkflowContext } from "./context.ts";
import { jsonPath, jsonPathProblem } from "./json-path.ts";
import { lookUp } from "./outputs.ts";
import type { Place } from "./place.ts";

/** A step's `inputs`, to be made when it runs. */
export interface CompiledInputs {
  readonly secrets: ReadonlySet<string>;
  evaluate(scope: Record<string, unknown>): Record<string, unknown>;
}

/** Makes a step's `inputs` from the data: a list of references, or values with placeholders. Undefined without any. */
export function compileInputs(
  context: WorkflowContext,
  given: InputsKey | undefined,
  located: Located | undefined,
  place: Place,
  more: Partial<KnownNames>,
): CompiledInputs | undefined {
  if (given === undefined || located === undefined) return undefined;
  if (!Array.isArray(given)) {
    const template = context.template(located, place, more);
    return { secrets: template.secrets, evaluate: (scope) => template.evaluate(scope) as Record<string, unknown> };
  }
  const references = given as readonly Reference[];
  for (const [index, { json_path: query }] of references.entries()) {
    const wrong = query === undefined ? undefined : jsonPathProblem(query);
    if (wrong !== undefined && located.kind === "list")
      context.problems.add("expression", located.items[index] ?? located, wrong);
  }
  return {
    secrets: new Set(),
    evaluate: ({ data }) =>
      Object.fromEntries(references.map((reference) => [reference.name, valueOf(reference, data)])),
  };
}

interface Reference {
  readonly name: string;
  readonly path?: string;
  readonly json_path?: string;
}

function valueOf({ name, path, json_path: query }: Reference, data: unknown): unknown {
  const found = lookUp(data, path ?? name);
  const value = query === undefined ? found : jsonPath(path === undefined ? data : found, query);
  if (value !== undefined) return value;
  throw new WfeError(
    "INPUT_MISSING",
    `the input \`${name}\` is not in the data: there is no \`${query ?? path ?? name}\``,
  );
}
