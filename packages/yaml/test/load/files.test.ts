import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runToEnd } from "@wfe/core/testing";
import { fileOfWorkflow, loadWorkflow, loadWorkflows, parseWorkflow, parseWorkflows, validateFile } from "@wfe/yaml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wfe-yaml-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function files(texts: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(texts)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}
const at = (name: string): string => join(folder, name);
const one = (id: string): string =>
  `workflow: { id: ${id}, version: 1, steps: [{ name: a, type: log, config: { message: x } }] }\n`;

describe("files", () => {
  it("give their workflows in order, those of included files where they are included", async () => {
    await files({
      "main.yaml": `include: [parts/b.yaml, parts/c.yml]\nworkflows:\n  - ${one("a").slice(10)}  - ${one("d").slice(10)}`,
      "parts/b.yaml": `${one("b")}include: ../parts/c.yml\n`,
      "parts/c.yml": one("c"),
    });
    const loaded = await loadWorkflows(at("main.yaml"));
    expect(loaded.map(({ id }) => id)).toEqual(["b", "c", "a", "d"]);
    expect(loaded.map(fileOfWorkflow)).toEqual(["parts/b.yaml", "parts/c.yml", "main.yaml", "main.yaml"].map(at));
  });

  it("that include one another are a problem that names the way", async () => {
    await files({
      "a.yaml": `include: b.yaml\n${one("a")}`,
      "b.yaml": `${one("b")}include: [c.yaml]\n`,
      "c.yaml": `include: [a.yaml]\n${one("c")}`,
    });
    const [problem] = await validateFile(at("a.yaml"));
    expect(problem).toMatchObject({ code: "cycle", file: at("c.yaml"), line: 1 });
    expect(problem?.message).toBe("files that include one another: `a.yaml` -> `b.yaml` -> `c.yaml` -> `a.yaml`");
  });

  it("tell of a script whose file is not there, or is none that a text can name, beside all else that is wrong", async () => {
    await files({
      "w.yaml": [
        "workflow:",
        "  id: w",
        "  version: 1",
        "  steps:",
        "    - { name: a, type: deno, config: { file: nope.ts, permissions: { run: true } } }",
        "    - { name: b, type: deno, config: { file: . } }",
        "    - { name: c, type: deno, config: { file: '${{ inputs.which }}' } }",
        "    - { name: d, type: lgo }",
        "",
      ].join("\n"),
    });
    const problems = await validateFile(at("w.yaml"));
    expect(problems.map(({ line, column, message }) => `${line}:${column} ${message.slice(0, 60)}`)).toEqual([
      "5:46 the script's file `nope.ts` cannot be read: there is no such",
      expect.stringMatching(/^5:\d+ `run: true` lets the script start any program/),
      "6:46 the script's file `.` cannot be read: it is a folder",
      "7:46 which script is run is not for a value of a run to say",
      expect.stringContaining("there is no type `lgo`"),
    ]);
  });

  it("tell the problems of included files with their names, beside their own", async () => {
    await files({
      "a.yaml": `include: [b.yaml, nope.yaml, c.txt]\n${one("a").replace("message", "mesage")}`,
      "b.yaml": one("b").replace("log", "lgo"),
    });
    const problems = await validateFile(at("a.yaml"));
    expect(problems.map(({ file, line, message }) => `${file.slice(folder.length + 1)}:${line} ${message}`)).toEqual([
      "a.yaml:1 `nope.yaml` cannot be included: there is no such file",
      "a.yaml:1 expected the path of a .yaml or .yml file",
      "a.yaml:2 `message` is missing: expected text, a number, true or false",
      "a.yaml:2 there is no key `mesage` here",
      "b.yaml:1 there is no type `lgo`",
    ]);
  });

  it("with two workflows of one id and version are refused, of two versions not", async () => {
    const two = (version: number): string =>
      `workflows:\n  - ${one("a").slice(10)}  - ${one("a").slice(10).replace("version: 1", `version: ${version}`)}`;
    expect(parseWorkflows(two(2)).map(({ version }) => version)).toEqual([1, 2]);
    expect(() => parseWorkflows(two(1))).toThrow("the workflow `a` of this version is there already");
  });

  it("with several workflows, or without any, are not for loadWorkflow", async () => {
    await files({ "two.yaml": `workflows:\n  - ${one("a").slice(10)}  - ${one("b").slice(10)}` });
    await expect(loadWorkflow(at("two.yaml"))).rejects.toThrow("has 2 workflows: load them with `loadWorkflows`");
    await expect(loadWorkflow(at("none.yaml"))).rejects.toThrow("cannot be read: there is no such file");
    expect(() => parseWorkflow(7 as never)).toThrow("a workflow's text must be text, got number");
    expect(() => parseWorkflow("", [] as never)).toThrow("the configuration must be an object");
  });

  it("run where they stand: relative paths start from their folder", async () => {
    await files({
      "sub/w.yaml":
        "workflow: { id: w, version: 1, steps: [{ name: a, run: pwd }, { name: b, run: 'printf hi > out.txt', outputs: [{ name: text, path: out.txt }] }] }",
    });
    const data = (await runToEnd(await loadWorkflow(at("sub/w.yaml")), {})) as Record<string, string>;
    expect(data["a.stdout"]?.trim().endsWith("/sub")).toBe(true);
    expect(data.text).toBe("hi");
  });

  it("may hold variables of any kind, from a command line too, where all are text", async () => {
    const text = `
workflow:
  id: \${{ var.name }}-w
  version: \${{ var.version }}
  steps:
    - name: a
      type: transform
      retry: { max_retries: \${{ var.retries }}, jitter: \${{ var.jitter }} }
      timeout: \${{ var.timeout }}
      config: { set: { list: \${{ var.list }}, text: "\${{ var.list }} \${{ var.db.host }}", version: \${{ var.version }}, both: "\${{ var.db.port + inputs.n }}" } }
`;
    const config = {
      name: "x",
      version: "3",
      retries: "2",
      jitter: "true",
      timeout: "5s",
      list: [1, { a: 2 }],
      db: { host: "h", port: 5 },
    };
    const definition = parseWorkflow(text, config);
    expect([definition.id, definition.version]).toEqual(["x-w", 3]);
    expect(definition.body.nodes[0]).toMatchObject({ timeoutMs: 5000, onError: { maxRetries: 2, jitter: true } });
    expect(await runToEnd(definition, { n: 2 })).toMatchObject({
      list: [1, { a: 2 }],
      text: '[1,{"a":2}] h',
      version: "3",
      both: 7,
    });
    expect(() => parseWorkflow(text, { ...config, name: "${{ secret.X }}" })).toThrow(
      "a variable's value is not an expression",
    );
    expect(() => parseWorkflow(text, { ...config, version: "three" })).toThrow("expected a whole number from 1");
  });
});

