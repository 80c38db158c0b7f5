import { ExecutionResult, retry, workflow, type WorkflowDefinition } from "@wfe/core";
import type { Random } from "../support/random.ts";

/** What a workflow does with one stream of events: a tree of reads, in the ways that lines of control can split and repeat. */
export type Program =
  /** One event, by `waitFor` or by a step that asks for it. */
  | { readonly kind: "read"; readonly leaf: string; readonly byBody: boolean }
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "sequence"; readonly parts: readonly Program[] }
  | { readonly kind: "loop"; readonly times: number; readonly leaf: string; readonly body: Program }
  | { readonly kind: "parallel"; readonly branches: readonly Program[] }
  | { readonly kind: "items"; readonly times: number; readonly concurrency: number; readonly body: Program }
  /** A saga that fails `times` times after its body, and begins again. */
  | { readonly kind: "saga"; readonly times: number; readonly leaf: string; readonly body: Program }
  | { readonly kind: "child"; readonly id: string; readonly body: Program };

/** What was read where: for each read (in an item: of each item) the payloads in order. */
export type Log = Record<string, number[]>;

/** A random program. Its first read belongs to the workflow's own line, so that everything in it has a cursor to begin with. */
export function randomProgram(random: Random, name: string): Program {
  let leaves = 0;
  const leaf = (): string => `${leaves++}`;
  const read = (): Program => ({ kind: "read", leaf: leaf(), byBody: random.chance(0.25) });
  const make = (depth: number): Program => {
    const choice = depth === 0 ? 0 : random.below(9);
    switch (choice) {
      case 3:
        return { kind: "loop", times: 1 + random.below(3), leaf: leaf(), body: make(depth - 1) };
      case 4:
        return { kind: "parallel", branches: Array.from({ length: 2 + random.below(2) }, () => make(depth - 1)) };
      case 5:
        return {
          kind: "items",
          times: random.below(4),
          concurrency: random.pick([1, 1, 2, 16]),
          body: make(depth - 1),
        };
      case 6:
        return { kind: "saga", times: random.below(3), leaf: leaf(), body: make(depth - 1) };
      case 7:
        return { kind: "child", id: `${name}-child-${leaf()}`, body: make(depth - 1) };
      case 8:
        return { kind: "sequence", parts: Array.from({ length: 1 + random.below(3) }, () => make(depth - 1)) };
      default:
        return random.chance(0.15) ? { kind: "delay", ms: random.pick([0, 1, 700, 2_500]) } : read();
    }
  };
  return { kind: "sequence", parts: [read(), make(2), read()] };
}

/** What a program reads when nothing is lost, repeated or out of order. Events are numbered from 0. */
export function expectedReads(program: Program): { readonly log: Log; readonly total: number } {
  const log: Log = {};
  const run = (part: Program, cursor: number, path: string): number => {
    switch (part.kind) {
      case "read":
        (log[`${part.leaf}@${path}`] ??= []).push(cursor);
        return cursor + 1;
      case "delay":
        return cursor;
      case "sequence":
        return part.parts.reduce((at, each) => run(each, at, path), cursor);
      case "loop":
        return repeat(part.times, cursor, (at) => run(part.body, at, path));
      case "saga":
        return repeat(part.times + 1, cursor, (at) => run(part.body, at, path));
      case "parallel":
        return Math.max(...part.branches.map((branch) => run(branch, cursor, path)));
      case "items": {
        const items = Array.from({ length: part.times }, (_, index) => `${path}/${index}`);
        if (part.concurrency === 1) return items.reduce((at, item) => run(part.body, at, item), cursor);
        return Math.max(cursor, ...items.map((item) => run(part.body, cursor, item)));
      }
      case "child":
        return run(part.body, cursor, path);
    }
  };
  return { total: run(program, 0, ""), log };
}

function repeat(times: number, start: number, once: (at: number) => number): number {
  let at = start;
  for (let time = 0; time < times; time += 1) at = once(at);
  return at;
}

/** The data of a program's workflow. `counts` are of loops and sagas, by leaf and path. */
interface ProgramData {
  readonly key: string;
  readonly path: string;
  readonly log: Log;
  readonly counts: Readonly<Record<string, number>>;
}

