import type { StepContext } from "@wfe/core";
import { parseDuration, type Duration } from "@wfe/core";
import type { OutputMap, StepFunction, StepNode } from "@wfe/core/definition";
import { compileTemplate, type Template } from "../expressions/template.ts";
import { compileExpression, type Expression } from "../expressions/expression.ts";
import { findPlaceholders } from "../expressions/placeholders.ts";
import type { OutputKey } from "../schema/modifiers.ts";
import { LeafStep } from "../running/step-runner.ts";
import { isPlaceholder } from "../schema/values.ts";
import {
  at as locatedAt,
  childOf,
  keyOf,
  partOf,
  plainOf,
  type Located,
  type LocatedEntry,
  type LocatedMap,
} from "../source/located.ts";
import { leftBehind } from "../shell/shell-failed-error.ts";
import type { StepPlace, StepType } from "../step-types/step-type.ts";
import { behaviorOf, finalOf } from "./behavior.ts";
import { checkConfig, headOf, type CheckedConfig } from "./check-shape.ts";
import { checkKey } from "./check-key.ts";
import type { WorkflowContext } from "./context.ts";
import { compileInputs } from "./inputs.ts";
import { jsonPathProblem } from "./json-path.ts";
import { patchOf, type StepOutput } from "./outputs.ts";
import type { Place } from "./place.ts";
import type { BodyStep, Core, Step } from "./nodes.ts";

/** A step whose body a registered type runs. */
export function compileBody(
  context: WorkflowContext,
  given: Step,
  located: LocatedMap,
  place: Place,
): Core | undefined {
  const step = given as BodyStep;
  const type = context.types.get(step.type ?? "shell");
  const config = type === undefined ? undefined : configOf(context, step, located);
  if (type === undefined || config === undefined) return undefined;
  const stepPlace: StepPlace = { step: step.name, file: located.source.file, folder: context.folder };
  const inputs = compileInputs(context, step.inputs, childOf(located, "inputs"), place, { secrets: true });
  const names = context.names(place, { secrets: true });
  const template = templateOf(context, type, config, names);
  const programs = programsOf(context, type, config, names);
  checkOutputs(context, step.outputs ?? [], located);
  const checked = checkedConfig(context, type, config, childOf(located, "inputs"));
  // What must wait for the run fits so far as it is known: a type may look at it.
  const value = typeof checked === "object" ? checked.value : plainOf(config);
  if (checked !== "wrong") checkByType(context, type, value, config, stepPlace);
  const wanted = step.timeout ?? (checked === "wrong" ? undefined : type.timeout?.(value));
  const timeout = isPlaceholder(wanted) ? undefined : wanted;
  if (timeout !== wanted) {
    const where = locatedAt(config, ["timeout"]);
    const hint = "use a variable: `${{ var.name }}`";
    context.problems.add("expression", where, "a time-out must be known when the file is loaded", hint);
  }
  const isIgnored = finalOf(behaviorOf(step, located, context.fallback, quiet)) === "ignore";
  const leaf = new LeafStep(context.runner, {
    type,
    place: stepPlace,
    config: template,
    ...(typeof checked === "object" && template.constant && type.config !== undefined ? { checked: value } : {}),
    programs,
    inputs,
    outputs: step.outputs ?? [],
    cache: step.cache,
    cacheKey:
      step.cache?.key === undefined
        ? undefined
        : compileTemplate(locatedAt(located, ["cache", "key"]), context.names(place), context.problems),
    base: context.base,
    at: place,
    isIgnored,
    evaluator: (text) => expressionOf(text, names),
  });
  if (type.prepare !== undefined && checked !== "wrong") context.preparing.push(() => leaf.prepare(value));
  const output: OutputMap = (data, result: StepOutput, at) => patchOf(step.name, place, data, result, at);
  const outputOfFailure: StepNode["outputOfFailure"] = (data, error, at) =>
    patchOf(step.name, place, data, leftBehind(step.name, error), at);
  const run: StepFunction = (_input, ctx: StepContext) => leaf.run(ctx);
  // The engine names the step in its errors, a stack trace names the type.
  Object.defineProperty(run, "name", { value: type.type });
  return {
    kind: "step",
    body: run,
    isClass: false,
    output,
    ...(place.item ? { outputOfItem: true } : {}),
    ...(isIgnored ? { outputOfFailure } : {}),
    ...(step.on_crash === undefined ? {} : { onCrash: step.on_crash }),
    ...(timeout === undefined || step.timeout !== undefined ? {} : { timeoutMs: millisecondsOf(timeout) }),
  };
}

/** What is wrong with what follows a failure is told elsewhere. */
const quiet = { add: () => undefined } as never;

function millisecondsOf(duration: Duration): number {
  return parseDuration(duration);
}

function expressionOf(text: string, names: Parameters<typeof compileExpression>[1]): Expression {
  const made = compileExpression(text, names);
  if ("expression" in made) return made.expression;
  throw new TypeError(made.problems[0]?.message ?? "the expression is wrong");
}

