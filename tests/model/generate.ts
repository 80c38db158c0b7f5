import fc from "fast-check";
import { indexDefinition } from "../../packages/core/src/definition/index-definition.ts";
import type { WorkflowDefinition } from "../../packages/core/src/definition/definition.ts";
import type { ErrorBehavior, FinalBehavior } from "../../packages/core/src/definition/error-behavior.ts";
import type { At } from "../../packages/core/src/definition/step-context.ts";
import type { Block, DefinitionNode, NodeBase } from "../../packages/core/src/definition/nodes.ts";
import { ExpressionThrown, type Answer, type ChildAnswer } from "./world.ts";

/**
 * Random definitions. What fast-check makes and shrinks is a `Sketch`, plain JSON that a failing test prints; `compile` makes the
 * nodes of it, with ids in the order of the text, and the script of what its bodies and children will answer.
 */
export interface Sketch {
  readonly kind: DefinitionNode["kind"];
  readonly blocks?: readonly (readonly Sketch[])[];
  readonly timeoutMs?: number;
  readonly mods?: Mods;
  readonly script?: Script;
  readonly n?: number;
  readonly mode?: "cancel" | "wait";
  readonly key?: string;
  readonly needs?: readonly number[];
  readonly wait?: WaitSketch;
}

export interface Mods {
  readonly as?: string;
  readonly output?: string;
  /** Its functions throw while `a` is odd. */
  readonly throws?: boolean;
  readonly input?: boolean;
  readonly onError?: FinalBehavior | { readonly max: number; readonly then: FinalBehavior; readonly jitter: boolean };
  readonly compensation?: readonly Sketch[];
  readonly onFailure?: readonly Sketch[];
  readonly ensure?: readonly Sketch[];
  readonly onCrash?: "retry" | "fail" | "suspend";
  readonly cancelWhen?: { readonly key: string; readonly least: number; readonly proceed: boolean };
}

export interface WaitSketch {
  readonly mode: "one" | "any" | "all";
  readonly names: readonly string[];
  readonly timeoutMs?: number;
  readonly onTimeout?: readonly Sketch[];
  readonly remind?: readonly Sketch[];
  readonly asOf: "start" | "now" | "beginning" | number;
}

/** What an execution answers, call by call; then plain values. `only`: just the executions with that index. */
export interface Script {
  readonly answers: readonly Answer[];
  readonly children?: readonly ChildAnswer[];
  readonly only?: number;
}

export interface Program {
  readonly definition: WorkflowDefinition;
  /** By step id. A loop's counter answers with its data. */
  readonly scripts: ReadonlyMap<string, Script & { readonly counter?: string }>;
}

export const startAt = 1_000_000;
const keys = ["a", "b", "c"];
const names = ["e", "f"];
const mostNodes = 25;

const key = fc.constantFrom(...keys);
const small = fc.nat(3);
const final = fc.constantFrom<FinalBehavior>("fail", "ignore", "compensate", "suspend", "terminate");

/** One time in so many plus one. */
function rarely<T>(value: fc.Arbitrary<T>, otherwise = 6): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: otherwise, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
}

/** A record without the keys that are undefined. */
function some<T extends object>(model: { [K in keyof T]-?: fc.Arbitrary<T[K] | undefined> }): fc.Arbitrary<T> {
  return fc
    .record(model as Record<string, fc.Arbitrary<unknown>>)
    .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as T);
}

const answer: fc.Arbitrary<Answer> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("throw" as const), message: fc.constantFrom("boom", "odd", "mad") }),
  },
  { weight: 1, arbitrary: fc.constant<Answer>({ kind: "throw", message: "fatal boom", fatal: true }) },
  { weight: 1, arbitrary: fc.constant<Answer>({ kind: "throw", message: "slow", stillRuns: true }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("persist" as const), data: small }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("sleep" as const),
      ms: fc.constantFrom(0, 500, 5000),
      data: rarely(small, 1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("wait-for-event" as const),
      name: fc.constantFrom(...names),
      key: fc.constant("k"),
      data: rarely(small, 1),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("value" as const), value: small }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("outcome" as const), value: fc.constantFrom("0", "1", "x") }) },
);

