import { type WorkflowDefinition, WfeError } from "@wfe/core";
import { defineWorkflow, type Block, type DefinitionNode } from "@wfe/core/definition";
import { inputsSchema } from "../load/check-inputs.ts";
import type { StepRunner } from "../running/step-runner.ts";
import { describeType, misfit, parseDataType, typeNames, type DataType, type Misfit } from "../schema/data-types.ts";
import { workflowSchema } from "../schema/workflow.ts";
import { fillVariables, type Variables } from "../source/fill-variables.ts";
import { childOf, keyOf, plainOf, type Located } from "../source/located.ts";
import { suggestion } from "../source/nearest.ts";
import type { Problems } from "../source/problem.ts";
import { short } from "../source/read.ts";
import type { TypeRegistry } from "../step-types/registry.ts";
import { checkUseless } from "./behavior.ts";
import { checkShape, headOf } from "./check-shape.ts";
import { checkKey } from "./check-key.ts";
import { WorkflowContext } from "./context.ts";
import { top } from "./place.ts";
import { block, grouped, node } from "./nodes.ts";
import { compileStep, compileSteps } from "./steps.ts";
import { collectNames } from "./step-names.ts";

/** One workflow of a load. */
export interface WorkflowToCompile {
  readonly raw: Located;
  readonly filled: Located;
  readonly folder: string;
}

export interface CompileParts {
  readonly variables: Variables;
  readonly types: TypeRegistry;
  readonly runner: StepRunner;
  readonly problems: Problems;
  readonly siblings: WorkflowContext["siblings"];
}

export interface CompiledWorkflow {
  /** Absent where there are problems. */
  readonly definition: WorkflowDefinition | undefined;
  readonly preparing: readonly (() => Promise<void>)[];
}

export function fillWorkflow(
  raw: Located,
  folder: string,
  variables: Variables,
  problems: Problems,
): WorkflowToCompile {
  return { raw, filled: fillVariables(raw, variables, problems), folder };
}

/** Makes a definition of a workflow, the same that the builder would make, or reports what is wrong with it. */
export function compileWorkflow({ raw, filled, folder }: WorkflowToCompile, parts: CompileParts): CompiledWorkflow {
  const { problems, variables, types, runner, siblings } = parts;
  const nothing: CompiledWorkflow = { definition: undefined, preparing: [] };
  if (filled.kind !== "map") {
    problems.add("wrong-value", headOf(filled), "expected a workflow: a map with `id`, `version` and `steps`");
    return nothing;
  }
  const workflow = checkShape(workflowSchema, filled, problems);
  for (const key of ["services", "triggers"]) {
    if (!filled.entries.has(key)) continue;
    problems.add(
      "unknown-key",
      keyOf(filled, key),
      `\`${key}\` of a workflow is not there yet, and nothing is skipped in silence`,
      "remove it; an application can start services and workflows itself",
    );
  }
  const names = collectNames(filled, problems);
  const inputs = typesOf(childOf(filled, "inputs"), problems);
  const outputs = typesOf(childOf(filled, "outputs"), problems);
  for (const name of inputs?.keys() ?? []) checkKey(problems, childOf(filled, "inputs") ?? filled, name, name);
  const context: WorkflowContext = new WorkflowContext({
    problems,
    types,
    runner,
    base: {
      variables,
      steps: names.steps,
      optionalInputs: [...(inputs ?? [])].flatMap(([name, type]) => (type.optional ? [name] : [])),
    },
    fields: {
      inputs,
      outputs: new Map<string, DataType | undefined>([
        ...[...names.produced].map((name) => [name, undefined] as const),
        ...(outputs ?? []),
      ]),
      outputsAreOpen: names.open,
    },
    produced: names.produced,
    inputs,
    fallback: workflow?.error_behavior,
    folder,
    siblings,
    steps: (list, place, owner) => compileSteps(context, list, place, owner),
  });
  checkUseless(workflow?.error_behavior, filled, problems);
  const steps = compileSteps(context, childOf(filled, "steps"), top, "");
  const hooks = hooksOf(context, filled);
  if (workflow === undefined || problems.any) return nothing;
  const body = wholeBody(context, steps, hooks, outputs);
  const { id, version, description } = workflow;
  const definition = defineWorkflow({
    id,
    version,
    body,
    ...(description === undefined ? {} : { description }),
    ...(inputs === undefined ? {} : { dataSchema: inputsSchema(inputs) }),
    fingerprint: { source: hashedPart(raw), nodes: kindsOf(body) },
  });
  return { definition, preparing: context.preparing };
}