/** The config with `run` of the step in its place. */
function configOf(context: WorkflowContext, step: BodyStep, located: LocatedMap): LocatedMap | undefined {
  const { problems } = context;
  const config = childOf(located, "config");
  const run = located.entries.get("run");
  if (config !== undefined && config.kind !== "map") {
    if (config.kind !== "scalar" || config.value !== null) {
      problems.add("wrong-value", headOf(config), "expected a map of options");
      return undefined;
    }
  }
  const entries = new Map<string, LocatedEntry>(config?.kind === "map" ? config.entries : []);
  if (run !== undefined) {
    if (step.type !== undefined && step.type !== "shell") {
      problems.add(
        "conflict",
        run.key,
        `\`run\` is short for a shell step, and this one is of type \`${step.type}\``,
        "put it into `config`, or leave `type` out",
      );
      return undefined;
    }
    if (entries.has("run")) {
      problems.add("conflict", run.key, "`run` is in `config` as well", "leave one of them out");
      return undefined;
    }
    entries.set("run", run);
  }
  const span = config?.kind === "map" ? config : headOf(located);
  return { kind: "map", source: span.source, start: span.start, end: span.end, entries };
}

/** All of the config but program texts. */
function templateOf(
  context: WorkflowContext,
  type: StepType,
  config: LocatedMap,
  names: ReturnType<WorkflowContext["names"]>,
): Template {
  const programs = type.programs ?? [];
  const rest = new Map([...config.entries].filter(([key]) => !programs.includes(key)));
  const template = compileTemplate({ ...config, entries: rest }, names, context.problems);
  const texts = Object.fromEntries(
    programs.flatMap((key) => {
      const entry = config.entries.get(key);
      return entry === undefined ? [] : [[key, plainOf(entry.value)] as const];
    }),
  );
  if (Object.keys(texts).length === 0) return template;
  return { ...template, evaluate: (scope) => ({ ...(template.evaluate(scope) as object), ...texts }) };
}

/** The expressions within program texts: checked here, evaluated by the type. */
function programsOf(
  context: WorkflowContext,
  type: StepType,
  config: LocatedMap,
  names: ReturnType<WorkflowContext["names"]>,
): readonly Expression[] {
  return (type.programs ?? []).flatMap((key) => {
    const text = config.entries.get(key)?.value;
    if (text?.kind !== "scalar" || typeof text.value !== "string") return [];
    return findPlaceholders(text.value).placeholders.flatMap(({ expression, expressionStart }) => {
      const made = compileExpression(expression, names);
      if ("expression" in made) return [made.expression];
      for (const each of made.problems) {
        const span = partOf(text, expressionStart + each.start, Math.max(1, each.end - each.start));
        context.problems.add("expression", span, each.message, each.hint);
      }
      return [];
    });
  });
}

function checkedConfig(
  context: WorkflowContext,
  type: StepType,
  config: LocatedMap,
  inputs: Located | undefined,
): CheckedConfig {
  const { problems } = context;
  if (type.config !== undefined) {
    const checked = checkConfig(type.config, config, problems);
    // References into the data are known at run time only.
    if (type.input !== undefined && inputs?.kind === "map") checkConfig(type.input, inputs, problems);
    return checked;
  }
  if (type.input === undefined) {
    return { value: plainOf(config) };
  }
  if (inputs?.kind === "list") return "open";
  const merged = new Map([...config.entries, ...(inputs?.kind === "map" ? inputs.entries : [])]);
  return checkConfig(type.input, { ...config, entries: merged }, problems);
}

function checkByType(
  context: WorkflowContext,
  type: StepType,
  value: unknown,
  config: LocatedMap,
  place: StepPlace,
): void {
  if (type.check === undefined) return;
  for (const { path, offset, message, hint } of type.check(value, place)) {
    const where = path.length === 0 ? config : locatedAt(config, path);
    const span = offset !== undefined && where.kind === "scalar" ? partOf(where, offset, 1) : headOf(where);
    context.problems.add("unsafe", span, message, hint);
  }
}

function checkOutputs(context: WorkflowContext, outputs: readonly OutputKey[], located: LocatedMap): void {
  const list = childOf(located, "outputs");
  const seen = new Set<string>();
  for (const [index, { name, path, json_path: query }] of outputs.entries()) {
    const place = list?.kind === "list" ? (list.items[index] ?? located) : located;
    if (seen.has(name)) context.problems.add("duplicate-name", place, `the output \`${name}\` is there twice`);
    seen.add(name);
    checkKey(context.problems, place, "name", name);
    if (path !== undefined && query !== undefined) {
      context.problems.add("conflict", keyOf(place, "json_path"), "an output has `path` or `json_path`, not both");
    }
    const wrong = query === undefined ? undefined : jsonPathProblem(query);
    if (wrong !== undefined) context.problems.add("expression", locatedAt(place, ["json_path"]), wrong);
  }
}
