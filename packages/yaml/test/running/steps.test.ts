import { WorkflowHost } from "@wfe/core";
import { memory, runToEnd } from "@wfe/core/testing";
import { memoryCache, parseWorkflow, parseWorkflows, type LoadOptions, type StepType } from "@wfe/yaml";
import { describe, expect, it } from "vitest";
import * as z from "zod";

type Data = Record<string, any>;

/** Runs the steps of a workflow to its end. */
async function run(steps: string, data: Data = {}, options: LoadOptions = {}, more = ""): Promise<Data> {
  const text = `workflow:\n  id: w\n  version: 1\n${more}  steps:\n${steps.replaceAll(/^/gm, "    ")}`;
  return (await runToEnd(parseWorkflow(text, {}, options), data)) as Data;
}

describe("data of steps", () => {
  it("is set by outputs under their names, and under the step's", async () => {
    const data = await run(
      `
- { name: a, type: transform, config: { set: { x: 1, y: "\${{ inputs.who }}!" } } }
- { name: b, type: transform, config: { set: { z: "\${{ steps.a.outputs.x + data.x }}" } } }`,
      { who: "ann" },
    );
    expect(data).toEqual({
      who: "ann",
      x: 1,
      y: "ann!",
      z: 2,
      steps: { a: { outputs: { x: 1, y: "ann!" } }, b: { outputs: { z: 2 } } },
    });
  });

  it("is left by a command that failed and is gone past: output, exit code and what it had set", async () => {
    const data = await run(`
- name: a
  run: echo out; echo err >&2; echo "##wfe[output part=7]"; exit 3
  error_behavior: { type: ignore }
- name: b
  run: exit 4
  retry: { max_retries: 1, interval: 1ms, then: ignore }
- name: m
  matrix: { n: [1, 2] }
  error_behavior: { type: ignore }
  run: echo "##wfe[output n=\${{ matrix.n }}]"; exit "\${{ matrix.n }}"
- { name: after, type: transform, config: { set: { seen: "\${{ [steps.a.outputs.part, data['a.exit_code']] }}" } } }`);
    expect(data).toMatchObject({
      "a.stdout": expect.stringContaining("out\n"),
      "a.stderr": "err\n",
      "a.exit_code": 3,
      part: 7,
      seen: [7, 3],
      "b.exit_code": 4,
      steps: { m: { outputs: [{ n: 1 }, { n: 2 }] } },
    });
  });

  it("that is left by a failure is cut where there is much of it, and holds no secret", async () => {
    const data = await run(
      `
- name: a
  run: 'seq 1 20000; echo "the key is \${{ secret.KEY }}" >&2; echo "##wfe[output key=\${{ secret.KEY }}]"; exit 1'
  error_behavior: { type: ignore }`,
      {},
      { secrets: { KEY: "hush-hush-hush" } },
    );
    expect(data).toMatchObject({ "a.stderr": "the key is ***\n", key: "***", "a.exit_code": 1 });
    expect(data["a.stdout"]).toMatch(/^1\n2\n[^]*characters are left out here[^]*20000\n/);
    expect(Buffer.byteLength(data["a.stdout"] as string)).toBeLessThan(4_096);
  });

  it("keeps its types through a placeholder that is a whole value", async () => {
    const given = { date: new Date(0), list: [1, { a: null }], big: 12345678901234567890n, no: false };
    const data = await run(
      `- { name: a, type: transform, config: { set: { d: "\${{ data.date }}", l: "\${{ inputs.list }}", b: " \${{ data.big }} ", n: "\${{ data.no }}", t: "[\${{ data.list }}]" } } }`,
      given,
    );
    expect(data).toMatchObject({ d: given.date, l: given.list, b: given.big, n: false, t: '[[1,{"a":null}]]' });
  });

  it("may be missing where its type says so, and is null then", async () => {
    const steps = `- { name: a, type: transform, config: { set: { x: "\${{ inputs.nick == null ? 'none' : inputs.nick }}", y: "\${{ inputs.nick }}" } } }`;
    expect(await run(steps, {}, {}, "  inputs: { nick: string? }\n")).toMatchObject({ x: "none", y: null });
    expect(await run(steps, { nick: "x" }, {}, "  inputs: { nick: string? }\n")).toMatchObject({ x: "x", y: "x" });
  });

  it("is the step's own in `inputs`, by reference or by value", async () => {
    const data = await run(
      `
- { name: a, type: transform, inputs: [{ name: image, path: build.image }, { name: deep, path: a.b }, { name: first, json_path: "$.list[0]" }], config: { set: { x: "\${{ inputs.image }}-\${{ inputs.deep }}-\${{ inputs.first }}" } } }
- { name: b, type: transform, inputs: { n: "\${{ data.list }}" }, config: { set: { y: "\${{ size(inputs.n) }}" } } }`,
      { "build.image": "i", a: { b: "d" }, list: [7, 8] },
    );
    expect(data).toMatchObject({ x: "i-d-7", y: 2 });
    await expect(run("- { name: a, type: log, inputs: [{ name: x }], config: { message: x } }")).rejects.toThrow(
      "the input `x` is not in the data",
    );
  });

  it("is checked against the declared inputs at the start, and kept beyond them", async () => {
    const inputs = "  inputs: { n: integer, tags: list<string>?, by: map<number>? }\n";
    const steps = "- { name: a, type: log, config: { message: x } }";
    expect(await run(steps, { n: 1, more: true }, {}, inputs)).toMatchObject({ n: 1, more: true });
    await expect(run(steps, { n: 1.5 }, {}, inputs)).rejects.toThrow(/must be integer/);
    await expect(run(steps, {}, {}, inputs)).rejects.toThrow(/is missing/);
    await expect(run(steps, { n: 1, tags: ["a", 2] }, {}, inputs)).rejects.toThrow(/must be string/);
    await expect(run(steps, { n: 1, by: { a: "x" } }, {}, inputs)).rejects.toThrow(/must be number/);
  });

  it("must be there for the declared outputs", async () => {
    const outputs = "  outputs: { x: integer, y: string? }\n";
    expect(await run("- { name: a, type: transform, config: { set: { x: 1 } } }", {}, {}, outputs)).toMatchObject({
      x: 1,
    });
    await expect(run("- { name: a, type: transform, config: { set: { y: a } } }", {}, {}, outputs)).rejects.toThrow(
      "the workflow's output `x` is missing",
    );
    await expect(run("- { name: a, type: transform, config: { set: { x: a } } }", {}, {}, outputs)).rejects.toThrow(
      "the workflow's output `x` must be integer, got a string",
    );
  });

  it("belongs to the item within a for_each", async () => {
    const data = await run(`
- name: each
  type: for_each
  items: [1, 2, 3]
  as: results
  steps:
    - { name: a, type: transform, config: { set: { x: "\${{ item * 10 }}" } } }
    - { name: b, type: transform, config: { set: { y: "\${{ steps.a.outputs.x + data.x + index }}" } }, when: { field: .outputs.x, gte: 10 } }`);
    expect(data).toEqual({ results: [{ y: 20 }, { y: 41 }, { y: 62 }] });
  });

  it("of the runs of a matrix is a list in order, the first key slowest", async () => {
    const data = await run(`
- name: test
  matrix: { os: [a, b], node: [20, 22], include: [{ os: b, extra: 1 }, { os: c, node: 24 }], exclude: [{ os: a, node: 20 }] }
  max_parallel: 2
  steps:
    - { name: one, type: transform, config: { set: { x: "\${{ matrix.os }}\${{ matrix.node }}" } } }
    - { name: two, type: transform, config: { set: { y: "\${{ steps.one.outputs.x }}:\${{ data.x }}:\${{ has(matrix.extra) }}" } } }
- { name: after, type: transform, config: { set: { all: "\${{ steps.two.outputs.map(o, o.y) }}" } } }`);
    expect(data.all).toEqual(["a22:a22:false", "b20:b20:true", "b22:b22:true", "c24:c24:false"]);
    expect(data).not.toHaveProperty("x");
    expect(data.steps.one.outputs).toEqual([{ x: "a22" }, { x: "b20" }, { x: "b22" }, { x: "c24" }]);
  });

  it("of a matrix within a for_each, and of a for_each within a matrix, knows both", async () => {
    const data = await run(`
- name: each
  type: for_each
  items: [x, y]
  as: outer
  steps:
    - { name: m, type: transform, matrix: { n: [1, 2] }, config: { set: { v: "\${{ item }}\${{ matrix.n }}" } } }
    - { name: sum, type: transform, config: { set: { all: "\${{ steps.m.outputs.map(o, o.v) }}" } } }
- name: m2
  matrix: { n: [1, 2] }
  steps:
    - { name: inner, type: for_each, items: [p, q], as: got, steps: [{ name: leaf, type: transform, config: { set: { v: "\${{ item }}\${{ matrix.n }}" } } }] }`);
    expect(data.outer).toEqual([{ all: ["x1", "x2"] }, { all: ["y1", "y2"] }]);
  });

  it("says what a matrix is at run time", async () => {
    const steps = `- { name: m, type: transform, matrix: { n: "\${{ data.ns }}" }, config: { set: { v: "\${{ matrix.n }}" } } }`;
    expect((await run(steps, { ns: [3, 4] })).steps.m.outputs).toEqual([{ v: 3 }, { v: 4 }]);
    await expect(run(steps, { ns: 3 })).rejects.toThrow("the values of `n` in the matrix must be a list");
  });
});