const childAnswer: fc.Arbitrary<ChildAnswer> = fc.oneof(
  fc.record({ status: fc.constant("completed" as const), data: small.map((n) => ({ n })) }),
  fc.constant<ChildAnswer>({ status: "failed", message: "child boom" }),
  fc.constant<ChildAnswer>({ status: "terminated" }),
);

const script: fc.Arbitrary<Script> = some<Script>({
  answers: fc.oneof(fc.constant([]), fc.array(answer, { maxLength: 3 })),
  children: fc.array(childAnswer, { maxLength: 2 }),
  only: rarely(fc.nat(2), 1) as fc.Arbitrary<number>,
});

const onError = fc.oneof(final, fc.record({ max: fc.integer({ min: 1, max: 2 }), then: final, jitter: fc.boolean() }));
const cancelWhen = fc.record({ key, least: fc.constantFrom(2, 3), proceed: fc.boolean() });

/** Blocks hang a level deeper than what they hang on; at the deepest there are plain steps only. */
function block(depth: number, place: "body" | "hook" | "undo"): fc.Arbitrary<readonly Sketch[]> {
  return fc.array(sketch(depth, place), { minLength: 1, maxLength: place === "body" ? 3 : 2, size: "max" });
}

const remembered = new Map<string, fc.Arbitrary<Sketch>>();
function sketch(depth: number, place: "body" | "hook" | "undo"): fc.Arbitrary<Sketch> {
  const name = `${depth} ${place}`;
  let arbitrary = remembered.get(name);
  if (arbitrary === undefined) remembered.set(name, (arbitrary = makeSketch(depth, place)));
  return arbitrary;
}

