import { describe, expect, it } from "vitest";
import { outputOfLine, outputsOfFile, typedValue } from "../../src/shell/output-lines.ts";

describe("a line `##wfe[output name=value]`", () => {
  it.each([
    ["##wfe[output a=1]\n", { name: "a", value: 1 }],
    ["##wfe[output a.b-c=x=y]z]\r\n", { name: "a.b-c", value: "x=y]z" }],
    ["##wfe[output a=]", { name: "a", value: "" }],
    ["##wfe[output  a =true]  \n", { name: "a", value: true }],
  ])("sets an output: %j", (line, output) => expect(outputOfLine(line)).toEqual(output));

  it.each([
    " ##wfe[output a=1]",
    "##wfe[output a=1",
    "##wfe[output a]",
    "##wfe[output =1]",
    "##wfe[output __proto__=1]",
    "##wfe[output 1a=1]",
    "x",
  ])("is any other line where it is not exactly that: %j", (line) => expect(outputOfLine(line)).toBeUndefined());
});

describe("$WFE_OUTPUT", () => {
  it("holds values, and texts between delimiters", () => {
    const text = "a=1\nb = x\r\n\nc<<END\nline 1\n  a=2\n\nEND\nd=a<<b\na=false\ne<<X\nX";
    expect({ ...outputsOfFile(text) }).toEqual({ a: false, b: " x", c: "line 1\n  a=2\n", d: "a<<b", e: "" });
  });

  it.each([
    ["a", "neither"],
    ["a=1\nb c=2", "line 2 of $WFE_OUTPUT, `b c=2`, has no name"],
    ["__proto__=1", "has no name"],
    ["a<<END\nx", "is never closed"],
    ["a<<", "names no delimiter"],
  ])("names the line that cannot be read: %j", (text, message) => {
    expect(() => outputsOfFile(text)).toThrow(message);
  });
});

it("types true, false, and numbers that are written as they would be printed", () => {
  expect(["true", "false", "0", "-1", "42", "0.5", "-2.25", "9007199254740991"].map(typedValue)).toEqual([
    true,
    false,
    0,
    -1,
    42,
    0.5,
    -2.25,
    9007199254740991,
  ]);
  const texts = [
    "",
    "True",
    "1.10",
    "007",
    "1e3",
    "-0",
    "0x10",
    "Infinity",
    "NaN",
    " 1",
    "12345678901234567890",
    "1,5",
    "null",
  ];
  expect(texts.map(typedValue)).toEqual(texts);
});
