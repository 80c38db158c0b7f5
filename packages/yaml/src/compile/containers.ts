import type { Duration } from "@wfe/core";
import { parseDuration } from "@wfe/core";
import type { Block, Expression, OutputMap, WaitNode } from "@wfe/core/definition";
import type { KindName } from "../schema/kinds.ts";
import type { OutputKey } from "../schema/modifiers.ts";
import { isPlaceholder } from "../schema/values.ts";
import { at as placeAt, childOf, keyOf, type Located, type LocatedMap } from "../source/located.ts";
import { asText } from "../expressions/template.ts";
import { checkKey } from "./check-key.ts";
import { headOf } from "./check-shape.ts";
import { compileChild } from "./child.ts";
import type { WorkflowContext } from "./context.ts";
import { lookUp, patchOf, type StepOutput } from "./outputs.ts";
import { inForEach, wrapItems, type Place } from "./place.ts";
import { scopeAt } from "./scope.ts";
import { optional, type Core, type Step } from "./nodes.ts";

type Compile = (context: WorkflowContext, step: Step, located: LocatedMap, place: Place) => Core | undefined;

/** Every kind of step that has no body of its own. */
export const containers: Readonly<Record<KindName, Compile>> = {
  sequence: (context, step, located, place) => ({
    kind: "if",
    condition: () => true,
    then: context.steps(childOf(located, "steps"), place, step.name),
  }),
  parallel(context, step, located, place) {
    const list = childOf(located, "parallel");
    const branches = list?.kind === "list" ? list.items : [];
    for (const branch of branches) {
      const needs = childOf(branch, "needs");
      if (needs !== undefined) {
        context.problems.add(
          "conflict",
          keyOf(branch, "needs"),
          "branches of `parallel` start together: `needs` has no place here",
          "use `steps` with `needs` instead of `parallel`",
        );
      }
    }
    return {
      kind: "parallel",
      branches: branches.map((branch) => context.steps(single(branch), place, step.name)),
      onBranchFailure: "cancel",
    };
  },
  if: (context, step, located, place) => ({
    kind: "if",
    condition: conditionOf(context, located, place),
    then: context.steps(childOf(located, "steps"), place, step.name),
    ...optional(
      "otherwise",
      step.else === undefined ? undefined : context.steps(childOf(located, "else"), place, `${step.name}/else`),
    ),
  }),
  while: (context, step, located, place) => loop("while", context, step, located, place),
  do_while: (context, step, located, place) => loop("do-while", context, step, located, place),
  saga: (context, step, located, place) => ({
    kind: "saga",
    body: context.steps(childOf(located, "steps"), place, step.name),
  }),
  for_each: forEach,
  decide,
  wait_for: (context, step, located, place) => {
    const config = configOf(step);
    const event = {
      label: "",
      name: config.event as string,
      key: keyValue(context, located, ["config", "key"], place),
    };
    return wait("one", [event], context, step, located, place);
  },
  wait_for_any: (context, step, located, place) =>
    wait("any", labelled(context, located, place), context, step, located, place),
  wait_for_all: (context, step, located, place) =>
    wait("all", labelled(context, located, place), context, step, located, place),
  delay: (context, step, located, place) => ({
    kind: "delay",
    duration: durationOf(context, located, ["config", "duration"], place),
  }),
  sleep_until: (context, step, located, place) => ({ kind: "sleep-until", date: dateOf(context, located, place) }),
  end: () => ({ kind: "end" }),
  fail: (context, step, located, place) => {
    const message = context.template(placeAt(located, ["config", "message"]), place);
    const { base } = context;
    if (message.constant) return { kind: "fail", message: asText(message.evaluate({})) };
    const text: Expression<string> = (data, at) => asText(message.evaluate(scopeAt(base, place, data, at)));
    return { kind: "fail", message: text };
  },
  workflow: compileChild,
};

function single(step: Located): Located {
  const { source, start, end } = step;
  return { kind: "list", source, start, end, items: [step] };
}

function configOf(step: Step): Readonly<Record<string, unknown>> {
  return step.config as Readonly<Record<string, unknown>>;
}

function conditionOf(context: WorkflowContext, located: LocatedMap, place: Place): Expression<boolean> {
  const when = childOf(located, "when");
  if (when === undefined) {
    context.problems.add("missing-key", headOf(located), "`when` is missing: expected a condition");
    return () => false;
  }
  const condition = context.condition(when, place);
  const { base } = context;
  return (data, at) => condition(scopeAt(base, place, data, at));
}