describe("what surrounds a step", () => {
  const noted: string[] = [];
  const note: StepType = {
    type: "note",
    title: "Note",
    description: "Notes that it ran.",
    config: z.looseObject({}),
    run: (config, { step }) => {
      noted.push(step);
      if ((config as { fail?: boolean }).fail === true) throw new Error("no");
      return { outputs: { ok: true } };
    },
  };
  const traced = async (steps: string, data: Data = {}, more = ""): Promise<string> => {
    noted.length = 0;
    await run(steps, data, { types: [note] }, more).catch(() => noted.push("failed"));
    return noted.join(" ");
  };

  it("on_success runs after a success alone, ensure after everything", async () => {
    const hooks =
      "on_success: { name: s, type: note }, on_failure: { name: f, type: note }, ensure: { name: e, type: note }";
    expect(await traced(`- { name: a, type: note, ${hooks} }\n- { name: z, type: note }`)).toBe("a s e z");
    expect(await traced(`- { name: a, type: note, config: { fail: true }, ${hooks} }\n- { name: z, type: note }`)).toBe(
      "a f e failed",
    );
    expect(
      await traced(
        `- { name: a, type: note, config: { fail: true }, error_behavior: { type: ignore }, ${hooks} }\n- { name: z, type: note }`,
      ),
    ).toBe("a f e z");
    expect(
      await traced(
        `- { name: a, type: note, config: { fail: true }, error_behavior: { type: compensate }, ${hooks} }\n- { name: z, type: note }`,
      ),
    ).toBe("a f e z");
    expect(await traced(`- { name: a, type: note, when: false, ${hooks} }\n- { name: z, type: note }`)).toBe("z");
  });

  it("hooks of the workflow run once, last", async () => {
    const hooks = "  on_failure: { name: f, type: note }\n  ensure: { name: e, type: note }\n";
    expect(await traced("- { name: a, type: note }", {}, hooks)).toBe("a e");
    expect(await traced("- { name: a, type: note, config: { fail: true } }", {}, hooks)).toBe("a f e failed");
  });

  it("a need that was skipped has ended; one that failed has not", async () => {
    expect(await traced("- { name: b, type: note, needs: a }\n- { name: a, type: note, when: false }")).toBe("b");
    expect(
      await traced("- { name: b, type: note, needs: [a] }\n- { name: a, type: note, config: { fail: true } }"),
    ).toBe("a failed");
  });

  it.each<[string, Data, boolean]>([
    ["{ field: .inputs.n, equals: 1 }", { n: 1 }, true],
    ["{ field: inputs.n, not_equals: 1 }", { n: 2 }, true],
    ["{ field: .inputs.n, gt: 1 }", { n: 1 }, false],
    ["{ field: .inputs.n, gte: 1 }", { n: 1 }, true],
    ["{ field: .inputs.n, lt: 1 }", { n: "0" }, false],
    ["{ field: .inputs.n, lte: 1 }", { n: 1n }, true],
    ["{ field: .inputs.s, contains: ell }", { s: "hello" }, true],
    ["{ field: .inputs.s, contains: [1] }", { s: [[1], 2] }, true],
    ["{ field: .inputs.s, is_null: true }", {}, true],
    ["{ field: .inputs.s, is_null: false }", { s: null }, false],
    ["{ field: .inputs.s, is_not_null: true }", { s: 0 }, true],
    ["{ field: .inputs.s.t, equals: { a: [1] } }", { s: { t: { a: [1] } } }, true],
    ['{ field: .inputs.n, equals: "${{ inputs.m }}" }', { n: 3, m: 3 }, true],
    ["{ all: [{ field: .inputs.n, gt: 0 }, { field: .inputs.n, lt: 5 }] }", { n: 3 }, true],
    ["{ any: [{ field: .inputs.n, gt: 9 }, { field: .inputs.n, lt: 5 }] }", { n: 7 }, false],
    ["{ none: [{ field: .inputs.n, gt: 9 }, { field: .inputs.n, lt: 5 }] }", { n: 7 }, true],
    ["{ one_of: [{ field: .inputs.n, gt: 1 }, { field: .inputs.n, gt: 5 }] }", { n: 7 }, false],
    ["{ not: { not: { field: .inputs.n, equals: 1 } } }", { n: 1 }, true],
    ['"${{ inputs.n % 2 == 0 }}"', { n: 4 }, true],
    ['"${{ inputs.s }}"', { s: "false" }, false],
  ])("when: %s of %o is %s", async (when, data, runs) => {
    expect(await traced(`- { name: a, type: note, when: ${when} }`, data)).toBe(runs ? "a" : "");
  });
});

