import type { Block, DefinitionNode, NodeBase, SagaNode } from "@wfe/core/definition";
import { parseDuration, type Duration } from "@wfe/core";
import { body as bodySchema, kinds, type KindName } from "../schema/kinds.ts";
import type { ErrorBehaviorKey, RetryKey } from "../schema/modifiers.ts";
import { childOf, keyOf, type Located, type LocatedMap } from "../source/located.ts";
import { suggestion } from "../source/nearest.ts";
import { short } from "../source/read.ts";
import { behaviorOf, finalOf } from "./behavior.ts";
import { compileBody } from "./bodies.ts";
import { checkMap, headOf } from "./check-shape.ts";
import type { WorkflowContext } from "./context.ts";
import { containers } from "./containers.ts";
import { graphOf } from "./graph.ts";
import { compileMatrix } from "./matrix-step.ts";
import { inMatrix, type Place } from "./place.ts";
import { scopeAt } from "./scope.ts";
import { block, grouped, node, optional, type Core, type Step } from "./nodes.ts";
import { collectNames } from "./step-names.ts";

/** Compiles a list of steps: one after the other, or as a graph where one has `needs`. */
export function compileSteps(context: WorkflowContext, list: Located | undefined, place: Place, owner: string): Block {
  if (list?.kind !== "list") return block([]);
  const compiled = list.items.flatMap((located) => {
    const nodes = compileStep(context, located, place);
    return nodes === undefined ? [] : [{ located, nodes }];
  });
  if (list.items.some((located) => childOf(located, "needs") !== undefined)) {
    return block(graphOf(context, list.items, compiled, owner));
  }
  checkReach(context, compiled);
  return block(compiled.flatMap(({ nodes }) => nodes));
}

/** Compiles one step to the nodes that stand for it, one after the other; undefined where it has problems. */
export function compileStep(
  context: WorkflowContext,
  whole: Located,
  place: Place,
): readonly DefinitionNode[] | undefined {
  const { problems } = context;
  if (whole.kind !== "map") {
    problems.add("wrong-value", headOf(whole), "expected a step: a map with `name`");
    return undefined;
  }
  const kind = kindOf(context, whole);
  if (kind === undefined) return undefined;
  const checked = checkMap(kind === "body" ? bodySchema : kinds[kind], whole, problems);
  const located = checked?.located ?? whole;
  const matrix = childOf(located, "matrix");
  const within = matrix === undefined ? place : matrixPlace(located, matrix, place);
  if (checked === undefined) {
    // The steps within are looked at all the same: all problems are told at once.
    for (const nested of nestedLists(located)) for (const each of nested.items) compileStep(context, each, within);
    return undefined;
  }
  const step = checked.value as Step;
  checkCombinations(context, step, located);
  const core =
    kind === "body" ? compileBody(context, step, located, within) : containers[kind](context, step, located, within);
  if (core === undefined) return undefined;
  const nodes = conditional(context, around(context, core, step, located, within), step, located, within, kind);
  return matrix === undefined ? nodes : [compileMatrix(context, step, matrix, place, within, block(nodes))];
}

function nestedLists(located: Located): { items: readonly Located[] }[] {
  const lists = ["steps", "parallel", "else", "on_timeout"].map((key) => childOf(located, key));
  return lists.flatMap((list) => (list?.kind === "list" ? [list] : []));
}

function matrixPlace(located: Located, matrix: Located, place: Place): Place {
  const names = matrix.kind === "map" ? new Set<string>() : undefined;
  if (matrix.kind === "map" && names !== undefined) {
    for (const [key, { value }] of matrix.entries) {
      if (key !== "include" && key !== "exclude") names.add(key);
      for (const extra of key === "include" && value.kind === "list" ? value.items : []) {
        if (extra.kind === "map") for (const name of extra.entries.keys()) names.add(name);
      }
    }
  }
  const quiet = { add: () => undefined } as never;
  const steps = collectNames(asWorkflow(located), quiet).steps;
  return inMatrix(place, names, steps);
}

