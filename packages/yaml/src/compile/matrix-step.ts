import type { Block, DefinitionNode, ForEachNode } from "@wfe/core/definition";
import type { Located } from "../source/located.ts";
import type { WorkflowContext } from "./context.ts";
import { combinationsOf } from "./matrix.ts";
import { wrapRuns, type Place } from "./place.ts";
import { scopeAt } from "./scope.ts";
import { node, type Step } from "./nodes.ts";

/** A step that runs once for every combination. `place` is the one around it, `within` that of its runs. */
export function compileMatrix(
  context: WorkflowContext,
  step: Step,
  matrix: Located,
  place: Place,
  within: Place,
  body: Block,
): DefinitionNode {
  const template = context.template(matrix, place);
  const fixed = template.constant ? combine(context, matrix, template.evaluate({})) : undefined;
  const { base } = context;
  const items: ForEachNode["items"] = (data: Record<string, unknown>, at) => {
    const combinations =
      fixed ?? combinationsOf(template.evaluate(scopeAt(base, place, data, at)) as Record<string, unknown>);
    return wrapRuns(place, at, combinations);
  };
  return node({
    kind: "for-each",
    id: context.id(`${step.name}/matrix`),
    items,
    body,
    concurrency: step.max_parallel ?? mostParallel,
    ...(within.listed ? { sharesData: true } : {}),
    onBranchFailure: step.fail_fast === false ? "wait" : "cancel",
  });
}

/** All of them: a matrix has no more runs. */
const mostParallel = 256;

function combine(context: WorkflowContext, matrix: Located, value: unknown): ReturnType<typeof combinationsOf> {
  try {
    return combinationsOf(value as Record<string, unknown>);
  } catch (error) {
    context.problems.add("wrong-value", matrix, (error as Error).message);
    return [];
  }
}