function typesOf(located: Located | undefined, problems: Problems): ReadonlyMap<string, DataType> | undefined {
  if (located?.kind !== "map") return undefined;
  const types = new Map<string, DataType>();
  for (const [name, { value }] of located.entries) {
    if (value.kind !== "scalar" || typeof value.value !== "string") continue;
    const type = parseDataType(value.value);
    if (type === undefined) {
      problems.add(
        "wrong-value",
        value,
        `there is no type \`${short(value.value)}\`: expected string, number, integer, bool, any, list<T> or map<T>, with \`?\` where it may be missing`,
        suggestion(value.value, typeNames),
      );
    }
    types.set(name, type ?? { kind: "any", optional: true });
  }
  return types;
}

type Hooks = { readonly onFailure?: Block; readonly ensure?: Block };

function hooksOf(context: WorkflowContext, workflow: Located): Hooks {
  const hook = (key: string): Block | undefined => {
    const located = childOf(workflow, key);
    const nodes = located === undefined ? undefined : compileStep(context, located, top);
    return nodes === undefined ? undefined : block(nodes);
  };
  const onFailure = hook("on_failure");
  const ensure = hook("ensure");
  return { ...(onFailure === undefined ? {} : { onFailure }), ...(ensure === undefined ? {} : { ensure }) };
}

function wholeBody(
  context: WorkflowContext,
  steps: Block,
  hooks: Hooks,
  outputs: ReadonlyMap<string, DataType> | undefined,
): Block {
  const nodes: DefinitionNode[] = [...steps.nodes];
  if (outputs !== undefined && outputs.size > 0) nodes.push(outputsNode(context, outputs));
  const guarded = hooks.onFailure !== undefined || hooks.ensure !== undefined;
  return guarded ? block([grouped(context.id("workflow"), nodes, hooks)]) : block(nodes);
}

/** What a workflow declares to give must be there at its end. */
function outputsNode(context: WorkflowContext, outputs: ReadonlyMap<string, DataType>): DefinitionNode {
  const check = (_input: unknown, { data }: { readonly data: Record<string, unknown> }): void => {
    for (const [name, type] of outputs) {
      const found = misfit(Object.hasOwn(data, name) ? data[name] : undefined, type, [name]);
      if (found === undefined) continue;
      throw new WfeError(
        "OUTPUT_MISSING",
        `the workflow's output \`${found.path.join(".")}\` ${found.message}: ${outputAdvice(found, type)}`,
      );
    }
  };
  return node({ kind: "step", id: context.id("outputs"), body: check, isClass: false });
}

function outputAdvice(found: Misfit, type: DataType): string {
  if (found.isMissing) return "a step must set it, or its type end in `?`";
  return `it is declared as \`${describeType(type)}\`; declare the type of what the steps set, or let them set what is declared (\`##wfe[output ...]\` and \`$WFE_OUTPUT\` read \`1\` as a number and \`true\` as a bool)`;
}

/** What the hash is made of: the text's values before variables are filled in, without what is for people. */
function hashedPart(raw: Located): unknown {
  const { name: _name, description: _description, ...rest } = plainOf(raw) as Record<string, unknown>;
  return rest;
}

/** Ids and kinds, nested as they are: should a later version compile a file differently, the hash tells. */
function kindsOf(body: Block): unknown {
  return body.nodes.map((each) => [each.id, each.kind, ...blocksIn(each).map(kindsOf)]);
}

function blocksIn(each: DefinitionNode): readonly Block[] {
  const values = Object.values(each) as unknown[];
  return values.flatMap((value) => {
    if (isBlock(value)) return [value];
    if (value instanceof Map) return [...value.values()].filter(isBlock);
    if (!Array.isArray(value)) return [];
    return value.flatMap((item: unknown) => (isBlock(item) ? [item] : isVertex(item) ? [{ nodes: [item.node] }] : []));
  });
}

function isBlock(value: unknown): value is Block {
  return typeof value === "object" && value !== null && Array.isArray((value as { nodes?: unknown }).nodes);
}

function isVertex(value: unknown): value is { readonly node: DefinitionNode } {
  return typeof value === "object" && value !== null && "node" in value;
}
