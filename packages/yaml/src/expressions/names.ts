import type { Variables } from "../source/fill-variables.ts";

/** Names that expressions of a place may use, so far as they are known at load. */
export interface KnownNames {
  /** What the file was loaded with. */
  readonly variables: Variables;
  /** Of the workflow's steps. */
  readonly steps: ReadonlySet<string>;
  /** Declared inputs, with whether they may be missing; undefined where the workflow declares none. */
  readonly inputs: ReadonlyMap<string, { readonly optional: boolean }> | undefined;
  /** Names of outputs and of a step's own inputs: may be read as `inputs.x` too. */
  readonly produced: ReadonlySet<string>;
  /** Names of the combination of the matrix around the place; undefined outside, empty where they are not known. */
  readonly matrix: ReadonlySet<string> | undefined;
  /** Whether there is a `for_each` around the place. */
  readonly item: boolean;
  /** Whether a secret may be read here: only where a step runs. */
  readonly secrets: boolean;
}

/** The names that an expression can begin with. */
export const roots = ["inputs", "data", "steps", "item", "index", "matrix", "workflow", "secret", "var"] as const;

/** What `var` is called where expressions are evaluated: CEL keeps the word for itself. As long as it is, for offsets. */
export const variableRoot = "__v";

export function withVariableRoot(text: string): string {
  return text.replaceAll(
    /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\.\s*var\b)|\bvar\b/g,
    (_, other: string | undefined) => other ?? variableRoot,
  );
}

/** `steps.run-tests.outputs.x` is meant as one name, not as a subtraction: such names are put in brackets. */
export function withQuotedNames(text: string, dashed: ReadonlySet<string>): string {
  if (dashed.size === 0 || !text.includes("-")) return text;
  return text.replaceAll(
    /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\.([A-Za-z_][\w-]*-[\w-]*\w)/g,
    (whole, quoted: string, name: string) => (quoted === undefined && dashed.has(name) ? `["${name}"]` : whole),
  );
}