describe("the pipeline of WFE's README", () => {
  // The commands are this test's; everything else is as it is there.
  const text = `
workflow:
  id: deploy-pipeline
  version: 1
  steps:
    - name: Lint
      config:
        run: echo clippy
        timeout: "120s"

    - name: Test
      config:
        run: echo "12 passed"
        timeout: "300s"

    - name: Build
      config:
        run: echo built
        timeout: "600s"

    - name: Notify
      type: deno
      config:
        script: |
          const result = await fetch("https://hooks.slack.com/...", {
            method: "POST",
            body: JSON.stringify({ text: "Deploy complete" }),
          });
          Wfe.setOutput("status", result.status.toString());
        permissions:
          net: ["hooks.slack.com"]
        timeout: "10s"
`;

  it("loads unchanged", () => {
    const definition = parseWorkflow(text);
    expect(definition.body.nodes.map(({ kind, id }) => [kind, id])).toEqual([
      ["step", "Lint"],
      ["step", "Test"],
      ["step", "Build"],
      ["step", "Notify"],
    ]);
  });

  it("runs, with the address of this test", async () => {
    const got: string[] = [];
    const server = createServer((request, response) => {
      request.on("data", (chunk) => got.push(String(chunk)));
      request.on("end", () => response.end());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      const local = text.replace("https://hooks.slack.com/...", `http://${host}/`).replace("hooks.slack.com", host);
      const data = (await runToEnd(parseWorkflow(local), {})) as Record<string, unknown>;
      expect(data).toMatchObject({
        "Lint.stdout": "clippy\n",
        "Test.stdout": "12 passed\n",
        "Build.exit_code": 0,
        status: "200",
      });
      expect(got).toEqual(['{"text":"Deploy complete"}']);
    } finally {
      server.close();
    }
  });
});
