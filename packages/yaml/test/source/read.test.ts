import { validateText } from "@wfe/yaml";
import { describe, expect, it } from "vitest";
import { plainOf } from "../../src/source/located.ts";
import { Problems } from "../../src/source/problem.ts";
import { read } from "../../src/source/read.ts";
import { Source } from "../../src/source/source.ts";

function readText(text: string): { readonly value: unknown; readonly problems: readonly string[] } {
  const problems = new Problems();
  const located = read(new Source("a.yaml", text), problems);
  return {
    value: located === undefined ? undefined : JSON.parse(JSON.stringify(plainOf(located))),
    problems: problems.list().map(({ line, column, message }) => `${line}:${column} ${message}`),
  };
}

describe("reading YAML", () => {
  it("leaves placeholders alone, wherever they stand", () => {
    const text = [
      "flow: [${{ var.x }}, {a: ${{ inputs.y }}}]",
      'plain: ${{ a ? "b: c" : 2 }} # comment',
      'double: "a ${{ data[\\"x\\"] }}\\n"',
      "single: 'it''s ${{ d[''a''] }}'",
      "block: |",
      "  echo ${{ x }}",
      "  done",
      "${{ key }}: 1",
    ].join("\n");
    expect(readText(text)).toEqual({
      problems: [],
      value: {
        flow: ["${{ var.x }}", { a: "${{ inputs.y }}" }],
        plain: '${{ a ? "b: c" : 2 }}',
        double: 'a ${{ data["x"] }}\n',
        single: "it's ${{ d['a'] }}",
        block: "echo ${{ x }}\ndone\n",
        "${{ key }}": 1,
      },
    });
  });

  it("follows anchors, aliases and merge keys; own keys win, then the first map", () => {
    const text = "a: &a { x: 1, y: 1 }\nb: &b { y: 2, z: 2 }\nc: { <<: [*a, *b], x: 3 }\nd: { <<: *b }\ne: [*a]";
    expect(readText(text).value).toMatchObject({
      c: { x: 3, y: 1, z: 2 },
      d: { y: 2, z: 2 },
      e: [{ x: 1, y: 1 }],
    });
  });

  it("takes words as YAML 1.2 does: yes, no, on and off are text, and so are dates", () => {
    expect(readText("[yes, off, 0o17, 1e3, 2030-01-01, null, ~, 'true']").value).toEqual([
      "yes",
      "off",
      15,
      1000,
      "2030-01-01",
      null,
      null,
      "true",
    ]);
  });

  it("takes a byte order mark and Windows line ends", () => {
    expect(readText("\uFEFFa: 1\r\nb:\r\n  - x\r\n").value).toEqual({ a: 1, b: ["x"] });
  });

  it.each<[string, string, string]>([
    ["duplicate keys", "a: 1\nb: 2\na: 3", "3:1 the key `a` is there already, in line 1"],
    ["duplicate keys written differently", 'a: 1\n"a": 3', "2:1 the key `a` is there already, in line 1"],
    ["__proto__", "a: { __proto__: { x: 1 } }", "1:6 `__proto__` cannot be a key"],
    ["__proto__ by an escape", String.raw`"\u005f_proto__": 1`, "1:1 `__proto__` cannot be a key"],
    ["keys that are no text", "? [a]\n: 1", "1:3 a key must be text"],
    ["tags of its own", "a: !js/function 'x'", "1:4 unresolved tag: !js/function"],
    ["an alias without an anchor", "a: *b", "1:4 the alias `*b` has no anchor before it"],
    ["an alias within its anchor", "a: &a [*a]", "1:8 the alias `*a` stands within what it repeats"],
    ["large whole numbers", "a: 12345678901234567890", "1:4 a whole number this large loses digits: put it in quotes"],
    ["what cannot be merged", "a: { <<: 1 }", "1:10 `<<` takes an alias of a map, or a list of them"],
    ["several documents", "a: 1\n---\nb: 1", "2:1 a file has one document: remove the `---` here"],
  ])("refuses %s", (_, text, problem) => {
    expect(readText(text).problems).toContain(problem);
  });
});

describe("files that are meant to hurt", () => {
  const many = (count: number, make: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => make(index)).join("");
  const letters = "abcdefghijklmnop".split("");

  it.each<[string, string, RegExp]>([
    [
      "an alias bomb",
      `a: &a [x,x,x,x,x,x,x,x,x]\n${letters
        .slice(1)
        .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${letters[index]}`).join(",")}]\n`)
        .join("")}`,
      /more than 10000 values, with those that aliases repeat/,
    ],
    [
      "a merge bomb",
      `a: &a { ${many(500, (index) => `k${index}: 1, `)} }\n${many(100, (index) => `m${index}: { <<: *a }\n`)}`,
      /more than 10000 values/,
    ],
    ["a text of a megabyte", `a: ${"x".repeat(1_000_000)}`, /the limit is 262144/],
    ["a block of a megabyte", `a: |\n${" x\n".repeat(330_000)}`, /the limit is/],
    ["a file of two megabytes", "#".repeat(2_000_000), /the limit is 1048576/],
    ["100,000 keys", many(100_000, (index) => `k${index}: 1\n`).slice(0, 1_000_000), /more than 10000 values/],
    ["the same key 50,000 times", "a: 1\n".repeat(50_000), /more than 10000 values/],
    ["half a million brackets", "[".repeat(500_000), /nested deeper than 100 levels/],
    ["half a million braces in turn", "{a: [".repeat(100_000), /nested deeper than 100 levels/],
    ["dashes within dashes", "- ".repeat(300_000), /nested deeper than 100 levels/],
    ["keys within keys", "? ".repeat(300_000), /nested deeper than 100 levels/],
    ["blocks within blocks", many(1300, (index) => `${" ".repeat(index)}a:\n`), /nested deeper than 100 levels/],
    ["anchors upon anchors", "&a ".repeat(300_000), /more than 10000 values/],
    ["quotes that never end", `"${"\\".repeat(900_000)}`, /the limit is 262144/],
    ["quotes upon quotes", "'\n".repeat(400_000), /more than 10000 values/],
    ["documents upon documents", "---\n".repeat(200_000), /more than 10000 values/],
    ["directives upon directives", "%YAML\n".repeat(150_000), /more than 10000 values/],
    ["placeholders that never end", "a: ${{".repeat(150_000), /./],
    ["placeholders without end", `a: ${"${{ x }}".repeat(100_000)}`, /the limit is/],
    ["a list of empty lists", `[${"[],".repeat(200_000)}]`, /more than 10000 values/],
  ])("%s is refused, and soon", (_, text, problem) => {
    const begin = performance.now();
    const problems = validateText(text);
    const elapsed = performance.now() - begin;
    expect(problems.map(({ message }) => message).join("\n")).toMatch(problem);
    // A hundred times what it takes, for machines that do something else as well: without the limits it would be minutes.
    expect(elapsed).toBeLessThan(10_000);
  });

  it("ten thousand problems are counted, not listed", () => {
    const text = `workflow:\n  id: w\n  version: 1\n  steps:\n${many(2000, () => "    - { x: 1 }\n")}`;
    const problems = validateText(text);
    expect(problems.length).toBe(201);
    expect(problems.at(-1)?.message).toMatch(/^there are \d+ more problems/);
  });
});
