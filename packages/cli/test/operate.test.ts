import { spawnSync } from "node:child_process";
import { workflow, WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Desk } from "./wfe.ts";

// Most of them start several processes.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

const waiting = `
workflow:
  id: waiting
  version: 1
  steps:
    - name: approval
      type: wait_for
      config: { event: approved, key: "7" }
    - { name: ship, run: echo shipped }
`;

describe("wfe", () => {
  it("lists, shows, publishes to, and tells the history of workflows that a worker runs", async () => {
    desk.file("w.yaml", waiting);
    const interrupted = desk.start(["run", "w.yaml", "--id", "w1"]);
    await interrupted.says("waiting for approved (7)");
    interrupted.kill("SIGTERM");
    expect((await interrupted.ended).code).toBe(8);

    const list = await desk.wfe("list", "--json", "--waiting-for", "approved");
    expect(JSON.parse(list.stdout)).toMatchObject({ items: [{ id: "w1", status: "waiting" }], cursor: null });
    expect((await desk.wfe("show", "w1")).stdout).toMatch(/status: +waiting/);
    expect((await desk.wfe("list", "--search", "approved")).code).toBe(0);

    const worker = desk.start(["worker", "w.yaml"]);
    await worker.says("runs waiting@1");
    expect(await desk.wfe("events", "publish", "approved", "7", '{"by":"ann"}')).toMatchObject({ code: 0 });
    await worker.says("w1: completed");
    worker.kill("SIGTERM");
    expect((await worker.ended).code).toBe(0);

    const history = (await desk.wfe("history", "w1", "--json")).stdout.trim().split("\n");
    const kinds = history.map((line) => (JSON.parse(line) as { kind: string }).kind);
    expect(kinds.at(0)).toBe("workflow-started");
    expect(kinds).toContain("event-consumed");
    expect(kinds.at(-1)).toBe("workflow-completed");
  });

  it("says which lines of a step are gone", async () => {
    const definition = workflow()
      .then((_, ctx) => {
        for (let n = 1; n <= 20; n++) ctx.write("stdout", `${n}\n`);
      })
      .id("talk")
      .build("w", 1);
    await using host = new WorkflowHost({
      providers: [sqlite(desk.path("own.db"))],
      workflows: [definition],
      limits: { logLines: 5 },
    });
    await host.start();
    await (await host.startWorkflow(definition, {}, { id: "long" })).result();
    await host.stop();
    for (const follow of [[], ["--follow"]]) {
      const { stdout, stderr } = await desk.wfe("logs", "long", "--db", "own.db", ...follow);
      expect(stdout).toBe("16\n17\n18\n19\n20\n");
      expect(stderr).toMatch(/^… 15 lines of talk are gone: .*\n$/);
    }
  });

  it("shows a step whose condition is false as skipped, also of a run that has failed", async () => {
    const steps = `
    - { name: a, run: "printf '\\\\033[2Jevil\\\\n'" }
    - { name: b, run: echo never, when: { field: .inputs.go, equals: true } }`;
    const head = "workflow:\n  id: w\n  version: 1\n  inputs: { go: bool? }\n  steps:";
    desk.file("fine.yaml", `${head}${steps}`);
    desk.file("fails.yaml", `${head}${steps}\n    - { name: c, run: exit 1 }\n`);
    for (const [file, code] of [
      ["fine.yaml", 0],
      ["fails.yaml", 1],
    ] as const) {
      const run = await desk.wfe("run", file, "--id", file, "--json");
      expect(run).toMatchObject({ code, stderr: expect.stringContaining("\nb: skipped\n") });
      expect(run.stderr).toContain("a | ␛[2Jevil");
      expect(run.stderr).not.toContain("b/when");
      const shown = { id: "b", status: "skipped" };
      const first = { id: "a", status: "completed" };
      expect(JSON.parse(run.stdout).steps.slice(0, 2)).toMatchObject([first, shown]);
      expect(JSON.parse((await desk.wfe("show", file, "--json")).stdout).steps.slice(0, 2)).toMatchObject([
        first,
        shown,
      ]);
      const { stdout } = await desk.wfe("show", file);
      expect(stdout).toMatch(/^b +skipped/m);
      expect(stdout).not.toContain("b/when");
    }
  });

  it("suspends and terminates also where no worker runs", async () => {
    desk.file("w.yaml", waiting);
    for (const id of ["a", "b"]) {
      const run = desk.start(["run", "w.yaml", "--id", id]);
      await run.says("waiting for approved");
      run.kill("SIGTERM");
      await run.ended;
    }
    expect(await desk.wfe("suspend", "a", "--reason", "lunch")).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("a is suspended"),
    });
    expect(await desk.wfe("terminate", "b")).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("b is terminated"),
    });
    expect(await desk.wfe("suspend", "b")).toMatchObject({ code: 5, stderr: expect.stringContaining("is terminated") });
    await desk.wfe("events", "publish", "approved", "7");
    expect((await desk.wfe("resume", "a")).code).toBe(0);
  });

  it("validates all files at once, in every format", async () => {
    desk.file("good.yaml", waiting);
    desk.file("bad.yaml", "workflow:\n  id: bad\n  version: 1\n  steps:\n    - { name: a, typ: shell }\n");
    expect(await desk.wfe("validate", "good.yaml")).toMatchObject({ code: 0, stdout: "" });
    const pretty = await desk.wfe("validate", "good.yaml", "bad.yaml");
    expect(pretty).toMatchObject({ code: 3, stdout: expect.stringMatching(/bad\.yaml:5:\d+: /) });
    expect(pretty.stdout).toContain("^");
    const json = await desk.wfe("validate", "bad.yaml", "--format", "json");
    expect(JSON.parse(json.stdout)).toMatchObject([{ file: expect.stringContaining("bad.yaml"), line: 5 }]);
    const sarif = await desk.wfe("validate", "bad.yaml", "--format", "sarif");
    expect(JSON.parse(sarif.stdout)).toMatchObject({ version: "2.1.0" });
    expect((await desk.wfe("validate", "bad.yaml", "--format", "github")).stdout).toMatch(/^::error file=/);
  });

  it("starts from nothing: init, run, graph", async () => {
    expect((await desk.wfe("init")).code).toBe(0);
    expect((await desk.wfe("validate", "workflow.yaml")).code).toBe(0);
    expect((await desk.wfe("run", "workflow.yaml", "-q")).code).toBe(0);
    expect((await desk.wfe("graph", "workflow.yaml")).stdout).toMatch(/^flowchart TD/);
    expect((await desk.wfe("init")).code).toBe(2);
  });

  it.each([
    ["no such command", 2, ["rum"]],
    ["no such option", 2, ["run", "x.yaml", "--fast"]],
    ["no such format", 2, ["validate", "x.yaml", "--format", "xml"]],
    ["input that is not JSON", 2, ["run", "x.yaml", "--input", "{"]],
    ["a variable without a value", 2, ["run", "x.yaml", "--var", "x"]],
    ["no such file", 4, ["run", "none.yaml"]],
    ["no such workflow", 4, ["show", "none"]],
    ["no such workflow in the file", 4, ["graph", "x.yaml", "--workflow", "none"]],
    ["a store of another kind", 2, ["list", "--db", "mysql://localhost"]],
    ["a store that is not there", 6, ["list", "--db", "postgres://127.0.0.1:1/none"]],
    ["a file that is not a database", 6, ["list", "--db", "x.yaml"]],
    ["an id of another definition", 5, ["run", "y.yaml", "--id", "taken"]],
    ["an invalid duration", 2, ["run", "x.yaml", "--timeout", "soon"]],
  ])("ends with its code at %s", async (_, code, args) => {
    const one = "steps: [{ name: a, run: 'true' }]";
    desk.file("x.yaml", `workflow: { id: x, version: 1, ${one} }`);
    desk.file("y.yaml", `workflow: { id: y, version: 1, ${one} }`);
    if (args.includes("taken")) await desk.wfe("run", "x.yaml", "--id", "taken", "-q");
    const ended = await desk.wfe(...args);
    expect({ code: ended.code, stdout: ended.stdout }, ended.stderr).toEqual({ code, stdout: "" });
    expect(ended.stderr).not.toContain("defect");
    expect(ended.stderr).not.toMatch(/\n +at /);
  });

  it("says how things are, and what it is", async () => {
    expect(await desk.wfe("doctor")).toMatchObject({ code: 0, stdout: expect.stringContaining("sqlite") });
    expect(await desk.wfe("migrate")).toMatchObject({ code: 0, stderr: expect.stringContaining("up to date") });
    expect((await desk.wfe("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const help = await desk.wfe("--help");
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("Exit codes:") });
    expect(JSON.parse((await desk.wfe("schema")).stdout)).toHaveProperty("$schema");
    expect((await desk.wfe("nodes")).stdout).toMatch(/^shell /m);
  });

  it.each(["bash", "zsh", "fish"])("completes commands in %s", async (shell) => {
    const { code, stdout } = await desk.wfe("completion", shell);
    expect(code).toBe(0);
    expect(stdout).toContain("validate");
    if (shell !== "bash") return;
    const complete = `${stdout}\nCOMP_WORDS=(wfe run --wa); COMP_CWORD=2; _wfe; echo "\${COMPREPLY[@]}"`;
    expect(spawnSync("bash", ["-c", complete], { encoding: "utf8" }).stdout).toBe("--watch\n");
  });
});
