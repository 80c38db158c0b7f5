import { defineWorkflow } from "../definition/define-workflow.ts";
import type { WorkflowDefinition } from "../definition/definition.ts";
import type { StandardSchema } from "../definition/standard-schema.ts";
import { type DefinitionProblem, InvalidDefinitionError } from "../errors.ts";
import { assemble } from "./assemble/assemble.ts";
import { nameProblem, shown } from "./names.ts";
import type { BodySketch } from "./sketch.ts";

/** Checks everything, and makes the definition or throws all problems at once. */
export function buildDefinition(
  id: string,
  version: number,
  options: unknown,
  dataSchema: StandardSchema | undefined,
  top: BodySketch,
): WorkflowDefinition {
  const { body, problems: ofSteps } = assemble(top);
  const problems: DefinitionProblem[] = [];
  const wrongId = nameProblem(id);
  if (wrongId !== undefined) problems.push({ message: `the id of the workflow ${wrongId}` });
  if (!Number.isSafeInteger(version) || version < 1) {
    problems.push({ message: `the version must be a whole number from 1, got ${shown(version)}` });
  }
  const description = checkOptions(options, problems);
  problems.push(...ofSteps);
  if (problems.length > 0) throw new InvalidDefinitionError(id, version, problems);
  return defineWorkflow({
    id,
    version,
    body,
    ...(description === undefined ? {} : { description }),
    ...(dataSchema === undefined ? {} : { dataSchema }),
  });
}

function checkOptions(options: unknown, problems: DefinitionProblem[]): string | undefined {
  if (options === undefined) return undefined;
  if (typeof options !== "object" || options === null) {
    problems.push({ message: `the options of \`build\` must be an object, got ${shown(options)}` });
    return undefined;
  }
  for (const name of Object.keys(options)) {
    if (name !== "description")
      problems.push({ message: `\`build\` has no option \`${name}\`; it has \`description\`` });
  }
  const { description } = options as { description?: unknown };
  if (description !== undefined && typeof description !== "string") {
    problems.push({ message: `\`description\` must be text, got ${shown(description)}` });
  }
  return description as string | undefined;
}