/** The workflow of a program, and those of its children. It reads the event `e` of the key in its data. */
export function definitionsOf(program: Program, id: string): readonly WorkflowDefinition[] {
  const children: WorkflowDefinition[] = [];
  const build = (part: Program, name: string): WorkflowDefinition =>
    append(workflow<ProgramData>(), part, children, build).build(name, 1);
  return [build(program, id), ...children];
}

/** The data to start a program's workflow with. */
export function dataOf(key: string): ProgramData {
  return { key, path: "", log: {}, counts: {} };
}

// The chains are made at run time: there is nothing that their types could tell.
type AnyBuilder = any;
interface Place {
  readonly item: unknown;
}

function append(
  builder: AnyBuilder,
  part: Program,
  children: WorkflowDefinition[],
  build: (part: Program, name: string) => WorkflowDefinition,
): AnyBuilder {
  const inside = (body: Program) => (b: AnyBuilder) => append(b, body, children, build);
  switch (part.kind) {
    case "read": {
      const noted = (data: ProgramData, payload: number, at: Place) => ({
        log: noteRead(data, part.leaf, payload, at),
      });
      if (!part.byBody) return builder.waitFor("e", (data: ProgramData) => data.key).output(noted);
      return builder
        .then((data: ProgramData, ctx: { event?: { payload: number } }) =>
          ctx.event === undefined
            ? ExecutionResult.waitForEvent("e", data.key)
            : ExecutionResult.next(ctx.event.payload),
        )
        .output(noted);
    }
    case "delay":
      return builder.delay(part.ms);
    case "sequence":
      return part.parts.reduce((chain, each) => append(chain, each, children, build), builder);
    case "loop":
      return builder
        .then(() => 0)
        .output((data: ProgramData, zero: number, at: Place) => ({ counts: count(data, part.leaf, at, zero) }))
        .whileDo(
          (data: ProgramData, at: Place) => counted(data, part.leaf, at) < part.times,
          (b: AnyBuilder) =>
            append(b, part.body, children, build)
              .then(() => undefined)
              .output((data: ProgramData, _: undefined, at: Place) => ({
                counts: count(data, part.leaf, at, counted(data, part.leaf, at) + 1),
              })),
        );
    case "parallel":
      return builder.parallel((p: AnyBuilder) => part.branches.reduce((all, branch) => all.branch(inside(branch)), p));
    case "items":
      return builder.forEach(
        (data: ProgramData, at: Place) =>
          Array.from({ length: part.times }, (_, index) => `${pathOf(data, at)}/${index}`),
        inside(part.body),
        { concurrency: part.concurrency },
      );
    case "saga":
      return builder
        .then(() => 0)
        .output((data: ProgramData, zero: number, at: Place) => ({ counts: count(data, part.leaf, at, zero) }))
        .saga((s: AnyBuilder) =>
          append(s, part.body, children, build)
            .then(() => undefined)
            .output((data: ProgramData, _: undefined, at: Place) => ({
              counts: count(data, part.leaf, at, counted(data, part.leaf, at) + 1),
            }))
            .then((data: ProgramData, ctx: Place) => {
              if (counted(data, part.leaf, ctx) <= part.times) throw new Error("once more");
            }),
        )
        .onError(retry({ interval: 100, maxRetries: part.times }));
    case "child":
      children.push(build(part.body, part.id));
      return builder
        .runWorkflow(part.id, (data: ProgramData, at: Place) => ({ ...dataOf(data.key), path: pathOf(data, at) }))
        .output((data: ProgramData, child: ProgramData) => ({ log: merge(data.log, child.log) }));
  }
}

function pathOf(data: ProgramData, at: Place): string {
  return typeof at.item === "string" ? at.item : data.path;
}

function noteRead(data: ProgramData, leaf: string, payload: number, at: Place): Log {
  const key = `${leaf}@${pathOf(data, at)}`;
  return { ...data.log, [key]: [...(data.log[key] ?? []), payload] };
}

function merge(log: Log, more: Log): Log {
  const merged = { ...log };
  for (const [key, payloads] of Object.entries(more)) merged[key] = [...(merged[key] ?? []), ...payloads];
  return merged;
}

function count(data: ProgramData, leaf: string, at: Place, value: number): Record<string, number> {
  return { ...data.counts, [`${leaf}@${pathOf(data, at)}`]: value };
}

function counted(data: ProgramData, leaf: string, at: Place): number {
  return data.counts[`${leaf}@${pathOf(data, at)}`] ?? 0;
}