describe("types of the application", () => {
  const greet: StepType<{ name: string; times: number }> = {
    type: "acme.greet",
    title: "Greet",
    description: "Greets someone.",
    input: z.strictObject({ name: z.string(), times: z.number().default(2) }),
    output: z.object({ text: z.string().max(20) }),
    run: ({ name, times }) => ({ outputs: { text: `hello ${name} `.repeat(times).trim() } }),
  };

  it("take `config` and `inputs` together, checked at load and at run time", async () => {
    const types = [greet];
    expect(await run("- { name: g, type: acme.greet, config: { name: ann } }", {}, { types })).toMatchObject({
      text: "hello ann hello ann",
    });
    expect(
      await run(
        '- { name: g, type: acme.greet, config: { times: 1 }, inputs: { name: "${{ data.who }}" } }',
        { who: "bob" },
        { types },
      ),
    ).toMatchObject({ text: "hello bob" });
    await expect(run("- { name: g, type: acme.greet, config: { nmae: ann } }", {}, { types })).rejects.toThrow(
      "did you mean `name`?",
    );
    await expect(
      run('- { name: g, type: acme.greet, inputs: { name: "${{ data.who }}" } }', { who: 7 }, { types }),
    ).rejects.toThrow("the step's inputs do not fit its type: `inputs.name`");
    await expect(
      run("- { name: g, type: acme.greet, config: { name: someone with a long name } }", {}, { types }),
    ).rejects.toThrow("the step's outputs do not fit its type");
  });

  it("are any Standard Schema's", async () => {
    const even = {
      "~standard": {
        version: 1 as const,
        vendor: "own",
        validate: (value: unknown) =>
          (value as { n: number }).n % 2 === 0 ? { value } : { issues: [{ message: "must be even", path: ["n"] }] },
      },
    };
    const type: StepType = {
      type: "even",
      title: "Even",
      description: "Takes even numbers.",
      config: even,
      run: (config) => ({ outputs: config as Data }),
    };
    expect(await run("- { name: a, type: even, config: { n: 4 } }", {}, { types: [type] })).toMatchObject({ n: 4 });
    await expect(run("- { name: a, type: even, config: { n: 3 } }", {}, { types: [type] })).rejects.toThrow(
      "workflow.yaml:5:43: must be even",
    );
    await expect(
      run('- { name: a, type: even, config: { n: "${{ data.n }}" } }', { n: 3 }, { types: [type] }),
    ).rejects.toThrow("`config.n`: must be even");
  });

  it("need all that people choose by, and cannot take words of the language", () => {
    const load = (type: object) => () => parseWorkflow("workflow: {}", {}, { types: [{ ...greet, ...type }] });
    expect(load({ title: undefined })).toThrow("needs a `title`");
    expect(load({ type: "parallel" })).toThrow("is a word of the language");
    expect(load({ type: "a b" })).toThrow("must be letters");
    expect(load({ input: {} })).toThrow("must be a Standard Schema");
  });
});

