import { findPlaceholders } from "../expressions/placeholders.ts";
import type { StepProblem } from "../step-types/step-type.ts";
import { scanShell, type ShellDialect } from "./shell-scanner.ts";

/** A program text without run-time values: they are in variables. */
export interface HoistedProgram {
  readonly run: string;
  /** The expression whose value each variable must hold, by the variable's name. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Replaces each `${{ }}` of a shell program by a reference to a variable, quoted as its place demands, so that the value arrives
 * as it is and is never read as program text.
 *
 * Where that cannot be guaranteed, the answer is a list of problems, one for each such place, with the way to write it.
 */
export function hoistValues(
  text: string,
  shell: readonly string[],
): { readonly program: HoistedProgram; readonly problems: readonly StepProblem[] } {
  const { placeholders } = findPlaceholders(text);
  if (placeholders.length === 0) return { program: { run: text, variables: {} }, problems: [] };
  const dialect = dialectOf(shell);
  if (dialect === undefined) {
    const problems = placeholders.map(({ start }) => ({
      path: ["run"],
      offset: start,
      message: `\`\${{ }}\` is not replaced in programs for \`${shell[0]}\`: only the quoting of sh, bash and dash is known`,
      hint: "give the value to a variable in `env`, and read that in the program",
    }));
    return { program: { run: text, variables: {} }, problems };
  }

  const places = scanShell(text, placeholders, dialect);
  const problems: StepProblem[] = [];
  const names = new Map<string, string>();
  let run = "";
  let from = 0;
  for (const [index, { start, end, expression }] of placeholders.entries()) {
    const place = places[index] ?? {
      kind: "refused",
      message: "cannot be placed safely",
      hint: "use a variable in `env`",
    };
    run += text.slice(from, start);
    from = end;
    if (place.kind === "refused") {
      const { message, hint } = place;
      problems.push({ path: ["run"], offset: start, message: `\`${text.slice(start, end)}\` ${message}`, hint });
      continue;
    }
    // A comment has no use for the value.
    const name = place.kind === "comment" ? "WFE_VALUE" : (names.get(expression) ?? `WFE_VALUE_${names.size + 1}`);
    if (place.kind !== "comment") names.set(expression, name);
    run += place.kind === "unquoted" ? `"\${${name}}"` : `\${${name}}`;
  }
  run += text.slice(from);
  const variables = Object.fromEntries([...names].map(([expression, name]) => [name, expression]));
  return { program: { run, variables }, problems };
}

/** Undefined for a program that is none of the shells whose quoting is known. */
function dialectOf(shell: readonly string[]): ShellDialect | undefined {
  const name = (shell[0] ?? "").split("/").at(-1) ?? "";
  if (name === "bash") return "bash";
  if (name === "sh" || name === "dash" || name === "ash") return "posix";
  return name === "busybox" && shell[1] === "sh" ? "posix" : undefined;
}
