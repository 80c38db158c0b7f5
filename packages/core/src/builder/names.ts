import { keyProblem as textProblem } from "../definition/key-problem.ts";

/** What is wrong with an id or a name, as the end of a sentence; undefined when nothing is. */
export function nameProblem(name: unknown): string | undefined {
  return typeof name === "string" && name.trim() === "" ? "must not be blank" : keyProblem(name);
}

/** The same for a key, which may be empty. */
export function keyProblem(key: unknown): string | undefined {
  return typeof key === "string" ? textProblem(key) : `must be text, got ${shown(key)}`;
}

/** A value for a message: short, and never its content where that could be a secret or large. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
  if (typeof value === "number" || typeof value === "boolean" || value == null) return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return value.name === "" ? "a function" : `the function ${value.name}`;
  return Array.isArray(value)
    ? "an array"
    : value instanceof Promise
      ? "a promise"
      : `an ${typeof value}`.replace("an symbol", "a symbol");
}
