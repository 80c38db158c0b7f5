import type { FinalBehavior } from "../../definition/error-behavior.ts";
import type { NodeKind } from "../../definition/nodes.ts";
import type { Dice } from "./dice.ts";

/** What a body does, the same each time it is asked the same. */
export interface Script {
  /** How long it takes; 0: it is a synchronous function. */
  readonly ms: number;
  /** Attempts that throw before one returns; Infinity: all. */
  readonly throws: number;
  /** Throws an error that no retry helps against. */
  readonly fatal: boolean;
  /** Asks to run again, once, in this way. */
  readonly pauses?: "persist" | "sleep" | "wait-for-event";
  /** Takes no notice of its signal. */
  readonly deaf: boolean;
  /** Its first attempt never ends. */
  readonly hangs: boolean;
  readonly gives: "value" | "outcome" | "unstorable";
}

/** A random node, before it is a node of a definition. */
export interface Sketch {
  /** Counts the nodes of a definition, in the order of the text. */
  readonly n: number;
  readonly kind: NodeKind;
  readonly blocks: readonly (readonly Sketch[])[];
  readonly script?: Script;
  /** Writes to the application's table, in the transaction of its turn. */
  readonly transactional?: true;
  /** Loops, items: how many; branchings: which way; timers: milliseconds. */
  readonly count: number;
  readonly concurrency: number;
  readonly mode: "cancel" | "wait";
  readonly needs: readonly number[];
  readonly wait?: WaitSketch;
  readonly as?: string;
  readonly counts?: boolean;
  readonly onError?: FinalBehavior | { readonly max: number; readonly then: FinalBehavior };
  readonly timeoutMs?: number;
  readonly onCrash?: "fail" | "suspend";
  readonly compensation?: readonly Sketch[];
  readonly onFailure?: readonly Sketch[];
  readonly ensure?: readonly Sketch[];
  readonly cancelWhen?: { readonly proceed: boolean };
}

export interface WaitSketch {
  readonly mode: "one" | "any" | "all";
  readonly names: readonly string[];
  /** Of all workflows, or of those with the same key. */
  readonly shared: boolean;
  readonly asOf: "start" | "now" | "beginning";
  readonly timeoutMs?: number;
  readonly onTimeout?: readonly Sketch[];
  readonly remindMs?: number;
}

export const eventNames: readonly string[] = ["go", "tick"];

type Place = "body" | "hook" | "undo";

/** Draws the body of a definition. `children`: whether it may run others. */
export function drawDefinition(dice: Dice, options: { readonly nodes: number; readonly children: boolean }): Sketch[] {
  return new Drawing(dice, options).block(2, "body", dice.between(1, 4));
}

/** The same with some of the steps transactional. */
export function withTransactions(dice: Dice, sketches: readonly Sketch[]): Sketch[] {
  const inside = (block: readonly Sketch[]): Sketch[] => withTransactions(dice, block);
  return sketches.map((sketch) => ({
    ...sketch,
    ...(sketch.script !== undefined && dice.chance(0.5) ? inTransaction(dice, sketch.script) : {}),
    blocks: sketch.blocks.map(inside),
    ...(sketch.compensation === undefined ? {} : { compensation: inside(sketch.compensation) }),
    ...(sketch.onFailure === undefined ? {} : { onFailure: inside(sketch.onFailure) }),
    ...(sketch.ensure === undefined ? {} : { ensure: inside(sketch.ensure) }),
    ...(sketch.wait?.onTimeout === undefined
      ? {}
      : { wait: { ...sketch.wait, onTimeout: inside(sketch.wait.onTimeout) } }),
  }));
}

/** Each execution is to leave one row: so it may not ask to run again once it has written. */
function inTransaction(dice: Dice, script: Script): Pick<Sketch, "script" | "transactional"> {
  const { ms, throws, fatal, deaf, hangs } = script;
  const gives = dice.chance(0.1) ? "unstorable" : script.gives;
  return { script: { ms, throws, fatal, deaf, hangs, gives }, transactional: true };
}

class Drawing {
  readonly #dice: Dice;
  readonly #most: number;
  readonly #children: boolean;
  #count = 0;

  constructor(dice: Dice, options: { readonly nodes: number; readonly children: boolean }) {
    this.#dice = dice;
    this.#most = options.nodes;
    this.#children = options.children;
  }