function makeSketch(depth: number, place: "body" | "hook" | "undo"): fc.Arbitrary<Sketch> {
  const deeper = depth - 1;
  const hooked = depth > 2 ? 1 : 0;
  const hooks = {
    onFailure: depth > 0 ? rarely(block(hooked, "hook")) : fc.constant(undefined),
    ensure: depth > 0 ? rarely(block(hooked, "hook")) : fc.constant(undefined),
    cancelWhen: rarely(cancelWhen, 7),
  };
  const compensation = depth > 0 && place !== "undo" ? rarely(block(hooked, "undo"), 1) : fc.constant(undefined);
  const full = { ...hooks, as: rarely(key, 1), onError: rarely(onError, 1), compensation };
  const stepMods = some<Mods>({
    ...full,
    output: rarely(key, 4),
    throws: rarely(fc.constant(true), 12),
    input: rarely(fc.constant(true), 4),
    onCrash: rarely(fc.constantFrom("fail" as const, "suspend" as const), 9),
  });
  const containerMods = some<Mods>({
    ...hooks,
    as: fc.constant(undefined),
    output: fc.constant(undefined),
    throws: rarely(fc.constant(true), 12),
    input: fc.constant(undefined),
    onError: fc.constant(undefined),
    compensation: fc.constant(undefined),
    onCrash: fc.constant(undefined),
  });
  const plainMods = (more: Partial<Record<keyof Mods, fc.Arbitrary<any>>>): fc.Arbitrary<Mods> =>
    some<Mods>({
      as: fc.constant(undefined),
      output: fc.constant(undefined),
      throws: rarely(fc.constant(true), 12),
      input: fc.constant(undefined),
      onError: fc.constant(undefined),
      compensation: fc.constant(undefined),
      onCrash: fc.constant(undefined),
      ...hooks,
      ...more,
    });
  const step = fc.record({ kind: fc.constant("step" as const), mods: stepMods, script });
  const timer = fc.record({
    kind: fc.constantFrom("delay" as const, "sleep-until" as const),
    n: fc.constantFrom(0, 300, 1000, 1000, 60_000),
    mods: containerMods,
  });
  const wait = fc.record({
    kind: fc.constant("wait" as const),
    mods: plainMods({ as: full.as, onError: full.onError, compensation, output: rarely(key, 6) }),
    wait: some<WaitSketch>({
      mode: fc.constantFrom("one", "any", "all"),
      names: fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 2 }),
      timeoutMs: rarely(fc.constantFrom(500, 1000, 60_000), 1) as fc.Arbitrary<number>,
      onTimeout: depth > 0 ? rarely(block(0, place), 1) : fc.constant(undefined),
      remind: rarely(
        fc.tuple(fc.record({ kind: fc.constant("step" as const), mods: fc.constant({}), script })),
        5,
      ) as never,
      asOf: fc.constantFrom<WaitSketch["asOf"]>("start", "now", "beginning", startAt - 5, startAt + 900),
    }),
  });
  const timeoutMs = rarely(fc.constantFrom(500, 1000, 60_000), 2) as fc.Arbitrary<number>;
  const child = fc.record({
    kind: fc.constant("run-workflow" as const),
    timeoutMs,
    script,
    mods: plainMods({ as: full.as, onError: full.onError, compensation, input: rarely(fc.constant(true)) }),
  });
  const ends = fc.record({ kind: fc.constantFrom("end" as const, "fail" as const), mods: fc.constant({}) });
  const leaves: fc.WeightedArbitrary<Sketch>[] = [
    { weight: 30, arbitrary: step },
    { weight: 5, arbitrary: timer },
    { weight: 5, arbitrary: wait },
    { weight: 4, arbitrary: child },
    { weight: place === "body" ? 1 : 2, arbitrary: ends },
  ];
  if (depth <= 0) return fc.oneof(...leaves);
  const body = block(deeper, place);
  const decide = fc.record({
    kind: fc.constant("decide" as const),
    key: rarely(key, 1),
    blocks: fc.array(body, { minLength: 1, maxLength: 3 }),
    n: fc.nat(1),
    mods: containerMods,
  });
  const branching = fc.record({
    kind: fc.constant("if" as const),
    key,
    n: fc.nat(1),
    blocks: fc.array(body, { minLength: 1, maxLength: 2 }),
    mods: containerMods,
  });
  const loop = fc.record({
    kind: fc.constantFrom("while" as const, "do-while" as const),
    n: fc.constantFrom(2, 1, 3),
    blocks: fc.tuple(body),
    mods: containerMods,
  });
  const mode = fc.constantFrom("cancel" as const, "wait" as const);
  const forEach = fc.record({
    kind: fc.constant("for-each" as const),
    n: fc.nat(3),
    key: fc.constantFrom("1", "2", "16"),
    mode,
    blocks: fc.tuple(body),
    mods: plainMods({ as: rarely(key, 1) }),
  });
  const parallel = fc.record({
    kind: fc.constant("parallel" as const),
    mode,
    blocks: fc.array(body, { minLength: 1, maxLength: 3 }),
    mods: containerMods,
  });
  const graph = fc.record({
    kind: fc.constant("graph" as const),
    mode,
    key: fc.constantFrom("1", "2", "16"),
    blocks: fc.array(fc.tuple(step), { minLength: 1, maxLength: 4 }),
    needs: fc.array(fc.nat(7), { maxLength: 4 }),
    mods: containerMods,
  });
  const saga = fc.record({
    kind: fc.constant("saga" as const),
    timeoutMs,
    blocks: fc.tuple(body),
    mods: plainMods({ as: full.as, onError: full.onError, compensation }),
  });
  return fc.oneof(
    ...leaves,
    { weight: 6, arbitrary: decide as fc.Arbitrary<Sketch> },
    { weight: 6, arbitrary: branching },
    { weight: 8, arbitrary: loop },
    { weight: 9, arbitrary: forEach },
    { weight: 12, arbitrary: parallel },
    { weight: 6, arbitrary: graph },
    { weight: 14, arbitrary: saga },
  );
}

