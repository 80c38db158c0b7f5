import type { Expression, OutputMap } from "@wfe/core/definition";
import type { InputsKey, OutputKey } from "../schema/modifiers.ts";
import { childOf, keyOf, type LocatedMap } from "../source/located.ts";
import type { WorkflowContext } from "./context.ts";
import { compileInputs } from "./inputs.ts";
import { lookUp, patchOf } from "./outputs.ts";
import { jsonPath } from "./json-path.ts";
import type { Place } from "./place.ts";
import { scopeAt, stepsKey, stepsOfItemKey } from "./scope.ts";
import type { Core, Step } from "./nodes.ts";

/** `type: workflow`: a child. Its version is the one asked for, else the highest that is registered where it starts. */
export function compileChild(
  context: WorkflowContext,
  step: Step,
  located: LocatedMap,
  place: Place,
): Core | undefined {
  const config = step.config as { workflow: string; workflow_version?: number; version?: number };
  const version = config.workflow_version ?? config.version;
  const configMap = childOf(located, "config") ?? located;
  if (config.workflow_version !== undefined && config.version !== undefined) {
    context.problems.add(
      "conflict",
      keyOf(configMap, "version"),
      "`version` and `workflow_version` are the same option",
      "leave one of them out",
    );
  }
  const { siblings, base } = context;
  const inputs = compileInputs(context, step.inputs as InputsKey | undefined, childOf(located, "inputs"), place, {});
  const declared =
    (step.outputs as readonly OutputKey[] | undefined) ??
    siblings.get(config.workflow)?.map((name): OutputKey => ({ name }));
  const input: Expression = (data, at) =>
    inputs === undefined ? withoutOurs(data) : inputs.evaluate(scopeAt(base, place, data, at));
  const output: OutputMap = (data, result: Record<string, unknown>, at) =>
    patchOf(step.name, place, data, { outputs: outputsOf(declared, result) }, at);
  return {
    kind: "run-workflow",
    definitionId: config.workflow,
    ...(version === undefined ? {} : { definitionVersion: version }),
    input,
    output,
    ...(place.item ? { outputOfItem: true } : {}),
  };
}

/** What the child gives: what the step asks for, else what it declares, else all of its data. */
function outputsOf(
  declared: readonly OutputKey[] | undefined,
  result: Record<string, unknown> | undefined,
): Record<string, unknown> {
  if (declared === undefined) return withoutOurs(result ?? {});
  const values = declared.map(({ name, path, json_path: query }) => {
    const value = query === undefined ? lookUp(result, path ?? name) : jsonPath(result, query);
    return [name, value] as const;
  });
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

function withoutOurs(data: Record<string, unknown>): Record<string, unknown> {
  const { [stepsKey]: _steps, [stepsOfItemKey]: _ofItem, ...rest } = data;
  return rest;
}
