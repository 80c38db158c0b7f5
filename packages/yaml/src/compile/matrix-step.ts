import type { Block, DefinitionNode, ForEachNode } from "@wfe/core/definition";
import { childOf, keyOf, type Located } from "../source/located.ts";
import { suggestion } from "../source/nearest.ts";
import { short } from "../source/read.ts";
import { headOf } from "./check-shape.ts";
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
  checkExclude(context, matrix);
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
    const combinations = combinationsOf(value as Record<string, unknown>);
    if (combinations.length === 0) {
      const hint = "give its names values that `exclude` does not take away, or remove the step";
      context.problems.add(
        "wrong-value",
        headOf(matrix),
        "this matrix has no combination: the step would never run",
        hint,
      );
    }
    return combinations;
  } catch (error) {
    context.problems.add("wrong-value", matrix, (error as Error).message);
    return [];
  }
}

/** A name that no combination has excludes nothing, or all. `include` may bring new names. */
function checkExclude(context: WorkflowContext, matrix: Located): void {
  const excluded = childOf(matrix, "exclude");
  if (matrix.kind !== "map" || excluded?.kind !== "list") return;
  const names = [...matrix.entries.keys()].filter((key) => key !== "include" && key !== "exclude");
  for (const pattern of excluded.items) {
    for (const key of pattern.kind === "map" ? pattern.entries.keys() : []) {
      if (names.includes(key)) continue;
      const message = `\`exclude\` names \`${short(key)}\`, which the matrix does not have`;
      context.problems.add("unknown-name", keyOf(pattern, key), message, suggestion(key, names));
    }
  }
}
