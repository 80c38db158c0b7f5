import { formatProblems, InvalidWorkflowFileError, parseWorkflow, validateText } from "@wfe/yaml";
import { describe, expect, it } from "vitest";

/** What is wrong with a text: place, code and message, with the hint after a bar. */
function found(text: string, config: Record<string, unknown> = {}): string[] {
  return validateText(text, config).map(
    ({ line, column, code, message, hint }) =>
      `${line}:${column} ${code}: ${message}${hint === undefined ? "" : ` | ${hint}`}`,
  );
}

function steps(text: string, more = ""): string {
  return `workflow:\n  id: w\n  version: 1\n${more}  steps:\n${text.replaceAll(/^/gm, "    ")}`;
}

describe("problems of a file", () => {
  it("are told all at once, each with its place and what to do", () => {
    const text = `workflow:
  id: w
  verson: 1
  steps:
    - name: one
      tpye: log
      config: { message: hi }
    - name: one
      type: transfrom
    - name: three
      type: log
      config: { mesage: hi, level: wran }
      timeout: 5 minutes
      retry: { maxRetries: 2 }
`;
    expect(found(text)).toEqual([
      "2:3 missing-key: `version` is missing: expected a whole number from 1",
      "3:3 unknown-key: there is no key `verson` here | did you mean `version`?",
      "6:7 unknown-key: there is no key `tpye` here | did you mean `type`?",
      "7:15 missing-key: `run` is missing: expected text",
      "7:17 unknown-key: there is no key `message` here | known: `run`, `shell`, `env`, `timeout`, `working_dir`",
      "8:13 duplicate-name: the step `one` is there already, in line 5 | names are unique in a workflow",
      "9:13 unknown-type: there is no type `transfrom` | did you mean `transform`?",
      "12:15 missing-key: `message` is missing: expected text, a number, true or false",
      "12:17 unknown-key: there is no key `mesage` here | did you mean `message`?",
      '12:36 wrong-value: expected `debug`, `info`, `warn` or `error`, got the text "wran" | did you mean `warn`?',
      '13:16 wrong-value: expected a duration, such as "250ms", "30s", "5m", "2h" or "1d", got the text "5 minutes"',
      "14:16 unknown-key: there is no key `maxRetries` here | did you mean `max_retries`?",
    ]);
  });

  it("are thrown together, with the line and a caret under what is wrong", () => {
    const text = steps("- { name: one, type: lgo, config: {} }");
    const load = (): unknown => parseWorkflow(text, {}, { file: "deploy.yaml" });
    expect(load).toThrow(InvalidWorkflowFileError);
    expect(load).toThrow(`deploy.yaml cannot be loaded: 1 problem

deploy.yaml:5:26: there is no type \`lgo\`
 5 |     - { name: one, type: lgo, config: {} }
   |                          ^^^
   = did you mean \`log\`?
`);
    expect(() => parseWorkflow(text)).toThrow(expect.objectContaining({ code: "INVALID_WORKFLOW_FILE" }));
  });

  it.each<[string, string, string, string?]>([
    [
      "a step without anything to do",
      "- name: a",
      "5:7 missing-key: a step needs `run`, `type`, `parallel` or `steps`: expected one of them",
    ],
    ["a step that is none", "- run", "5:7 wrong-value: expected a step: a map with `name`"],
    [
      "types that are not there yet",
      "- { name: a, type: buildkit }",
      "5:24 unknown-type: the type `buildkit` is not there yet: types that run are",
    ],
    [
      "`run` beside another type",
      "- { name: a, type: log, run: x, config: { message: x } }",
      "5:29 conflict: `run` is short for a shell step, and this one is of type `log`",
    ],
    ["`run` twice", "- { name: a, run: x, config: { run: y } }", "5:18 conflict: `run` is in `config` as well"],
    [
      "`parallel` with a type",
      "- { name: a, type: log, parallel: [] }",
      "5:18 conflict: a step with `parallel` has no `type`, `steps` or `config`",
    ],
    [
      "an empty list of steps",
      "- { name: a, steps: [] }",
      "5:25 wrong-value: expected a list of at least 1, got a list",
    ],
    [
      "steps after the end",
      "- { name: a, type: end }\n- { name: b, run: x }",
      "6:15 conflict: this step is never reached",
    ],
    [
      "retries twice",
      "- { name: a, run: x, retry: 1, error_behavior: { type: retry } }",
      "5:26 conflict: `retry` and an `error_behavior` that retries are the same thing twice",
    ],
    [
      "an option without effect",
      "- { name: a, run: x, error_behavior: { type: fail, interval: 1s } }",
      "5:26 conflict: `interval` has no effect with `type: fail`",
    ],
    [
      "`fail_fast` without a matrix",
      "- { name: a, run: x, fail_fast: true }",
      "5:26 conflict: `fail_fast` has no effect without `matrix`",
    ],
    [
      "`on_timeout` without a time-out",
      "- { name: a, type: wait_for, config: { event: e, key: k }, on_timeout: [] }",
      "5:64 conflict: `on_timeout` has no effect without `timeout` in `config`",
    ],
    [
      "a need that is not there",
      "- { name: a, run: x }\n- { name: bee, run: x, needs: [ab] }",
      "6:36 unknown-name: there is no step `ab` beside this one | did you mean `a`?",
    ],
    ["a step that needs itself", "- { name: a, run: x, needs: [a] }", "5:34 cycle: `a` needs itself"],
    [
      "steps that need one another",
      "- { name: a, run: x, needs: [c] }\n- { name: b, run: x, needs: [a] }\n- { name: c, run: x, needs: [b] }",
      "6:34 cycle: steps that need one another: `a` -> `c` -> `b` -> `a`",
    ],
    ["a matrix without names", "- { name: a, run: x, matrix: {} }", "no combination: the step would never run"],
    [
      "a matrix whose only name has no value",
      "- { name: a, run: x, matrix: { node: [] } }",
      "5:34 wrong-value: this matrix has no combination: the step would never run",
    ],
    [
      "a matrix of which all is excluded",
      "- { name: a, run: x, matrix: { node: [1], exclude: [{ node: 1 }] } }",
      "no combination: the step would never run",
    ],
    [
      "an `exclude` of a name that the matrix does not have",
      "- { name: a, run: x, matrix: { node: [1], exclude: [{ nod: 1 }] } }",
      "unknown-name: `exclude` names `nod`, which the matrix does not have | did you mean `node`?",
    ],
    [
      "a matrix with too many runs",
      "- { name: a, run: x, matrix: { a: [1,2,3,4,5,6,7], b: [1,2,3,4,5,6,7], c: [1,2,3,4,5,6,7] } }",
      "5:34 wrong-value: a matrix has at most 256 runs",
    ],
    [
      "an expression that is cut off",
      '- { name: a, type: log, config: { message: "${{ inputs.x + }}" } }',
      "expression: `${{ }}`: unexpected token",
    ],
    [
      "a placeholder that is never closed",
      '- { name: a, type: log, config: { message: "${{ inputs.x" } }',
      "5:49 expression: this `${{` is never closed | add `}}`",
    ],
    [
      "an unknown step in an expression",
      "- { name: build, run: x }\n- { name: b, type: log, config: { message: '${{ steps.biuld.outputs.x }}' } }",
      "there is no step `biuld` | did you mean `build`?",
    ],
    [
      "an unknown root",
      "- { name: b, type: log, config: { message: '${{ env.x }}' } }",
      "5:53 expression: there is no `env`",
    ],
    [
      "`item` outside of a `for_each`",
      "- { name: b, type: log, config: { message: '${{ item }}' } }",
      "`item` is only there within a `for_each`",
    ],
    [
      "`matrix` outside of one",
      "- { name: b, type: log, config: { message: '${{ matrix.x }}' } }",
      "`matrix` is only there within a step that has one",
    ],
    [
      "a name that the matrix does not have",
      "- { name: b, type: log, matrix: { node: [1] }, config: { message: '${{ matrix.nod }}' } }",
      "the matrix has no `nod` | did you mean `node`?",
    ],
    [
      "a secret where no step runs",
      "- { name: b, type: log, when: '${{ secret.X == \"a\" }}', config: { message: x } }",
      "a secret is only there where a step runs",
    ],
    [
      "items that are no list",
      "- { name: b, type: for_each, items: inputs.list, steps: [{ name: c, run: x }] }",
      "expected a list, or `${{ }}` that comes to one | write `${{ inputs.list }}`",
    ],
    [
      "a value that always takes the same case",
      "- { name: b, type: decide, value: a, cases: { a: [] } }",
      "a fixed value always takes the same case",
    ],
    [
      "a wrong JSONPath",
      "- { name: b, run: x, outputs: [{ name: a, json_path: '$[' }] }",
      "expression: the JSONPath `$[` is wrong",
    ],
    [
      "an output called like a key of ours",
      "- { name: b, run: x, outputs: [{ name: steps }] }",
      "forbidden-key: `steps` is a key of the data that WFE itself uses",
    ],
    [
      "an alias of a whole step",
      "- &a { name: a, run: x }\n- *a",
      "6:7 duplicate-name: the step `a` is repeated by an alias",
    ],
    [
      "a date that is none",
      "- { name: a, type: sleep_until, config: { date: tomorrow } }",
      "5:53 wrong-value: expected a date such as",
    ],
    [
      "services, which are not there yet",
      "- { name: a, run: x }",
      "unknown-key: `services` of a workflow is not there yet",
      "  services: { db: { image: postgres } }\n",
    ],
    [
      "an unknown data type",
      "- { name: a, run: x }",
      "4:16 wrong-value: there is no type `strnig`: expected string, number",
      "  inputs: { a: strnig }\n",
    ],
    [
      "an unknown input in a condition",
      "- { name: a, run: x, when: { field: .inputs.contry, equals: de } }",
      "`contry` is not an input of this workflow | did you mean `country`?",
      "  inputs: { country: string }\n",
    ],
    [
      "an output that nothing gives",
      "- { name: a, run: x, when: { field: .outputs.y, equals: 1 } }",
      "`y` is not an output of any of its steps",
    ],
    [
      "an output that no transform gives",
      "- { name: t, type: transform, config: { set: { count: 1 } } }\n- { name: a, run: x, when: { field: .outputs.coutn, equals: 1 } }",
      "`coutn` is not an output of any of its steps | did you mean `count`?",
    ],
    [
      "an order of texts",
      "- { name: a, run: x, when: { field: .inputs.country, gt: 1 } }",
      "`gt` compares numbers, and this field is of type string",
      "  inputs: { country: string }\n",
    ],
    [
      "a value that a field never has",
      "- { name: a, run: x, when: { field: .inputs.n, equals: de } }",
      "this field is of type integer and never equals such a value",
      "  inputs: { n: integer }\n",
    ],
    [
      "a field that is never null",
      "- { name: a, run: x, when: { field: .inputs.n, is_null: true } }",
      "this field is never null",
      "  inputs: { n: integer }\n",
    ],
    [
      "a comparison that there is not",
      "- { name: a, run: x, when: { field: .inputs.n, equal: 1 } }",
      "there is no comparison `equal` | did you mean `equals`?",
      "  inputs: { n: integer }\n",
    ],
    [
      "two comparisons at once",
      "- { name: a, run: x, when: { field: .inputs.n, gt: 1, lt: 3 } }",
      "a comparison is one: `gt` is there already | combine them with `all`",
      "  inputs: { n: integer }\n",
    ],
  ])("%s", (_, text, expected, more) => {
    expect(found(steps(text, more)).join("\n")).toContain(expected);
  });

  it("in variables name the nearest one", () => {
    const text = steps("- { name: a, type: log, config: { message: '${{ var.db.hots }}' } }");
    expect(found(text, { db: { host: "h" } })).toEqual([
      "5:49 unknown-variable: there is no variable `db.hots` | did you mean `host`?",
    ]);
    expect(found(text)).toEqual([
      "5:49 unknown-variable: there is no variable `db.hots` | give it a value: `wfe ... --var name=value`, in a program `loadWorkflow(file, { name: value })`",
    ]);
  });

  it("point into block texts, also where variables were filled in before", () => {
    const text = steps(
      "- name: a\n  type: log\n  config:\n    message: |\n      first ${{ var.x }}\n      second ${{ nope }}",
    );
    expect(found(text, { x: "a long value\nof two lines" })).toEqual([
      "10:22 expression: there is no `nope` | known: `inputs`, `data`, `steps`, `item`, `index`, `matrix`, `workflow`, `secret`, `var`",
    ]);
  });

  it("are the same problem once, wherever an alias repeats it", () => {
    const text = `_t: &t { timeout: soon }\n${steps("- { name: a, run: x, <<: *t }\n- { name: b, run: x, <<: *t }")}`;
    expect(found(text)).toHaveLength(1);
  });

  it("in what is not a workflow file at all are told as well", () => {
    expect(found("")[0]).toBe("1:1 missing-key: the file is empty: expected `workflow:` or `workflows:`");
    expect(found("- a")[0]).toBe("1:1 wrong-value: expected `workflow:` or `workflows:` at the top of the file");
    expect(found("worklfow: {}")[0]).toBe(
      "1:1 missing-key: expected `workflow:` or `workflows:` at the top of the file | did you mean `workflow`?",
    );
    expect(found("a: [1")[0]).toMatch(/^1:6 syntax: /);
    expect(found("workflow: x")[0]).toContain("expected a workflow: a map with `id`, `version` and `steps`");
    expect(found("a: 1\n---\nb: 2").join()).toContain("a file has one document");
  });
});

