import { readFileSync } from "node:fs";
import { type Duration, parseDuration } from "@wfe/core";
import { type Command, InvalidArgumentError, Option } from "commander";

/** Options that commands share. */
export interface StoreOptions {
  readonly db?: string;
  readonly schema?: string;
  readonly namespace: string;
}

export interface JsonOption {
  readonly json?: boolean;
}

/** `--db`, `--schema` and `--namespace`. */
export function withStore(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--db <file|url>",
        "where workflows are kept: a file, or a postgres:// URL (default: .wfe/wfe.db)",
      ).env("WFE_DB"),
    )
    .addOption(
      new Option("--schema <name>", "in which schema of a PostgreSQL they are (default: wfe)").env("WFE_SCHEMA"),
    )
    .addOption(new Option("--namespace <name>", "whose workflows").default("default").env("WFE_NAMESPACE"));
}

export function withJson(command: Command): Command {
  return command.option("--json", "print JSON to stdout");
}

/** The option's values as they come: `--var region=eu --var debug=true`. JSON values are what they say, others are text. */
export function variable(
  given: string,
  before: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const equals = given.indexOf("=");
  if (equals <= 0) throw new InvalidArgumentError("it has to be name=value.");
  const path = given.slice(0, equals).split(".");
  return withValue(before, path, valueOf(given.slice(equals + 1)));
}

/** `a.b=1` sets `b` in `a`. */
function withValue(
  into: Readonly<Record<string, unknown>>,
  [key = "", ...rest]: readonly string[],
  value: unknown,
): Readonly<Record<string, unknown>> {
  if (rest.length === 0) return { ...into, [key]: value };
  const inner = Object.hasOwn(into, key) ? into[key] : undefined;
  const object = typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>) : {};
  return { ...into, [key]: withValue(object, rest, value) };
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** JSON that is given on the command line, in a file (`@file`), or on stdin (`-`). */
export function jsonArgument(given: string): unknown {
  const text = given === "-" ? readStdin() : given.startsWith("@") ? readFile(given.slice(1)) : given;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new InvalidArgumentError(`this is not JSON: ${(error as Error).message}.`);
  }
}

/** The same, for an object. */
export function jsonObject(given: string): Readonly<Record<string, unknown>> {
  const value = jsonArgument(given);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError('it has to be a JSON object, such as \'{"name": "value"}\'.');
  }
  return value as Record<string, unknown>;
}

export function wholeNumber(given: string): number {
  const number = Number(given);
  if (!Number.isSafeInteger(number) || number < 0) throw new InvalidArgumentError("it has to be a whole number.");
  return number;
}

/** Told here, before anything is opened or begun; the option's name is put before the message. */
export function duration(given: string): Duration {
  try {
    parseDuration(given as Duration);
  } catch {
    throw new InvalidArgumentError('it has to be a length of time, such as "250ms", "5s", "2m", "1.5h" or "3d".');
  }
  return given as Duration;
}

/** An option that may be given several times. */
export function collect(given: string, before: readonly string[] = []): readonly string[] {
  return [...before, given];
}

function readStdin(): string {
  return readFileSync(0, "utf8");
}

function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new InvalidArgumentError(`${path} cannot be read: ${(error as Error).message}.`);
  }
}
