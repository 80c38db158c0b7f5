import { describe, expect, it } from "vitest";
import { type Duration, parseDuration } from "../src/duration.ts";
import { InvalidOptionError } from "../src/errors.ts";

describe("parseDuration", () => {
  it.each<[Duration, number]>([
    [0, 0],
    [1500, 1500],
    [0.4, 0],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ["250ms", 250],
    ["5s", 5000],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["3d", 259_200_000],
    ["1w", 604_800_000],
    ["1.5h", 5_400_000],
    ["1.1s", 1100],
    [".5m", 30_000],
    ["0s", 0],
  ])("reads %j as %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it("has no negative zero", () => {
    expect(Object.is(parseDuration(-0), 0)).toBe(true);
  });

  it.each([
    Number.NaN,
    Infinity,
    -Infinity,
    -1,
    -0.1,
    2 ** 53,
    "5 parsecs",
    "5",
    "",
    "s",
    "-5s",
    "+5s",
    "5 s",
    " 5s",
    "5s ",
    "5S",
    "5s\n",
    "1e3s",
    "0x10s",
    "1h30m",
    "Infinitys",
    "NaNs",
    "1.2.3s",
    ".s",
    "99999999999999w",
    "9".repeat(400) + "s",
    null,
    undefined,
    {},
    [],
    true,
  ])("refuses %j", (given) => {
    expect(() => parseDuration(given as Duration, "interval")).toThrow(InvalidOptionError);
    expect(() => parseDuration(given as Duration, "interval")).toThrow(
      /^`interval` must be a duration that is not negative.*"1w"; got /,
    );
  });

  it("shows what it got", () => {
    expect(() => parseDuration("5 parsecs" as Duration)).toThrow('got "5 parsecs"');
  });
});