function loop(
  kind: "while" | "do-while",
  context: WorkflowContext,
  step: Step,
  located: LocatedMap,
  place: Place,
): Core {
  return {
    kind,
    condition: conditionOf(context, located, place),
    body: context.steps(childOf(located, "steps"), place, step.name),
  };
}

function forEach(context: WorkflowContext, step: Step, located: LocatedMap, place: Place): Core {
  const items = childOf(located, "items") ?? located;
  if (typeof step.items === "string" && !isPlaceholder(step.items)) {
    context.problems.add(
      "wrong-value",
      items,
      "expected a list, or `${{ }}` that comes to one",
      `write \`\${{ ${step.items.replace(/^\./, "")} }}\``,
    );
  }
  const template = context.template(items, place);
  const { base } = context;
  const as = step.as as string | undefined;
  checkKey(context.problems, located, "as", as);
  const output: OutputMap = (_data, results: readonly unknown[]) => ({ [as ?? ""]: results.map(outputsOf) });
  return {
    kind: "for-each",
    items: ((data, at) =>
      wrapItems(place, at, listOf(template.evaluate(scopeAt(base, place, data, at))))) satisfies Expression<
      Iterable<unknown>
    >,
    body: context.steps(childOf(located, "steps"), inForEach(place), step.name),
    concurrency: step.concurrency ?? 16,
    ...(as === undefined ? {} : { output, ...(place.item ? { outputOfItem: true } : {}) }),
    onBranchFailure: "cancel",
  };
}

function listOf(value: unknown): Iterable<unknown> {
  if (Array.isArray(value) || value instanceof Set) return value as Iterable<unknown>;
  if (value instanceof Map) return Array.from(value, ([key, item]) => ({ key, value: item }));
  throw new TypeError(`\`items\` must come to a list, got ${value === null ? "null" : typeof value}`);
}

/** Of a step's result, what it set; of anything else, itself. */
function outputsOf(result: unknown): unknown {
  const isStep =
    typeof result === "object" &&
    result !== null &&
    Object.hasOwn(result, "outputs") &&
    Object.keys(result).every((key) => ["outputs", "data", "cached"].includes(key));
  return isStep ? (result as StepOutput).outputs : result;
}

function decide(context: WorkflowContext, step: Step, located: LocatedMap, place: Place): Core {
  const value = childOf(located, "value") ?? located;
  const template = context.template(value, place);
  if (template.constant)
    context.problems.add("wrong-value", value, "expected `${{ }}`: a fixed value always takes the same case");
  const { base } = context;
  const cases = childOf(located, "cases");
  const blocks = new Map(
    [...(cases?.kind === "map" ? cases.entries : [])].map(([text, { value: steps }]) => [
      text,
      context.steps(steps, place, `${step.name}/${text}`),
    ]),
  );
  if (blocks.size === 0)
    context.problems.add(
      "missing-key",
      headOf(cases ?? located),
      "`cases` is empty: expected values with lists of steps",
    );
  const otherwise = blocks.get("default");
  blocks.delete("default");
  return {
    kind: "decide",
    value: ((data, at) => asText(template.evaluate(scopeAt(base, place, data, at)))) satisfies Expression,
    cases: blocks,
    ...optional("otherwise", otherwise),
  };
}

function labelled(context: WorkflowContext, located: LocatedMap, place: Place): WaitNode["events"] {
  const events = placeAt(located, ["config", "events"]);
  if (events.kind !== "map") return [];
  if (events.entries.size === 0) context.problems.add("wrong-value", events, "expected at least one event to wait for");
  return [...events.entries].map(([label, { value }]) => {
    const name = childOf(value, "event");
    return {
      label,
      name: name?.kind === "scalar" ? String(name.value) : "",
      key: keyValue(context, located, ["config", "events", label, "key"], place),
    };
  });
}

function keyValue(
  context: WorkflowContext,
  located: Located,
  path: readonly string[],
  place: Place,
): string | Expression<string> {
  const template = context.template(placeAt(located, path), place);
  const { base } = context;
  if (template.constant) return asText(template.evaluate({}));
  return (data, at) => asText(template.evaluate(scopeAt(base, place, data, at)));
}

