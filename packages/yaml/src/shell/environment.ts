import { WfeError } from "@wfe/core";
import { plainJson } from "../processes/plain-json.ts";
import { isReservedName } from "./reserved-names.ts";

/** A value longer than this, in UTF-8, is left out of the environment where it comes from data: the system allows 128 KiB each. */
export const dataVariableBytes = 32 * 1024;
/** All variables from data together; what would go beyond is left out, later keys first. The system allows about 2 MiB in all. */
const dataBytes = 512 * 1024;
/** A value that the step itself asks for must fit: Linux takes no longer string. */
const variableBytes = 128 * 1024 - 1;

/** What a step's environment is made of, the weakest first. */
export interface EnvironmentParts {
  /** The host's own environment. */
  readonly base: Readonly<Record<string, string | undefined>>;
  /** The workflow's data: keys in upper case, never a reserved name. */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  /** The combination of a matrix: `MATRIX_NODE`... */
  readonly matrix?: Readonly<Record<string, unknown>> | undefined;
  /** The item of a `for_each` or matrix: `ITEM`; undefined where there is none. */
  readonly item?: unknown;
  /** The step's own `env`: any name. */
  readonly env?: Readonly<Record<string, unknown>> | undefined;
  /** What the executor needs. */
  readonly own?: Readonly<Record<string, string>> | undefined;
}

/**
 * The environment of a shell step.
 *
 * Throws a `WfeError` with code `SHELL_ENVIRONMENT` for a value that no environment can hold: one with a NUL character, or longer than 128 KiB.
 * Values from data that cannot be held are left out instead, since the step did not ask for them.
 */
export function shellEnvironment(parts: EnvironmentParts): Record<string, string> {
  const environment: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(parts.base)) if (value !== undefined) environment[name] = value;

  let room = dataBytes;
  const offer = (name: string, value: unknown): void => {
    const text = environmentText(value);
    if (text === undefined || text.includes("\0")) return;
    const bytes = Buffer.byteLength(text);
    if (bytes > dataVariableBytes || bytes > room) return;
    room -= bytes;
    environment[name] = text;
  };
  for (const [key, value] of Object.entries(parts.data ?? {})) {
    const name = variableName(key);
    if (name !== undefined && !isReservedName(name)) offer(name, value);
  }
  for (const [key, value] of Object.entries(parts.matrix ?? {})) {
    const name = variableName(`MATRIX_${key}`);
    if (name !== undefined) offer(name, value);
  }
  if (parts.item !== undefined) offer("ITEM", parts.item);
  for (const [name, value] of Object.entries(parts.env ?? {})) environment[name] = demanded(name, value);
  for (const [name, value] of Object.entries(parts.own ?? {})) environment[name] = demanded(name, value);
  return environment;
}

/**
 * The variable for a key of the data: upper case, with `_` for each character that is not `A` to `Z`, `0` to `9` or `_`. Undefined where it
 * would begin with a digit or be nothing but `_`.
 */
export function variableName(key: string): string | undefined {
  const name = key.toUpperCase().replace(/[^A-Z0-9_]/g, "_");
  return /^_*[A-Z]/.test(name) ? name : undefined;
}

/** A scalar as text, another value as JSON; undefined for what has no text. */
export function environmentText(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "boolean":
    case "bigint":
      return String(value);
    case "object":
      if (value === null) return "";
      return value instanceof Date ? value.toISOString() : plainJson(value);
    default:
      return undefined;
  }
}

function demanded(name: string, value: unknown): string {
  const text = environmentText(value) ?? "";
  if (text.includes("\0")) {
    throw new WfeError(
      "SHELL_ENVIRONMENT",
      `variable \`${name}\` would hold a NUL character, which no environment can carry: encode the value (base64) or pass it in a file`,
    );
  }
  if (Buffer.byteLength(text) + name.length + 1 > variableBytes) {
    throw new WfeError(
      "SHELL_ENVIRONMENT",
      `variable \`${name}\` would hold ${Buffer.byteLength(text)} bytes, and the system takes at most ${variableBytes}: pass the value in a file`,
    );
  }
  return text;
}