export const sketches: fc.Arbitrary<readonly Sketch[]> = fc.array(sketch(3, "body"), {
  minLength: 1,
  maxLength: 4,
  size: "max",
});

export function compile(sketch: readonly Sketch[]): Program {
  const scripts = new Map<string, Script & { counter?: string }>();
  let count = 0;
  const number = (data: any, name: string): number => Number(data[name] ?? 0) || 0;

  /** A function of the definition that may throw. */
  function may<T extends readonly any[], R>(one: Sketch, id: string, fn: (...args: T) => R): (...args: T) => R {
    if (one.mods?.throws !== true) return fn;
    return (...args) => {
      if (number(args[0], "a") % 2 === 1) throw new ExpressionThrown(`${id} cannot tell`);
      return fn(...args);
    };
  }

  /** What is beyond the limit of nodes is left out. */
  function block(nodes: readonly Sketch[], before: readonly DefinitionNode[] = []): Block {
    const kept = [...before];
    for (const one of nodes) if (count < mostNodes) kept.push(node(one));
    return { nodes: kept };
  }

  function node(one: Sketch, vertex = false): DefinitionNode {
    const id = `${one.kind}${count++}`;
    const base = modifiers(id, one, vertex);
    const blocks = one.blocks ?? [];
    const [first = [], second] = blocks;
    if (one.script !== undefined) scripts.set(id, one.script);
    switch (one.kind) {
      case "step":
        return {
          ...base,
          kind: "step",
          body: () => undefined,
          isClass: false,
          ...(one.mods?.input === true
            ? { input: may(one, id, (data: any, at: At) => ({ a: data.a, item: at.item, index: at.index })) }
            : {}),
        };
      case "if":
        return {
          ...base,
          kind: "if",
          condition: may(one, id, (data: any) => number(data, one.key ?? "a") % 2 === one.n),
          then: block(first),
          ...(second === undefined ? {} : { otherwise: block(second) }),
        };
      case "decide": {
        const { key } = one;
        const cases = new Map(blocks.map((nodes, index) => [["0", "1", "x"][index] ?? "", block(nodes)] as const));
        const otherwise = one.n === 1 ? cases.get("0") : undefined;
        if (otherwise !== undefined) cases.delete("0");
        return {
          ...base,
          kind: "decide",
          cases,
          ...(key === undefined ? {} : { value: may(one, id, (data: any) => number(data, key) % 3) }),
          ...(otherwise === undefined ? {} : { otherwise }),
        };
      }
      case "while":
      case "do-while": {
        const counter = `n_${id}`;
        const tick = `tick${count++}`;
        scripts.set(tick, { answers: [], counter });
        const times = one.n ?? 1;
        return {
          ...base,
          kind: one.kind,
          condition: may(one, id, (data: any, at: At) =>
            one.kind === "while"
              ? number(data, counter) < times && at.index < times
              : number(data, counter) % times !== 0 && at.index < 2,
          ),
          body: block(first, [
            { kind: "step", id: tick, name: tick, as: counter, body: () => undefined, isClass: false },
          ]),
        };
      }
      case "for-each": {
        const items = Array.from({ length: one.n ?? 0 }, (_, index) => ({ i: index }));
        return {
          ...base,
          kind: "for-each",
          items: may(one, id, (_data: any) => items),
          body: block(first),
          concurrency: Number(one.key),
          onBranchFailure: one.mode ?? "cancel",
        };
      }
      case "parallel":
        return {
          ...base,
          kind: "parallel",
          branches: blocks.map((nodes) => block(nodes)),
          onBranchFailure: one.mode ?? "cancel",
        };
      case "graph": {
        const vertices: { node: DefinitionNode; needs: string[] }[] = [];
        for (const [index, [step]] of blocks.entries()) {
          const needs = vertices.filter((_, before) => ((one.needs?.[index] ?? 0) & (1 << before)) !== 0);
          if (step !== undefined) vertices.push({ node: node(step, true), needs: needs.map(({ node }) => node.id) });
        }
        return {
          ...base,
          kind: "graph",
          vertices,
          concurrency: Number(one.key),
          onBranchFailure: one.mode ?? "cancel",
        };
      }
      case "saga":
        return { ...base, kind: "saga", body: block(first) };
      case "wait": {
        const wait = one.wait ?? { mode: "one", names: ["e"], asOf: "start" };
        return {
          ...base,
          kind: "wait",
          mode: wait.mode,
          events: (wait.mode === "one" ? wait.names.slice(0, 1) : wait.names).map((name, index) => ({
            label: wait.mode === "one" ? "" : `l${index}`,
            name,
            key: may(one, id, (_data: any) => "k"),
          })),
          asOf: typeof wait.asOf === "number" ? new Date(wait.asOf) : wait.asOf,
          ...(wait.timeoutMs === undefined ? {} : { timeout: wait.timeoutMs }),
          ...(wait.onTimeout === undefined || wait.timeoutMs === undefined ? {} : { onTimeout: block(wait.onTimeout) }),
          ...(wait.remind === undefined ? {} : { remind: { every: 700, do: block(wait.remind) } }),
        };
      }
      case "delay":
        return { ...base, kind: "delay", duration: may(one, id, (_data: any) => one.n ?? 0) };
      case "sleep-until":
        return { ...base, kind: "sleep-until", date: may(one, id, (_data: any) => new Date(startAt + (one.n ?? 0))) };
      case "run-workflow":
        return {
          ...base,
          kind: "run-workflow",
          definitionId: "child",
          ...(one.mods?.input === true ? { input: may(one, id, (data: any) => ({ a: data.a })) } : {}),
        };
      case "end":
        return { ...base, kind: "end" };
      case "fail":
        return { ...base, kind: "fail", message: `${id} says no` };
    }
  }

  function modifiers(id: string, one: Sketch, vertex: boolean): NodeBase {
    const { mods = {} } = one;
    const { cancelWhen, output } = mods;
    const as = vertex ? id : mods.as;
    return {
      id,
      name: id,
      ...(output === undefined || vertex
        ? as === undefined
          ? {}
          : { as }
        : {
            output: may(one, id, (data: any, out: any) => ({ [output]: number(data, output) + 1, out: out ?? null })),
          }),
      ...(one.timeoutMs === undefined ? {} : { timeoutMs: one.timeoutMs }),
      ...(mods.onError === undefined ? {} : { onError: errorBehavior(mods.onError) }),
      ...(mods.compensation === undefined ? {} : { compensation: block(mods.compensation) }),
      ...(mods.onFailure === undefined ? {} : { onFailure: block(mods.onFailure) }),
      ...(mods.ensure === undefined ? {} : { ensure: block(mods.ensure) }),
      ...(mods.onCrash === undefined ? {} : { onCrash: mods.onCrash }),
      ...(cancelWhen === undefined
        ? {}
        : {
            cancelWhen: {
              condition: (data: any) => number(data, cancelWhen.key) >= cancelWhen.least,
              proceed: cancelWhen.proceed,
            },
          }),
    };
  }

  const body = block(sketch);
  const definition: WorkflowDefinition = {
    id: "w",
    version: 1,
    hash: "hash",
    body,
    index: indexDefinition(body),
    toMermaid: () => "",
    toJSON: () => ({}),
  };
  return { definition, scripts };
}

function errorBehavior(sketch: NonNullable<Mods["onError"]>): ErrorBehavior {
  if (typeof sketch === "string") return sketch;
  return {
    kind: "retry",
    intervalMs: 1000,
    maxRetries: sketch.max,
    backoff: 2,
    maxIntervalMs: 1500,
    jitter: sketch.jitter,
    then: sketch.then,
    when: (error) => {
      const { message } = error as Error;
      if (message === "mad") throw new Error("cannot judge");
      return !message.includes("odd");
    },
  };
}