function wait(
  mode: WaitNode["mode"],
  events: WaitNode["events"],
  context: WorkflowContext,
  step: Step,
  located: LocatedMap,
  place: Place,
): Core {
  const config = configOf(step);
  if (step.on_timeout !== undefined && config.timeout === undefined) {
    context.problems.add(
      "conflict",
      keyOf(located, "on_timeout"),
      "`on_timeout` has no effect without `timeout` in `config`",
    );
  }
  const steps = (path: readonly string[], name: string): Block =>
    context.steps(placeAt(located, path), place, `${step.name}/${name}`);
  const outputs = (step.outputs as readonly OutputKey[] | undefined) ?? [];
  const output: OutputMap = (data, payload, at) =>
    patchOf(step.name, place, data, waitOutput(mode, step.name, outputs, payload), at);
  return {
    kind: "wait",
    mode,
    events: Object.freeze(events.map((event) => Object.freeze(event))),
    ...(config.timeout === undefined ? {} : { timeout: durationOf(context, located, ["config", "timeout"], place) }),
    ...(step.on_timeout === undefined ? {} : { onTimeout: steps(["on_timeout"], "on_timeout") }),
    ...(config.remind === undefined
      ? {}
      : {
          remind: Object.freeze({
            every: durationOf(context, located, ["config", "remind", "every"], place),
            do: steps(["config", "remind", "do"], "remind"),
          }),
        }),
    asOf: asOf(context, located, config.as_of),
    output,
    ...(place.item ? { outputOfItem: true } : {}),
  };
}

/**
 * A declared output is a value of the payload by its `path`, else by its name, else the payload. Besides, the whole is there as
 * `steps.<step>.outputs.payload` (of several events: `which` and `payload`, or each under its name).
 */
function waitOutput(mode: WaitNode["mode"], step: string, declared: readonly OutputKey[], got: unknown): StepOutput {
  const isRecord = typeof got === "object" && got !== null && !Array.isArray(got);
  const own = mode === "one" || !isRecord ? { payload: got ?? null } : (got as Record<string, unknown>);
  const data = Object.fromEntries(Object.entries(own).map(([name, value]) => [`${step}.${name}`, value]));
  if (declared.length === 0) return { outputs: {}, data };
  const source = mode === "any" ? own.payload : got;
  const outputs = declared.map(({ name, path }) => {
    const value = lookUp(source, path ?? name);
    return [
      name,
      value ??
        (path === undefined && name in own
          ? own[name]
          : path === undefined && value === undefined
            ? (source ?? null)
            : null),
    ] as const;
  });
  return { outputs: Object.fromEntries(outputs), data };
}

function asOf(context: WorkflowContext, located: Located, given: unknown): WaitNode["asOf"] {
  if (given === undefined) return "start";
  if (given === "start" || given === "now" || given === "beginning") return given;
  const date = new Date(asText(given));
  if (Number.isNaN(date.getTime())) {
    context.problems.add(
      "wrong-value",
      placeAt(located, ["config", "as_of"]),
      "expected `start`, `now`, `beginning` or a date such as 2030-01-31T12:00:00Z",
    );
  }
  return date;
}

function durationOf(
  context: WorkflowContext,
  located: Located,
  path: readonly string[],
  place: Place,
): number | Expression<Duration> {
  const template = context.template(placeAt(located, path), place);
  if (template.constant) {
    const value = template.evaluate({});
    const ms = isPlaceholder(value) ? 0 : parseDuration(value as Duration);
    if (path.at(-1) === "every" && ms === 0)
      context.problems.add("wrong-value", placeAt(located, path), "`every` must be longer than 0");
    return ms;
  }
  const { base } = context;
  return (data, at) => template.evaluate(scopeAt(base, place, data, at)) as Duration;
}

function dateOf(context: WorkflowContext, located: Located, place: Place): Date | Expression<Date | number> {
  const where = placeAt(located, ["config", "date"]);
  const template = context.template(where, place);
  const { base } = context;
  if (!template.constant) return (data, at) => toDate(template.evaluate(scopeAt(base, place, data, at)));
  const date = toDate(template.evaluate({}));
  if (Number.isNaN(date.getTime()))
    context.problems.add(
      "wrong-value",
      where,
      "expected a date such as 2030-01-31T12:00:00Z, or milliseconds since 1970",
    );
  return date;
}

function toDate(value: unknown): Date {
  return value instanceof Date ? value : new Date(typeof value === "number" ? value : String(value));
}