describe("cached results", () => {
  it("are taken while configuration and inputs are the same, and shown as such", async () => {
    let runs = 0;
    const count: StepType = {
      type: "count",
      title: "Count",
      description: "Counts its runs.",
      config: z.looseObject({}),
      run: () => ({ outputs: { runs: (runs += 1) } }),
    };
    const cache = memoryCache();
    const options = { types: [count], cache };
    const step = (config: string): string => `- { name: c, type: count, config: ${config}, cache: { ttl: 1h } }`;
    expect((await run(step("{ a: 1 }"), { n: 1 }, options)).runs).toBe(1);
    expect((await run(step("{ a: 1 }"), { n: 1 }, options)).runs).toBe(1);
    expect((await run(step("{ a: 2 }"), { n: 1 }, options)).runs).toBe(2);
    expect((await run(step("{ a: 1 }"), { n: 2 }, options)).runs).toBe(3);
    expect((await run(step('{ a: "${{ data.n }}" }'), { n: 1 }, options)).runs).toBe(1);
    const keyed =
      '- { name: c, type: count, config: { a: "${{ data.n }}" }, cache: { key: "k-${{ data.k }}", ttl: 1h } }';
    expect((await run(keyed, { n: 1, k: 1 }, options)).runs).toBe(4);
    expect((await run(keyed, { n: 2, k: 1 }, options)).runs).toBe(4);
    expect((await run(keyed, { n: 2, k: 2 }, options)).runs).toBe(5);
    const off = "- { name: c, type: count, config: { a: 9 }, cache: { ttl: 0s } }";
    expect((await run(off, {}, options)).runs).toBe(6);
    expect((await run(off, {}, options)).runs).toBe(7);

    const definition = parseWorkflow(
      `workflow:\n  id: w\n  version: 1\n  steps:\n    ${step("{ a: 1 }")}`,
      {},
      options,
    );
    await using host = new WorkflowHost({ providers: [memory()], workflows: [definition] });
    await host.start();
    const handle = await host.startWorkflow(definition, { n: 1 });
    await handle.result();
    const { items } = await host.history(handle.id);
    expect(items.find(({ kind }) => kind === "step-completed")?.output).toEqual({ outputs: { runs: 1 }, cached: true });
  });
});

