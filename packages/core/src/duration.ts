import { InvalidOptionError } from "./errors.ts";

/** A length of time: milliseconds, or a text such as `"250ms"`, `"5s"`, `"2m"`, `"1.5h"`, `"3d"`, `"1w"`. Not negative. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d" | "w"}`;

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * The whole milliseconds of a duration, rounded. A day is 24 hours.
 *
 * Throws `InvalidOptionError` for anything else, and for more than `Number.MAX_SAFE_INTEGER`. `name` is what the option is
 * called in the message.
 */
export function parseDuration(text: Duration, name = "duration"): number {
  const ms = typeof text === "number" ? text : millisecondsOf(text);
  if (!(ms >= 0)) throw invalid(name, text, "");
  if (ms > Number.MAX_SAFE_INTEGER) throw invalid(name, text, `, at most ${Number.MAX_SAFE_INTEGER} ms`);
  // Adding zero makes zero of -0.
  return Math.round(ms) + 0;
}

/** The last millisecond that a Date can hold: https://tc39.es/ecma262/#sec-time-values-and-time-range */
const lastTime = 8.64e15;

/** The whole milliseconds since the epoch of a time, rounded: stores keep no parts of them. Undefined for what is no date. */
export function parseTime(time: unknown): number | undefined {
  const ms = time instanceof Date ? time.getTime() : time;
  // Adding zero makes zero of -0.
  return typeof ms === "number" && Math.abs(ms) <= lastTime ? Math.round(ms) + 0 : undefined;
}

/** The time so many milliseconds after another one, the last of all times at most. */
export function timeAfter(time: number, ms: number): number {
  return Math.min(time + ms, lastTime);
}

/** NaN for what is not a duration. */
function millisecondsOf(text: unknown): number {
  if (typeof text !== "string") return Number.NaN;
  const match = /^(\d+(?:\.\d*)?|\.\d+)(ms|[smhdw])$/.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * (unitsMs[match[2] ?? ""] ?? Number.NaN);
}

function invalid(name: string, given: unknown, bound: string): InvalidOptionError {
  const shown =
    typeof given === "string"
      ? JSON.stringify(given.slice(0, 100))
      : typeof given === "number"
        ? String(given)
        : typeof given;
  return new InvalidOptionError(
    `\`${name}\` must be a duration that is not negative${bound}: milliseconds, or a text such as "250ms", "5s", "2m", "1.5h", "3d", "1w"; got ${shown}`,
  );
}
