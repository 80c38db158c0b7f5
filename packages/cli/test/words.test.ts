import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Desk } from "./wfe.ts";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

const library = /retryWorkflow|skipStep|resumeWorkflow|getWorkflow|ctx\.signal|`\.timeout`/;

/** A workflow of these steps. */
function file(steps: string, more: string = ""): void {
  desk.file("w.yaml", `workflow:\n  id: w\n  version: 1\n${more}  steps:\n${steps}\n`);
}

describe("the command advises commands", () => {
  it("where a step has failed", async () => {
    file("    - { name: no, run: exit 3 }");
    const { code, stderr } = await desk.wfe("run", "w.yaml", "--id", "f 1", "--db", "own.db");
    expect(code).toBe(1);
    expect(stderr).toContain("mend what caused it, then: wfe retry 'f 1' --db own.db");
    expect(stderr).not.toMatch(library);
    const shown = await desk.wfe("show", "f 1", "--db", "own.db");
    expect(shown.stdout).toContain("  wfe retry 'f 1' --db own.db  run again what failed");
    expect(shown.stdout).toContain('  in a program: skipStep("f 1", "no", ...)  ');
  });

  it("where it was waited long enough", async () => {
    file("    - { name: long, run: sleep 20 }");
    const { code, stderr } = await desk.wfe("run", "w.yaml", "--id", "t", "--timeout", "300ms", "--grace", "0ms");
    expect(code).toBe(7);
    expect(stderr).toContain("has not ended within 300ms and is stopped here; it goes on with: wfe resume t\n");
    expect((await desk.wfe("show", "t")).stdout).toContain("  wfe terminate t  end it");
  });

  it("where a step took too long", async () => {
    file("    - name: calc\n      type: deno\n      timeout: 500ms\n      config: { script: 'while (true);' }");
    const { code, stderr } = await desk.wfe("run", "w.yaml");
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/raise (the step's )?`timeout`/) });
    expect(stderr).not.toMatch(library);
  });

  it("where a value is missing that the loader was to be given", async () => {
    file("    - { name: a, run: 'echo ${{ var.region }}' }");
    expect((await desk.wfe("run", "w.yaml")).stderr).toContain("`wfe ... --var name=value`");
    file("    - { name: a, run: 'echo ${{ secret.NOWHERE_TO_BE_FOUND }}' }");
    expect((await desk.wfe("run", "w.yaml")).stderr).toContain("the environment variable of that name");
    file("    - { name: a, type: http, config: { url: 'http://127.0.0.1:1/' } }");
    expect((await desk.wfe("run", "w.yaml")).stderr).toContain("the `wfe` command cannot");
  });

  it("where an output is of another type than the declared one", async () => {
    file("    - { name: a, run: 'echo \"##wfe[output o=1]\"' }", "  outputs: { o: string }\n");
    const { stderr } = await desk.wfe("run", "w.yaml");
    expect(stderr).toContain("output `o` must be string, got a number: it is declared as `string`; declare the type");
    file("    - { name: a, run: echo }", "  outputs: { o: string }\n");
    expect((await desk.wfe("run", "w.yaml")).stderr).toContain("a step must set it, or its type end in `?`");
  });
});
