import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { editWorkflow, saveWorkflow } from "@wfe/yaml";
import { describe, expect, it } from "vitest";

const text = `# a pipeline
workflow: # the only one
  id: "a" # quoted

  version: 1
  steps:
    # first
    - name: one   # aligned
      run: echo \${{ var.x }}
      config: {env: {A: 1}, timeout: 5s}   # flow

    - { name: two, run: 'x' }
  # the end
`;

describe("changing a file", () => {
  it("leaves what is not changed as it is written", () => {
    const edited = editWorkflow(text, [
      { path: ["workflow", "id"], value: 'b"c' },
      { path: ["workflow", "version"], value: 2 },
      { path: ["workflow", "steps", 0, "run"], value: "make\nmake test\n" },
      { path: ["workflow", "steps", 0, "config", "timeout"], value: "10s" },
      { path: ["workflow", "steps", 0, "retry"], value: { max_retries: 2 } },
      { path: ["workflow", "steps", 1, "run"], value: "it's" },
      { path: ["workflow", "steps", 2], value: { name: "three", run: "y: z", needs: ["one"] } },
    ]);
    expect(edited).toBe(`# a pipeline
workflow: # the only one
  id: "b\\"c" # quoted

  version: 2
  steps:
    # first
    - name: one   # aligned
      run: |
        make
        make test
      config: {env: {A: 1}, timeout: "10s"}   # flow
      retry:
        max_retries: 2

    - { name: two, run: 'it''s' }
    - name: three
      run: "y: z"
      needs:
        - one
  # the end
`);
  });

  it("takes keys and items away, with their lines alone", () => {
    const edited = editWorkflow(text, [
      { path: ["workflow", "version"], remove: true },
      { path: ["workflow", "steps", 0, "run"], remove: true },
      { path: ["workflow", "steps", 1], remove: true },
    ]);
    expect(edited).toBe(`# a pipeline
workflow: # the only one
  id: "a" # quoted

  steps:
    # first
    - name: one   # aligned
      config: {env: {A: 1}, timeout: 5s}   # flow

  # the end
`);
  });

  it("keeps comments and placeholders also where it has to write anew", () => {
    const edited = editWorkflow(text, [
      { path: ["workflow", "steps", 0, "config", "env", "B"], value: "${{ secret.B }}" },
    ]);
    expect(edited).toContain("# aligned");
    expect(edited).toContain("run: echo ${{ var.x }}");
    expect(edited).toContain("${{ secret.B }}");
  });

  it("refuses a way through an alias, and one that leads nowhere", () => {
    const aliased = "a: &a { x: 1 }\nb: *a\n";
    expect(() => editWorkflow(aliased, [{ path: ["b", "x"], value: 2 }])).toThrow(
      "`b` is an alias: change what it repeats, at its anchor",
    );
    expect(editWorkflow(aliased, [{ path: ["a", "x"], value: 2 }])).toBe("a: &a { x: 2 }\nb: *a\n");
    expect(() => editWorkflow(text, [{ path: ["workflow", "nope", "x"], value: 2 }])).toThrow(
      "there is no `workflow.nope.x` in the file",
    );
    expect(() => editWorkflow(text, [{ path: ["workflow", "steps", 5], value: {} }])).toThrow("the list has 2 items");
    expect(() => editWorkflow(text, [{ path: ["workflow", "nope"], remove: true }])).toThrow(
      "there is no `workflow.nope` in the file",
    );
  });

  it.each([
    [undefined, "`workflow.id` cannot be set to undefined: `remove: true` takes it away"],
    [() => 1, "`workflow.id` cannot be set to a function"],
    [1n, "`workflow.id` cannot be set to this: Do not know how to serialize a BigInt"],
  ])("refuses %s as a value, which no file can say", (value, message) => {
    expect(() => editWorkflow(text, [{ path: ["workflow", "id"], value }])).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringContaining(message) }),
    );
  });

  it("replaces the file as a whole, with its mode", async () => {
    const folder = await mkdtemp(join(tmpdir(), "wfe-edit-"));
    try {
      const file = join(folder, "w.yaml");
      await writeFile(file, text, { mode: 0o640 });
      await saveWorkflow(file, [{ path: ["workflow", "version"], value: 7 }]);
      expect(await readFile(file, "utf8")).toBe(text.replace("version: 1", "version: 7"));
      expect((await stat(file)).mode & 0o777).toBe(0o640);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