describe("children", () => {
  it("of the same file give what they declare", async () => {
    const [parent, child] = parseWorkflows(`
workflows:
  - id: parent
    version: 1
    steps:
      - { name: c, type: workflow, config: { workflow: child }, inputs: { n: "\${{ data.n + 1 }}" } }
      - { name: d, type: workflow, config: { workflow: child, workflow_version: 1 }, inputs: [{ name: n }], outputs: [{ name: other, path: twice }] }
  - id: child
    version: 1
    inputs: { n: integer }
    outputs: { twice: integer }
    steps:
      - { name: t, type: transform, config: { set: { twice: "\${{ inputs.n * 2 }}", hidden: 1 } } }`);
    await using host = new WorkflowHost({ providers: [memory()], workflows: [parent!, child!] });
    await host.start();
    const handle = await host.startWorkflow(parent!, { n: 5 });
    expect(await handle.result()).toEqual({
      n: 5,
      twice: 12,
      other: 10,
      steps: { c: { outputs: { twice: 12 } }, d: { outputs: { other: 10 } } },
    });
  });
});

describe("a definition's hash", () => {
  const hashOf = (text: string, config: Data = {}): string =>
    parseWorkflow(`workflow:\n  id: w\n  version: 1\n${text}`, config).hash;
  const steps = '  steps: [{ name: a, type: log, config: { message: "${{ var.x }}" } }]\n';

  it("is of what is written, before variables are filled in", () => {
    expect(hashOf(steps, { x: "a" })).toBe(hashOf(steps, { x: "b" }));
    expect(hashOf(steps, { x: "a" })).not.toBe(
      hashOf(steps.replace("message: ", "level: warn, message: "), { x: "a" }),
    );
    expect(hashOf(steps, { x: "a" })).not.toBe(hashOf(steps.replace("var.x", "var.y"), { y: "a" }));
  });

  it("is not of layout, comments, the order of keys, names and descriptions for people", () => {
    const same = `  description: other\n  name: N\n  steps:\n    # comment\n    - config:\n        message: \${{ var.x }}\n      type: log\n      name: a\n`;
    expect(hashOf(same, { x: "a" })).toBe(hashOf(steps, { x: "a" }));
  });
});