/** A step as the only one of a list, to find the names in it. */
function asWorkflow(step: Located): LocatedMap {
  const { source, start, end } = step;
  const list: Located = { kind: "list", source, start, end, items: [step] };
  return { kind: "map", source, start, end, entries: new Map([["steps", { key: step, value: list }]]) };
}

function kindOf(context: WorkflowContext, located: LocatedMap): KindName | "body" | undefined {
  const { problems, types } = context;
  const type = childOf(located, "type");
  const has = (key: string): boolean => located.entries.has(key);
  if (has("parallel")) {
    if (type === undefined && !has("steps")) return "parallel";
    problems.add(
      "conflict",
      keyOf(located, type === undefined ? "steps" : "type"),
      "a step with `parallel` has no `type`, `steps` or `config`",
      "put it into a step of its own",
    );
    return undefined;
  }
  if (type === undefined) {
    if (has("steps")) return "sequence";
    if (has("run") || has("config")) return "body";
    const near = suggestion([...located.entries.keys()].find((key) => !(key in bodySchema.shape)) ?? "", [
      "run",
      "config",
      "parallel",
      "steps",
      "type",
    ]);
    problems.add(
      "missing-key",
      headOf(located),
      "a step needs `run`, `type`, `parallel` or `steps`: expected one of them",
      near?.startsWith("did") === true ? near : undefined,
    );
    return undefined;
  }
  if (type.kind !== "scalar" || typeof type.value !== "string") {
    problems.add("wrong-value", headOf(type), "expected the name of a type");
    return undefined;
  }
  const name = type.value;
  if (name in kinds && name !== "sequence" && name !== "parallel") return name as KindName;
  if (types.get(name) !== undefined) return "body";
  const known = [...Object.keys(kinds).filter((kind) => kind !== "sequence" && kind !== "parallel"), ...types.names()];
  if (isLater(name)) {
    problems.add(
      "unknown-type",
      type,
      `the type \`${name}\` is not there yet: types that run are ${known.map((each) => `\`${each}\``).join(", ")}`,
      "an application can register a type of this name itself",
    );
  } else {
    const words: Readonly<Record<string, string>> = {
      sequence: "leave `type` out: `steps` alone is a sequence",
      parallel: "leave `type` out: `parallel` takes the list of steps",
    };
    problems.add("unknown-type", type, `there is no type \`${short(name)}\``, words[name] ?? suggestion(name, known));
  }
  return undefined;
}

/** Container and toolchain types of later versions of WFE. */
function isLater(type: string): boolean {
  return /^(buildkit|containerd|kubernetes|k8s|git-repo|rust-install|cargo-[\w-]+|rustup-[\w-]+)$/.test(type);
}

function checkCombinations(context: WorkflowContext, step: Step, located: LocatedMap): void {
  for (const key of ["fail_fast", "max_parallel"]) {
    if (step[key] === undefined || step.matrix !== undefined) continue;
    context.problems.add("conflict", keyOf(located, key), `\`${key}\` has no effect without \`matrix\``);
  }
}

function checkReach(
  context: WorkflowContext,
  compiled: readonly { located: Located; nodes: readonly DefinitionNode[] }[],
): void {
  const end = compiled.findIndex(({ nodes }) => nodes.some(({ kind }) => kind === "end" || kind === "fail"));
  for (const { located } of end === -1 ? [] : compiled.slice(end + 1)) {
    const name = childOf(located, "name") ?? located;
    context.problems.add("conflict", name, "this step is never reached: the one before it ends the workflow");
  }
}

const takesEverything: ReadonlySet<string> = new Set(["step", "run-workflow", "saga"]);
const takesNothing: ReadonlySet<string> = new Set(["end", "fail"]);

