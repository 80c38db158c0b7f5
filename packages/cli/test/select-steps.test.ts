import { existsSync, readFileSync, rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Desk } from "./wfe.ts";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

interface Ran {
  readonly code: number | null;
  /** What the steps have left, in order. */
  readonly log: readonly string[];
  readonly stderr: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Runs some of the steps of a workflow. */
async function runSome(workflow: string, ...options: readonly string[]): Promise<Ran> {
  desk.file("w.yaml", `workflow:\n  id: w\n  version: 1\n${workflow.trim().replace(/^/gm, "  ")}\n`);
  rmSync(desk.path("log.txt"), { force: true });
  const { code, stdout, stderr } = await desk.wfe("run", "w.yaml", ...options);
  const log = existsSync(desk.path("log.txt")) ? readFileSync(desk.path("log.txt"), "utf8").trim().split("\n") : [];
  return { code, log, stderr, data: code === 0 ? (JSON.parse(stdout) as Record<string, unknown>) : {} };
}

const withHooks = `
ensure: { name: clean, run: echo clean >> log.txt }
on_failure: { name: alarm, run: echo alarm >> log.txt }
outputs: { done: string }
steps:
  - { name: a, run: echo a >> log.txt }
  - { name: b, run: 'echo b >> log.txt; echo "##wfe[output done=yes]"; [ ! -f broken ]' }
  - { name: c, run: echo c >> log.txt }
`;

const withKeys = `
inputs: { go: bool? }
steps:
  - { name: a, run: echo a >> log.txt }
  - name: b
    when: { field: .inputs.go, equals: true }
    run: echo b >> log.txt
  - name: m
    matrix: { node: [20, 22] }
    max_parallel: 1
    run: echo "m \${{ matrix.node }}" >> log.txt; echo "##wfe[output n=\${{ matrix.node }}]"
  - name: e
    run: echo e >> log.txt
    on_success: { name: e-done, run: echo e-done >> log.txt }
    ensure: { name: e-clean, run: echo e-clean >> log.txt }
  - name: loop
    type: for_each
    items: [1, 2]
    concurrency: 1
    steps: [{ name: inner, run: 'echo "inner \${{ item }}" >> log.txt' }]
`;

const fromM = ["m 20", "m 22", "e", "e-done", "e-clean", "inner 1", "inner 2"];

describe("wfe run --from", () => {
  it("keeps the hooks of the workflow around what is left", async () => {
    expect(await runSome(withHooks, "--from", "b")).toMatchObject({
      code: 0,
      log: ["b", "c", "clean"],
      data: { done: "yes" },
    });
    desk.file("broken", "");
    expect(await runSome(withHooks, "--from", "b")).toMatchObject({ code: 1, log: ["b", "alarm", "clean"] });
  });

  it("keeps them around a graph as well", async () => {
    const graph = `
ensure: { name: clean, run: echo clean >> log.txt }
steps:
  - { name: a, run: echo a >> log.txt }
  - { name: b, run: echo b >> log.txt, needs: [a], when: { field: .inputs.go, equals: true } }
  - { name: c, run: echo c >> log.txt, needs: [b] }
  - { name: d, run: echo d >> log.txt, needs: [a] }
inputs: { go: bool? }
`;
    expect((await runSome(graph, "--from", "b", "--input", '{"go":true}')).log).toEqual(["b", "c", "clean"]);
    expect((await runSome(graph, "--from", "b")).log).toEqual(["c", "clean"]);
  });

  it("begins at a step with keys of its own, which stay", async () => {
    expect(await runSome(withKeys, "--from", "b", "--input", '{"go":true}')).toMatchObject({
      code: 0,
      log: ["b", ...fromM],
    });
    expect((await runSome(withKeys, "--from", "b")).log).toEqual(fromM);
    expect((await runSome(withKeys, "--from", "m")).log).toEqual(fromM);
    expect((await runSome(withKeys, "--from", "e")).log).toEqual(fromM.slice(2));
    expect(await runSome(withKeys, "--from", "inner")).toMatchObject({
      code: 2,
      log: [],
      stderr: expect.stringContaining("step `inner` is inside `loop`"),
    });
    expect((await runSome(withHooks, "--from", "clean")).code).toBe(2);
  });
});

describe("wfe run --step", () => {
  it("runs all of a matrix", async () => {
    const { code, log, data } = await runSome(withKeys, "--step", "m");
    expect({ code, log }).toEqual({ code: 0, log: ["m 20", "m 22"] });
    expect(data).toMatchObject({ steps: { m: { outputs: [{ n: 20 }, { n: 22 }] } } });
  });

  it("runs a step with what its keys say, whatever its `when`; one of a loop is refused", async () => {
    expect((await runSome(withKeys, "--step", "b")).log).toEqual(["b"]);
    expect((await runSome(withKeys, "--step", "e")).log).toEqual(["e", "e-done", "e-clean"]);
    expect((await runSome(withKeys, "--step", "loop")).log).toEqual(["inner 1", "inner 2"]);
    expect((await runSome(withHooks, "--step", "a")).log).toEqual(["a"]);
    expect(await runSome(withKeys, "--step", "inner")).toMatchObject({
      code: 2,
      log: [],
      stderr: expect.stringContaining("`inner` runs for each item of `loop`: name that one"),
    });
  });
});

describe("wfe run of a file that includes others", () => {
  it("runs the first workflow of the file itself; --workflow names another", async () => {
    desk.file("part.yaml", "workflow: { id: part, version: 1, steps: [{ name: p, run: echo part >> log.txt }] }");
    desk.file(
      "main.yaml",
      "include: part.yaml\nworkflow: { id: main, version: 1, steps: [{ name: m, run: echo main >> log.txt }] }",
    );
    desk.file("list.yaml", "include: part.yaml\n");
    expect((await desk.wfe("graph", "main.yaml")).stdout).toContain(`["m"]`);
    for (const args of [["main.yaml"], ["main.yaml", "--workflow", "part"], ["list.yaml"]]) {
      expect((await desk.wfe("run", ...args)).code).toBe(0);
    }
    expect(readFileSync(desk.path("log.txt"), "utf8")).toBe("main\npart\npart\n");
  });
});