  block(depth: number, place: Place, length: number = this.#dice.between(1, 2)): Sketch[] {
    const nodes: Sketch[] = [];
    for (let index = 0; index < length; index += 1) {
      if (this.#count >= this.#most && nodes.length > 0) break;
      nodes.push(this.#node(depth, place));
    }
    return nodes;
  }

  #node(depth: number, place: Place): Sketch {
    const kind = this.#kind(depth, place);
    const n = this.#count++;
    const dice = this.#dice;
    const drawn = {
      n,
      kind,
      blocks: this.#blocks(kind, depth - 1, place),
      count: this.#amount(kind),
      concurrency: dice.pick([1, 2, 16]),
      mode: dice.chance(0.7) ? ("cancel" as const) : ("wait" as const),
      needs: [dice.below(8), dice.below(8), dice.below(8)],
    };
    if (kind === "step") return { ...drawn, ...this.#step(depth, place) };
    if (kind === "wait") return { ...drawn, wait: this.#wait(depth), ...this.#endings(depth, place) };
    if (kind === "run-workflow" || kind === "saga") return { ...drawn, ...timeOf(n), ...this.#endings(depth, place) };
    if (kind === "end" || kind === "fail") return drawn;
    return { ...drawn, ...this.#hooks(depth) };
  }

  #kind(depth: number, place: Place): NodeKind {
    const { chance, pick } = this.#dice;
    const leaf = depth <= 0 || this.#count >= this.#most;
    if (place !== "body") return chance(0.85) ? "step" : pick(["delay", "wait"] as const);
    if (leaf || chance(0.4)) {
      if (chance(0.62)) return "step";
      if (chance(0.03)) return pick(["end", "fail"] as const);
      return pick(["wait", "wait", "delay", "sleep-until", this.#children ? "run-workflow" : "wait"] as const);
    }
    return pick([
      ...(["parallel", "parallel", "saga", "saga", "saga", "for-each", "for-each"] as const),
      ...(["while", "do-while", "if", "decide", "graph"] as const),
    ]);
  }

  #blocks(kind: NodeKind, depth: number, place: Place): Sketch[][] {
    const { between, chance } = this.#dice;
    const some = (count: number): Sketch[][] => Array.from({ length: count }, () => this.block(depth, place));
    switch (kind) {
      case "parallel":
        return some(between(2, 3));
      case "if":
        return some(between(1, 2));
      case "decide":
        return some(between(1, 3));
      case "graph":
        return Array.from({ length: between(2, 4) }, () => [{ ...this.#node(0, "hook") }].filter(isStep));
      case "saga":
        return [this.block(depth, place, chance(0.6) ? 3 : 2)];
      case "for-each":
      case "while":
      case "do-while":
        return some(1);
      default:
        return [];
    }
  }

  #amount(kind: NodeKind): number {
    const dice = this.#dice;
    if (kind === "delay" || kind === "sleep-until") return dice.pick([0, 50, 400, 1_500, 4_000, 12_000]);
    // Now and then so many turns that a checkpoint is written.
    if (kind === "while" && dice.chance(0.02)) return 70;
    return dice.below(4);
  }

  #step(depth: number, place: Place): Partial<Sketch> {
    const dice = this.#dice;
    const timeoutMs = dice.chance(0.15) ? dice.pick([150, 1_000, 4_000]) : undefined;
    const pauses = dice.chance(0.12) ? dice.pick(["persist", "sleep", "wait-for-event"] as const) : undefined;
    const throws = dice.chance(0.22) ? dice.pick([1, 1, 2, Number.POSITIVE_INFINITY]) : 0;
    const undoing = place === "undo";
    const script: Script = {
      ms: dice.chance(0.4) ? 0 : dice.pick([1, 5, 30, 200, 200, 1_500]),
      throws: undoing && !dice.chance(0.1) ? Math.min(throws, 1) : throws,
      fatal: dice.chance(0.1),
      ...(pauses === undefined ? {} : { pauses }),
      deaf: dice.chance(0.25),
      hangs: timeoutMs !== undefined && dice.chance(0.3),
      gives: dice.chance(0.8) ? "value" : "outcome",
    };
    return {
      script,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(dice.chance(0.08) ? { onCrash: dice.pick(["fail", "suspend"] as const) } : {}),
      ...(dice.chance(0.3) ? { counts: true } : {}),
      ...this.#endings(depth, place),
    };
  }

  /** What may go with everything that can fail. */
  #endings(depth: number, place: Place): Partial<Sketch> {
    const dice = this.#dice;
    const final = (): FinalBehavior =>
      dice.pick<FinalBehavior>(["fail", "fail", "fail", "ignore", "compensate", "suspend", "terminate"]);
    return {
      ...(dice.chance(0.4) ? { as: dice.pick(["a", "b", "c"]) } : {}),
      ...(dice.chance(0.45)
        ? { onError: dice.chance(0.7) ? { max: dice.between(1, 3), then: final() } : final() }
        : {}),
      ...(place === "body" && dice.chance(0.35) ? { compensation: this.block(0, "undo", 1) } : {}),
      ...this.#hooks(depth),
    };
  }

  #hooks(depth: number): Partial<Sketch> {
    const dice = this.#dice;
    return {
      ...(depth > 0 && dice.chance(0.06) ? { onFailure: this.block(0, "hook", 1) } : {}),
      ...(depth > 0 && dice.chance(0.06) ? { ensure: this.block(0, "hook", 1) } : {}),
      ...(dice.chance(0.06) ? { cancelWhen: { proceed: dice.chance(0.5) } } : {}),
    };
  }

  #wait(depth: number): WaitSketch {
    const dice = this.#dice;
    const mode = dice.pick(["one", "one", "any", "all"] as const);
    const timeoutMs = dice.chance(0.4) ? dice.pick([200, 1_000, 3_000, 6_000]) : undefined;
    return {
      mode,
      names: mode === "one" ? [dice.pick(eventNames)] : dice.chance(0.8) ? eventNames : ["tick", "tick"],
      shared: dice.chance(0.4),
      asOf: dice.pick(["start", "start", "now", "beginning"] as const),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(timeoutMs !== undefined && depth > 0 && dice.chance(0.5) ? { onTimeout: this.block(0, "hook", 1) } : {}),
      ...(dice.chance(0.1) ? { remindMs: dice.pick([300, 900]) } : {}),
    };
  }
}

/** Some of what may take long is given a time. */
function timeOf(n: number): Partial<Sketch> {
  return n % 3 === 1 ? { timeoutMs: n % 2 === 0 ? 800 : 5_000 } : {};
}

function isStep({ kind }: Sketch): boolean {
  return kind === "step";
}
