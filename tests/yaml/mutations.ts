import { InvalidWorkflowFileError, parseWorkflows, validateText, type Problem } from "@wfe/yaml";
import type { Random } from "../support/random.ts";

/** Files that say everything that can be said; mutations begin with them. */
export const corpus: readonly string[] = [
  `# comment
_templates:
  slow: &slow { timeout: 5m, retry: { max_retries: 2, interval: 1s, backoff: 2 } }
workflow:
  id: deploy
  version: 3
  name: Deploy
  inputs: { env: string, count: integer?, tags: list<string>?, by: map<number>? }
  outputs: { image: string? }
  error_behavior: { type: suspend }
  on_failure: { name: mourn, run: echo "failed" }
  ensure: { name: clean, type: log, config: { message: bye } }
  steps:
    - name: build
      <<: *slow
      run: |
        echo "##wfe[output image=x]"
        echo \${{ inputs.env }} "\${{ secret.TOKEN }}"
      outputs: [{ name: image }, { name: log, path: out.txt }, { name: n, json_path: "$.a[0]" }]
      cache: { key: "k-\${{ inputs.env }}", ttl: 1h }
    - name: test
      needs: [build]
      matrix: { node: [20, 22], include: [{ node: 24, extra: true }], exclude: [{ node: 20 }] }
      max_parallel: 2
      fail_fast: false
      run: 'echo "\${{ matrix.node }}"'
      when: { all: [{ field: .inputs.env, equals: prod }, { not: { field: .outputs.image, is_null: true } }] }
      on_success: { name: good, type: log, config: { message: "\${{ steps.build.outputs.image }}", level: warn } }
`,
  `include: []
workflows:
  - id: a
    version: 1
    steps:
      - name: both
        parallel:
          - { name: left, type: transform, config: { set: { x: "\${{ data.y + 1 }}", z: [1, { a: null }] } } }
          - { name: right, type: http, config: { url: "https://example.org/\${{ data.id }}", json: { a: 1 }, retries: 2 } }
      - name: each
        type: for_each
        items: \${{ data.items.filter(i, i.n > 2) }}
        concurrency: 3
        as: all
        steps:
          - { name: one, type: log, config: { message: "\${{ item.n }}" } }
          - { name: two, type: delay, config: { duration: 250ms } }
      - { name: loop, type: while, when: { field: .outputs.x, lt: 3 }, steps: [{ name: again, type: transform, config: { set: { x: 3 } } }] }
      - name: choose
        type: decide
        value: \${{ data.kind }}
        cases:
          a: [{ name: ca, type: end }]
          default: [{ name: cd, type: fail, config: { message: no } }]
  - id: b
    version: 2
    steps:
      - { name: wait, type: wait_for, config: { event: e, key: "\${{ data.k }}", timeout: 2d, as_of: now, remind: { every: 1d, do: [{ name: r, run: x }] } }, on_timeout: [{ name: t, run: x }] }
      - { name: any, type: wait_for_any, config: { events: { yes: { event: y, key: 1 }, no: { event: n, key: 1 } } } }
      - { name: until, type: sleep_until, config: { date: 2030-01-01 } }
      - name: trip
        type: saga
        retry: 2
        steps:
          - { name: flight, run: book, compensate: { name: unbook, run: unbook }, on_crash: fail, cancel_when: { when: "\${{ data.stop == true }}", proceed: true } }
          - { name: sub, type: workflow, config: { workflow: a, version: 1 }, inputs: [{ name: x, path: y.z }] }
      - { name: js, type: deno, config: { script: "Wfe.setOutput('a', 1)", permissions: { net: [example.org] } } }
      - { name: if, type: if, when: true, steps: [{ name: yes1, run: a }], else: [{ name: no1, run: b }] }
`,
];

const bits = [
  "${{",
  "}}",
  "${{ x }}",
  "${{ steps.build.outputs.x }}",
  "${{ [1].map(a, a) }}",
  "&a ",
  "*a",
  "<<: *a",
  "!!str ",
  "!x ",
  "- ",
  ": ",
  "? ",
  "{",
  "}",
  "[",
  "]",
  "|",
  ">",
  "'",
  '"',
  "\\",
  "\n",
  "\n  ",
  "\n      ",
  "\t",
  "#",
  "%",
  "---\n",
  "...\n",
  "__proto__: 1",
  "~",
  "null",
  "true",
  "-1",
  "1e999",
  ".nan",
  "0x",
  "99999999999999999999",
  "\u0000",
  "\uD800",
  "\uFEFF",
  "\uE000",
  "😀",
  "name: x",
  "type: shell",
  "type: wait_for",
  "steps:",
  "parallel:",
  "needs: [build]",
  "matrix: { a: [1] }",
  "run: x",
  "config:",
  "when: { field: .inputs.x }",
  "timeout: 5s",
  "\r\n",
];

/** A changed copy of a text. */
export function mutate(text: string, random: Random): string {
  const { below } = random;
  let mutated = text;
  for (let changes = 1 + below(6); changes > 0; changes--) {
    const at = below(mutated.length + 1);
    const length = below(random.chance(0.7) ? 12 : 200);
    const piece = mutated.slice(at, at + length);
    const bit = bits[below(bits.length)] ?? "";
    const lines = mutated.split("\n");
    switch (below(7)) {
      case 0:
        mutated = mutated.slice(0, at) + mutated.slice(at + length);
        break;
      case 1:
        mutated = mutated.slice(0, at) + piece.repeat(1 + below(4)) + mutated.slice(at);
        break;
      case 2:
      case 3:
        mutated = mutated.slice(0, at) + bit + mutated.slice(at);
        break;
      case 4:
        mutated = mutated.slice(0, at) + bit + mutated.slice(at + length);
        break;
      case 5:
        lines.splice(below(lines.length), 1 + below(3));
        mutated = lines.join("\n");
        break;
      default:
        lines.splice(below(lines.length), 0, lines[below(lines.length)] ?? "");
        mutated = lines.join("\n");
    }
  }
  return mutated;
}

/** What is wrong with how a text was dealt with; undefined when nothing is. */
export function misbehavior(text: string): string | undefined {
  const before = process.cpuUsage();
  let problems: readonly Problem[];
  try {
    problems = validateText(text);
  } catch (error) {
    return `validating throws ${String(error)}`;
  }
  // Time of this process alone: other work on the machine does not count.
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1000;
  if (ms > 200) return `validating takes ${ms} ms`;
  const lines = text.split("\n").length;
  for (const { code, message, line, column, lineText } of problems) {
    if (!/^[a-z-]+$/.test(code) || message === "" || message.includes("\n"))
      return `an unnamed problem: ${code} ${message}`;
    if (line < 1 || line > lines || column < 1 || column > lineText.length + 2)
      return `a problem beside the text: ${line}:${column} ${message}`;
    // What the file says it may be told: `.nan` is a number.
    const ours = message.replaceAll(/\bgot NaN\b/g, "");
    if (/undefined|NaN\b|\[object|is not a function|[Cc]annot read prop|call stack/.test(ours))
      return `a problem of ours: ${message}`;
  }
  try {
    const definitions = parseWorkflows(text);
    if (problems.length > 0) return "what has problems loads";
    for (const definition of definitions) definition.toMermaid();
    return undefined;
  } catch (error) {
    if (error instanceof InvalidWorkflowFileError)
      return problems.length > 0 ? undefined : `what has no problems does not load: ${error.message}`;
    return `loading throws ${String(error)}`;
  }
}
