import { WfeError } from "@wfe/core";

/** Names that an output may have. */
const namePattern = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
const forbidden = new Set(["__proto__", "constructor", "prototype"]);

/** The largest `$WFE_OUTPUT` that is read. */
export const outputFileBytes = 1024 * 1024;

/** The output that a line `##wfe[output name=value]` sets; undefined for any other line. */
export function outputOfLine(line: string): { readonly name: string; readonly value: unknown } | undefined {
  if (!line.startsWith("##wfe[output ")) return undefined;
  const text = line.trimEnd();
  if (!text.endsWith("]")) return undefined;
  const inside = text.slice("##wfe[output ".length, -1);
  const equals = inside.indexOf("=");
  const name = inside.slice(0, Math.max(0, equals)).trim();
  if (equals === -1 || !isOutputName(name)) return undefined;
  return { name, value: typedValue(inside.slice(equals + 1)) };
}

/**
 * What the lines of `$WFE_OUTPUT` set: `name=value`, or
 *
 * ```
 * name<<END
 * any text
 * END
 * ```
 *
 * whose text is never typed and has no newline at its end. A later line for a name wins. Throws a `WfeError` with code
 * `SHELL_OUTPUT_FILE` that names the line.
 */
export function outputsOfFile(text: string): Record<string, unknown> {
  const outputs: Record<string, unknown> = Object.create(null);
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  for (let at = 0; at < lines.length; at++) {
    const line = (lines[at] ?? "").replace(/\r$/, "");
    if (line.trim() === "") continue;
    const match = /^([^=<]*)(=|<<)([^]*)$/.exec(line);
    const name = match?.[1]?.trim() ?? "";
    if (match === null) throw wrong(at, line, "is neither `name=value` nor `name<<END`");
    if (!isOutputName(name)) throw wrong(at, line, "has no name of letters, digits, `_`, `-` and `.` before it");
    if (match[2] === "=") {
      outputs[name] = typedValue(match[3] ?? "");
      continue;
    }
    const delimiter = (match[3] ?? "").trim();
    if (delimiter === "") throw wrong(at, line, "names no delimiter after `<<`");
    const end = lines.findIndex((other, index) => index > at && other.replace(/\r$/, "") === delimiter);
    if (end === -1) throw wrong(at, line, `is never closed by a line \`${delimiter}\``);
    outputs[name] = lines.slice(at + 1, end).join("\n");
    at = end;
  }
  return outputs;
}

/**
 * `true`, `false` and numbers as what they are, all else as text. A number counts as one only if it is written the way it would be
 * printed: `1.10`, `007` and `1e3` stay text, since most of such are versions and codes.
 */
export function typedValue(text: string): unknown {
  if (text === "true") return true;
  if (text === "false") return false;
  if (/^-?\d+(\.\d+)?$/.test(text) && String(Number(text)) === text) return Number(text);
  return text;
}

/** Whether an output may be called so. */
export function isOutputName(name: string): boolean {
  return namePattern.test(name) && name.length <= 256 && !forbidden.has(name);
}

function wrong(index: number, line: string, what: string): WfeError {
  return new WfeError(
    "SHELL_OUTPUT_FILE",
    `line ${index + 1} of $WFE_OUTPUT, \`${line.slice(0, 100)}\`, ${what}: write \`name=value\`, or \`name<<END\`, the text, and \`END\` on a line of its own`,
  );
}
