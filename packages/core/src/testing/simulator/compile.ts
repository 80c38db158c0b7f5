import { defineWorkflow } from "../../definition/define-workflow.ts";
import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { ErrorBehavior } from "../../definition/error-behavior.ts";
import type { Block, DefinitionNode, NodeBase, WaitNode } from "../../definition/nodes.ts";
import type { StepContext } from "../../definition/step-context.ts";
import { transactionalStep } from "../../definition/transactional.ts";
import type { Script, Sketch, WaitSketch } from "./sketch.ts";

export interface CompileOptions {
  readonly id: string;
  readonly version?: number;
  /** Whether a node is left out. */
  readonly without: (n: number) => boolean;
  /** Runs a body. */
  readonly body: (script: Script, input: unknown, ctx: StepContext) => unknown;
  /** What the dates of `sleep-until` count from. */
  readonly startMs: number;
}

/** The definition of which `run-workflow` makes children. */
export const innerId = "inner";

/** Makes a definition of a sketch. */
export function compile(sketch: readonly Sketch[], options: CompileOptions): WorkflowDefinition {
  return defineWorkflow({ id: options.id, version: options.version ?? 1, body: block(sketch, options) });
}

function block(sketches: readonly Sketch[], options: CompileOptions, before: readonly DefinitionNode[] = []): Block {
  const kept = sketches.filter(({ n }) => !options.without(n));
  return { nodes: [...before, ...kept.map((sketch) => node(sketch, options))] };
}

function node(sketch: Sketch, options: CompileOptions): DefinitionNode {
  const id = idOf(sketch);
  const base = modifiers(id, sketch, options);
  const blocks = sketch.blocks.map((each) => block(each, options));
  const { count, concurrency } = sketch;
  const first = blocks[0] ?? { nodes: [] };
  const failure = { onBranchFailure: sketch.mode };
  switch (sketch.kind) {
    case "step":
      return step(id, base, sketch, options);
    case "if": {
      const [, otherwise] = blocks;
      const condition = (data: any): boolean => ((data.count ?? 0) + count) % 2 === 0;
      return { ...base, kind: "if", condition, then: first, ...(otherwise === undefined ? {} : { otherwise }) };
    }
    case "decide": {
      const cases = new Map(blocks.map((each, index) => [String(index), each]));
      const value = (data: any): number => ((data.count ?? 0) + count) % 3;
      return { ...base, kind: "decide", cases, ...(count % 2 === 0 ? { value } : {}) };
    }
    case "while":
    case "do-while": {
      const counter = `n${sketch.n}`;
      const tick: DefinitionNode = {
        kind: "step",
        id: `${id}-count`,
        name: `${id}-count`,
        as: counter,
        isClass: false,
        body: (_: unknown, ctx: StepContext) => Number(ctx.data[counter] ?? 0) + 1,
      };
      const condition = (data: any): boolean => (data[counter] ?? 0) < count;
      return { ...base, kind: sketch.kind, condition, body: block(sketch.blocks[0] ?? [], options, [tick]) };
    }
    case "for-each": {
      const items = (): number[] => Array.from({ length: count + 1 }, (_, index) => index);
      return { ...base, kind: "for-each", items, body: first, concurrency, ...failure };
    }
    case "parallel":
      return { ...base, kind: "parallel", branches: blocks, ...failure };
    case "graph":
      return { ...base, kind: "graph", vertices: vertices(sketch, blocks), concurrency, ...failure };
    case "saga":
      return { ...base, kind: "saga", body: first };
    case "wait":
      return wait(base, sketch.wait as WaitSketch, options);
    case "delay":
      return { ...base, kind: "delay", duration: count };
    case "sleep-until":
      return { ...base, kind: "sleep-until", date: new Date(options.startMs + count) };
    case "run-workflow":
      return { ...base, kind: "run-workflow", definitionId: innerId, input: (data: any) => ({ key: data.key }) };
    case "end":
      return { ...base, kind: "end" };
    case "fail":
      return { ...base, kind: "fail", message: `${id} says no` };
  }
}

