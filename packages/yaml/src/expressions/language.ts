import { type ASTNode, Environment, ParseError } from "@marcbachmann/cel-js";
import { ExpressionError } from "@wfe/core";

/** The most that one evaluation may cost: elements that loops visit, and what is searched and joined within them. */
const mostSteps = 100_000;
const longestExpression = 4000;

/** A mistake in the text of an expression; offsets are into it. */
export class ExpressionSyntaxError extends Error {
  readonly start: number;
  readonly end: number;
  constructor(message: string, start: number, end: number) {
    super(message);
    this.start = start;
    this.end = end;
  }
}

/** An expression that was understood. */
export interface Parsed {
  readonly ast: ASTNode;
  evaluate(scope: Record<string, unknown>): unknown;
}

/**
 * Parses an expression of CEL, the Common Expression Language. Throws {@link ExpressionSyntaxError}.
 *
 * Numbers of the data and of the text mix, whole ones come back as numbers. There is no `matches`: a pattern can take for ever.
 */
export function parseExpression(text: string): Parsed {
  if (text === "") throw new ExpressionSyntaxError("the expression is empty", 0, 0);
  if (text.length > longestExpression) {
    throw new ExpressionSyntaxError(`the expression is longer than ${longestExpression} characters`, 0, text.length);
  }
  const ast = parse(text).ast;
  refuse(ast);
  const edits: Edit[] = [];
  meter(ast, false, edits);
  const run = edits.length === 0 ? parse(text) : parse(edited(text, edits));
  return {
    ast,
    evaluate(scope) {
      budget = mostSteps;
      return unmetered(run(scope));
    },
  };
}

const language = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 500, maxDepth: 32, maxListElements: 200, maxMapEntries: 200, maxCallArguments: 16 },
});
const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};
for (const [operator, calculate] of Object.entries(arithmetic)) {
  const mixed = (a: number | bigint, b: number | bigint): number => calculate(Number(a), Number(b));
  language.registerOperator(`double ${operator} int`, mixed);
  language.registerOperator(`int ${operator} double`, mixed);
}
language.registerFunction("__pay(dyn): dyn", pay);

function parse(text: string): ReturnType<Environment["parse"]> {
  try {
    return language.parse(text);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const { start, end } = error.range ?? { start: 0, end: text.length };
    const summary = error.summary.slice(0, 1).toLowerCase() + error.summary.slice(1);
    throw new ExpressionSyntaxError(summary, start, end);
  }
}

/** What is left of the cost of the evaluation that runs: evaluating is synchronous, there is never a second one. */
let budget = 0;

function pay(value: unknown): unknown {
  budget -= 1;
  if (typeof value === "string") budget -= value.length / 100;
  else if (Array.isArray(value)) {
    budget -= value.length;
    // What is joined grows with its texts; those beyond the budget need not be looked at.
    if (budget >= 0) for (const item of value) if (typeof item === "string") budget -= item.length / 100;
  }
  if (budget < 0) {
    throw new ExpressionError(
      `the expression visits more than ${mostSteps} elements: work on this much data belongs in a step`,
    );
  }
  return value;
}

const loops = new Set(["map", "filter", "all", "exists", "exists_one"]);

interface Edit {
  readonly start: number;
  readonly end: number;
}

/** Finds what has to be paid for: lists that are looped over and, within loops, whatever may be long. */
function meter(node: ASTNode, looped: boolean, edits: Edit[]): void {
  const payFor = (part: ASTNode): void => void edits.push({ start: part.start, end: part.end });
  switch (node.op) {
    case "rcall": {
      const [name, receiver, given] = node.args;
      const loop = loops.has(name) && given.length > 1;
      if (loop || looped || name === "join") payFor(receiver);
      meter(receiver, looped, edits);
      // The first argument of a loop is the name of its variable.
      for (const each of loop ? given.slice(1) : given) meter(each, looped || loop, edits);
      return;
    }
    case "in":
    case "==":
    case "!=":
    case "+":
      if (looped) payFor(node.args[1]);
      break;
    default:
      break;
  }
  for (const child of childrenOf(node)) meter(child, looped, edits);
}

/** The text with each of these parts in a call. */
function edited(text: string, edits: readonly Edit[]): string {
  const before = new Map<number, number>();
  const after = new Map<number, number>();
  for (const { start, end } of edits) {
    before.set(start, (before.get(start) ?? 0) + 1);
    after.set(end, (after.get(end) ?? 0) + 1);
  }
  let made = "";
  for (let at = 0; at <= text.length; at++) {
    made += ")".repeat(after.get(at) ?? 0) + "__pay(".repeat(before.get(at) ?? 0) + (text[at] ?? "");
  }
  return made;
}

function refuse(node: ASTNode): void {
  const name = node.op === "call" || node.op === "rcall" ? node.args[0] : undefined;
  if (name === "matches") {
    throw new ExpressionSyntaxError(
      "there is no `matches`: use `contains`, `startsWith` or `endsWith`",
      node.start,
      node.end,
    );
  }
  if (name?.startsWith("__") === true) {
    throw new ExpressionSyntaxError(`there is no function \`${name}\``, node.start, node.end);
  }
  for (const child of childrenOf(node)) refuse(child);
}

/** The parts of a node, whatever it is. */
export function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case "value":
    case "id":
      return [];
    case ".":
    case ".?":
      return [node.args[0]];
    case "call":
      return node.args[1];
    case "rcall":
      return [node.args[1], ...node.args[2]];
    case "list":
      return node.args;
    case "map":
      return node.args.flat();
    case "!_":
    case "-_":
      return [node.args];
    default:
      return node.args;
  }
}

/** Whole numbers are BigInts in CEL, and numbers everywhere else. */
function unmetered(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(unmetered);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [String(key), unmetered(item)]));
  if (typeof value !== "object" || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unmetered(item)]));
}
