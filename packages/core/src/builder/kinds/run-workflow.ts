import type { WorkflowDefinition } from "../../definition/definition.ts";
import { type Check, given } from "../assemble/check.ts";
import { shown } from "../names.ts";
import { sketch, type Sketch } from "../sketch.ts";

export function runWorkflowSketch(definition: unknown, input: unknown, options: unknown): Sketch {
  return sketch("run-workflow", undefined, [], (check) => {
    const { version } = check.options(options, ["version"], "`runWorkflow`");
    if (version !== undefined) check.count(version, "`version`");
    const child = childOf(check, definition, version as number | undefined);
    return {
      definitionId: child.id,
      ...given("definitionVersion", child.version),
      ...given("input", input === undefined ? undefined : check.expression(input, "the input map")),
    };
  });
}

/** A definition's own version runs, for its types were the ones that were checked; of an id, the one that is asked for. */
function childOf(
  check: Check,
  definition: unknown,
  version: number | undefined,
): { readonly id: string; readonly version?: number | undefined } {
  if (typeof definition === "string") return { id: check.name(definition, "the id of the workflow to run"), version };
  if (typeof definition !== "object" || definition === null) {
    check.problem(`\`runWorkflow\` takes a definition or the id of one, got ${shown(definition)}`);
    return { id: "" };
  }
  const { id, version: own, body } = definition as Partial<WorkflowDefinition>;
  if (id === undefined || own === undefined || body === undefined) {
    check.problem("`runWorkflow` takes a definition: end the other chain with `.build(id, version)`");
    return { id: "" };
  }
  if (version !== undefined && version !== own) {
    check.problem(
      `\`version\` is ${shown(version)}, but the definition is of version ${own}: leave the option out, or name the workflow by its id`,
    );
  }
  return { id, version: own };
}