function step(
  id: string,
  base: NodeBase,
  { n, script, transactional }: Sketch,
  options: CompileOptions,
): DefinitionNode {
  if (script === undefined) throw new TypeError(`${id} has no script`);
  const body = (input: unknown, ctx: StepContext): unknown => options.body(script, input, ctx);
  if (transactional === true) Object.assign(body, { [transactionalStep]: true });
  return { ...base, ...(maps(n) ? { input: (data: any) => ({ ...data }) } : {}), kind: "step", isClass: false, body };
}

/** Some steps are given the data as it was when they were scheduled, whatever comes of it beside them. */
function maps(n: number): boolean {
  return n % 3 === 2;
}

/** The ids of the transactional steps in it. */
export function transactionalIds(sketches: readonly Sketch[]): string[] {
  return sketches.flatMap((sketch) => [
    ...(sketch.transactional === true ? [idOf(sketch)] : []),
    ...blocksOf(sketch).flatMap(transactionalIds),
  ]);
}

/** What is inside of a node, hooks and all. */
export function blocksOf(sketch: Sketch): readonly (readonly Sketch[])[] {
  const { blocks, compensation = [], onFailure = [], ensure = [], wait } = sketch;
  return [...blocks, compensation, onFailure, ensure, wait?.onTimeout ?? []];
}

function idOf({ kind, n }: Sketch): string {
  return `${kind}${n}`;
}

function vertices(
  { needs }: Sketch,
  blocks: readonly Block[],
): { readonly node: DefinitionNode; readonly needs: readonly string[] }[] {
  const made: { node: DefinitionNode; needs: readonly string[] }[] = [];
  for (const [index, { nodes }] of blocks.entries()) {
    const [vertex] = nodes;
    if (vertex === undefined) continue;
    const mask = needs[index] ?? 0;
    const needed = made.filter((_, before) => (mask & (1 << before)) !== 0).map((each) => each.node.id);
    made.push({ node: { ...vertex, as: vertex.id }, needs: needed });
  }
  return made;
}

function wait(base: NodeBase, sketch: WaitSketch, options: CompileOptions): WaitNode {
  const { mode, names, asOf, timeoutMs, onTimeout, remindMs } = sketch;
  return {
    ...base,
    kind: "wait",
    mode,
    events: names.map((name, index) => ({
      label: mode === "one" ? "" : `l${index}`,
      name,
      key: sketch.shared ? "all" : (data: any) => String(data.key),
    })),
    asOf,
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    ...hook("onTimeout", onTimeout, options),
    ...(remindMs === undefined ? {} : { remind: { every: remindMs, do: { nodes: [reminder(base.id)] } } }),
  };
}

function reminder(waitId: string): DefinitionNode {
  return { kind: "step", id: `${waitId}-remind`, name: "remind", isClass: false, body: () => undefined };
}

/** Absent also where all of its nodes are left out. */
function hook<Name extends "compensation" | "onFailure" | "ensure" | "onTimeout">(
  name: Name,
  hooked: readonly Sketch[] | undefined,
  options: CompileOptions,
): { readonly [Key in Name]?: Block } {
  const made = block(hooked ?? [], options);
  return (made.nodes.length === 0 ? {} : { [name]: made }) as { readonly [Key in Name]?: Block };
}

function modifiers(id: string, sketch: Sketch, options: CompileOptions): NodeBase {
  const { as, counts, onError, timeoutMs, onCrash, cancelWhen } = sketch;
  return {
    id,
    name: id,
    ...(counts === true
      ? { output: (data: any) => ({ count: (data.count ?? 0) + 1 }) }
      : as === undefined
        ? {}
        : { as }),
    ...(onError === undefined ? {} : { onError: behavior(onError) }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(onCrash === undefined ? {} : { onCrash }),
    ...hook("compensation", sketch.compensation, options),
    ...hook("onFailure", sketch.onFailure, options),
    ...hook("ensure", sketch.ensure, options),
    ...(cancelWhen === undefined
      ? {}
      : { cancelWhen: { condition: (data: any) => (data.count ?? 0) >= 3, proceed: cancelWhen.proceed } }),
  };
}

function behavior(onError: NonNullable<Sketch["onError"]>): ErrorBehavior {
  if (typeof onError === "string") return onError;
  return {
    kind: "retry",
    intervalMs: 120,
    maxRetries: onError.max,
    backoff: 2,
    maxIntervalMs: 2_000,
    jitter: true,
    then: onError.then,
  };
}
