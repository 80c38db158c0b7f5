import type { ASTNode } from "@marcbachmann/cel-js";
import { ExpressionError } from "@wfe/core";
import { findVariable } from "../source/fill-variables.ts";
import { suggestion } from "../source/nearest.ts";
import { childrenOf, ExpressionSyntaxError, parseExpression, type Parsed } from "./language.ts";
import { roots, variableRoot, withQuotedNames, withVariableRoot, type KnownNames } from "./names.ts";

/** The inside of a `${{ }}`, ready to be evaluated. */
export interface Expression {
  readonly text: string;
  /** Secrets that it reads. */
  readonly secrets: ReadonlySet<string>;
  /** Throws `ExpressionError`. */
  evaluate(scope: Record<string, unknown>): unknown;
}

/** What is wrong with an expression, and where in its text. */
export interface ExpressionProblem {
  readonly start: number;
  readonly end: number;
  readonly message: string;
  readonly hint?: string;
}

/** Parses an expression and checks its names. Either it is good, or there are problems. */
export function compileExpression(
  written: string,
  names: KnownNames,
): { readonly expression: Expression } | { readonly problems: readonly ExpressionProblem[] } {
  const dashed = new Set(
    [...names.steps, ...(names.inputs?.keys() ?? []), ...names.produced, ...(names.matrix ?? [])].filter(
      (name) => /^[A-Za-z_][\w-]*$/.test(name) && name.includes("-"),
    ),
  );
  const quoted = withQuotedNames(written, dashed);
  const isExact = quoted === written;
  const text = withVariableRoot(quoted);
  let parsed: Parsed;
  try {
    parsed = parseExpression(text);
  } catch (error) {
    if (!(error instanceof ExpressionSyntaxError)) throw error;
    const exact = isExact ? { start: error.start, end: error.end } : { start: 0, end: written.length };
    return { problems: [{ ...exact, message: `\`\${{ }}\`: ${error.message}` }] };
  }
  const checker = new NameChecker(names);
  checker.check(parsed.ast, new Set());
  if (checker.problems.length > 0) {
    const whole = { start: 0, end: written.length };
    return { problems: isExact ? checker.problems : checker.problems.map((each) => ({ ...each, ...whole })) };
  }
  return {
    expression: { text: written, secrets: checker.secrets, evaluate: (scope) => evaluate(written, parsed, scope) },
  };
}

function evaluate(text: string, parsed: Parsed, scope: Record<string, unknown>): unknown {
  try {
    const path = pathOf(parsed.ast);
    return path === undefined ? parsed.evaluate(scope) : follow(path, scope);
  } catch (error) {
    const reason = error instanceof Error ? ((error as { summary?: string }).summary ?? error.message) : String(error);
    throw new ExpressionError(`\`\${{ ${text} }}\`: ${reason}`, { cause: error });
  }
}

/** A plain path is followed as it is: whatever the value is, a date or a large number, it stays that. */
function follow(path: readonly (string | number)[], scope: Record<string, unknown>): unknown {
  let here: unknown = scope;
  for (const [index, key] of path.entries()) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, key)) {
      const before = path.slice(0, index).join(".");
      const known = typeof here === "object" && here !== null ? Object.keys(here) : [];
      const hint = suggestion(String(key), known);
      throw new ExpressionError(`there is no \`${key}\` in \`${before}\`${hint === undefined ? "" : `; ${hint}`}`);
    }
    here = (here as Record<string | number, unknown>)[key];
  }
  return here;
}

/** `a.b["c"][0]` as its names; undefined for anything else. */
function pathOf(node: ASTNode): readonly (string | number)[] | undefined {
  if (node.op === "id") return [node.args];
  if (node.op === ".") {
    const before = pathOf(node.args[0]);
    return before === undefined ? undefined : [...before, node.args[1]];
  }
  if (node.op !== "[]" || node.args[1].op !== "value") return undefined;
  const before = pathOf(node.args[0]);
  const key = node.args[1].args;
  if (before === undefined) return undefined;
  if (typeof key === "string") return [...before, key];
  return typeof key === "bigint" ? [...before, Number(key)] : undefined;
}

class NameChecker {
  readonly problems: ExpressionProblem[] = [];
  readonly secrets = new Set<string>();
  readonly #names: KnownNames;

  constructor(names: KnownNames) {
    this.#names = names;
  }

  /** `local` are the variables of the loops around. */
  check(node: ASTNode, local: ReadonlySet<string>): void {
    const path = pathOf(node);
    if (path !== undefined) return this.#path(node, path.map(String), local);
    if (node.op === "rcall" && node.args[2].length > 1 && node.args[2][0]?.op === "id") {
      const [, receiver, [variable, ...bodies]] = node.args;
      const inner = new Set([...local, String(variable?.args)]);
      this.check(receiver, local);
      for (const each of bodies) this.check(each, inner);
      return;
    }
    for (const child of childrenOf(node)) this.check(child, local);
  }

  #path(node: ASTNode, path: readonly string[], local: ReadonlySet<string>): void {
    const [root = "", name, ...rest] = path;
    if (local.has(root) || root === "cel") return;
    const names = this.#names;
    const add = (message: string, hint?: string): void =>
      void this.problems.push({ start: node.start, end: node.end, message, ...(hint === undefined ? {} : { hint }) });
    switch (root) {
      case "secret":
        if (!names.secrets) return add("a secret is only there where a step runs: in its `config`, `run` and `inputs`");
        if (name === undefined || rest.length > 0) return add("a secret is read as `secret.NAME`");
        this.secrets.add(name);
        return;
      case "steps":
        if (name !== undefined && !names.steps.has(name))
          add(`there is no step \`${name}\``, suggestion(name, names.steps));
        else if (rest[0] !== undefined && rest[0] !== "outputs") {
          add(`a step has no \`${rest[0]}\` here: read \`steps.${name}.outputs\`, or \`data["${name}.${rest[0]}"]\``);
        }
        return;
      case "inputs":
        if (name === undefined || names.inputs === undefined || names.inputs.has(name) || names.produced.has(name))
          return;
        return add(`there is no input \`${name}\``, suggestion(name, names.inputs.keys()));
      case "item":
        if (!names.item) add("`item` is only there within a `for_each`");
        return;
      case "index":
        return;
      case "matrix":
        if (names.matrix === undefined) return add("`matrix` is only there within a step that has one");
        if (name !== undefined && names.matrix.size > 0 && !names.matrix.has(name)) {
          add(`the matrix has no \`${name}\``, suggestion(name, names.matrix));
        }
        return;
      case "data":
      case "workflow":
        return;
      case variableRoot: {
        const found = findVariable(path.slice(1), names.variables);
        if ("missing" in found) add(`there is no variable \`${path.slice(1).join(".")}\``, found.hint);
        return;
      }
      default:
        return add(`there is no \`${root}\``, suggestion(root, roots));
    }
  }
}
