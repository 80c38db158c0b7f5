import { workflowJsonSchema, type StepType } from "@wfe/yaml";
import { describe, expect, it } from "vitest";
import { getLanguageService } from "yaml-language-server";
import { TextDocument } from "vscode-languageserver-textdocument";

const greet: StepType = { type: "acme.greet", title: "Greet", description: "Greets someone.", run: () => ({}) };
const schema = workflowJsonSchema({ types: [greet] });

const uri = "file:///w.yaml";
/** The service keeps what it has parsed by address and version. */
let versions = 0;
const service = getLanguageService({
  schemaRequestService: async () => JSON.stringify(schema),
  workspaceContext: { resolveRelativePath: (path) => path },
});
service.configure({
  validate: true,
  completion: true,
  hover: true,
  schemas: [{ uri: "file:///wfe.json", fileMatch: ["*"], schema: schema as never }],
});

/** What an editor offers where `|` stands. */
async function offered(text: string): Promise<string[]> {
  const offset = text.indexOf("|");
  const document = TextDocument.create(uri, "yaml", ++versions, text.replace("|", ""));
  const { items } = await service.doComplete(document, document.positionAt(offset), false);
  return items.map(({ label }) => label);
}

async function complaints(text: string): Promise<string[]> {
  const found = await service.doValidation(TextDocument.create(uri, "yaml", ++versions, text), false);
  return found.map(
    ({ message, range }) => `${range.start.line + 1}: ${typeof message === "string" ? message : message.value}`,
  );
}

const head = "workflow:\n  id: w\n  version: 1\n  steps:\n    - name: a\n";

describe("an editor with the schema", () => {
  it("offers the types of steps, the application's own included", async () => {
    expect(await offered(`${head}      type: |\n`)).toEqual(
      expect.arrayContaining([
        "shell",
        "deno",
        "http",
        "transform",
        "log",
        "wait_for",
        "for_each",
        "saga",
        "workflow",
        "acme.greet",
      ]),
    );
  });

  it("offers the keys of a step and of a type's config", async () => {
    expect(await offered(`${head}      |\n`)).toEqual(
      expect.arrayContaining(["when", "retry", "timeout", "needs", "matrix", "ensure", "run"]),
    );
    expect(await offered(`${head}      type: http\n      config:\n        |\n`)).toEqual(
      expect.arrayContaining(["url", "method", "headers", "max_bytes"]),
    );
    expect(await offered(`${head}      run: x\n      retry:\n        |\n`)).toEqual(
      expect.arrayContaining(["max_retries", "backoff", "then"]),
    );
    expect(await offered("workflow:\n  |\n")).toEqual(expect.arrayContaining(["id", "version", "inputs", "steps"]));
  });

  it("offers the words that a key takes", async () => {
    expect(await offered(`${head}      run: x\n      error_behavior:\n        type: |\n`)).toEqual(
      expect.arrayContaining(["retry", "suspend", "ignore"]),
    );
  });

  it("complains about what the loader refuses, and not about what it takes", async () => {
    const fine = `${head}      run: echo \${{ inputs.x }}
      timeout: 5s
      when: { all: [{ field: .inputs.x, gt: 1 }, "\${{ inputs.y }}"] }
      matrix: { node: [20, 22] }
      max_parallel: \${{ var.most }}
    - name: b
      type: wait_for
      config: { event: e, key: k, remind: { every: 1d, do: [{ name: c, run: x }] } }
      on_timeout: []
    - { name: d, parallel: [{ name: e, type: acme.greet, config: { any: 1 } }] }
    - { name: f, type: decide, value: "\${{ data.x }}", cases: { a: [], default: [{ name: g, type: end }] } }
`;
    expect(await complaints(fine)).toEqual([]);
    expect((await complaints(`${head}      type: http\n      config: { ulr: x }\n`)).join()).toMatch(/ulr|url/);
    expect(await complaints(`${head}      type: nope\n`)).not.toEqual([]);
    expect(await complaints("workflow:\n  id: w\n  version: one\n  steps: []\n")).not.toEqual([]);
  });
});
