import type { WorkflowDefinition } from "../../definition/definition.ts";
import { given } from "../assemble/check.ts";
import { shown } from "../names.ts";
import { sketch, type Sketch } from "../sketch.ts";

export function runWorkflowSketch(definition: unknown, input: unknown, options: unknown): Sketch {
  return sketch("run-workflow", undefined, [], (check) => {
    const { version } = check.options(options, ["version"], "`runWorkflow`");
    if (version !== undefined) check.count(version, "`version`");
    const own =
      typeof definition === "object" && definition !== null ? (definition as Partial<WorkflowDefinition>) : undefined;
    if (own === undefined && typeof definition !== "string") {
      check.problem(`\`runWorkflow\` takes a definition or the id of one, got ${shown(definition)}`);
    } else if (own !== undefined && (own.body === undefined || own.version === undefined)) {
      check.problem("`runWorkflow` takes a definition: end the other chain with `.build(id, version)`");
    } else if (own?.version !== undefined && version !== undefined && version !== own.version) {
      check.problem(
        `\`version\` is ${shown(version)}, but the definition is of version ${own.version}: leave the option out, or name the workflow by its id`,
      );
    }
    return {
      definitionId: own === undefined ? check.name(definition, "the id of the workflow to run") : (own.id as string),
      ...given("definitionVersion", (version ?? own?.version) as number | undefined),
      ...given("input", input === undefined ? undefined : check.expression(input, "the input map")),
    };
  });
}
