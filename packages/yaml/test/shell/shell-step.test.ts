import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WorkflowHost } from "@wfe/core";
import { memory, runToEnd } from "@wfe/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InvalidWorkflowFileError, parseWorkflow, type ParseOptions } from "../../src/index.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "wfe-shell-step-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = (steps: string, options: ParseOptions = {}): ReturnType<typeof parseWorkflow> =>
  parseWorkflow(
    `workflow:\n  id: w\n  version: 1\n  steps:\n${steps.replace(/^/gm, "    ")}`,
    {},
    { file: join(folder, "w.yaml"), ...options },
  );

describe("a shell step of a workflow", () => {
  it("gives its output as data, and its outputs to the steps after it", async () => {
    const definition = load(
      [
        "- name: build",
        "  run: |",
        "    echo building ${{ inputs.what }}",
        '    echo "##wfe[output size=42]"',
        '    echo "note=it\'s \\$(fine)" >> "$WFE_OUTPUT"',
        "- name: use",
        '  run: printf \'%s|\' "$WHAT" ${{ steps.build.outputs.note }} ${{ data.size }} "$SIZE" "$BUILD_EXIT_CODE"',
      ].join("\n"),
    );
    const data = (await runToEnd(definition, { what: "; touch pwned *" })) as Record<string, unknown>;
    expect(data).toMatchObject({
      "build.stdout": "building ; touch pwned *\n##wfe[output size=42]\n",
      "build.stderr": "",
      "build.exit_code": 0,
      size: 42,
      note: "it's $(fine)",
      "use.stdout": "; touch pwned *|it's $(fine)|42|42|0|",
    });
  });

  it("fails with the last lines of its stderr", async () => {
    const definition = load("- name: bad\n  run: |\n    echo start\n    echo this is why >&2\n    exit 7");
    await expect(runToEnd(definition, {})).rejects.toMatchObject({
      cause: {
        code: "SHELL_FAILED",
        stepId: "bad",
        message: "the command ended with exit code 7:\nthis is why",
        exitCode: 7,
      },
    });
  });

  it("is not loaded where a value cannot be placed safely: the error shows where, and how to write it", () => {
    const text = "- name: bad\n  run: echo '${{ inputs.what }}'";
    let error: unknown;
    try {
      load(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(InvalidWorkflowFileError);
    expect((error as Error).message).toContain("single quotes");
    expect((error as Error).message).toMatch(/w\.yaml:6:1[0-9]/);
  });

  it("masks secrets in lines, data and errors", async () => {
    const definition = load(
      '- name: a\n  run: printf "%s" ${{ secret.TOKEN }} | fold -w 5; echo; echo x${{ secret.TOKEN }}y; echo ${{ secret.TOKEN }} >&2; exit 1',
      {
        secrets: { TOKEN: "s3cr3t-t0ken" },
      },
    );
    const chunks: string[] = [];
    await using host = new WorkflowHost({ providers: [memory()], workflows: [definition] });
    host.on("step.output", (event) => chunks.push(event.chunk ?? ""));
    await host.start();
    const handle = await host.startWorkflow(definition, {});
    const error = (await handle.result().catch((failure: unknown) => failure)) as Error & { cause: Error };
    expect(error.cause.message).toContain("exit code 1:\n***");
    expect(chunks.join("")).toContain("x***y\n");
    expect(JSON.stringify([chunks, error.cause.message, await handle.history()])).not.toContain("s3cr3t-t0ken");
  });

  it("ends at its time-out, and runs in its folder with its own variables", async () => {
    await expect(
      runToEnd(load("- name: slow\n  type: shell\n  config: { run: sleep 1000, timeout: 200ms }"), {}),
    ).rejects.toMatchObject({
      cause: { code: "STEP_TIMEOUT" },
    });
    const definition = load(
      '- name: a\n  run: mkdir sub\n- name: b\n  type: shell\n  config:\n    run: echo "$MODE" > here\n    working_dir: sub\n    env: { MODE: "a ${{ inputs.x }}" }\n    shell: bash -eu',
    );
    await runToEnd(definition, { x: "*" });
    expect(readFileSync(join(folder, "sub", "here"), "utf8")).toBe("a *\n");
  });

  it("is ended when its workflow is terminated", async () => {
    const definition = load("- name: a\n  run: |\n    echo $$ > pid\n    trap : TERM\n    while :; do sleep 1; done");
    await using host = new WorkflowHost({ providers: [memory()], workflows: [definition] });
    await host.start();
    const handle = await host.startWorkflow(definition, {});
    let pid = 0;
    for (let at = 0; at < 500 && !(pid > 0); at++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      try {
        pid = Number(readFileSync(join(folder, "pid"), "utf8"));
      } catch {
        // Not yet.
      }
    }
    const alive = (): boolean => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    expect(alive()).toBe(true);
    await host.terminateWorkflow(handle.id, { reason: "enough" });
    await expect(handle.result()).rejects.toMatchObject({ code: "WORKFLOW_TERMINATED" });
    for (let at = 0; at < 1_000 && alive(); at++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(alive()).toBe(false);
  });
});