describe("formats of problems", () => {
  const problems = validateText(steps("- { name: 'a, b', type: 50%:lgo, config: {} }"), {}, { file: "ci/a b.yaml" });

  it("github are workflow commands with escaped properties", () => {
    expect(formatProblems(problems, "github")).toBe(
      "::error file=ci/a b.yaml,line=5,endLine=5,col=29,endColumn=36,title=wfe unknown-type::there is no type `50%25:lgo`; known: ".concat(
        problems[0]?.hint?.replace("known: ", "").replaceAll("%", "%25") ?? "",
        "\n",
      ),
    );
  });

  it("sarif is version 2.1.0, with a region for each", () => {
    const sarif = JSON.parse(formatProblems(problems, "sarif")) as {
      version: string;
      runs: { results: { ruleId: string; locations: { physicalLocation: unknown }[] }[] }[];
    };
    expect(sarif.version).toBe("2.1.0");
    expect(sarif.runs[0]?.results[0]).toMatchObject({
      ruleId: "unknown-type",
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: "ci/a%20b.yaml" },
            region: { startLine: 5, startColumn: 29, endLine: 5, endColumn: 36 },
          },
        },
      ],
    });
  });

  it("json is the problems themselves", () => {
    expect(JSON.parse(formatProblems(problems, "json"))).toEqual(problems);
  });

  it("pretty cuts a long line around its caret", () => {
    const [problem] = validateText(steps(`- { name: a, run: "${"x".repeat(300)}", nope: 1, type: shell }`));
    const [, line = "", caret = ""] = formatProblems(problem === undefined ? [] : [problem], "pretty").split("\n");
    expect(line.length).toBeLessThan(130);
    expect(line.slice(caret.indexOf("^"), caret.lastIndexOf("^") + 1)).toBe("nope");
  });
});