/** Adds what the modifiers say. What a kind does not take is put on a saga around it. */
function around(
  context: WorkflowContext,
  core: Core,
  step: Step,
  located: LocatedMap,
  place: Place,
): readonly DefinitionNode[] {
  const { name } = step;
  if (takesNothing.has(core.kind)) return [node({ ...core, id: name })];
  const isLeaf = core.kind === "step" || core.kind === "run-workflow" || core.kind === "wait";
  const given = step as { error_behavior?: ErrorBehaviorKey; retry?: RetryKey | number; timeout?: Duration };
  const onError = behaviorOf(given, located, isLeaf ? context.fallback : undefined, context.problems);
  const timeoutMs = given.timeout === undefined ? undefined : parseDuration(given.timeout);
  if (timeoutMs === 0)
    context.problems.add("wrong-value", keyOf(located, "timeout"), "`timeout` must be longer than 0");
  const hook = (key: string): Block | undefined => hookOf(context, located, key, place);
  const onFailure = hook("on_failure");
  const undoes = finalOf(onError) === "compensate" && step.compensate === undefined;
  const failing: Partial<NodeBase> = {
    ...(onError === undefined ? {} : { onError }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...optional("compensation", hook("compensate") ?? (undoes ? onFailure : undefined)),
  };
  const success = hook("on_success");
  const ensure = hook("ensure");
  const hooks: Partial<NodeBase> = {
    ...optional("onFailure", undoes ? undefined : onFailure),
    // Whatever follows a success comes before what always comes last.
    ...optional("ensure", success === undefined ? ensure : undefined),
    ...optional("cancelWhen", cancelOf(context, step, located, place)),
  };
  const main = withModifiers(context, core, name, failing, hooks);
  if (success === undefined) return [main];
  const goesOn = finalOf(onError) === "ignore" || finalOf(onError) === "compensate" || step.cancel_when !== undefined;
  const follow = goesOn ? [afterSuccess(context, name, success)] : success.nodes;
  if (ensure === undefined) return [main, ...follow];
  return [grouped(context.id(`${name}/ensure`), [main, ...follow], { ensure })];
}

function withModifiers(
  context: WorkflowContext,
  core: Core,
  id: string,
  failing: Partial<NodeBase>,
  hooks: Partial<NodeBase>,
): DefinitionNode {
  const wraps = Object.keys(failing).length > 0 && !takesEverything.has(core.kind);
  const waits = core.kind === "wait" && failing.timeoutMs === undefined;
  if (!wraps || waits) return node({ ...core, id, ...failing, ...hooks });
  const saga: Omit<SagaNode, "kind" | "id" | "name"> = { body: block([node({ ...core, id })]), ...failing, ...hooks };
  return node({ kind: "saga", id: context.id(`${id}/saga`), ...saga });
}

/** A step that was ignored or cancelled has no output: that is what the one after it can tell it by. */
function afterSuccess(context: WorkflowContext, name: string, success: Block): DefinitionNode {
  return node({
    kind: "decide",
    id: context.id(`${name}/success`),
    cases: new Map([["undefined", block([])]]),
    otherwise: success,
  });
}

function hookOf(context: WorkflowContext, located: LocatedMap, key: string, place: Place): Block | undefined {
  const hook = childOf(located, key);
  const nodes = hook === undefined ? undefined : compileStep(context, hook, place);
  return nodes === undefined ? undefined : block(nodes);
}

function cancelOf(
  context: WorkflowContext,
  step: Step,
  located: LocatedMap,
  place: Place,
): NodeBase["cancelWhen"] | undefined {
  const given = step.cancel_when as { proceed?: boolean } | undefined;
  const when = childOf(childOf(located, "cancel_when"), "when");
  if (given === undefined || when === undefined) return undefined;
  const condition = context.condition(when, place);
  const { base } = context;
  return Object.freeze({
    condition: (data, at) => condition(scopeAt(base, place, data, at)),
    proceed: given.proceed ?? false,
  });
}

/** The kinds for which `when` says something of their own. */
const ownWhen: ReadonlySet<string> = new Set(["if", "while", "do_while"]);

function conditional(
  context: WorkflowContext,
  nodes: readonly DefinitionNode[],
  step: Step,
  located: LocatedMap,
  place: Place,
  kind: string,
): readonly DefinitionNode[] {
  const when = childOf(located, "when");
  if (when === undefined || ownWhen.has(kind)) return nodes;
  const condition = context.condition(when, place);
  const { base } = context;
  return [
    node({
      kind: "if",
      id: context.id(`${step.name}/when`),
      condition: (data: Record<string, unknown>, at: Parameters<typeof scopeAt>[3]) =>
        condition(scopeAt(base, place, data, at)),
      then: block(nodes),
    }),
  ];
}
